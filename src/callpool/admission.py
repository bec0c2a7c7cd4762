"""Accept or refuse a job, with the reason."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from livekit.agents import JobRequest
from opentelemetry import trace

from callpool.burial import call_of
from callpool.call import Call
from callpool.pool import WORKER_ATTRIBUTE
from callpool.telemetry.trace_context import TraceContext
from callpool.telemetry.tracing import Tracing

logger = logging.getLogger(__name__)

FULL_LOAD = 0.69
"""What a full worker reports: the server dispatches nothing to a load of 0.7 or more (0.69 yes, 0.71 no)."""

Reason = Literal["capacity", "others_wait"]
"""Why a job is refused: no place is free, or callers who came earlier wait for those that are."""


async def _anybody(room: str, places: int) -> bool:
    return True


async def _at_once() -> None:
    return


@dataclass
class Admission:
    """Counts the jobs of a worker against its capacity.

    The load of the machine refuses nobody: the open server never asks again, so that the caller would hear
    silence for good. It delays an answer (`settled`), for seconds at most.
    """

    capacity: int
    worker: str = ""
    """Its stable name, which its agents carry into their rooms."""
    is_next: Callable[[str, int], Awaitable[bool]] = _anybody
    """Whether a room may have one of so many free places, or others have waited longer."""
    settled: Callable[[], Awaitable[None]] = _at_once
    """Waits a moment on a machine that is busy."""
    tracing: Tracing = field(default_factory=Tracing)
    changed: Callable[[], None] = lambda: None
    """Told whenever a job comes or goes."""
    refused: Counter[str] = field(default_factory=Counter)
    """How often a job was refused, by `Reason`."""
    _jobs: dict[str, str] = field(default_factory=dict)

    @property
    def running(self) -> int:
        """Jobs accepted and not yet over, those on their way to being accepted included."""
        return len(self._jobs)

    @property
    def rooms(self) -> frozenset[str]:
        """The rooms of these jobs."""
        return frozenset(self._jobs.values())

    @property
    def load(self) -> float:
        """What the server is told, 0 to FULL_LOAD."""
        return FULL_LOAD * self.running / self.capacity

    async def decide(self, request: JobRequest) -> None:
        """Answer one request of the server."""
        call = call_of(request.job)
        context = TraceContext.of_dispatch(request.job.metadata, call.call_id)
        with self.tracing.span(context, "callpool.admission", call_id=call.call_id) as span:
            span.set_attribute("callpool.worker", self.worker)
            span.set_attribute("callpool.running", self.running)
            await self._decide(request, call, span)

    async def _decide(self, request: JobRequest, call: Call, span: trace.Span) -> None:
        places = self.capacity - self.running
        if places <= 0:
            await self._refuse(request, "capacity", span)
            return
        self._jobs[request.id] = request.room.name
        self.changed()
        try:
            if not call.is_redispatched:  # else the dispatcher has seen to both
                if not await self.is_next(request.room.name, places):
                    self.release(request.id)
                    await self._refuse(request, "others_wait", span)
                    return
                await self.settled()
            await request.accept(name="callpool", attributes={WORKER_ATTRIBUTE: self.worker})
        except BaseException:
            self.release(request.id)
            raise
        span.set_attribute("callpool.accepted", True)
        logger.info("job accepted", extra={**_fields(request), "running": self.running})

    def release(self, job_id: str) -> None:
        """A job is over, however it ended."""
        self._jobs.pop(job_id, None)
        self.changed()

    async def _refuse(self, request: JobRequest, reason: Reason, span: trace.Span) -> None:
        self.refused[reason] += 1
        span.set_attribute("callpool.accepted", False)
        span.set_attribute("callpool.refused", reason)
        fields = {**_fields(request), "reason": reason, "capacity": self.capacity}
        logger.warning("job refused", extra=fields)
        await request.reject(terminate=False)


def _fields(request: JobRequest) -> dict[str, object]:
    return {"action": "admission", "job_id": request.id, "call_id": call_of(request.job).call_id}
