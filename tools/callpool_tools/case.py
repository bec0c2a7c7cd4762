"""`Case`: what a caller has told and proved so far. Plain values, which survive hand-offs and crashes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from livekit.agents import RunContext

from callpool.call import Call


@dataclass
class PendingWrite:
    """A change that was read back to the caller and waits for their yes."""

    tool: str
    arguments: dict[str, Any]
    caller_turns: int
    """How often the caller had spoken when it was read back: the yes must come later."""


@dataclass
class Case:
    """The typed state of a call to the shop."""

    wish: str = ""
    """What the caller wants, in their own words."""
    order_number: str = ""
    """Five digits; empty while unknown."""
    name: str = ""
    verified: list[str] = field(default_factory=list)
    """Order numbers that the caller may be told about."""
    customers: dict[str, str] = field(default_factory=dict)
    """Verified order numbers to the names that those orders are under."""
    failed_verifications: int = 0
    failed_tools: int = 0
    pending: PendingWrite | None = None
    transfer_to: str = ""
    """Id in the directory of the person asked for; empty: whoever is free."""
    transfer_reason: str = ""

    @property
    def is_verified(self) -> bool:
        """Whether the caller may be told about the order they ask for."""
        return bool(self.order_number) and self.order_number in self.verified

    @property
    def customer(self) -> str:
        """Who the caller is: by the order that they proved to be theirs, else by what they say.

        Who is verified can claim another name later; no person must take that one for the proved one.
        """
        return self.customers.get(self.order_number, self.name) if self.is_verified else self.name

    def verify(self, number: str, customer: str) -> None:
        """The caller may be told about an order from now on."""
        if number not in self.verified:
            self.verified.append(number)
        self.customers[number] = customer

    def known(self) -> dict[str, str]:
        """What an agent need not ask for any more."""
        facts = {
            "request": self.wish,
            "order number": " ".join(self.order_number),
            "name": self.customer,
            "verified": "yes" if self.is_verified else "",
        }
        return {name: fact for name, fact in facts.items() if fact}


def case_of(ctx: RunContext[Call]) -> Case:
    """The case of the call that a tool runs in."""
    case = ctx.userdata.state
    if not isinstance(case, Case):
        raise TypeError(f"the roster's state is {type(case).__name__}: these tools need a Case")
    return case
