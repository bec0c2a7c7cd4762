"""A roster of one agent without tools, which greets with a question and says what its model says."""

from __future__ import annotations

from typing import Any

from callpool.hand_off import Handover, StageAgent
from callpool.stages import Roster, Stage


class Clerk(StageAgent):
    def __init__(self, handover: Handover) -> None:
        super().__init__(handover, name="clerk", prompt=lambda call: "You answer the telephone.", tools=[])


def open_business(url: str) -> None:
    """There is nothing to act on."""


ROSTER: Roster[Any, Any] = Roster(
    stages=(Stage("clerk", Clerk, greeting=lambda call: "Hello. Do you call about an order?"),),
    first={"callpool": "clerk"},
    transitions={},
    open_business=open_business,
)
