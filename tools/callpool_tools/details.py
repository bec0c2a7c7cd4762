"""Taking down what a caller wants and who they are."""

from __future__ import annotations

from typing import Any

from livekit.agents import Agent, FunctionTool, RunContext, ToolError, function_tool

from callpool.call import Call
from callpool.hand_off import hand_off
from callpool_tools.case import case_of
from callpool_tools.digits import ORDER_DIGITS, order_number_in


def note_request_tool(to: str) -> FunctionTool[Any, Any]:
    """`note_request(request, order_number, name)`: what the caller wants, with all that they volunteered."""

    @function_tool
    async def note_request(
        ctx: RunContext[Call], request: str, order_number: str = "", name: str = ""
    ) -> Agent:
        """Note what the caller wants, and pass the call on. Call this as soon as you know it.

        Args:
            request: What the caller wants, in their own words.
            order_number: The order number, such as the caller said it, if they said it.
            name: The caller's name, if they said it.
        """
        case = case_of(ctx)
        case.wish = request
        _take_down(ctx, order_number, name)
        return await hand_off(ctx, to)

    return note_request


def note_details_tool(to: str) -> FunctionTool[Any, Any]:
    """`note_details(order_number, name)`: what verification needs."""

    @function_tool
    async def note_details(ctx: RunContext[Call], order_number: str, name: str) -> Agent:
        """Note the order number and the caller's name, and pass the call on. Call this once you have both.

        Args:
            order_number: The five digits of the order number, such as the caller read them out.
            name: The caller's name.
        """
        if order_number_in(order_number, known=case_of(ctx).order_number) is None:
            raise ToolError(
                f"An order number has {ORDER_DIGITS} digits. "
                "Ask the caller to read it out again, digit by digit."
            )
        _take_down(ctx, order_number, name)
        return await hand_off(ctx, to)

    return note_details


def different_order_tool(to: str) -> FunctionTool[Any, Any]:
    """`different_order(order_number)`: the caller means another order than the one talked about."""

    @function_tool
    async def different_order(ctx: RunContext[Call], order_number: str = "") -> Agent:
        """Go back, because the caller means a different order than the one talked about.

        Args:
            order_number: The other order's number, such as the caller read it out; empty: not said yet.
        """
        case = case_of(ctx)
        number = order_number_in(order_number, known=case.order_number)
        if number and number == case.order_number:
            raise ToolError("That is the order that the caller asks for already. Go on with it.")
        case.order_number = number or ""
        return await hand_off(ctx, to)

    return different_order


def _take_down(ctx: RunContext[Call], order_number: str, name: str) -> None:
    """Keep what was given; what was not given stays as it was."""
    case = case_of(ctx)
    if number := order_number_in(order_number, known=case.order_number):
        case.order_number = number
    if name.strip():
        case.name = name.strip()
