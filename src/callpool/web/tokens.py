"""What a caller gets: a short-lived token for one room, which carries the dispatch of the agent."""

from __future__ import annotations

import json
import math
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from livekit import api
from livekit.protocol.agent_dispatch import RoomAgentDispatch
from livekit.protocol.room import RoomConfiguration

from callpool.call import room_of
from callpool.settings import Settings

CallerKind = Literal["browser", "synthetic"]

UNGUESSABLE_BYTES = 15
"""20 characters of URL-safe base 64: whoever knows a call id can ask for the record of the call."""

EMPTY_TIMEOUT_S = 30
"""How long a room that nobody joined is kept, seconds."""

RETURN_MARGIN_S = 10
"""Added to `turns.return_s`, seconds: the room outlives the time that the job waits for its caller."""


@dataclass(frozen=True)
class Wish:
    """What the caller asked for. None: not said."""

    language: str | None = None
    profile: str | None = None
    traceparent: str | None = None
    kind: CallerKind = "browser"


@dataclass(frozen=True)
class Ticket:
    """What a caller needs to join, in the shape in which the API answers."""

    call_id: str
    room: str
    livekit_url: str
    token: str


def new_call_id() -> str:
    """One that cannot be guessed."""
    return f"c_{secrets.token_urlsafe(UNGUESSABLE_BYTES)}"


def issue(settings: Settings, wish: Wish, call_id: str) -> Ticket:
    """A new call: a room of its own, and the token that opens this room alone."""
    room = room_of(call_id)
    token = (
        api.AccessToken(settings.livekit.api_key, settings.livekit.api_secret.reveal())
        .with_identity(f"caller-{secrets.token_urlsafe(6)}")
        .with_ttl(timedelta(seconds=settings.web.token_ttl_s))
        .with_grants(_grants(room))
        .with_room_config(_room(settings, call_id, wish))
    )
    return Ticket(call_id, room, settings.caller_livekit_url, token.to_jwt())


def _grants(room: str) -> api.VideoGrants:
    return api.VideoGrants(
        room_join=True,
        room=room,
        can_publish=True,
        can_publish_sources=["microphone"],
        can_subscribe=True,
        can_publish_data=False,
        can_update_own_metadata=False,
        hidden=False,
    )


def _room(settings: Settings, call_id: str, wish: Wish) -> RoomConfiguration:
    """The server creates the room when the caller joins, and dispatches the agent with it."""
    metadata = {
        "call_id": call_id,
        "language": wish.language,
        "profile": wish.profile,
        "traceparent": wish.traceparent,
        "caller": {"kind": wish.kind},
    }
    return RoomConfiguration(
        empty_timeout=EMPTY_TIMEOUT_S,
        departure_timeout=math.ceil(settings.turns.return_s) + RETURN_MARGIN_S,
        agents=[RoomAgentDispatch(agent_name=settings.worker.agent_name, metadata=json.dumps(metadata))],
    )
