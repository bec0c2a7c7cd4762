"""Reception: greets, looks up orders, says goodbye."""

from __future__ import annotations

from livekit.agents import Agent

from callpool.call import Call
from callpool_agents import prompts
from callpool_tools.hang_up import end_call_tool
from callpool_tools.orders import Orders, order_tools


class Reception(Agent):
    """The only agent so far."""

    def __init__(self, orders: Orders) -> None:
        super().__init__(
            id="reception",
            instructions=prompts.read("reception"),
            tools=[*order_tools(orders), end_call_tool()],
        )


def reception(call: Call, orders: Orders) -> Reception:
    return Reception(orders)


def greeting(call: Call) -> str:
    """Fixed words, so that the first thing a caller hears waits for no language model."""
    return "Hello, thank you for calling. How can I help you?"
