"""Which rooms are to be looked at, and when."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass, field


@dataclass
class Agenda:
    """Rooms with the time at which each is due: the earliest that was asked for."""

    _due_s: dict[str, float] = field(default_factory=dict)
    _heap: list[tuple[float, str]] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def mark(self, room: str, at_s: float) -> None:
        """Have a room looked at, at this time at the latest."""
        if at_s < self._due_s.get(room, float("inf")):
            self._due_s[room] = at_s
            heapq.heappush(self._heap, (at_s, room))
            self._news.set()

    def strike(self, room: str) -> None:
        """A room need not be looked at."""
        self._due_s.pop(room, None)

    def pop(self, now_s: float) -> str | None:
        """A room that is due."""
        while self._heap:
            at_s, room = self._heap[0]
            if self._due_s.get(room) != at_s:  # struck, or asked for earlier
                heapq.heappop(self._heap)
                continue
            if at_s > now_s:
                return None
            heapq.heappop(self._heap)
            del self._due_s[room]
            return room
        return None

    async def wait(self, now_s: float) -> None:
        """Until something may be due."""
        self._news.clear()
        try:
            async with asyncio.timeout(max(0.0, self._heap[0][0] - now_s) if self._heap else None):
                await self._news.wait()
        except TimeoutError:
            pass
