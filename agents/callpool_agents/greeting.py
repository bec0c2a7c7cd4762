"""Greeting: finds the caller's language and what they want."""

from __future__ import annotations

from callpool.call import Call
from callpool.hand_off import Handover, StageAgent
from callpool_agents import phrases, prompts
from callpool_tools.details import note_request_tool
from callpool_tools.hang_up import end_call_tool
from callpool_tools.language import switch_language_tool
from callpool_tools.transfer import transfer_call_tool
from callpool_tools.unclear import unclear_tool


class Greeting(StageAgent):
    def __init__(self, handover: Handover) -> None:
        super().__init__(
            handover,
            name="greeting",
            prompt=prompts.of("greeting"),
            tools=[
                note_request_tool(to="data_collection"),
                switch_language_tool(),
                unclear_tool(),
                transfer_call_tool(handover.business, to="human_transfer"),
                end_call_tool(to="closing"),
            ],
        )


def greeting(call: Call) -> str:
    """Fixed words, so that the first thing a caller hears waits for no language model."""
    return phrases.say("greeting", call.language)
