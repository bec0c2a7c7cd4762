"""A pool without media: rooms, callers, workers and jobs in memory, as dispatchers see them.

`World` stands in for the LiveKit server's API (what 1.11 does with a dispatch, measured) and for the store.
It counts what it is asked.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from callpool.dispatcher.sight import Dispatch, Listed, Participant, RoomsAway
from callpool.dispatcher.webhooks import Change
from callpool.ending import JOB_DIED, Ending
from callpool.errors import StoreError
from callpool.pool import Lease, Serving

SERVER_WAITS_S = 10.0
"""How long the server waits for a worker that does not answer, seconds (measured, 1.11.0)."""
GHOST_S = 15.0
"""How long a killed agent stays in its room, seconds (measured, 1.11.0)."""


@dataclass
class SimulatedRoom:
    name: str
    sid: str
    participants: dict[str, Participant] = field(default_factory=dict)
    dispatches: dict[str, Dispatch] = field(default_factory=dict)


@dataclass
class SimulatedWorker:
    name: str
    agent_name: str
    capacity: int
    host: str
    pid: int
    running: set[str] = field(default_factory=set)
    alive: bool = True
    beat: int = 0


@dataclass
class SimulatedCall:
    call_id: str
    room: str
    agent_name: str
    epoch: int = 0
    job_id: str = ""
    worker: str = ""
    alive: bool = False
    ended: bool = False

    @property
    def serving(self) -> Serving:
        return Serving(
            self.call_id, self.room, self.agent_name, self.epoch, self.job_id, self.worker, self.alive
        )


class World:
    """Everything there is. `claim_s`, `join_s`: what a job takes to claim its call and to join its room."""

    def __init__(self, *, claim_s: float = 0.1, join_s: float = 0.2, latency_s: float = 0.005) -> None:
        self.claim_s, self.join_s, self.latency_s = claim_s, join_s, latency_s
        self.rooms_by_name: dict[str, SimulatedRoom] = {}
        self.workers: dict[str, SimulatedWorker] = {}
        """Those that have a lease."""
        self.registered: dict[str, SimulatedWorker] = {}
        """Those that the server takes for available."""
        self.calls: dict[str, SimulatedCall] = {}
        self.by_room: dict[str, SimulatedCall] = {}
        self.lost_calls: dict[str, SimulatedCall] = {}
        self.listeners: list[Callable[[Change], None]] = []
        self.asked: Counter[str] = Counter()
        self.answered: list[str] = []
        """Rooms in the order in which their callers got an agent."""
        self.served_s: dict[str, float] = {}
        self.doubled: set[str] = set()
        """Rooms in which two agents served at the same time."""
        self.queues: dict[str, list[str]] = {}
        self.api_away = self.store_away = self.store_full = False
        self._number = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._random = random.Random(7)

    # --- what happens in the world

    def worker(
        self, name: str, capacity: int, *, agent_name: str = "callpool", host: str = "elsewhere"
    ) -> None:
        """A worker registers."""
        self._number += 1
        made = SimulatedWorker(name, agent_name, capacity, host, 10_000_000 + self._number)
        self.workers[name] = self.registered[name] = made
        self._spawn(self._beat(made))

    def caller(
        self, room: str, *, token: bool = True, agent_name: str = "callpool", identity: str = "caller"
    ) -> None:
        """A caller joins; the first one makes the room, whose token may carry a dispatch."""
        made = self.rooms_by_name.get(room)
        if made is None:
            made = self.rooms_by_name[room] = SimulatedRoom(room, self._new("RM"))
            self._tell(room, made.sid)
            if token:
                call_id = room.removeprefix("call-")
                self._create(made, agent_name, json.dumps({"call_id": call_id, "language": "de"}))
        self._join(made, Participant(self._new("PA"), identity, "caller", self._now_ms()))

    def leave(self, room: str, identity: str = "caller") -> None:
        """A caller leaves; a room without callers is over."""
        made = self.rooms_by_name[room]
        del made.participants[identity]
        if any(person.role == "caller" for person in made.participants.values()):
            self._tell(room, made.sid)
            return
        del self.rooms_by_name[room]
        if (call := self.by_room.get(room)) is not None:
            self.end(call)
        self._tell(room, made.sid, over=True)

    def end(self, call: SimulatedCall) -> None:
        """A call ends for good."""
        call.ended, call.alive = True, False
        self.lost_calls.pop(call.call_id, None)
        if call.worker in self.workers:
            self.workers[call.worker].running.discard(call.job_id)

    def kill_job(self, room: str) -> None:
        """Its worker sees it at once; its agent stays in the room for a while."""
        call = self.by_room[room]
        self.workers[call.worker].running.discard(call.job_id)
        self._lose(call)
        self._spawn(self._fade(room, f"agent-{call.job_id}"))

    def kill_worker(self, name: str, *, silently: bool) -> None:
        """With all its jobs. `silently`: the server goes on taking it for available."""
        self.workers[name].alive = False
        if not silently:
            del self.registered[name]
        for call in self.by_room.values():
            if call.worker == name and call.alive:
                self._spawn(self._fade(call.room, f"agent-{call.job_id}"))

    def restart_server(self) -> None:
        """All rooms are gone, and their jobs with them. The store has the calls as lost."""
        self.rooms_by_name.clear()
        for call in self.by_room.values():
            if call.alive:
                self.workers[call.worker].running.discard(call.job_id)
                self._lose(call)

    def live_agents(self, room: str) -> int:
        """Agents in a room that serve its call."""
        return sum(self._serves(person) for person in self.rooms_by_name[room].participants.values())

    def agents(self, room: str) -> int:
        return sum(person.role == "agent" for person in self.rooms_by_name[room].participants.values())

    # --- the LiveKit API

    async def rooms(self) -> Sequence[Listed]:
        await self._ask("ListRooms")
        return [
            Listed(made.name, made.sid, sum(person.role == "caller" for person in made.participants.values()))
            for made in self.rooms_by_name.values()
        ]

    async def participants(self, room: str) -> Sequence[Participant]:
        await self._ask("ListParticipants")
        made = self.rooms_by_name.get(room)
        return list(made.participants.values()) if made is not None else []

    async def dispatches(self, room: str) -> Sequence[Dispatch]:
        await self._ask("ListDispatch")
        made = self.rooms_by_name.get(room)
        return list(made.dispatches.values()) if made is not None else []

    async def remove(self, room: str, identity: str) -> None:
        await self._ask("RemoveParticipant")
        if (made := self.rooms_by_name.get(room)) and made.participants.pop(identity, None):
            self._tell(room, made.sid)

    async def dispatch(self, room: str, agent_name: str, metadata: str) -> str:
        await self._ask("CreateDispatch")
        made = self.rooms_by_name.get(room)
        return self._create(made, agent_name, metadata) if made is not None else ""

    async def withdraw(self, room: str, dispatch_id: str) -> None:
        await self._ask("DeleteDispatch")
        made = self.rooms_by_name.get(room)
        gone = made.dispatches.pop(dispatch_id, None) if made is not None else None
        for job_id in gone.jobs if gone is not None else ():
            call = self.by_room.get(room)
            if call is not None and call.job_id == job_id and call.alive:
                self.kill_job(room)

    async def close(self, room: str) -> None:
        await self._ask("DeleteRoom")
        made = self.rooms_by_name.pop(room, None)
        if made is not None:
            self._tell(room, made.sid, over=True)

    # --- the store

    async def leases(self) -> Sequence[Lease]:
        await self._ask_store("leases")
        return [
            Lease(
                one.name, one.agent_name, one.host, one.pid, one.capacity, len(one.running), False, one.beat
            )
            for one in self.workers.values()
        ]

    async def lost(self) -> Sequence[Serving]:
        await self._ask_store("lost")
        return [call.serving for call in self.lost_calls.values()]

    async def serving(self, room: str, agent_name: str) -> Serving | None:
        await self._ask_store("serving")
        call = self.by_room.get(room)
        ours = call is not None and not call.ended and call.agent_name == agent_name
        return call.serving if ours else None

    async def bury(self, worker: str, beat: int | None = None) -> Sequence[Serving]:
        await self._ask_store("bury")
        self._write()
        if beat is not None and (worker not in self.workers or self.workers[worker].beat != beat):
            return []
        self.workers.pop(worker, None)
        buried = [call for call in self.by_room.values() if call.worker == worker and call.alive]
        for call in buried:
            self._lose(call)
        return [call.serving for call in buried]

    async def queue(self, agent_name: str, waiting: Sequence[str]) -> None:
        await self._ask_store("queue")
        self._write()
        self.queues[agent_name] = list(waiting)

    async def release(self, call_id: str) -> Ending | None:
        await self._ask_store("release")
        if call_id not in self.lost_calls:
            return None
        self.end(self.lost_calls[call_id])
        return JOB_DIED

    # --- how it works inside

    def _create(self, made: SimulatedRoom, agent_name: str, metadata: str) -> str:
        dispatch = Dispatch(self._new("AD"), agent_name, metadata)
        made.dispatches[dispatch.dispatch_id] = dispatch
        self._spawn(self._assign(made, dispatch))
        return dispatch.dispatch_id

    async def _assign(self, made: SimulatedRoom, dispatch: Dispatch) -> None:
        """As the server does: a refusal leads to the next worker, silence to none."""
        able = [one for one in self.registered.values() if one.agent_name == dispatch.agent_name]
        self._random.shuffle(able)
        for worker in able:
            if not worker.alive:
                await asyncio.sleep(SERVER_WAITS_S)
                return
            if self._takes(worker, made.name, dispatch):
                job_id = self._new("AJ")
                worker.running.add(job_id)
                if dispatch.dispatch_id in made.dispatches:
                    made.dispatches[dispatch.dispatch_id] = replace(dispatch, jobs=frozenset({job_id}))
                await self._run(made, dispatch, worker, job_id)
                return

    def _takes(self, worker: SimulatedWorker, room: str, dispatch: Dispatch) -> bool:
        """As the workers do: whoever the dispatcher does not send waits behind those who wait already."""
        places = worker.capacity - len(worker.running)
        if places <= 0 or dispatch.document.get("redispatched"):
            return places > 0
        waiting = self.queues.get(dispatch.agent_name, [])
        return waiting.index(room) < places if room in waiting else len(waiting) < places

    async def _run(
        self, made: SimulatedRoom, dispatch: Dispatch, worker: SimulatedWorker, job_id: str
    ) -> None:
        await asyncio.sleep(self.claim_s)
        call_id = dispatch.document.get("call_id", f"c_{job_id}")
        call = self.calls.setdefault(call_id, SimulatedCall(call_id, made.name, dispatch.agent_name))
        if not worker.alive or call.ended or call.epoch >= dispatch.epoch:
            worker.running.discard(job_id)
            return
        self.by_room[made.name] = call
        call.epoch, call.job_id, call.worker, call.alive = dispatch.epoch, job_id, worker.name, True
        self.lost_calls.pop(call_id, None)
        await asyncio.sleep(self.join_s)
        if call.job_id != job_id or not call.alive or made.name not in self.rooms_by_name:
            return
        agent = Participant(
            self._new("PA"), f"agent-{job_id}", "agent", self._now_ms(), worker.agent_name, worker.name
        )
        self._join(made, agent)
        self.answered.append(made.name)
        self.served_s[made.name] = asyncio.get_running_loop().time()
        if self.live_agents(made.name) > 1:
            self.doubled.add(made.name)

    def _serves(self, person: Participant) -> bool:
        if person.role != "agent":
            return False
        return any(person.job_id in worker.running for worker in self.workers.values() if worker.alive)

    def _lose(self, call: SimulatedCall) -> None:
        call.alive = False
        self.lost_calls[call.call_id] = call

    async def _fade(self, room: str, identity: str) -> None:
        await asyncio.sleep(GHOST_S)
        if (made := self.rooms_by_name.get(room)) and made.participants.pop(identity, None):
            self._tell(room, made.sid)

    async def _beat(self, worker: SimulatedWorker) -> None:
        while worker.alive:
            if not self.store_full:
                worker.beat += 1
            await asyncio.sleep(1.0)

    def _join(self, made: SimulatedRoom, person: Participant) -> None:
        made.participants[person.identity] = person
        self._tell(made.name, made.sid)

    def _tell(self, room: str, sid: str, *, over: bool = False) -> None:
        for hear in self.listeners:
            hear(Change(room, sid, over))

    async def _ask(self, what: str) -> None:
        self.asked[what] += 1
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        if self.api_away:
            raise RoomsAway("the LiveKit API does not answer: it is away in this test")

    async def _ask_store(self, what: str) -> None:
        self.asked[what] += 1
        if self.store_away:
            raise StoreError("the store is away in this test")

    def _write(self) -> None:
        if self.store_full:
            raise StoreError("the store's disk is full in this test")

    def _spawn(self, work: object) -> None:
        task = asyncio.create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _new(self, kind: str) -> str:
        self._number += 1
        return f"{kind}_{self._number}"

    def _now_ms(self) -> int:
        return int(asyncio.get_running_loop().time() * 1000)
