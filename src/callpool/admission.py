"""Accept or refuse a job, with the reason."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from livekit.agents import JobRequest

logger = logging.getLogger(__name__)

FULL_LOAD = 0.69
"""What a full worker reports: the server dispatches nothing to a load of 0.7 or more (0.69 yes, 0.71 no)."""


@dataclass
class Admission:
    """Counts the jobs of a worker against its capacity.

    CPU load decides nothing here: the SDK would refuse calls while the machine is busy, and the open server
    never asks again, so that the caller would hear silence for good.
    """

    capacity: int
    _jobs: set[str] = field(default_factory=set)

    @property
    def running(self) -> int:
        """Jobs accepted and not yet over."""
        return len(self._jobs)

    @property
    def load(self) -> float:
        """What the server is told, 0 to FULL_LOAD."""
        return FULL_LOAD * self.running / self.capacity

    async def decide(self, request: JobRequest) -> None:
        """Answer one request of the server."""
        fields = {"action": "admission", "job_id": request.id, "room": request.room.name}
        if self.running >= self.capacity:
            logger.warning("job refused: at capacity", extra={**fields, "capacity": self.capacity})
            await request.reject(terminate=False)
            return
        self._jobs.add(request.id)
        try:
            await request.accept(name="callpool")
        except BaseException:
            self._jobs.discard(request.id)
            raise
        logger.info("job accepted", extra={**fields, "running": self.running})

    def release(self, job_id: str) -> None:
        """A job is over, however it ended."""
        self._jobs.discard(job_id)
