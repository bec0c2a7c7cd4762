"""Data collection: the order number and the caller's name."""

from __future__ import annotations

from callpool.call import Call
from callpool.hand_off import Handover, StageAgent
from callpool_agents import prompts
from callpool_tools.business import Business
from callpool_tools.details import note_details_tool
from callpool_tools.hang_up import end_call_tool
from callpool_tools.language import switch_language_tool
from callpool_tools.tickets import open_ticket_tool
from callpool_tools.transfer import transfer_call_tool
from callpool_tools.unclear import unclear_tool


class DataCollection(StageAgent):
    def __init__(self, handover: Handover) -> None:
        super().__init__(
            handover,
            name="data_collection",
            prompt=prompts.of("data_collection"),
            tools=[
                note_details_tool(to="verification"),
                open_ticket_tool(handover.business),
                switch_language_tool(),
                unclear_tool(),
                transfer_call_tool(handover.business, to="human_transfer"),
                end_call_tool(to="closing"),
            ],
        )


async def has_details(call: Call, business: Business) -> bool:
    """Whether order number and name are known."""
    return bool(call.state.order_number and call.state.name)
