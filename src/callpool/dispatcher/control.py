"""The control loop: looks at what may have changed, decides, acts, and looks again."""

from __future__ import annotations

import asyncio
import functools
import logging
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from structlog.contextvars import bind_contextvars

from callpool.call import call_in
from callpool.dispatcher.agenda import Agenda
from callpool.dispatcher.census import Census
from callpool.dispatcher.decision import ANSWER_S, JOIN_S, Memory, Verdict, Want, decide, live_agents, pause_s
from callpool.dispatcher.figures import Figures
from callpool.dispatcher.lifelines import Lifelines
from callpool.dispatcher.outage import LONGEST_PAUSE_S, Outage, growing_pause_s
from callpool.dispatcher.queue import Pending, Queue
from callpool.dispatcher.sight import Rooms, RoomsAway, Sight
from callpool.dispatcher.traced import traced
from callpool.dispatcher.webhooks import Change
from callpool.errors import StoreError
from callpool.pool import Registry, Serving
from callpool.telemetry.tracing import Tracing

POLL_S = 0.2
"""How often the store is asked for dead workers and lost calls, seconds."""
STORE_S = 10.0
"""How long the store may take to answer, seconds: longer than it tries a write again by itself."""
QUEUE_S = 1.0
"""How often the queue is said again while anybody waits, seconds: one that stands still does not count."""
GONE_S = 60.0
"""When the room of a lost call has been gone for this long, seconds, nobody comes back: a caller whose
connection, or whose server, was lost makes the room again."""
SOON_S = 0.02
"""Webhooks about one room that come within this time are one look, seconds."""
HOPE_S = 0.4
"""How long a full pool may take to be seen to have taken a newcomer by itself, seconds."""
FULL = "full"
"""What is remembered of a room whose caller came when no place was free."""
LOOKS = 24
"""Rooms that are looked at at the same time."""
AUDIT_S = 300.0
"""Every room with a caller is looked at this often even when nothing seems to happen, seconds."""
APART_S = 0.2
"""Two dispatchers that wait for the same thing do not act at the same moment: each adds at most this,
seconds."""
COPIES = 2
"""Dispatches sent at once while the server may give one of them to a dead worker. One job claims the call."""
MOST_LOSSES = 5
LOSSES_S = 60.0
"""A call that loses its job more often than MOST_LOSSES in this time, seconds, is ended: no agent of it lives
for long."""
SILENCE_S = 5.0
"""After how long without an answer of LiveKit's or the store's the dispatcher is not ready, seconds, on top
of the time between two questions."""

logger = logging.getLogger(__name__)


@dataclass
class _Room:
    """What is kept of a room with a caller."""

    memory: Memory = field(default_factory=Memory)
    failures: int = 0
    losses_s: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_LOSSES + 1))


