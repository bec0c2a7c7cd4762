"""What the business keeps, as its tools see it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

CANCELLABLE = ("processing", "delayed")
"""The statuses of an order that nobody has sent yet."""

ON_ITS_WAY = (*CANCELLABLE, "shipped")
"""The statuses of an order that may still be sent elsewhere: a carrier can be told until it has delivered."""


@dataclass(frozen=True)
class Order:
    """One order. What is not known (a carrier, a date) is empty."""

    number: str
    customer_name: str
    item: str
    quantity: int
    unit_price_usd: Decimal
    status: str
    carrier: str
    eta: str
    """ISO 8601 date."""
    address: str

    @property
    def total_usd(self) -> Decimal:
        return self.unit_price_usd * self.quantity


@dataclass(frozen=True)
class Purchase:
    """What is to be ordered."""

    item: str
    quantity: int
    unit_price_usd: Decimal

    @property
    def total_usd(self) -> Decimal:
        return self.unit_price_usd * self.quantity


@dataclass(frozen=True)
class Colleague:
    """An entry of the directory: a person whom calls can be transferred to."""

    agent_id: str
    name: str
    department: str


@dataclass(frozen=True)
class Ticket:
    """Something that a person will look into after the call."""

    call_id: str
    order_number: str
    customer_name: str
    verified: bool
    summary: str
    language: str


@dataclass(frozen=True)
class Transfer:
    """What a person needs to take a call over."""

    call_id: str
    agent_id: str
    """Empty: whoever is free."""
    reason: str
    summary: str
    language: str
    verified: bool
    last_request: str
    order_number: str
