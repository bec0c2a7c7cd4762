"""Taking leave of a caller."""

from __future__ import annotations

from livekit.agents.beta.tools import EndCallTool
from livekit.agents.llm import Toolset

from callpool import ending
from callpool.call import Call


def end_call_tool() -> EndCallTool:
    """`end_call()`: the model says goodbye, then the call is over and the record says so."""

    async def note_goodbye(event: Toolset.ToolCalledEvent) -> None:
        call: Call = event.ctx.userdata
        call.end(ending.GOODBYE)

    return EndCallTool(
        # The job deletes the room itself once the record is written.
        delete_room=False,
        end_instructions="Say goodbye to the caller in one short sentence.",
        on_tool_called=note_goodbye,
    )
