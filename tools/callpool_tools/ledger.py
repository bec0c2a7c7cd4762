"""The changes that can be made to the business, inside a transaction that somebody else begins and ends."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from callpool_tools.digits import ORDER_DIGITS
from callpool_tools.records import Purchase, Ticket
from callpool_tools.tables import orders, tickets


class Ledger:
    """Changes on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def place_order(self, like: str, purchase: Purchase) -> str:
        """A new order of the customer who placed the order `like`, sent to its address. Gives its number."""
        found = await self._connection.execute(select(orders).where(orders.c.order_number == like))
        number = await self._free_number()
        order = {
            **found.mappings().one(),
            **asdict(purchase),
            "order_number": number,
            "status": "processing",
            "carrier": "",
            "eta": "",
        }
        await self._connection.execute(insert(orders).values(order))
        return number

    async def change_address(self, number: str, address: str, while_in: Sequence[str]) -> bool:
        """Whether the order's status was one of `while_in`, so that it has the new address now."""
        return await self._update(number, while_in, address=address)

    async def cancel_order(self, number: str, while_in: Sequence[str]) -> bool:
        """Whether the order's status was one of `while_in`, so that it is cancelled now."""
        return await self._update(number, while_in, status="cancelled")

    async def open_ticket(self, ticket: Ticket) -> int:
        """Gives the ticket's number."""
        opened = await self._connection.execute(
            insert(tickets)
            .values(**asdict(ticket), status="open", created_at=datetime.now(UTC))
            .returning(tickets.c.id)
        )
        return int(opened.scalar_one())

    async def _update(self, number: str, while_in: Sequence[str], **values: str) -> bool:
        # The condition is part of the statement: another call may have changed the order just now.
        updated = await self._connection.execute(
            update(orders)
            .where(orders.c.order_number == number, orders.c.status.in_(while_in))
            .values(**values)
        )
        return updated.rowcount == 1

    async def _free_number(self) -> str:
        """A number that no order has. Not the next one: nobody should be able to guess another's number."""
        while True:
            first, last = 10 ** (ORDER_DIGITS - 1), 10**ORDER_DIGITS
            number = str(first + secrets.randbelow(last - first))
            taken = await self._connection.execute(
                select(orders.c.order_number).where(orders.c.order_number == number)
            )
            if taken.first() is None:
                return number
