"""Callers who wait for an agent, and those whose agent is on its way."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Pending:
    """A dispatch that is on its way."""

    epoch: int
    until_s: float
    """Until then a place in the pool is kept free for its job."""


@dataclass
class Queue:
    """Rooms in the order in which their callers came. Each is in it once."""

    changed: bool = True
    """Whether the order has changed since this was last set to False."""
    _order: list[tuple[int, str]] = field(default_factory=list)
    _since_ms: dict[str, int] = field(default_factory=dict)
    _entered_s: dict[str, float] = field(default_factory=dict)
    _ready_s: dict[str, float] = field(default_factory=dict)
    _pending: dict[str, Pending] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, room: str) -> bool:
        return room in self._since_ms

    @property
    def rooms(self) -> list[str]:
        """The longest waiting first."""
        return [room for _, room in self._order]

    @property
    def pending(self) -> dict[str, Pending]:
        """Rooms with a dispatch on its way."""
        return self._pending

    def put(self, room: str, since_ms: int, ready_s: float, now_s: float) -> None:
        """A room waits; it may be given an agent from `ready_s` on."""
        self._ready_s[room] = ready_s
        if self._since_ms.get(room) == since_ms:
            return
        self._take_out(room)
        bisect.insort(self._order, (since_ms, room))
        self._since_ms[room] = since_ms
        self._entered_s.setdefault(room, now_s)
        self.changed = True

    def expect(self, room: str, pending: Pending) -> None:
        """A dispatch is on its way to a room, which need not be in the queue."""
        self._pending[room] = pending

    def give_up(self, room: str) -> None:
        """No dispatch is on its way any more."""
        self._pending.pop(room, None)

    def remove(self, room: str) -> None:
        """A room waits no more."""
        self._pending.pop(room, None)
        self._take_out(room)
        self._entered_s.pop(room, None)
        self._ready_s.pop(room, None)

    def next(self, free: int, now_s: float) -> Iterator[str]:
        """Whose turn it is, when `free` more calls can be taken, dispatches on their way included."""
        left = free - sum(pending.until_s > now_s for pending in self._pending.values())
        for _, room in self._order:
            if left <= 0:
                return
            on_its_way = room in self._pending and self._pending[room].until_s > now_s
            if not on_its_way and self._ready_s[room] <= now_s:
                left -= 1
                yield room

    def oldest_wait_s(self, now_s: float) -> float:
        """How long the longest waiting has waited here, seconds; 0 when nobody waits."""
        return now_s - min(self._entered_s.values()) if self._entered_s else 0.0

    def _take_out(self, room: str) -> None:
        since_ms = self._since_ms.pop(room, None)
        if since_ms is not None:
            del self._order[bisect.bisect_left(self._order, (since_ms, room))]
            self.changed = True
