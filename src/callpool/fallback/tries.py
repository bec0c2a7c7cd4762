"""Who is asked, when, and for how long: the rules that an answer and its voice share.

The members of a chain are asked in order, each as soon as the one before it has failed or has been silent for
`HEDGE_S`. One that is merely silent is not given up: whoever speaks first is listened to, and the others are
let go. When all have failed, those that may be asked again are, after a pause or when they said that they
will be back. A chain of one goes by the same rules, so that an answer which broke off is finished.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from livekit.agents import APITimeoutError
from livekit.agents.types import APIConnectOptions

from callpool.fallback.standing import Standing
from callpool.fallback.trouble import may_be_asked_again, retry_after_s
from callpool.profiles import Part

ONE_TRY = APIConnectOptions(max_retry=0, timeout=10.0)
"""Of a plugin: how often to ask and how long to wait is decided here. Its own time-out, seconds, is longer
than any caller's patience."""
HEDGE_S = 2.5
"""How long one that is asked may be silent before another is asked besides, seconds: a caller is waiting."""
PATIENCE_S = 9.0
"""How long a caller is kept waiting for the first word of an answer, or of its rest after a break, seconds.
They hear meanwhile that it takes a moment."""
BROKEN_S = 4.0
"""The same when the worker's breakers say that nobody can answer, seconds."""
PAUSES_S = (0.1, 0.5, 1.0, 2.0)
"""Before the same one is asked again, seconds: for the first time, the second, …"""
MOST_AT_ONCE = 2

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Begun(Protocol[T_co]):
    """Something that one member was asked for."""

    async def first(self) -> T_co:
        """What it begins with. Raises what went wrong."""

    async def aclose(self) -> None:
        """Let it go."""


@dataclass
class Winner(Generic[T]):
    """Who spoke first."""

    member: int
    first: T


