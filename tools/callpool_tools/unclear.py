"""What to do when a caller is not understood."""

from __future__ import annotations

from typing import Any

from livekit.agents import FunctionTool, RunContext, function_tool

from callpool.call import Call
from callpool.history import caller_turns
from callpool.service_phrases import words_for
from callpool.understanding import Offer, offer

_ADVICE: dict[Offer, str] = {
    "unclear": "Ask the caller to say it again",
    "rephrase": "Ask again in other, simpler words",
    "offer_person": "Offer to put the caller through to a person, and call transfer_call if they agree",
}


def unclear_tool() -> FunctionTool[Any, Any]:
    """`unclear()`: the model's way to say that it does not follow. Its result says what to do about it."""

    @function_tool
    async def unclear(ctx: RunContext[Call]) -> str:
        """Call this when you did not understand the caller, or when no other tool and no answer fits.

        Then do as its result says.
        """
        misses = ctx.userdata.understanding.miss(caller_turns(ctx.session))
        key = offer(misses)
        return f'{_ADVICE[key]}. Say: "{words_for(ctx.session, key)}"'

    return unclear
