"""The reservations: a table in the database, and the tool that writes into it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from livekit.agents import FunctionTool, RunContext, ToolError, function_tool
from sqlalchemy import Column, Date, Integer, MetaData, String, Table, Time, delete, insert
from sqlalchemy.ext.asyncio import create_async_engine

from callpool.call import Call

MONDAY = 0
NOON, OPENS, LAST_ORDERS = dt.time(12), dt.time(17), dt.time(22)
LARGEST_TABLE = 8
"""Guests."""

TABLES = MetaData()
RESERVATIONS = Table(
    "reservations",
    TABLES,
    Column("call_id", String(100), primary_key=True),
    Column("day", Date, nullable=False),
    Column("time", Time, nullable=False),
    Column("guests", Integer, nullable=False),
)


class Reservations:
    """What the tool acts on."""

    def __init__(self, url: str) -> None:
        self._engine = create_async_engine(url)

    @staticmethod
    async def prepare(url: str) -> None:
        """Make the table, if there is none."""
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(TABLES.create_all)
        await engine.dispose()

    async def aclose(self) -> None:
        await self._engine.dispose()

    async def put(self, call_id: str, day: dt.date, time: dt.time, guests: int) -> None:
        """Write down the reservation of a call. Made once more, with another time, it takes its own place."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(RESERVATIONS).where(RESERVATIONS.c.call_id == call_id))
            await connection.execute(
                insert(RESERVATIONS).values(call_id=call_id, day=day, time=time, guests=guests)
            )


def reserve_table_tool(reservations: Reservations) -> FunctionTool[Any, Any]:
    """`reserve_table(day, time, guests)`."""

    @function_tool
    async def reserve_table(ctx: RunContext[Call], day: dt.date, time: dt.time, guests: int) -> str:
        """Reserve a table, or change the reservation made in this call.

        Args:
            day: The day.
            time: When the guests arrive.
            guests: How many people come.
        """
        if time < NOON:  # who says seven means seven in the evening: nobody dines before noon
            time = time.replace(hour=time.hour + 12)
        if day < dt.date.today():
            raise ToolError("This day is over. Ask the caller which day they mean.")
        if day.weekday() == MONDAY:
            raise ToolError("We are closed on Mondays. Ask the caller for another day.")
        if not OPENS <= time < LAST_ORDERS:
            raise ToolError("We serve from five to ten in the evening. Ask the caller for another time.")
        if not 1 <= guests <= LARGEST_TABLE:
            raise ToolError(f"Our largest table seats {LARGEST_TABLE}. Ask the caller how many people come.")
        await reservations.put(ctx.userdata.call_id, day, time, guests)
        spoken = f"{time:%I:%M %p}".removeprefix("0").replace(":00", "")
        return json.dumps({"day": f"{day}", "time": spoken, "guests": guests})

    return reserve_table
