"""Leaving a note for a person who looks into it after the call."""

from __future__ import annotations

from typing import Any

from livekit.agents import FunctionTool, RunContext, ToolError, function_tool

from callpool.call import Call
from callpool_tools.business import Business, Result
from callpool_tools.case import case_of
from callpool_tools.ledger import Ledger
from callpool_tools.phrases import say
from callpool_tools.read_back import Change
from callpool_tools.records import Ticket
from callpool_tools.running import bounded

LONGEST_SUMMARY = 500


def open_ticket_tool(business: Business) -> FunctionTool[Any, Any]:
    """`open_ticket(summary)`: it is read back first, like every change."""

    @function_tool
    @bounded
    async def open_ticket(ctx: RunContext[Call], summary: str) -> str:
        """Open a ticket: a person looks into the caller's problem after the call.

        Args:
            summary: What the problem is, in the caller's own words.
        """
        text = " ".join(summary.split()).rstrip(" .")
        if not 0 < len(text) <= LONGEST_SUMMARY:
            raise ToolError(
                f"A ticket needs a summary of 1 to {LONGEST_SUMMARY} characters. "
                "Ask the caller what the problem is."
            )
        change = Change(ctx, business, "open_ticket", {"summary": text.casefold()})
        if (result := await change.result()) is not None:
            return result
        case = case_of(ctx)
        ticket = Ticket(
            call_id=ctx.userdata.call_id,
            order_number=case.order_number,
            customer_name=case.customer,
            verified=case.is_verified,
            summary=text,
            language=ctx.userdata.language,
        )

        async def write(ledger: Ledger) -> Result:
            return {"status": "open", "ticket_number": str(await ledger.open_ticket(ticket))}

        return await change.make(say("open_ticket", ctx.userdata.language, summary=text), write)

    return open_ticket
