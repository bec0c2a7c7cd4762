"""The host: tells when the restaurant is open, takes reservations, says goodbye."""

from __future__ import annotations

from importlib import resources

from livekit.agents import RunContext, function_tool

from callpool import ending
from callpool.call import Call
from callpool.hand_off import Handover, StageAgent

from .reservations import reserve_table_tool

GREETING = "Good day, this is the Blue Door. How can I help you?"
GOODBYE = "Thank you for calling the Blue Door. Goodbye!"
PROMPT = resources.files(__package__).joinpath("host.md").read_text()


class Host(StageAgent):
    def __init__(self, handover: Handover) -> None:
        super().__init__(
            handover, name="host", prompt=instructions, tools=[reserve_table_tool(handover.business)]
        )

    @function_tool
    async def end_call(self, ctx: RunContext[Call]) -> None:
        """End the call silently. Call this when the caller says goodbye or needs nothing more.

        Do not say goodbye yourself: it is said for you.
        """
        self.call.end(ending.GOODBYE)
        session = ctx.session
        session.say(GOODBYE, allow_interruptions=False).add_done_callback(lambda _: session.shutdown())


def instructions(call: Call) -> str:
    """The prompt, with what no prompt can know: a language model has no calendar."""
    return f"{PROMPT}\nToday is {call.started_at:%A, %Y-%m-%d}.\n"
