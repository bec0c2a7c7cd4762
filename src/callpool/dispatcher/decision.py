"""What a room needs: pure functions from what is seen, and remembered, to what is to be done."""

from __future__ import annotations

import json
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any, Literal

from callpool.dispatcher.sight import CALL_ROOM, Dispatch, Participant, Sight
from callpool.pool import Serving

ANSWER_S = 1.5
"""A dispatch that no worker has accepted by then is repeated, seconds. The server itself waits for a dead
worker for 10 s and then gives up; one that finds no worker it drops at once (measured, 1.11.0)."""
ACCEPTED_S = 5.0
"""How long a job that was accepted may take to claim its call, seconds: a process that is not warm starts."""
JOIN_S = 10.0
"""How long a job that has claimed its call may take to be in the room, seconds. Longer than a connection
takes to come back: an agent that dropped out for a moment is not replaced."""
GOODBYE_S = 2.0
"""How long the ending of a call may take to be written after its job has ended, seconds."""
UNKNOWN_S = 5.0
"""When an agent that the store does not know is looked at again, seconds."""
SETTLED_S = 15.0
"""A dispatch without jobs that is older than this can be withdrawn, seconds: the server waits for no worker's
answer any more, so no job can come of it, and none is ended with it."""
PROMPT_TRIES = 4
"""Dispatches that are repeated after ANSWER_S; from then on the pause doubles."""
LONGEST_PAUSE_S = 12.0

Cause = Literal["waiting", "lost", "unanswered"]
"""Why a dispatch is sent: nobody ever served the caller; the job is over; an earlier dispatch led nowhere."""


@dataclass
class Memory:
    """What is remembered of a room. All of it may be lost: what follows takes a little longer then."""

    sid: str = ""
    first_seen_s: dict[str, float] = field(default_factory=dict)
    """When each dispatch, claim and agent was first seen, by this process's clock."""
    hopeless: set[str] = field(default_factory=set)
    """Dispatches that were sent while no worker had room: the server has dropped them."""
    wanted: int = 0
    """The epoch that was wanted last."""
    tries: int = 0
    """How often it was dispatched from here."""
    visit: str = ""
    """The call that was last seen to be served here."""
    attended: set[str] = field(default_factory=set)
    """Sids of the callers of that call."""

    def age_s(self, key: str, now_s: float) -> float:
        """How long something has been seen, seconds; 0 for what is new."""
        return now_s - self.first_seen_s.setdefault(key, now_s)


@dataclass(frozen=True)
class Want:
    """An agent that a caller waits for."""

    since_ms: int
    """When the caller joined, by the server's clock."""
    epoch: int
    metadata: str
    cause: Cause
    ready_in_s: float
    """How long an earlier dispatch may still be answered, seconds; 0: send one."""


@dataclass(frozen=True)
class Verdict:
    """What is to be done about a room."""

    ghosts: tuple[str, ...] = ()
    """Identities of agents without a job."""
    want: Want | None = None
    superseded: tuple[str, ...] = ()
    """Dispatches that can be withdrawn."""
    look_again_s: float | None = None
    """When this may change by itself, seconds from now."""


def is_ours(sight: Sight, agent_name: str) -> bool:
    """Whether the room's callers want an agent of this name."""
    names = {dispatch.agent_name for dispatch in sight.dispatches}
    if sight.serving is not None:
        names.add(sight.serving.agent_name)
    if agent_name in names:
        return True
    return sight.name.startswith(CALL_ROOM) and not names - {""}


def live_agents(sight: Sight, agent_name: str, dead: Container[str]) -> tuple[list[str], list[str]]:
    """Identities of the agents of this name that serve, and of those that only seem to."""
    live: list[str] = []
    ghosts: list[str] = []
    for person in sight.participants:
        if person.role == "agent" and person.agent_name in ("", agent_name) and person.job_id:
            (live if _lives(person, sight.serving, dead) else ghosts).append(person.identity)
    return live, ghosts


def _lives(agent: Participant, serving: Serving | None, dead: Container[str]) -> bool:
    if serving is not None and serving.job_id == agent.job_id:
        return serving.alive and serving.worker not in dead
    if serving is not None and serving.epoch > 0:
        return False  # another job has claimed the call, and this one has lost it
    # The store does not know it: it could not be reached when the job began. A ghost is gone by itself soon.
    return agent.worker not in dead


def decide(sight: Sight, memory: Memory, agent_name: str, dead: Container[str], now_s: float) -> Verdict:
    """What this room needs now. `dead`: names of workers that are dead. What is seen is noted in `memory`."""
    callers, serving = sight.callers, sight.serving
    if not callers or not is_ours(sight, agent_name):
        return Verdict()
    live, ghosts = live_agents(sight, agent_name, dead)
    if live:
        return _served(sight, memory, agent_name, tuple(ghosts), now_s)
    if serving is not None and serving.epoch > 0 and serving.alive and serving.worker not in dead:
        left_s = JOIN_S - memory.age_s(f"claim {serving.job_id} {serving.epoch}", now_s)
        if left_s > 0:
            return Verdict(tuple(ghosts), look_again_s=left_s)
    is_over = serving is not None and serving.epoch > 0 and not serving.alive and not sight.is_lost
    if serving is not None and is_over and memory.age_s(f"over {serving.job_id}", now_s) < GOODBYE_S:
        return Verdict(tuple(ghosts), look_again_s=GOODBYE_S / 4)
    if serving is None and memory.visit:
        # The call has ended for good, and its room is about to go. Whoever came later wants a call of theirs.
        callers = [caller for caller in callers if caller.sid not in memory.attended]
        if not callers:
            return Verdict()
    oldest = min(callers, key=lambda caller: (caller.joined_ms, caller.sid))
    want = _want(sight, memory, agent_name, oldest, now_s)
    return Verdict(
        tuple(ghosts), want, _superseded(sight, memory, agent_name, now_s), want.ready_in_s or None
    )


