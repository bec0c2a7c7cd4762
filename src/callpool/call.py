"""`Call`: the typed state of one caller's visit, which crosses hand-offs and may outlive a job."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from callpool.ending import Ending
from callpool.understanding import Understanding

CallerKind = Literal["browser", "phone", "synthetic"]

DEFAULT_LANGUAGE = "en"
LANGUAGE = re.compile(r"[a-z]{2}(-[A-Za-z]{2})?")
"""What a caller may ask for: `en`, `de-CH`."""

_CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ROOM_OF_OURS = re.compile(r"call-(c_[\w-]{8,})")
_MOST_EPOCHS = 2**31


def base_language(language: str) -> str:
    """The language without its country: `de` for `de-CH`."""
    return language.partition("-")[0]


def room_of(call_id: str) -> str:
    """The room that the web API gives to a call."""
    return f"call-{call_id}"


def call_in(room: str) -> str | None:
    """The call in a room that the web API made, for the log. None for any other room, whose name tells
    nothing of its call and may hold a caller's number."""
    ours = _ROOM_OF_OURS.fullmatch(room)
    return ours[1] if ours else None


@dataclass(frozen=True)
class Caller:
    """Who calls. `identity` is the participant's identity in the room; empty until they joined."""

    kind: CallerKind
    identity: str = ""


@dataclass
class Call:
    """What is known about a call so far."""

    call_id: str
    room: str
    agent_name: str
    epoch: int = 1
    """Grows with each job that the call is given to: the first job with a new one serves the call."""
    is_redispatched: bool = False
    """Whether this job was sent for by the dispatcher, because no other one served the call."""
    caller: Caller = Caller("browser")
    language: str = DEFAULT_LANGUAGE
    chose_language: bool = False
    """Whether the caller asked for the language, so that it need not be found out."""
    profile: str | None = None
    """None: the configured providers, whatever they are."""
    stage: str = ""
    state: Any = None
    """What the agents know by now: whatever the roster's `new_state` makes, a dataclass of plain values."""
    refused_hand_offs: int = 0
    """How often an agent tried to hand off to a stage that may not follow its own."""
    understanding: Understanding = field(default_factory=Understanding)
    """How often in a row the caller was not understood."""
    is_wrapping_up: bool = False
    """Whether the call costs more than it should: its agents come to an end."""
    traceparent: str | None = None
    """W3C trace context of the span of the job that serves the call; None: it is not traced."""
    resumes: str | None = None
    """The same of the job before it."""
    trace_id: str | None = None
    """Of the call's trace, as 32 hexadecimal digits."""
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ending: Ending | None = None
    before_s: float = 0.0
    """How long the call had lasted when this job took it up, seconds."""
    taken_at: float = field(default_factory=time.monotonic, compare=False, repr=False)
    """When that was, by this machine's monotonic clock."""

    @property
    def lasted_s(self) -> float:
        """How long the call has lasted, seconds. Counted: `started_at` is of a clock that may be set."""
        return self.before_s + time.monotonic() - self.taken_at

    @property
    def was_invited(self) -> bool:
        """Whether the web API started the call: then its room is made by the caller's own joining."""
        return self.room == room_of(self.call_id)

    def end(self, ending: Ending) -> None:
        """Say how the call ends. The first to say so is right: what follows a goodbye is not a hang-up."""
        if self.ending is None:
            self.ending = ending


def name_of_visit(room_sid: str) -> str:
    """The id of a call that nothing names: the same for all jobs that are dispatched into the same room."""
    return f"c_{room_sid}"


def from_dispatch(
    metadata: str,
    *,
    name: str,
    room: str,
    agent_name: str,
    languages: Sequence[str] = (DEFAULT_LANGUAGE,),
) -> Call:
    """The call of a dispatched job. It begins in the language asked for when that is one of `languages`, else
    in the first of them.

    `metadata` is the JSON that the web API put into the caller's token; whoever dispatches by other means may
    send anything, so what cannot be used is passed over. Without a call id the call gets `name` (see
    `name_of_visit`).
    """
    try:
        document = json.loads(metadata)
    except (ValueError, RecursionError):  # the latter: brackets in brackets, thousands deep
        document = None
    given = document if isinstance(document, dict) else {}

    call_id = given.get("call_id")
    call = Call(
        call_id=call_id if isinstance(call_id, str) and _CALL_ID.fullmatch(call_id) else name,
        room=room,
        agent_name=agent_name,
        language=languages[0],
    )
    profile = given.get("profile")
    if isinstance(profile, str) and profile:
        call.profile = profile
    epoch = given.get("epoch")
    if isinstance(epoch, int) and not isinstance(epoch, bool) and 0 < epoch < _MOST_EPOCHS:
        call.epoch = epoch
    call.is_redispatched = given.get("redispatched") is True
    language = given.get("language")
    if isinstance(language, str) and LANGUAGE.fullmatch(language) and base_language(language) in languages:
        call.language = language
        call.chose_language = True
    caller = given.get("caller")
    if isinstance(caller, dict) and caller.get("kind") == "synthetic":
        call.caller = Caller("synthetic")
    return call
