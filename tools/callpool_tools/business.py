"""The business that the tools touch: a shop's orders, products, tickets, directory and transfers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import RowMapping, Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from callpool.store.engine import create_engine, explained, for_writing
from callpool_tools import founding
from callpool_tools.ledger import Ledger
from callpool_tools.records import Colleague, Order, Transfer
from callpool_tools.tables import directory, orders, products, transfers, writes

T = TypeVar("T")

WRITE_TIMEOUT_S = 5.0
"""How long a write may take, whether or not somebody still waits for it."""

Result = dict[str, str]
"""What came of a change, for the model."""


@dataclass(frozen=True)
class Intent:
    """One thing that a caller wants changed. However often it is tried, it is done once."""

    call_id: str
    name: str
    """Says what is to be changed, and which yes of the caller it was."""


@dataclass(frozen=True)
class Made:
    """A change that was made."""

    result: Result
    caller_turns: int
    """How often the caller had spoken by then."""


class _AlreadyMade(Exception):
    """Ends the transaction of a change that another one has made."""


class Business:
    """The database of the business. Methods raise StoreError when it cannot be used."""

    def __init__(self, url: str) -> None:
        """Connects to nothing yet. Raises StoreError for a URL that cannot be read."""
        self._engine = create_engine(url)
        self._writes: set[asyncio.Task[Any]] = set()

    @classmethod
    async def prepare(cls, url: str) -> None:
        """Make the tables that are missing, and fill new ones with the shop that ships with callpool."""
        engine = create_engine(url)
        try:
            await founding.found(engine)
        finally:
            await engine.dispose()

    async def aclose(self) -> None:
        """Wait for the writes that are under way, and close the connections."""
        await asyncio.gather(*self._writes, return_exceptions=True)
        await self._engine.dispose()

    async def order(self, number: str) -> Order | None:
        rows = await self._read(select(orders).where(orders.c.order_number == number))
        return _order(rows[0]) if rows else None

    async def prices(self) -> dict[str, Decimal]:
        """What can be ordered, and for how many USD."""
        rows = await self._read(select(products).order_by(products.c.item))
        return {row["item"]: row["unit_price_usd"] for row in rows}

    async def colleagues(self) -> list[Colleague]:
        """The directory."""
        rows = await self._read(select(directory).order_by(directory.c.agent_id))
        return [Colleague(**row) for row in rows]

    async def made(self, intent: Intent) -> Made | None:
        """What came of an intent; None: nothing has yet."""
        query = select(writes).where(writes.c.call_id == intent.call_id, writes.c.intent == intent.name)
        rows = await self._read(query)
        return Made(json.loads(rows[0]["result"]), rows[0]["caller_turns"]) if rows else None

    async def once(
        self, intent: Intent, caller_turns: int, change: Callable[[Ledger], Awaitable[Result]]
    ) -> Result:
        """Make a change and give what came of it; or only the latter, when it was made before.

        The change and the note that it was made are one transaction. It runs to its end even when whoever
        asked for it is cancelled. What `change` raises undoes everything.
        """
        return await self._finish(self._once(intent, caller_turns, change))

    async def note_transfer(self, transfer: Transfer) -> None:
        """Keep what a person needs. A call is transferred once: the last that was noted counts."""
        await self._finish(self._note_transfer(transfer))

    async def _once(
        self, intent: Intent, caller_turns: int, change: Callable[[Ledger], Awaitable[Result]]
    ) -> Result:
        note = insert(writes).values(
            call_id=intent.call_id,
            intent=intent.name,
            caller_turns=caller_turns,
            result="",
            created_at=datetime.now(UTC),
        )
        result_of_it = update(writes).where(
            writes.c.call_id == intent.call_id, writes.c.intent == intent.name
        )
        try:
            with explained(self._engine):
                async with for_writing(self._engine).begin() as connection:
                    try:
                        await connection.execute(note)  # whoever comes second waits here for the first
                    except IntegrityError:
                        raise _AlreadyMade from None
                    result = await change(Ledger(connection))
                    await connection.execute(
                        result_of_it.values(result=json.dumps(result, ensure_ascii=False))
                    )
                    return result
        except _AlreadyMade:
            made = await self.made(intent)
            assert made is not None, "its key was there a moment ago, and no write is ever deleted"
            return made.result

    async def _note_transfer(self, transfer: Transfer) -> None:
        row = {**asdict(transfer), "created_at": datetime.now(UTC)}
        with explained(self._engine):
            try:
                async with for_writing(self._engine).begin() as connection:
                    await connection.execute(insert(transfers).values(row))
            except IntegrityError:
                async with for_writing(self._engine).begin() as connection:
                    await connection.execute(
                        update(transfers).where(transfers.c.call_id == transfer.call_id).values(row)
                    )

    async def _finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to the end, whoever stops waiting."""
        task = asyncio.create_task(asyncio.wait_for(work, WRITE_TIMEOUT_S), name="business-write")
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    async def _read(self, query: Select[Any]) -> Sequence[RowMapping]:
        with explained(self._engine):
            async with self._engine.connect() as connection:
                rows: Sequence[RowMapping] = (await connection.execute(query)).mappings().all()
                return rows


def _order(row: RowMapping) -> Order:
    return Order(
        number=row["order_number"],
        customer_name=row["customer_name"],
        item=row["item"],
        quantity=row["quantity"],
        unit_price_usd=row["unit_price_usd"],
        status=row["status"],
        carrier=row["carrier"],
        eta=row["eta"],
        address=row["address"],
    )
