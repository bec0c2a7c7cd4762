"""Writes of one call, in order, in the background: the audio path never waits for the store."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from callpool.errors import StoreAway

logger = logging.getLogger(__name__)

Write = Callable[[], Awaitable[object]]

CLOSING_S = 10.0
"""How long whoever is cancelled still waits for the last writes. A write gives up by itself before; one whose
connection hangs does not."""
LAST_TRY_S = 8.0
"""How long a store that is away is waited for once the call is over, seconds."""
PAUSE_S = 0.1


class Writer:
    """Runs submitted writes one after the other. A write that fails is logged and the next one goes on.

    A store that is away is waited for as long as the call goes on, so that nothing is missing afterwards.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._give_up_at = float("inf")
        self._queue: asyncio.Queue[Write | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._work(), name="store-writer")

    def submit(self, write: Write) -> None:
        """Put a write at the end of the queue. Never blocks."""
        self._queue.put_nowait(write)

    async def settle(self, timeout_s: float) -> None:
        """Wait for everything submitted so far to be written, at most that many seconds."""
        written = asyncio.Event()

        async def mark() -> None:
            written.set()

        self.submit(mark)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await written.wait()

    async def aclose(self) -> None:
        """Wait for everything submitted so far to be written; when cancelled, for CLOSING_S more."""
        self._give_up_at = self._clock() + LAST_TRY_S
        self._queue.put_nowait(None)
        try:
            await asyncio.shield(self._task)
        except asyncio.CancelledError:
            await asyncio.wait([self._task], timeout=CLOSING_S)
            raise

    async def _work(self) -> None:
        while (write := await self._queue.get()) is not None:
            await self._run(write)

    async def _run(self, write: Write) -> None:
        waited = False
        while True:
            try:
                await write()
                if waited:
                    logger.warning("the store is back", extra={"action": "store_back"})
                return
            except StoreAway as error:
                if self._clock() > self._give_up_at:
                    logger.error("a write is lost", extra={"action": "store_write", "error": error})
                    return
                if not waited:
                    logger.warning("the store is waited for", extra={"action": "store_away", "error": error})
                waited = True
                await asyncio.sleep(PAUSE_S)
            except Exception:
                logger.exception("write to the store failed", extra={"action": "store_write"})
                return
