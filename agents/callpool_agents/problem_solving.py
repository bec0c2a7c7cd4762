"""Problem solving: everything that can be done about a verified caller's order."""

from __future__ import annotations

from callpool.hand_off import Handover, StageAgent
from callpool_agents import prompts
from callpool_tools.changes import change_tools
from callpool_tools.details import different_order_tool
from callpool_tools.hang_up import end_call_tool
from callpool_tools.language import switch_language_tool
from callpool_tools.orders import order_tools
from callpool_tools.tickets import open_ticket_tool
from callpool_tools.transfer import transfer_call_tool
from callpool_tools.unclear import unclear_tool


class ProblemSolving(StageAgent):
    def __init__(self, handover: Handover) -> None:
        business = handover.business
        super().__init__(
            handover,
            name="problem_solving",
            prompt=prompts.of("problem_solving"),
            tools=[
                *order_tools(business, unverified_to="data_collection"),
                *change_tools(business, unverified_to="data_collection"),
                open_ticket_tool(business),
                different_order_tool(to="data_collection"),
                switch_language_tool(),
                unclear_tool(),
                transfer_call_tool(business, to="human_transfer"),
                end_call_tool(to="closing"),
            ],
        )
