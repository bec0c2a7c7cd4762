"""A worker's place in the pool: the lease that it renews, and what it knows of those who wait."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from callpool.admission import Admission
from callpool.errors import StoreError
from callpool.pool import BEAT_S, Lease, Queue
from callpool.store.registry import StoreRegistry

QUEUE_S = 4.0
"""A queue that has stood still for this long is that of a dispatcher that is gone, seconds."""
READ_S = 1.0
"""How long the queue may take to be read while a caller waits, seconds."""

logger = logging.getLogger(__name__)


def worker_name(name: str) -> str:
    """The stable name of this process: it outlives connections to the LiveKit server, and no other has it.

    In containers many a worker is process 1 of a host that is called like its neighbour's: hence the middle.
    """
    return f"{name or socket.gethostname()}-{secrets.token_hex(3)}-{os.getpid()}"


@dataclass
class Membership:
    """Keeps the worker's lease until it leaves."""

    worker: str
    agent_name: str
    registry: StoreRegistry
    admission: Admission
    is_draining: Callable[[], bool]
    each_beat: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    _beat: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _queue: Queue = field(default_factory=lambda: Queue(0, ()))
    _queue_seen_at: float = 0.0

    async def join(self) -> None:
        """Take the lease. Raises StoreError."""
        await self._renew()

    async def keep(self) -> None:
        """Renew the lease, every BEAT_S and whenever something changed, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._changed.wait()
            self._changed.clear()
            try:
                self.each_beat()
                await self._renew()
                self._note(await self.registry.queued(self.agent_name))
            except StoreError as error:
                logger.warning("lease not renewed", extra={"action": "lease_late", "error": error})
            except Exception:  # a lease that stands still costs every call of a healthy worker
                logger.exception("lease not renewed", extra={"action": "lease_late"})

    async def leave(self) -> None:
        """Give the lease up: nobody need wait for it to run out."""
        try:
            await self.registry.leave(self.worker)
        except StoreError as error:
            logger.warning("lease not given up", extra={"action": "lease_late", "error": error})

    def change(self) -> None:
        """The lease says something new: a job more or less, or a drain."""
        self._changed.set()

    async def is_next(self, room: str, places: int) -> bool:
        """Whether a room may be answered now by a worker with so many free places: nobody overtakes others.

        A store that is away, and a queue that nobody sees to, keep no caller waiting.
        """
        try:
            async with asyncio.timeout(READ_S):
                self._note(await self.registry.queued(self.agent_name))
        except (StoreError, TimeoutError) as error:
            logger.warning("queue not read", extra={"action": "queue_unread", "error": error})
            return True
        if self.clock() - self._queue_seen_at > QUEUE_S:
            return True
        # Who was let in a moment ago is in the queue until the agent is in the room.
        rooms = [one for one in self._queue.rooms if one == room or one not in self.admission.rooms]
        return len(rooms) < places if room not in rooms else rooms.index(room) < places

    def _note(self, queue: Queue) -> None:
        if queue.beat != self._queue.beat:
            self._queue_seen_at = self.clock()
        self._queue = queue

    async def _renew(self) -> None:
        self._beat += 1
        await self.registry.renew(
            Lease(
                worker=self.worker,
                agent_name=self.agent_name,
                host=socket.gethostname(),
                pid=os.getpid(),
                capacity=self.admission.capacity,
                running=self.admission.running,
                draining=self.is_draining(),
                beat=self._beat,
            )
        )
