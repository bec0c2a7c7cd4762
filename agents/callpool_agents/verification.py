"""Verification: whether the caller is who the order belongs to."""

from __future__ import annotations

from callpool.call import Call
from callpool.hand_off import Handover, StageAgent
from callpool_agents import prompts
from callpool_tools.business import Business
from callpool_tools.details import different_order_tool
from callpool_tools.hang_up import end_call_tool
from callpool_tools.language import switch_language_tool
from callpool_tools.transfer import transfer_call_tool
from callpool_tools.unclear import unclear_tool
from callpool_tools.verification import verify_caller_tool


class Verification(StageAgent):
    def __init__(self, handover: Handover) -> None:
        super().__init__(
            handover,
            name="verification",
            prompt=prompts.of("verification"),
            tools=[
                verify_caller_tool(handover.business, to="problem_solving", give_up_to="human_transfer"),
                different_order_tool(to="data_collection"),
                switch_language_tool(),
                unclear_tool(),
                transfer_call_tool(handover.business, to="human_transfer"),
                end_call_tool(to="closing"),
            ],
        )


async def is_verified(call: Call, business: Business) -> bool:
    """Whether the caller has proved that the order is theirs."""
    return bool(call.state.is_verified)
