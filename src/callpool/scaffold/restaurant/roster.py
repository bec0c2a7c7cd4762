"""The roster: who answers, and what the tools act on. `callpool up --roster` is given this module's name."""

from __future__ import annotations

from callpool.hand_off import StageAgent
from callpool.stages import Roster, Stage

from .host import GREETING, Host
from .reservations import Reservations

ROSTER: Roster[StageAgent, Reservations] = Roster(
    stages=(Stage("host", Host, greeting=lambda call: GREETING),),
    first={"callpool": "host"},
    transitions={},
    open_business=Reservations,
    prepare=Reservations.prepare,
    close_business=Reservations.aclose,
)
