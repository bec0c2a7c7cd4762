"""Taking leave of a caller."""

from __future__ import annotations

from typing import Any

from livekit.agents import Agent, FunctionTool, RunContext, function_tool

from callpool.call import Call
from callpool.hand_off import hand_off


def end_call_tool(to: str) -> FunctionTool[Any, Any]:
    """`end_call()`: the call goes to the stage that says goodbye and hangs up."""

    @function_tool
    async def end_call(ctx: RunContext[Call]) -> Agent:
        """End the call silently. Call this when the caller says goodbye or needs nothing more.

        Do not say goodbye yourself: it is said for you.
        """
        return await hand_off(ctx, to)

    return end_call
