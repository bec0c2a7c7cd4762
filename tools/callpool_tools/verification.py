"""Whether a caller is who an order belongs to: the order's number by its digits, the name by its sound."""

from __future__ import annotations

from functools import partial
from typing import Any

from livekit.agents import Agent, FunctionTool, RunContext, ToolError, function_tool

from callpool.call import Call
from callpool.hand_off import hand_off
from callpool_tools.business import Business
from callpool_tools.case import case_of
from callpool_tools.names import sounds_like
from callpool_tools.orders import named_order
from callpool_tools.running import bounded
from callpool_tools.transfer import note_transfer

TRIES = 3
"""How often a caller may fail, in a whole call, until a person takes over."""


def verify_caller_tool(business: Business, to: str, give_up_to: str) -> FunctionTool[Any, Any]:
    """`verify_caller(order_number, name)`: on to the stage `to`, or after three tries to `give_up_to`."""

    @function_tool
    @bounded
    async def verify_caller(ctx: RunContext[Call], order_number: str, name: str) -> Agent:
        """Verify that an order belongs to the caller. Call this once you have its number and their full name.

        Args:
            order_number: The five digits of the order number, such as the caller read them out.
            name: The caller's first and last name.
        """
        case = case_of(ctx)
        number = named_order(ctx, order_number)
        if not name.strip():
            raise ToolError("Ask the caller for their first and last name.")
        if case.failed_verifications >= TRIES:
            return await _give_up(ctx, number)
        # Counted before the answer is known, so that no crowd of calls at one time gets more tries.
        case.failed_verifications += 1
        try:
            order = await business.order(number)
        except BaseException:
            case.failed_verifications -= 1
            raise
        if order is not None and sounds_like(name, order.customer_name):
            case.failed_verifications -= 1
            case.order_number, case.name = number, order.customer_name
            case.verify(number, order.customer_name)
            return await hand_off(ctx, to)
        if case.failed_verifications >= TRIES:
            return await _give_up(ctx, number)
        # The same words whatever is wrong: who guesses must not learn which order numbers exist.
        raise ToolError(
            "This order number and this name do not belong together. "
            "Ask the caller for the order number and for their first and last name again."
        )

    async def _give_up(ctx: RunContext[Call], number: str) -> Agent:
        case = case_of(ctx)
        # The order that they failed for, and not one that they are verified for.
        case.order_number = number
        case.transfer_reason = f"could not be verified in {TRIES} tries"
        note = partial(note_transfer, ctx, business, last_request=case.wish)
        return await hand_off(ctx, give_up_to, first=note)

    return verify_caller
