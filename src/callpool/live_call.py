"""A call in progress in this process: whose it is, what is written of it, and how it is left or ended."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from livekit.agents import JobContext

from callpool import ending
from callpool.call import Call, name_of_visit
from callpool.cost import CostItem
from callpool.ending import RECOVERABLE, Ending
from callpool.errors import StoreError
from callpool.line import Leave, Message
from callpool.metering import Meter
from callpool.pulse import Pulse
from callpool.store.calls import Calls
from callpool.store.claims import Claim
from callpool.store.record import Event, Job, StageEntry, Turn
from callpool.store.writer import Writer
from callpool.telemetry.observation import Observation
from callpool.transcript import Transcript

logger = logging.getLogger(__name__)

CLAIMED_S = 1.5
"""How long a caller waits for the store to say who serves them, seconds. A SQLite file that another process
holds makes each try wait for longer than that."""
RECORD_FIRST_S = 2.0
"""How long the room is kept for the record to be complete before the caller is let go, seconds."""


@dataclass
class LiveCall:
    """A call that this process serves, unless another job turns out to."""

    call: Call
    ctx: JobContext
    writer: Writer
    calls: Calls
    job: Job
    superseded: bool = False
    """Whether another job serves the call: then nothing more is said or written about it here."""
    pulse: Pulse | None = None
    observation: Observation | None = None
    meter: Meter | None = None
    transcript: Transcript | None = None
    modules: frozenset[str] = field(default_factory=lambda: frozenset(sys.modules))
    """What was imported when the call began: nothing may be added while somebody waits."""
    _checkpoint: Callable[[], str] | None = None
    _left: bool = False
    """Whether it was said that the call is left to another job."""

    async def claim(self) -> Claim | None:
        """See to it that this job alone serves the call. None: another one does.

        A caller is answered also while the store is away, unless the dispatcher has sent for the job: it
        tries again. Then StoreError is raised.
        """
        # In a task of its own: SQLite's wait for a lock cannot be cut short.
        claiming = asyncio.create_task(self._claim(), name="claim")
        claiming.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may be given up
        await asyncio.wait({claiming}, timeout=CLAIMED_S)
        try:
            claim = claiming.result()
        except (StoreError, asyncio.InvalidStateError) as error:
            if self.call.is_redispatched:
                raise StoreError("the store does not say who serves this call") from error
            logger.warning("a call is answered unclaimed", extra={"action": "unclaimed", "error": error})
            self.writer.submit(lambda: self._claim_late(claiming))
            return Claim("taken")
        return claim if claim.outcome == "taken" else None

    def save_stage(self, entry: StageEntry) -> None:
        if self.observation is not None:
            self.observation.enter(entry)
        if self.meter is not None:
            self.meter.enter(entry.stage)
        self.writer.submit(lambda: self.calls.stage_entered(self.call.call_id, entry, job_id=self.job.job_id))

    def save_language(self, code: str) -> None:
        self.writer.submit(lambda: self.calls.set_language(self.call.call_id, code, job_id=self.job.job_id))

    def save_turn(self, turn: Turn) -> None:
        if self.meter is not None:
            self.save_costs(self.meter.items())
        self.writer.submit(lambda: self.calls.record_turn(self.call.call_id, turn, job_id=self.job.job_id))

    def save_event(self, event: Event) -> None:
        self.writer.submit(lambda: self.calls.record_event(self.call.call_id, event, job_id=self.job.job_id))

    def save_costs(self, items: Sequence[CostItem]) -> None:
        """All that this job has used so far."""
        self.writer.submit(lambda: self.calls.record_cost(self.call.call_id, self.job.job_id, items))

    def save_caller(self) -> None:
        kind, identity = self.call.caller.kind, self.call.caller.identity
        job_id = self.job.job_id
        self.writer.submit(lambda: self.calls.set_caller(self.call.call_id, kind, identity, job_id=job_id))

    def save_checkpoint(self, make: Callable[[], str]) -> None:
        """Write the newest checkpoint in its turn; it is made when it is written."""
        if self._checkpoint is None:
            self.writer.submit(self._write_checkpoint)
        self._checkpoint = make

    def hear(self, message: Message) -> None:
        """What the worker says."""
        if isinstance(message, Leave) and self.call.ending is None:
            self.finish(ending.WORKER_STOPPED)
            self._lose(ending.WORKER_STOPPED)  # at once: the session takes its time to close

    def finish(self, how: Ending) -> None:
        """The call, or this job's part of it, is over."""
        self.call.end(how)
        self.ctx.shutdown(reason=how.reason)

    def supersede(self) -> None:
        """Leave the call to the job that serves it."""
        logger.warning("another job serves this call", extra={"action": "superseded"})
        self.superseded = True
        self.ctx.shutdown(reason="superseded")

    async def write_ending(self) -> asyncio.Future[object] | None:
        """Write how the call ended. Gives what empties the room; None: it is left to another job."""
        final = self.call.ending
        assert final is not None
        if self.superseded:
            return None
        if final in RECOVERABLE:
            self._lose(final)
            return None
        now = datetime.now(UTC)
        self.writer.submit(lambda: self._write_end(final, now))
        await self.writer.settle(RECORD_FIRST_S)
        if self.superseded:
            return None
        logger.info("call ended", extra={"action": "ended", "result": final.result, "reason": final.reason})
        return self.ctx.delete_room()  # nobody is kept in a silent room by a store that is away

    def _lose(self, how: Ending) -> None:
        if self._left:
            return
        self._left = True
        logger.warning("call left to another job", extra={"action": "left", "reason": how.reason})
        now = datetime.now(UTC)
        self.writer.submit(lambda: self.calls.lose(self.call.call_id, self.job, how, now))

    async def _claim(self) -> Claim:
        claim = await self.calls.claim(self.call, self.job)
        for name in (self.ctx.job.room.sid, self.job.job_id):
            if claim.outcome == "over":
                # Its token was used once more: another visit, in a room of the same name.
                self.call.call_id = name_of_visit(name)
                claim = await self.calls.claim(self.call, self.job)
        return claim

    async def _claim_late(self, claiming: asyncio.Task[Claim]) -> None:
        """Claim a call that is being answered already, unless that has happened in the meantime."""
        try:
            claim = await claiming
        except StoreError:
            claim = await self._claim()
        if claim.outcome != "taken":
            self.supersede()

    async def _write_checkpoint(self) -> None:
        make, self._checkpoint = self._checkpoint, None
        if make is None or self.superseded:
            return
        if self.call.ending is not None and self.call.ending not in RECOVERABLE:
            return
        if not await self.calls.save_checkpoint(self.call.call_id, self.job.job_id, make()):
            self.supersede()

    async def _write_end(self, final: Ending, now: datetime) -> None:
        """End the call, unless another job serves it by now: this one may have been cut off for a while."""
        if not await self.calls.end(self.call.call_id, final, now, job_id=self.job.job_id):
            self.supersede()
        elif self.observation is not None:
            self.observation.ended(final)