class Dispatcher:
    """Sees to the rooms whose callers want the agent `agent_name`."""

    def __init__(
        self,
        rooms: Rooms,
        registry: Registry,
        agent_name: str,
        figures: Figures | None = None,
        lifelines: Lifelines | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._rooms = rooms
        self._registry = registry
        self._agent_name = agent_name
        self._figures = figures or Figures()
        self._lifelines = lifelines or Lifelines()
        self._tracing = tracing or Tracing()
        self._agenda = Agenda()
        self._census = Census()
        self._queue = Queue()
        self._kept: dict[str, _Room] = {}
        self._busy: set[str] = set()
        self._lost: set[tuple[str, int]] = set()
        self._adrift_s: dict[str, float] = {}
        self._list_due_s = self._polled_s = self._queued_s = float("-inf")
        self._figures.watch(lambda: float(len(self._queue)), lambda: self._queue.oldest_wait_s(self._now_s()))

    def hear(self, change: Change) -> None:
        """A webhook said that something happened in a room."""
        now_s = self._now_s()
        self._census.told(change.room, change.sid, now_s)
        kept = self._kept.setdefault(change.room, _Room())
        if change.over and kept.memory.sid in ("", change.sid):
            self._forget(change.room)
            return
        if not change.over:
            self._note_sid(kept, change.sid)
        self._agenda.mark(change.room, now_s + SOON_S)

    def not_ready(self) -> str:
        """Why the work cannot be done; empty when it can."""
        now_s = self._now_s()
        if now_s - self._list_due_s > SILENCE_S:
            return "the LiveKit API does not answer"
        if now_s - self._polled_s > SILENCE_S:
            return "the store does not answer"
        return ""

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._list_rooms(), name="list rooms")
            group.create_task(self._watch_store(), name="watch store")
            group.create_task(self._look_at_what_is_due(group), name="look at rooms")

    async def _list_rooms(self) -> None:
        away = Outage("the LiveKit API")
        while True:
            began_s = self._now_s()
            try:
                listed = await self._rooms.rooms()
                now_s = self._now_s()
                look, gone = self._census.take(listed, now_s)
                for room in gone:
                    self._forget(room)
                for room in look:
                    self._agenda.mark(room, now_s)
                pause_s = self._census.pause_s(now_s - began_s, now_s)
                self._list_due_s = now_s + pause_s
                if away.over():
                    self._retry_all()
            except Exception as error:
                pause_s = away.seen(error, RoomsAway)
            await asyncio.sleep(pause_s)

    async def _watch_store(self) -> None:
        away = Outage("the store")
        while True:
            try:
                async with asyncio.timeout(STORE_S):
                    await self._poll()
                away.over()
            except Exception as error:
                self._lifelines.forgive()
                away.seen(error, StoreError)
            await asyncio.sleep(POLL_S)

    async def _poll(self) -> None:
        """Ask the store for dead workers, lost calls, and whether dispatches were answered."""
        self._lifelines.update(await self._registry.leases(), self._now_s())
        if self._lifelines.silent:
            # Where nothing can be written, on a full disk or in a locked file, nobody can renew a lease.
            await self._registry.queue(self._agent_name, self._queue.rooms)
        lost = list(await self._registry.lost())
        for worker in self._lifelines.dead:
            lost += await self._bury(worker)
        self._take_lost(lost)
        for room, pending in list(self._queue.pending.items()):
            serving = await self._registry.serving(room, self._agent_name)
            if serving is not None and serving.alive and serving.epoch >= pending.epoch:
                self._queue.remove(room)
                self._agenda.mark(room, self._now_s() + JOIN_S)
        self._polled_s = now_s = self._now_s()
        for room in self._queue.next(self._lifelines.free(self._agent_name), now_s):
            self._agenda.mark(room, now_s)
        if self._queue.changed or (len(self._queue) and now_s - self._queued_s >= QUEUE_S):
            await self._registry.queue(self._agent_name, self._queue.rooms)
            self._queue.changed = False
            self._queued_s = now_s
        await self._release(lost)

    async def _release(self, lost: Sequence[Serving]) -> None:
        """Let go of calls whose room is gone."""
        now_s = self._now_s()
        before, self._adrift_s = self._adrift_s, {}
        if now_s - self._list_due_s > SILENCE_S:
            return  # which rooms there are is not known
        for serving in lost:
            if serving.agent_name != self._agent_name or self._census.sid(serving.room):
                continue
            if serving.room in self._kept:
                continue
            since_s = self._adrift_s[serving.call_id] = before.get(serving.call_id, now_s)
            if now_s - since_s <= GONE_S:
                continue
            if (final := await self._registry.release(serving.call_id)) is not None:
                self._figures.ended(final)

    async def _bury(self, worker: str) -> Sequence[Serving]:
        served = await self._registry.bury(worker, self._lifelines.beat(worker))
        self._lifelines.buried(worker)
        logger.error(
            "worker is dead", extra={"action": "worker_dead", "worker": worker, "calls": len(served)}
        )
        return served

    def _take_lost(self, lost: Sequence[Serving]) -> None:
        now_s = self._now_s()
        before, self._lost = self._lost, set()
        for serving in lost:
            if serving.agent_name != self._agent_name:
                continue
            self._lost.add((serving.room, serving.epoch))
            if (serving.room, serving.epoch) not in before:
                self._kept.setdefault(serving.room, _Room()).losses_s.append(now_s)
                self._agenda.mark(serving.room, now_s)

    async def _look_at_what_is_due(self, group: asyncio.TaskGroup) -> None:
        slots = asyncio.Semaphore(LOOKS)
        while True:
            room = self._agenda.pop(self._now_s())
            if room is None:
                await self._agenda.wait(self._now_s())
            elif room in self._busy:
                self._agenda.mark(room, self._now_s() + SOON_S)
            else:
                await slots.acquire()
                self._busy.add(room)
                task = group.create_task(self._look(room), name=f"look at {room}")
                task.add_done_callback(functools.partial(self._looked, room, slots))

    def _looked(self, room: str, slots: asyncio.Semaphore, _: asyncio.Task[None]) -> None:
        self._busy.discard(room)
        slots.release()

    async def _look(self, name: str) -> None:
        """Look at one room, do what it needs, and see to it that it is looked at again."""
        kept = self._kept.setdefault(name, _Room())
        _name_in_log(name, kept)
        try:
            again_s = await self._reconcile(name, kept)
            kept.failures = 0
        except (RoomsAway, StoreError, TimeoutError) as error:
            again_s = self._after_failure(kept)
            if kept.failures == 1:
                logger.warning(
                    "a room cannot be looked after",
                    extra={"action": "room_failed", "error": error},
                )
        except Exception:
            again_s = self._after_failure(kept)
            logger.exception("looking after a room failed", extra={"action": "room_failed"})
        if again_s is not None:
            self._agenda.mark(name, self._now_s() + again_s)

    def _retry_all(self) -> None:
        """What failed because the API was away need not wait any longer."""
        for name, kept in self._kept.items():
            if kept.failures:
                self._agenda.mark(name, self._now_s())

    def _after_failure(self, kept: _Room) -> float:
        kept.failures += 1
        return growing_pause_s(kept.failures)

    async def _reconcile(self, name: str, kept: _Room) -> float | None:
        sight = await self._see(name, kept)
        _name_in_log(name, kept)
        if not sight.callers:
            self._queue.remove(name)
            self._kept.pop(name, None)
            return None
        now_s = self._now_s()
        if self._is_beyond_help(kept, now_s):
            await self._give_up(name)
            return LONGEST_PAUSE_S
        verdict = decide(sight, kept.memory, self._agent_name, self._lifelines.dead, now_s)
        await self._remove(name, verdict)
        if verdict.want is None:
            self._queue.remove(name)
        else:
            await self._serve(name, kept, sight, verdict.want)
        for dispatch_id in verdict.superseded:
            await self._rooms.withdraw(name, dispatch_id)
        if verdict.look_again_s is not None:
            return verdict.look_again_s + random.uniform(0, APART_S)
        return AUDIT_S * random.uniform(0.75, 1.25)

    async def _see(self, name: str, kept: _Room) -> Sight:
        """In the order that `Sight` asks for. Only what is needed is asked."""
        participants = await self._rooms.participants(name)
        self._note_sid(kept, self._census.sid(name))
        sight = Sight(name, kept.memory.sid, participants, None)
        if not sight.callers:
            return sight
        async with asyncio.timeout(STORE_S):
            serving = await self._registry.serving(name, self._agent_name)
        is_lost = serving is not None and (name, serving.epoch) in self._lost
        sight = replace(sight, serving=serving, is_lost=is_lost)
        live, _ = live_agents(sight, self._agent_name, self._lifelines.dead)
        if live and serving is not None and not kept.memory.first_seen_s:
            return sight
        return replace(sight, dispatches=await self._rooms.dispatches(name))

    async def _remove(self, name: str, verdict: Verdict) -> None:
        for identity in verdict.ghosts:
            try:
                await self._rooms.remove(name, identity)
            except RoomsAway as error:  # the caller gets an agent all the same
                logger.warning("a ghost stays", extra={"action": "ghost_stays", "error": error})
                continue
            self._figures.ghosts.inc()
            logger.info("ghost removed", extra={"action": "ghost_removed", "agent": identity})

    async def _serve(self, name: str, kept: _Room, sight: Sight, want: Want) -> None:
        """Give the room its place in the queue, and send the dispatch when it is its turn."""
        now_s = self._now_s()
        free = self._lifelines.free(self._agent_name)
        if want.ready_in_s > 0:
            self._queue.expect(name, Pending(want.epoch, now_s + min(want.ready_in_s, ANSWER_S)))
            was_full = free <= 0 or FULL in kept.memory.first_seen_s
            if was_full and not kept.memory.tries and not any(each.jobs for each in sight.dispatches):
                # The last place may be the one that this caller is just being given.
                if kept.memory.age_s(FULL, now_s) < HOPE_S:
                    self._agenda.mark(name, now_s + HOPE_S)
                else:
                    self._lose_hope(name, kept, sight)
                    want = replace(want, ready_in_s=0.0)
        if not want.ready_in_s or kept.memory.tries or len(self._queue):
            self._queue.put(name, want.since_ms, now_s + want.ready_in_s, now_s)
        if name in self._queue.next(free, now_s):
            await self._dispatch(name, kept, want)

    def _lose_hope(self, name: str, kept: _Room, sight: Sight) -> None:
        """Nobody has room for what came with the caller's token: it is not waited for."""
        kept.memory.hopeless.update(
            dispatch.dispatch_id for dispatch in sight.dispatches if not dispatch.jobs
        )
        self._queue.give_up(name)

    async def _dispatch(self, name: str, kept: _Room, want: Want) -> None:
        copies = COPIES if self._lifelines.server_may_err else 1
        self._queue.expect(name, Pending(want.epoch, self._now_s() + ANSWER_S))
        with traced(self._tracing, want) as metadata:
            for _ in range(copies):
                dispatch_id = await self._rooms.dispatch(name, self._agent_name, metadata)
                kept.memory.first_seen_s[dispatch_id] = self._now_s()
        kept.memory.tries += 1
        self._queue.put(name, want.since_ms, self._now_s() + pause_s(kept.memory.tries), self._now_s())
        self._figures.dispatches.labels(cause=want.cause).inc(copies)
        logger.info(
            "dispatched",
            extra={
                "action": "dispatched",
                "epoch": want.epoch,
                "cause": want.cause,
                "copies": copies,
            },
        )
        self._agenda.mark(name, self._now_s() + pause_s(kept.memory.tries))

    def _is_beyond_help(self, kept: _Room, now_s: float) -> bool:
        return len(kept.losses_s) > MOST_LOSSES and now_s - kept.losses_s[0] < LOSSES_S

    async def _give_up(self, name: str) -> None:
        self._queue.remove(name)
        logger.error(
            "a call loses every job: its room is deleted",
            extra={"action": "call_given_up", "losses": MOST_LOSSES + 1, "within_s": LOSSES_S},
        )
        await self._rooms.close(name)

    def _note_sid(self, kept: _Room, sid: str) -> None:
        """A room of the same name may be another one."""
        if sid and kept.memory.sid and kept.memory.sid != sid:
            kept.memory = Memory(sid=sid)
        elif sid:
            kept.memory.sid = sid

    def _forget(self, room: str) -> None:
        self._queue.remove(room)
        self._kept.pop(room, None)
        self._agenda.strike(room)

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()


def _name_in_log(room: str, kept: _Room) -> None:
    """What this task logs from here on is about this room. Its name stays out: it may hold a number."""
    bind_contextvars(call_id=call_in(room), room_id=kept.memory.sid or None)
