"""Which agent answers to which dispatch name."""

from __future__ import annotations

from callpool.stages import Roster, Stage
from callpool_agents import prompts
from callpool_agents.reception import Reception, greeting, reception
from callpool_tools.orders import Orders

RECEPTION = Stage[Reception, Orders](name="reception", agent=reception, greeting=greeting)


def open_business() -> Orders:
    prompts.read("reception")
    return Orders.sample()


ROSTER = Roster[Reception, Orders](first={"callpool": RECEPTION}, open_business=open_business)
