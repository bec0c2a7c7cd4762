"""Makes the business's tables where there are none, and fills them with the shop that ships with callpool."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Iterator
from decimal import Decimal
from importlib import resources
from typing import Any

from sqlalchemy import Connection, insert, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from callpool.store.engine import create_file, explained, for_writing, is_locked, sqlite_path
from callpool_tools.tables import directory, metadata, orders, products

FOUNDING_TIMEOUT_S = 60.0
"""How long a process waits for another one that fills the same database."""

_LOCK_KEY = 0x73686F70
"""Of PostgreSQL's advisory lock, held meanwhile."""


async def found(engine: AsyncEngine) -> None:
    """Make the tables that are missing, and fill those that are new.

    Several processes may do this at the same time. Raises StoreError.
    """
    with explained(engine):
        if path := sqlite_path(engine):
            create_file(path)
        async with asyncio.timeout(FOUNDING_TIMEOUT_S):
            while True:
                try:
                    return await _found(engine)
                except Exception as error:
                    if not is_locked(error):
                        raise
                    await asyncio.sleep(0.1)


async def _found(engine: AsyncEngine) -> None:
    if engine.dialect.name == "sqlite":
        async with engine.connect() as connection:
            raw = await connection.get_raw_connection()
            # Not possible inside a transaction; the file remembers it.
            await raw.driver_connection.execute("PRAGMA journal_mode = WAL")  # type: ignore[union-attr]
    async with for_writing(engine).begin() as connection:
        await connection.run_sync(_make_tables)


def _make_tables(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
    new = set(metadata.tables) - set(inspect(connection).get_table_names())
    metadata.create_all(connection, [metadata.tables[name] for name in new])
    for table, rows in ((orders, _orders()), (products, _products()), (directory, _rows("directory.csv"))):
        if table.name in new:
            connection.execute(insert(table), list(rows))


def _orders() -> Iterator[dict[str, Any]]:
    for row in _rows("orders.csv"):
        yield {
            **row,
            "quantity": int(row["quantity"]),
            "unit_price_usd": Decimal(row["unit_price_usd"]),
        }


def _products() -> Iterator[dict[str, Any]]:
    """What was ordered can be ordered."""
    prices = {order["item"]: order["unit_price_usd"] for order in _orders()}
    for item, price in prices.items():
        yield {"item": item, "unit_price_usd": price}


def _rows(name: str) -> Iterator[dict[str, str]]:
    with resources.files(__package__).joinpath("data", name).open(encoding="utf-8") as file:
        yield from csv.DictReader(file)
