"""The sample business: orders, read from a CSV file."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import IO, Any

from livekit.agents import FunctionTool, RunContext, ToolError, function_tool

from callpool.call import Call
from callpool.number_words import REPEATS, TEENS, TENS, UNITS

ORDER_DIGITS = 5


@dataclass(frozen=True)
class Order:
    """One order, as far as a caller may be told about it."""

    number: str
    item: str
    quantity: int
    status: str
    carrier: str
    eta: str
    """ISO 8601 date, or empty while there is none."""


class Orders:
    """The orders, by number."""

    def __init__(self, orders: Mapping[str, Order]) -> None:
        self._orders = orders

    @classmethod
    def sample(cls) -> Orders:
        """The orders that ship with callpool."""
        with resources.files(__package__).joinpath("data/orders.csv").open() as file:
            return cls.read(file)

    @classmethod
    def read(cls, file: IO[str]) -> Orders:
        rows = csv.DictReader(file)
        orders = (
            Order(
                number=row["order_number"],
                item=row["item"],
                quantity=int(row["quantity"]),
                status=row["status"],
                carrier=row["carrier"],
                eta=row["eta"],
            )
            for row in rows
        )
        return cls({order.number: order for order in orders})

    def find(self, number: str) -> Order | None:
        return self._orders.get(number)


def digits(spoken: str) -> str:
    """The digits in what a model passed on: `1 2 3 4 5`, `12,345`, `one double two` and `twenty-three`."""
    found = ""
    before = ""
    for word in re.findall(r"\d+|[a-z]+", spoken.lower()):
        if before in TENS and UNITS.get(word):
            found = found[:-1]
        digit = word if word.isdigit() else str((UNITS | TEENS | TENS).get(word, ""))
        found += digit * (REPEATS.get(before, 1) if len(digit) == 1 else 1)
        before = word
    return found


def order_tools(orders: Orders) -> list[FunctionTool[Any, Any]]:
    """The tools that act on these orders."""

    @function_tool
    async def lookup_order(ctx: RunContext[Call], order_number: str) -> str:
        """Look up an order: what was ordered, its status, its carrier and when it arrives.

        Call this as soon as the caller has given an order number.

        Args:
            order_number: The five digits of the order number, such as the caller read them out.
        """
        number = digits(order_number)
        if len(number) != ORDER_DIGITS:
            raise ToolError(
                f"An order number has {ORDER_DIGITS} digits and this one has {len(number)}. "
                "Ask the caller to read it out again, digit by digit."
            )
        order = orders.find(number)
        if order is None:
            raise ToolError(
                f"There is no order {' '.join(number)}. Ask the caller to read it out again, digit by digit."
            )
        known = {
            "order_number": order.number,
            "item": order.item,
            "quantity": order.quantity,
            "status": order.status,
            "carrier": order.carrier,
            "eta": order.eta,
        }
        return json.dumps({name: value for name, value in known.items() if value})

    return [lookup_order]
