"""What workers and dispatchers tell each other through the store: who is there, and who serves which call.

Liveness is judged by counting, never by comparing clocks: a worker counts its beats, and who watches sees
whether the count still grows. Machines whose clocks differ, or jump, agree all the same.

A call is served by one job at a time. Each job that is dispatched for it carries an epoch, and the first job
to claim that epoch serves the call; a job of the same or an older epoch that comes later leaves again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from callpool.ending import Ending

WORKER_ATTRIBUTE = "callpool.worker"
"""The attribute of an agent in its room that names its worker."""

BEAT_S = 1.0
"""A worker renews its lease this often, seconds, and at once when what it says has changed."""
LEASE_S = 3.0
"""A lease whose beats have not moved for this long is a dead worker's, seconds: two beats may be late."""


@dataclass(frozen=True)
class Lease:
    """A worker of the pool, as it last said."""

    worker: str
    """Its stable name: it outlives connections to the LiveKit server."""
    agent_name: str
    host: str
    pid: int
    capacity: int
    running: int
    """Jobs accepted and not yet over."""
    draining: bool
    beat: int
    """Grows with each renewal."""

    @property
    def free(self) -> int:
        """How many more calls it takes."""
        return 0 if self.draining else max(0, self.capacity - self.running)


@dataclass(frozen=True)
class Serving:
    """How a call that goes on stands in the store."""

    call_id: str
    room: str
    agent_name: str
    epoch: int
    """Of the job that claimed the call last; 0: none has."""
    job_id: str
    """That job; empty: none has claimed the call."""
    worker: str
    """Its worker."""
    alive: bool
    """Whether nobody has said yet that the job is over."""


@dataclass(frozen=True)
class Queue:
    """Who waits for an agent."""

    beat: int
    """Grows with each renewal, as long as a dispatcher sees to the queue."""
    rooms: tuple[str, ...]
    """The longest waiting first."""


class Registry(Protocol):
    """What a dispatcher needs of the store. Every method raises StoreError while the store is away."""

    async def leases(self) -> Sequence[Lease]:
        """Every worker that has a lease, also those whose beats stand still."""

    async def lost(self) -> Sequence[Serving]:
        """Calls that go on and whose job is over: they want another one. Few, and cheap to ask for often."""

    async def serving(self, room: str, agent_name: str) -> Serving | None:
        """The newest call in a room that an agent of this name serves, unless it has ended for good. None: no
        job has ever taken it."""

    async def bury(self, worker: str, beat: int | None = None) -> Sequence[Serving]:
        """Declare a worker dead: its lease is taken, its jobs are over. Gives the calls that they served.

        `beat`: its last one; a worker that has beaten again since lives on.
        """

    async def queue(self, agent_name: str, waiting: Sequence[str]) -> None:
        """Say which rooms wait for an agent, the longest waiting first: workers let nobody overtake them.

        To be said again every second while anybody waits: a queue that stands still does not count.
        """

    async def release(self, call_id: str) -> Ending | None:
        """Nobody waits in the room of a lost call any more: its provisional ending, which is given, stands.

        None: the call goes on, or somebody else has released it.
        """