def _served(sight: Sight, memory: Memory, agent_name: str, ghosts: tuple[str, ...], now_s: float) -> Verdict:
    if sight.serving is None or sight.serving.epoch == 0:
        return Verdict(ghosts, look_again_s=UNKNOWN_S)
    if memory.visit != sight.serving.call_id:
        memory.visit, memory.attended = sight.serving.call_id, set()
    memory.attended.update(caller.sid for caller in sight.callers)
    memory.tries = 0
    superseded = _superseded(sight, memory, agent_name, now_s)
    left = [
        dispatch
        for dispatch in _ours(sight, agent_name)
        if sight.serving.job_id not in dispatch.jobs and dispatch.dispatch_id not in superseded
    ]
    if not left:  # from here on the dispatches need not be looked at
        memory.first_seen_s.clear()
        memory.hopeless.clear()
    return Verdict(ghosts, superseded=superseded, look_again_s=SETTLED_S if left else None)


def _ours(sight: Sight, agent_name: str) -> list[Dispatch]:
    return [dispatch for dispatch in sight.dispatches if dispatch.agent_name == agent_name]


def _superseded(sight: Sight, memory: Memory, agent_name: str, now_s: float) -> tuple[str, ...]:
    """Dispatches of which nothing can come any more. Never the one whose job serves: the server would end
    it. Never all of them: the next dispatch takes its metadata from one."""
    ours, serving = _ours(sight, agent_name), sight.serving
    job_id = serving.job_id if serving is not None and serving.alive else ""
    claimed = serving.epoch if serving is not None else 0
    over = [
        dispatch
        for dispatch in ours
        if (not job_id or job_id not in dispatch.jobs)
        and (
            memory.age_s(dispatch.dispatch_id, now_s) > SETTLED_S
            if not dispatch.jobs
            else dispatch.epoch < claimed or (bool(job_id) and dispatch.epoch == claimed)
        )
    ]
    if len(over) == len(ours) and over:
        over.remove(max(over, key=_best))
    return tuple(dispatch.dispatch_id for dispatch in over)


def _best(dispatch: Dispatch) -> tuple[bool, int]:
    return "call_id" in dispatch.document, dispatch.epoch


def _want(sight: Sight, memory: Memory, agent_name: str, caller: Participant, now_s: float) -> Want:
    serving = sight.serving
    epoch = serving.epoch + 1 if serving is not None else 1
    if memory.wanted != epoch:
        memory.wanted, memory.tries = epoch, 0
    waits_s = [0.0]
    for dispatch in _ours(sight, agent_name):
        age_s = memory.age_s(dispatch.dispatch_id, now_s)
        if dispatch.epoch == epoch and not _leads_nowhere(dispatch, serving, memory):
            waits_s.append((ACCEPTED_S if dispatch.jobs else pause_s(memory.tries)) - age_s)
    cause: Cause = "lost" if epoch > 1 else "waiting"
    return Want(
        since_ms=caller.joined_ms,
        epoch=epoch,
        metadata=_metadata(sight, memory, agent_name, caller, epoch),
        cause="unanswered" if memory.tries else cause,
        ready_in_s=max(waits_s),
    )


def _leads_nowhere(dispatch: Dispatch, serving: Serving | None, memory: Memory) -> bool:
    """Whether the server has dropped a dispatch, or its job is over before it claimed the call."""
    if dispatch.jobs:
        return serving is not None and not serving.alive and serving.job_id in dispatch.jobs
    return dispatch.dispatch_id in memory.hopeless


def pause_s(tries: int) -> float:
    """How long a dispatch is waited for after so many, seconds."""
    return min(LONGEST_PAUSE_S, ANSWER_S * 2.0 ** max(0, tries - PROMPT_TRIES))


def _metadata(sight: Sight, memory: Memory, agent_name: str, caller: Participant, epoch: int) -> str:
    """What the next job is told: what an earlier one was told, whose call it is, and its epoch.

    A call that nothing names gets a name that every dispatcher would give it, so that all of them ask for
    the same one.
    """
    earlier = max(_ours(sight, agent_name), key=_best, default=None)
    document: dict[str, Any] = dict(earlier.document) if earlier is not None else {}
    if sight.serving is not None:
        document["call_id"] = sight.serving.call_id
    elif memory.visit:
        document["call_id"] = f"c_{caller.sid}"
    elif "call_id" not in document and sight.name.startswith(CALL_ROOM):
        document["call_id"] = sight.name.removeprefix(CALL_ROOM)
    elif "call_id" not in document:
        document["call_id"] = f"c_{sight.sid or caller.sid}"
    return json.dumps(document | {"epoch": epoch, "redispatched": True})
