"""An agent that answers every sentence with a tone after a fixed time, and writes down when it did.

It measures with code of its own, so that the caller's figures can be held against it.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from dataclasses import dataclass, field

import numpy as np
from livekit import api, rtc

RATE_HZ = 48000
TICK_SAMPLES = RATE_HZ // 100
LOUD = 300
"""Peak of a 10 ms frame that counts as voice."""
VOICE_ENDS_S = 0.3
"""Silence after which a sentence is over."""
ANSWER_AFTER_S = 0.5
"""From the end of the caller's voice to the tone."""
GIVES_WAY_S = 0.2
"""Voice of the caller after which the tone stops; less is no sentence."""


@dataclass
class Answerer:
    """Joins a room, waits `greet_after_s`, greets with a tone, and answers each sentence with one."""

    url: str
    key: str
    secret: str
    greet_after_s: float = 0.3
    tone_s: float = 0.8
    hangs_up_after: int | None = None
    """Deletes the room after so many answers; None: never."""
    tones_at: list[float] = field(default_factory=list)
    """When each tone began to be sent."""
    tone_ends_at: list[float] = field(default_factory=list)
    voice_ended_at: list[float] = field(default_factory=list)
    """When the end of each sentence of the caller had arrived."""
    _tone_from: float | None = None
    _tone_until: float = 0.0
    _voice_since: float | None = None
    _last_voice: float = 0.0
    _answered: bool = True

    async def serve(self, room_name: str) -> None:
        """Run until cancelled or hung up."""
        room = rtc.Room()
        ears: list[asyncio.Task[None]] = []

        @room.on("track_subscribed")
        def heard(track: rtc.Track, *_: object) -> None:
            ears.append(asyncio.create_task(self._listen(track)))

        token = (
            api.AccessToken(self.key, self.secret)
            .with_identity("answerer")
            .with_kind("agent")
            .with_grants(api.VideoGrants(room_join=True, room=room_name))
        )
        source = rtc.AudioSource(RATE_HZ, 1, queue_size_ms=20)
        try:
            await room.connect(self.url, token.to_jwt())
            track = rtc.LocalAudioTrack.create_audio_track("tone", source)
            publication = await room.local_participant.publish_track(track, rtc.TrackPublishOptions())
            await publication.wait_for_subscription()
            now = time.monotonic()
            self._tone_from, self._tone_until = (
                now + self.greet_after_s,
                now + self.greet_after_s + self.tone_s,
            )
            await self._speak(source, room_name)
        finally:
            for ear in ears:
                ear.cancel()
            await room.disconnect()
            await source.aclose()

    async def _speak(self, source: rtc.AudioSource, room_name: str) -> None:
        wave = np.sin(2 * np.pi * 400 * np.arange(TICK_SAMPLES) / RATE_HZ) * 8000
        tone, silence = wave.astype(np.int16).tobytes(), bytes(2 * TICK_SAMPLES)
        sounding = False
        while True:
            now = time.monotonic()
            wanted = self._tone_from is not None and self._tone_from <= now < self._tone_until
            if wanted and not sounding:
                self.tones_at.append(now)
            if sounding and not wanted:
                self.tone_ends_at.append(now)
                self._tone_from = None
                if self.hangs_up_after is not None and len(self.tones_at) > self.hangs_up_after:
                    await self._hang_up(room_name)
                    return
            sounding = wanted
            frame = rtc.AudioFrame(tone if sounding else silence, RATE_HZ, 1, TICK_SAMPLES)
            await source.capture_frame(frame)

    async def _listen(self, track: rtc.Track) -> None:
        async for event in rtc.AudioStream(track, sample_rate=RATE_HZ, num_channels=1):
            now = time.monotonic()
            samples = array("h", bytes(event.frame.data.cast("B")))
            if max(map(abs, samples)) >= LOUD:
                if self._voice_since is None:
                    self._voice_since = now
                self._last_voice = now
                if now - self._voice_since >= GIVES_WAY_S:
                    self._answered = False
                    if self._tone_from is not None:
                        self._tone_until = now
            elif now - self._last_voice >= VOICE_ENDS_S:
                self._voice_since = None
                if not self._answered:
                    self._answered = True
                    self.voice_ended_at.append(self._last_voice)
                    self._tone_from = self._last_voice + ANSWER_AFTER_S
                    self._tone_until = self._tone_from + self.tone_s

    async def _hang_up(self, room_name: str) -> None:
        async with api.LiveKitAPI(self.url, self.key, self.secret) as livekit:
            await livekit.room.delete_room(api.DeleteRoomRequest(room=room_name))
