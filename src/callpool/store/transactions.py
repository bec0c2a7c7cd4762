"""Short transactions on the store, tried again while it is busy or away."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

from sqlalchemy import Executable, Row, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from callpool.store.engine import create_engine, explained, for_writing, is_passing

RETRY_FOR_S = 8.0
"""How long a write is tried again while the file is locked or the server is away. Less than the 10 s that the
worker gives a session to end (its `STOP_S`): one that tries longer is killed while it does."""
RETRY_PAUSE_S = 0.1
HANG_S = 3.0
"""How long PostgreSQL may take to answer, seconds, on top of the time in which a write is tried again: one
that hangs is no better than one that is away. SQLite answers for itself (see engine.py)."""

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Transactions:
    """The store at a URL with an asynchronous driver (`settings.store_url`). Connects when it is first used.

    Writes happen in the order in which they were asked for. Every method raises StoreError, with one line,
    for a database that cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url)
        self._order = asyncio.Lock()

    async def close(self) -> None:
        """Wait for the write that is under way, then close every connection."""
        async with self._order:
            await self._engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _insert(self, table: Table) -> Any:
        # Each dialect has an `insert` of its own for "on conflict"; the two have no common type.
        return (sqlite if self._engine.dialect.name == "sqlite" else postgresql).insert(table)

    async def _rows(self, query: Executable) -> list[Row[Any]]:
        with explained(self._engine):
            async with self._patience(HANG_S), self._engine.connect() as connection:
                return list((await connection.execute(query)).all())

    async def _write(
        self,
        work: Callable[[AsyncConnection], Awaitable[T]],
        *,
        call_id: str | None = None,
        retry_for_s: float = RETRY_FOR_S,
    ) -> T:
        """Run `work` in a transaction. `call_id` is for the log."""
        give_up_at = time.monotonic() + retry_for_s
        warned = False
        with explained(self._engine):
            async with self._patience(retry_for_s + HANG_S), self._order:
                while True:
                    try:
                        async with for_writing(self._engine).begin() as connection:
                            return await work(connection)
                    except Exception as error:
                        if not is_passing(error) or time.monotonic() > give_up_at:
                            raise
                        if not warned:
                            logger.warning(
                                "store busy, trying again",
                                extra={"action": "store_retry", "call_id": call_id, "error": error},
                            )
                        warned = True
                    await asyncio.sleep(RETRY_PAUSE_S)

    def _patience(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(None if self._engine.dialect.name == "sqlite" else seconds)
