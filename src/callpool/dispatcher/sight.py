"""What a dispatcher sees of a room, and where it looks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from callpool.errors import CallpoolError
from callpool.pool import Serving

AGENT_IDENTITY = "agent-"
"""What an agent's identity begins with; the id of its job follows."""
CALL_ROOM = "call-"
"""What the name of a room begins with that the web API made; the call id follows."""

Role = Literal["caller", "agent", "other"]


class RoomsAway(CallpoolError):
    """The LiveKit API does not answer, or not with what was asked for."""


@dataclass(frozen=True)
class Listed:
    """A room in the list of all rooms."""

    name: str
    sid: str
    people: int
    """Participants but for agents and recorders. The server is up to 5 s late with it."""


@dataclass(frozen=True)
class Participant:
    """Someone in a room."""

    sid: str
    """Another one each time that they join."""
    identity: str
    role: Role
    joined_ms: int
    """By the server's clock, milliseconds since 1970."""
    agent_name: str = ""
    """Of an agent: the dispatch name of its worker; empty: it does not say."""
    worker: str = ""
    """Of an agent: the stable name of its worker; empty: it does not say."""

    @property
    def job_id(self) -> str:
        """Of an agent: its job; empty for one that another framework sent."""
        return self.identity.removeprefix(AGENT_IDENTITY) if self.identity.startswith(AGENT_IDENTITY) else ""


@dataclass(frozen=True)
class Dispatch:
    """A request for an agent, which the server keeps as long as the room."""

    dispatch_id: str
    agent_name: str
    metadata: str
    jobs: frozenset[str] = frozenset()
    """Jobs that workers accepted for it. Those that are over stay listed."""

    @property
    def document(self) -> dict[str, Any]:
        """The metadata, when it is a JSON object; else an empty one."""
        try:
            document = json.loads(self.metadata)
        except (ValueError, RecursionError):
            return {}
        return document if isinstance(document, dict) else {}

    @property
    def epoch(self) -> int:
        """Which of the call's jobs it asks for: 1 for the first, which does not say so."""
        epoch = self.document.get("epoch")
        return epoch if type(epoch) is int and epoch > 0 else 1


@dataclass(frozen=True)
class Sight:
    """A room at one moment. The participants are looked at first, then the store, then the dispatches: an
    agent claims its call before it joins, so the store knows every agent that is seen here."""

    name: str
    sid: str
    """Empty: not known."""
    participants: Sequence[Participant]
    serving: Serving | None
    dispatches: Sequence[Dispatch] = ()
    is_lost: bool = False
    """Whether the store has the call among those that want another job. One whose job has just said goodbye
    is not: its ending follows."""

    @property
    def callers(self) -> list[Participant]:
        return [person for person in self.participants if person.role == "caller"]


class Rooms(Protocol):
    """The LiveKit server's API. Every method raises RoomsAway. A room that is gone has nobody in it."""

    async def rooms(self) -> Sequence[Listed]:
        """All rooms."""

    async def participants(self, room: str) -> Sequence[Participant]:
        """Who is in a room."""

    async def dispatches(self, room: str) -> Sequence[Dispatch]:
        """A room's dispatches, those of tokens included. RoomsAway for a room that is gone."""

    async def remove(self, room: str, identity: str) -> None:
        """Put a participant out."""

    async def dispatch(self, room: str, agent_name: str, metadata: str) -> str:
        """Ask for an agent, and get the id of the dispatch. The server makes a room that is gone again."""

    async def withdraw(self, room: str, dispatch_id: str) -> None:
        """Delete a dispatch. The server ends the jobs that were accepted for it. RoomsAway for a room that is
        gone."""

    async def close(self, room: str) -> None:
        """Delete the room: whoever is in it is put out."""
