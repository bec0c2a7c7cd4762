"""The list of all rooms, compared with the one before: for what no webhook has told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from callpool.dispatcher.sight import Listed

OFTEN_S = 1.0
"""How often the rooms are listed while no webhooks come, seconds."""
SELDOM_S = 30.0
"""How often while they come, seconds: some get lost all the same."""
SHARE = 20
"""A list that takes long is asked for less often: the time between two is this many times what one took."""
TOLD_S = 8.0
"""How long before the list that does not show it yet a change may be told, seconds: the server updates a list
up to 5 s late."""
DISTRUST_S = 60.0
"""How long the rooms are listed often after a webhook was missed, seconds."""
YOUNG_S = 6.0
"""A room is looked at with each list until it is this old, seconds: the list does not show its caller yet."""


@dataclass
class _Known:
    listed: Listed
    since_s: float


@dataclass
class Census:
    """What the lists say, and whether webhooks say it before."""

    _known: dict[str, _Known] = field(default_factory=dict)
    _told_s: dict[str, float] = field(default_factory=dict)
    _untold_s: dict[str, float] = field(default_factory=dict)
    _heard: bool = False
    _distrust_until_s: float = float("-inf")
    _listed_s: float | None = None
    """When the list before was taken."""

    @property
    def rooms(self) -> int:
        return len(self._known)

    def sid(self, room: str) -> str:
        """Of a room; empty when it is not known."""
        known = self._known.get(room)
        return known.listed.sid if known is not None else ""

    def told(self, room: str, sid: str, now_s: float) -> None:
        """A webhook came about a room."""
        self._heard = True
        if (known := self._known.get(room)) is not None and sid:
            known.listed = replace(known.listed, sid=sid)
        self._told_s[room] = now_s
        self._untold_s.pop(room, None)

    def often(self, now_s: float) -> bool:
        """Whether webhooks cannot be counted on."""
        return not self._heard or now_s < self._distrust_until_s

    def pause_s(self, took_s: float, now_s: float) -> float:
        """How long until the next list, after one that took `took_s`."""
        return max(OFTEN_S if self.often(now_s) else SELDOM_S, SHARE * took_s)

    def take(self, listed: Sequence[Listed], now_s: float) -> tuple[list[str], list[str]]:
        """Rooms to look at, and rooms that are gone."""
        self._judge(now_s)
        known, self._known = self._known, {}
        look: list[str] = []
        for room in listed:
            before = known.pop(room.name, None)
            same = before is not None and before.listed.sid == room.sid
            since_s = before.since_s if before is not None and same else now_s
            self._known[room.name] = _Known(room, since_s)
            if before is None or before.listed != room:
                look.append(room.name)
                self._expect_word(room.name, now_s)
            elif self.often(now_s) and now_s - since_s < YOUNG_S:
                look.append(room.name)
        for name in known:
            self._expect_word(name, now_s)
        self._listed_s = now_s
        return look, list(known)

    def _expect_word(self, room: str, now_s: float) -> None:
        if self._listed_s is not None and self._told_s.get(room, float("-inf")) < self._listed_s - TOLD_S:
            self._untold_s.setdefault(room, now_s)

    def _judge(self, now_s: float) -> None:
        """Distrust webhooks when a change of an earlier list was not told of until now."""
        if any(now_s - at_s >= OFTEN_S for at_s in self._untold_s.values()):
            self._distrust_until_s = now_s + DISTRUST_S
        self._untold_s.clear()
        self._told_s = {room: at_s for room, at_s in self._told_s.items() if now_s - at_s < SELDOM_S * 2}
