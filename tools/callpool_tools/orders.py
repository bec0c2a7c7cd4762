"""Telling a caller about an order, once they have proved that it is theirs."""

from __future__ import annotations

import json
from typing import Any

from livekit.agents import Agent, FunctionTool, RunContext, ToolError, function_tool

from callpool.call import Call
from callpool.hand_off import hand_off
from callpool_tools.business import Business
from callpool_tools.case import case_of
from callpool_tools.digits import ORDER_DIGITS, digits, order_number_in
from callpool_tools.money import spoken
from callpool_tools.records import Order
from callpool_tools.running import bounded


def order_tools(business: Business, unverified_to: str) -> list[FunctionTool[Any, Any]]:
    """`lookup_order` and `delivery_status`. A caller who is not verified goes to `unverified_to`."""

    @function_tool
    @bounded
    async def lookup_order(ctx: RunContext[Call], order_number: str) -> str | Agent:
        """Look up an order: what was ordered, its price, its status, its carrier and when it arrives.

        Args:
            order_number: The five digits of the order number, such as the caller read them out.
        """
        number = named_order(ctx, order_number)
        if number not in case_of(ctx).verified:
            return await hand_off_unverified(ctx, number, unverified_to)
        order = await existing_order(business, number)
        return _shown(
            order_number=order.number,
            item=order.item,
            quantity=order.quantity,
            total=spoken(order.total_usd, ctx.userdata.language),
            status=order.status,
            carrier=order.carrier,
            eta=order.eta,
            address=order.address,
        )

    @function_tool
    @bounded
    async def delivery_status(ctx: RunContext[Call], order_number: str) -> str | Agent:
        """Tell where an order is: the item, its delivery status, its carrier and when it arrives.

        Args:
            order_number: The five digits of the order number, such as the caller read them out.
        """
        number = named_order(ctx, order_number)
        if number not in case_of(ctx).verified:
            return await hand_off_unverified(ctx, number, unverified_to)
        order = await existing_order(business, number)
        return _shown(
            order_number=order.number,
            item=order.item,
            status=order.status,
            carrier=order.carrier,
            eta=order.eta,
        )

    return [lookup_order, delivery_status]


def named_order(ctx: RunContext[Call], said: str) -> str:
    """The number in what a model passed on; when it holds no digits, that of the order talked about.

    Raises ToolError.
    """
    number = order_number_in(said)
    if number is None and not digits(said):
        number = case_of(ctx).order_number
    if not number:
        raise ToolError(
            f"An order number has {ORDER_DIGITS} digits. Ask the caller to read it out again, digit by digit."
        )
    return number


async def hand_off_unverified(ctx: RunContext[Call], number: str, to: str) -> Agent:
    """A caller who has not proved that an order is theirs is told nothing: not even that it exists."""
    case_of(ctx).order_number = number
    return await hand_off(ctx, to)


async def existing_order(business: Business, number: str) -> Order:
    """A verified caller's order. Raises ToolError when it has gone since then."""
    order = await business.order(number)
    if order is None:
        raise ToolError(
            f"Order {' '.join(number)} is not there any more. Offer the caller a person to talk to."
        )
    return order


def _shown(**facts: str | int) -> str:
    return json.dumps({name: fact for name, fact in facts.items() if fact != ""}, ensure_ascii=False)
