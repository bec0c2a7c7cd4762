"""A synthetic caller: joins a room, speaks, waits for the agent, and measures what a person would notice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from livekit import rtc

from callpool.caller.sound import WINDOW_S, Samples
from callpool.caller.voice import Ear, Microphone, Spoken, Tape
from callpool.errors import CallpoolError

AGENT_STATE = "lk.agent.state"
QUIET_S = 0.6
"""Silence after which a person takes an answer to be over, and an agent to have stopped."""
ANSWER_PATIENCE_S = 20.0
LONGEST_ANSWER_S = 120.0
_GLANCE_S = 0.01


class JoinError(CallpoolError):
    """The room could not be joined."""


@dataclass(frozen=True)
class Answer:
    """One thing the agent said: from its first audible 10 ms to its last."""

    started_at: float
    ended_at: float
    finished: bool = True
    """False when the agent was gone before a person would have taken it to be over."""


@dataclass(frozen=True)
class BargeIn:
    """A caller who spoke while the agent did."""

    spoken: Spoken
    silent_after_s: float | None
    """From the caller's first audible 10 ms to the end of the agent's last; None: it went on talking."""


class SyntheticCaller:
    """A caller made of code. All moments are `time.monotonic()` seconds, measured in 10 ms windows by energy.

    `join`, then `wait_for_agent`, `speak`, `barge_in` in any order, then `leave`. What happened stays
    readable after it: `joined_at`, `first_audio_s`, `heard` and `sent`.
    """

    def __init__(self) -> None:
        self.sent = Tape()
        self.heard = Tape()
        self.ear = Ear(self.heard)
        self.connecting_at = 0.0
        self.joined_at = 0.0
        """When the server had let the caller in. The caller's microphone is published right after it."""
        self.left_at: float | None = None
        """When the call ended, on whichever side."""
        self.hung_up = False
        """Whether the other side ended the call: the room was closed, or the caller was removed from it."""
        self.reason = ""
        """LiveKit's word for why the call ended: room_deleted, participant_removed, client_initiated …"""
        self.on_agent_state: Callable[[str], None] | None = None
        self._room: rtc.Room | None = None
        self._microphone: Microphone | None = None

    async def join(self, url: str, token: str, *, microphone: bool = True) -> None:
        """Enter the room and open the microphone, if there is to be one. Raises JoinError."""
        room = rtc.Room()
        room.on("track_subscribed", self._on_track)
        room.on("disconnected", self._on_disconnected)
        room.on("participant_attributes_changed", self._on_attributes)
        self.connecting_at = time.monotonic()
        try:
            await room.connect(url, token)
        except rtc.ConnectError as error:
            raise JoinError(f"LiveKit at {url} did not let the caller in: {error.message}") from error
        self.joined_at = time.monotonic()
        self._room = room
        if not microphone:
            return
        self._microphone = Microphone(self.sent)
        self._microphone.open()
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await room.local_participant.publish_track(self._microphone.track, options)

    async def leave(self) -> None:
        """Hang up. Can be called twice, and after a `join` that failed."""
        if self._room is not None:
            room, self._room = self._room, None
            await room.disconnect()
        if self.left_at is None:
            self.left_at = time.monotonic()
        if self._microphone is not None:
            microphone, self._microphone = self._microphone, None
            await microphone.close()
        await self.ear.close()

    @property
    def connected(self) -> bool:
        return self._room is not None and not self.hung_up

    @property
    def room(self) -> rtc.Room:
        """The room, for what this class does not do: data, DTMF, simulated reconnections."""
        if self._room is None:
            raise JoinError("the caller is in no room: join first")
        return self._room

    @property
    def agent(self) -> rtc.RemoteParticipant | None:
        """The participant at the other end, once it has come. The last to come, when there are several."""
        others = [] if self._room is None else list(self._room.remote_participants.values())
        agents = [other for other in others if other.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT]
        present = agents or others
        return present[-1] if present else None

    @property
    def agent_state(self) -> str | None:
        """What the agent says that it is doing (listening, speaking …); None: it does not say."""
        return None if self.agent is None else self.agent.attributes.get(AGENT_STATE)

    @property
    def first_audio_s(self) -> float | None:
        """From the moment of joining to the agent's first audible 10 ms."""
        first = self.ear.first_audible(self.joined_at)
        return None if first is None else first - self.joined_at

    async def speak(self, samples: Samples) -> Spoken:
        """Say something. Returns when its last audible 10 ms has been sent."""
        if self._microphone is None:
            raise JoinError("the caller has no microphone: join with one before speaking")
        return await self._microphone.play(samples)

    async def wait_for_audio(self, since: float, patience_s: float) -> float | None:
        """When the agent became audible for the first time after `since`.

        None when it did not within `patience_s` of this being asked, or when the call ended.
        """
        deadline = time.monotonic() + patience_s
        while (first := self.ear.first_audible(since)) is None:
            if time.monotonic() >= deadline or not self.connected:
                return None
            await asyncio.sleep(_GLANCE_S)
        return first

    async def wait_for_agent(
        self, since: float, patience_s: float = ANSWER_PATIENCE_S, quiet_s: float = QUIET_S
    ) -> Answer | None:
        """Wait, as a person would, for the agent's answer and for its end.

        The answer is what is audible after `since`. It is over when the agent has been silent for `quiet_s`
        and says of itself, if it says so at all, that it listens. None when nothing became audible within
        `patience_s`.
        """
        first = await self.wait_for_audio(since, patience_s)
        if first is None:
            return None
        deadline = time.monotonic() + LONGEST_ANSWER_S
        while True:
            last = self.ear.last_audible(first) or first + WINDOW_S
            if not self.connected or time.monotonic() >= deadline:
                return Answer(first, last, finished=False)
            quiet = time.monotonic() - last >= quiet_s
            if quiet and self.agent_state in (None, "listening", "idle"):
                return Answer(first, last)
            await asyncio.sleep(_GLANCE_S)

    async def barge_in(self, samples: Samples, timeout_s: float = 5.0, quiet_s: float = QUIET_S) -> BargeIn:
        """Speak while the agent does, and measure how long the agent goes on.

        The agent counts as silent when it stays so for `quiet_s`, which tells it from a pause between two
        words: so let the sentence be longer than that, and the agent's own words long enough not to end by
        themselves.
        """
        if self._microphone is None:
            raise JoinError("the caller has no microphone: join with one before speaking")
        spoken = await self._microphone.play(samples)
        deadline = spoken.started_at + timeout_s
        while (silent := self.ear.quiet_after(spoken.started_at, quiet_s)) is None:
            if time.monotonic() >= deadline or not self.connected:
                return BargeIn(spoken, None)
            await asyncio.sleep(_GLANCE_S)
        return BargeIn(spoken, silent - spoken.started_at)

    def _on_track(self, track: rtc.Track, *_: object) -> None:
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            self.ear.listen(track)

    def _on_disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        if self.left_at is None:
            self.left_at = time.monotonic()
            self.hung_up = self._room is not None
            self.reason = rtc.DisconnectReason.Name(reason).lower()

    def _on_attributes(self, changed: dict[str, str], participant: rtc.Participant) -> None:
        if AGENT_STATE in changed and participant is self.agent and self.on_agent_state is not None:
            self.on_agent_state(changed[AGENT_STATE])