class Tries:
    """The members of a chain, as they are asked for one thing: one answer, one speech."""

    def __init__(
        self,
        part: Part,
        providers: Sequence[str],
        standing: Standing,
        *,
        hedge_s: float = HEDGE_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._part: Part = part
        self._providers = providers
        self._standing = standing
        self._hedge_s = hedge_s
        self._order = standing.order(providers, part)
        broken = all(standing.is_broken(one, part) for one in providers)
        self._patience_s = min(patience_s, BROKEN_S) if broken else patience_s
        self._failures = dict.fromkeys(self._order, 0)
        self._error: BaseException | None = None
        now_s = asyncio.get_running_loop().time()
        self._not_before_s = {
            at: now_s + pause_s
            for at, provider in enumerate(providers)
            if (pause_s := standing.pause_s(provider, part))
        }

    async def first(self, begin: Callable[[int], Begun[T]], ready: asyncio.Event | None = None) -> Winner[T]:
        """Who speaks first. `begin` asks a member; time counts from the moment that `ready` is set.

        Raises the last error when nobody can be asked any more, APITimeoutError when patience is over.
        """
        race = _Race(begin)
        loop = asyncio.get_running_loop()
        started_s: float | None = None
        try:
            while True:
                if started_s is None and (ready is None or ready.is_set()):
                    started_s = loop.time()
                if started_s is not None and loop.time() >= started_s + self._patience_s:
                    raise self._all_silent(race.members)
                wake_s = self._begin_due(race, started_s)
                for task in await race.wait(wake_s, ready if started_s is None else None):
                    member, begun = race.take(task)
                    try:
                        first = task.result()
                    except Exception as error:
                        await begun.aclose()
                        self._note(member, error)
                    else:
                        for late in race.begun_before(begun):
                            self._note(late, APITimeoutError("another one was faster"))
                        return Winner(member, first)
        finally:
            await race.aclose()

    def answered(self, member: int) -> None:
        """What a member was asked for has come, to its end."""
        self._failures[member] = 0
        self._standing.answered(self._providers[member], self._part)

    def broke_off(self, member: int, error: BaseException) -> None:
        """A member began, and failed then. It may go on at once: it was there a moment ago."""
        first_time = not self._failures[member]
        self._note(member, error)
        if first_time and not retry_after_s(error):
            self._not_before_s[member] = 0.0

    def _all_silent(self, members: Sequence[int]) -> BaseException:
        silence = APITimeoutError("no first word in time")
        for member in members:
            self._note(member, silence)
        return self._error or silence

    def _note(self, member: int, error: BaseException) -> None:
        self._error = error
        pause_s = PAUSES_S[min(self._failures[member], len(PAUSES_S) - 1)]
        self._failures[member] += 1
        self._not_before_s[member] = asyncio.get_running_loop().time() + max(pause_s, retry_after_s(error))
        if not may_be_asked_again(error) and member in self._order:
            self._order.remove(member)
        self._standing.raised(self._providers[member], self._part, error)

    def _begin_due(self, race: _Race[T], started_s: float | None) -> float | None:
        """Ask whoever is due. Gives when to look again; None: nothing is due by the clock.

        Raises the last error when nobody is being asked and nobody will be due in time.
        """
        now_s = asyncio.get_running_loop().time()
        deadline_s = None if started_s is None else started_s + self._patience_s
        if len(race.members) < MOST_AT_ONCE and (due := self._next(race.members)) is not None:
            member, at_s = due
            if not race.members:
                if at_s > (now_s + self._patience_s if deadline_s is None else deadline_s):
                    raise self._error or APITimeoutError("all providers asked to be left alone")
                if at_s > now_s:
                    return at_s
                race.begin(member)
                return self._begin_due(race, started_s)
            if started_s is not None:
                at_s = max(at_s, race.last_begun_s + self._hedge_s, started_s + self._hedge_s)
                if at_s > now_s:
                    return min(at_s, started_s + self._patience_s)
                race.begin(member)
        elif not race.members:
            raise self._error or APITimeoutError("nobody can be asked")
        return deadline_s

    def _next(self, running: Sequence[int]) -> tuple[int, float] | None:
        """The member to be asked next, and from when on: in the end also one that is being asked already,
        since a request may be lost."""
        fresh = [one for one in self._order if one not in self._not_before_s and one not in running]
        if fresh:
            return fresh[0], 0.0
        again = [(self._not_before_s.get(one, 0.0), at, one) for at, one in enumerate(self._order)]
        if not again:
            return None
        at_s, _, member = min(again)
        return member, at_s


class _Race(Generic[T]):
    def __init__(self, begin: Callable[[int], Begun[T]]) -> None:
        self._begin = begin
        self._running: dict[asyncio.Task[T], tuple[int, Begun[T]]] = {}
        self._age: dict[Begun[T], int] = {}
        self.last_begun_s = 0.0

    @property
    def members(self) -> list[int]:
        return [member for member, _ in self._running.values()]

    def begin(self, member: int) -> None:
        begun = self._begin(member)
        self._age[begun] = len(self._age)
        self.last_begun_s = asyncio.get_running_loop().time()
        self._running[asyncio.create_task(begun.first(), name="first-word")] = (member, begun)

    def begun_before(self, begun: Begun[T]) -> list[int]:
        """Who was asked before that one, and is silent still. To be called once it was taken out."""
        return [member for member, other in self._running.values() if self._age[other] < self._age[begun]]

    def take(self, task: asyncio.Task[T]) -> tuple[int, Begun[T]]:
        return self._running.pop(task)

    async def wait(self, until_s: float | None, event: asyncio.Event | None) -> list[asyncio.Task[T]]:
        """Those that have begun or failed by then; none when the event, or the time, came first."""
        timeout_s = None if until_s is None else max(0.0, until_s - asyncio.get_running_loop().time())
        waiting: set[asyncio.Task[object]] = set(self._running)
        told = asyncio.create_task(event.wait()) if event is not None else None
        if told is not None:
            waiting.add(told)
        try:
            if waiting:
                done, _ = await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            else:
                done = set()
                await asyncio.sleep(timeout_s or 0.0)
        finally:
            if told is not None:
                told.cancel()
        return [task for task in self._running if task in done]

    async def aclose(self) -> None:
        running, self._running = self._running, {}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for _, begun in running.values():
            await begun.aclose()
