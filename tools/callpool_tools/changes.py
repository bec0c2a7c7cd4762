"""Changing things for a verified caller: new orders, addresses, cancellations."""

from __future__ import annotations

from functools import partial
from typing import Any

from livekit.agents import Agent, FunctionTool, RunContext, ToolError, function_tool

from callpool.call import Call
from callpool_tools.business import Business, Result
from callpool_tools.case import Case, case_of
from callpool_tools.catalogue import find_product
from callpool_tools.ledger import Ledger
from callpool_tools.money import spoken
from callpool_tools.orders import existing_order, hand_off_unverified, named_order
from callpool_tools.phrases import say
from callpool_tools.read_back import Change
from callpool_tools.records import CANCELLABLE, ON_ITS_WAY, Order, Purchase
from callpool_tools.running import bounded

QUANTITIES = range(1, 100)
"""How many of a thing one call may order."""

LONGEST_ADDRESS = 200


def change_tools(business: Business, unverified_to: str) -> list[FunctionTool[Any, Any]]:
    """`place_order`, `reorder`, `change_address` and `cancel_order`.

    Who is not verified goes to `unverified_to`. Each change is read back first: see `read_back`.
    """

    @function_tool
    @bounded
    async def place_order(ctx: RunContext[Call], item: str, quantity: int) -> str | Agent:
        """Place an order for a product of the shop, sent to the address of the caller's present order.

        Args:
            item: The product, such as the caller named it.
            quantity: How many of it.
        """
        like = _own_order(case_of(ctx))
        if like is None:
            return await hand_off_unverified(ctx, case_of(ctx).order_number, unverified_to)
        product, price = find_product(item, await business.prices())
        order = await existing_order(business, like)
        return await _buy(ctx, business, "place_order", order, Purchase(product, _counted(quantity), price))

    @function_tool
    @bounded
    async def reorder(ctx: RunContext[Call], order_number: str, quantity: int) -> str | Agent:
        """Order the same item again as in an earlier order, sent to the same address.

        Args:
            order_number: The five digits of the earlier order's number, such as the caller read them out.
            quantity: How many of it this time.
        """
        number = named_order(ctx, order_number)
        if number not in case_of(ctx).verified:
            return await hand_off_unverified(ctx, number, unverified_to)
        order = await existing_order(business, number)
        price = (await business.prices()).get(order.item, order.unit_price_usd)
        return await _buy(ctx, business, "reorder", order, Purchase(order.item, _counted(quantity), price))

    @function_tool
    @bounded
    async def change_address(ctx: RunContext[Call], order_number: str, address: str) -> str | Agent:
        """Change the address that an order is sent to.

        Args:
            order_number: The five digits of the order number, such as the caller read them out.
            address: The new address, with street, house number and town.
        """
        number = named_order(ctx, order_number)
        if number not in case_of(ctx).verified:
            return await hand_off_unverified(ctx, number, unverified_to)
        new = _tidy_address(address)
        change = Change(ctx, business, "change_address", {"order_number": number, "address": new.casefold()})
        if (result := await change.result()) is not None:
            return result
        order = await existing_order(business, number)
        _refuse_unless(order, ON_ITS_WAY, "its address cannot be changed")

        async def readdress(ledger: Ledger) -> Result:
            if not await ledger.change_address(number, new, ON_ITS_WAY):
                raise _changed_meanwhile(number)
            return {"order_number": number, "address": new, "status": "address changed"}

        words = say("change_address", ctx.userdata.language, order_number=" ".join(number), address=new)
        return await change.make(words, readdress)

    @function_tool
    @bounded
    async def cancel_order(ctx: RunContext[Call], order_number: str) -> str | Agent:
        """Cancel an order that was not sent yet.

        Args:
            order_number: The five digits of the order number, such as the caller read them out.
        """
        number = named_order(ctx, order_number)
        if number not in case_of(ctx).verified:
            return await hand_off_unverified(ctx, number, unverified_to)
        change = Change(ctx, business, "cancel_order", {"order_number": number})
        # Before the result: a call beside this one may cancel it at any time, and that is no refusal.
        order = await existing_order(business, number)
        if (result := await change.result()) is not None:
            return result
        if order.status == "cancelled":
            raise ToolError(
                f"Order {' '.join(number)} is cancelled already. Ask the caller what else they want."
            )
        _refuse_unless(order, CANCELLABLE, "it cannot be cancelled")

        async def cancel(ledger: Ledger) -> Result:
            if not await ledger.cancel_order(number, CANCELLABLE):
                raise _changed_meanwhile(number)
            return {"order_number": number, "status": "cancelled"}

        words = say("cancel_order", ctx.userdata.language, order_number=" ".join(number), item=order.item)
        return await change.make(words, cancel)

    return [place_order, reorder, change_address, cancel_order]


async def _buy(ctx: RunContext[Call], business: Business, tool: str, like: Order, purchase: Purchase) -> str:
    """A new order for the customer of another one, sent to the same address."""
    language = ctx.userdata.language
    said = {
        "item": purchase.item,
        "quantity": str(purchase.quantity),
        "total": spoken(purchase.total_usd, language),
        "address": like.address,
    }
    # All that is read back is part of what the caller says yes to, the price too.
    change = Change(
        ctx, business, tool, {"like": like.number, **said}, partial(_own, case_of(ctx), like.customer_name)
    )
    if (result := await change.result()) is not None:
        return result

    async def place(ledger: Ledger) -> Result:
        number = await ledger.place_order(like.number, purchase)
        return {"status": "placed", "new_order_number": number, "item": said["item"], "total": said["total"]}

    return await change.make(say("place_order", language, **said), place)


def _own(case: Case, customer: str, result: Result) -> None:
    """Whoever placed an order need not prove that it is theirs."""
    case.verify(result["new_order_number"], customer)


def _own_order(case: Case) -> str | None:
    """An order that says who the caller is and where they live."""
    if case.is_verified:
        return case.order_number
    return case.verified[-1] if case.verified else None


def _counted(quantity: int) -> int:
    if quantity not in QUANTITIES:
        raise ToolError(
            f"The quantity must be between {QUANTITIES[0]} and {QUANTITIES[-1]}. "
            "Ask the caller how many they want."
        )
    return quantity


def _tidy_address(address: str) -> str:
    tidy = " ".join(address.split()).strip(" .,;")
    if len(tidy) > LONGEST_ADDRESS or len(tidy.split()) < 2 or not any(map(str.isalpha, tidy)):
        raise ToolError(
            "An address has a street, a house number and a town, and 200 characters at most. "
            "Ask the caller for the whole address."
        )
    return tidy


def _refuse_unless(order: Order, statuses: tuple[str, ...], so: str) -> None:
    if order.status not in statuses:
        raise ToolError(
            f"Order {' '.join(order.number)} is {order.status} already, so {so}. "
            "Offer the caller to open a ticket about it."
        )


def _changed_meanwhile(number: str) -> ToolError:
    return ToolError(f"Order {' '.join(number)} has changed just now. Look it up again, and tell the caller.")
