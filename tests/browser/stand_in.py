"""A real LiveKit participant that plays the agent's part, so that the page can be tested alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
from livekit import api, rtc

RATE_HZ = 48_000
FRAME_SAMPLES = RATE_HZ // 50
TONE_HZ = 300
JOIN_S = 15
AUDIBLE = 0.003
"""Root mean square that tells a caller who can be heard from a muted one, full scale 1."""


class Agent:
    """In the room of a call: it hums, says what it is told as text, and listens how loud its caller is."""

    def __init__(self, room: rtc.Room) -> None:
        self.room = room
        self.loudness = 0.0
        """Root mean square of the last 0.2 s of the caller's microphone, full scale 1."""
        self._measured = asyncio.Condition()
        self._caller_left = asyncio.Event()
        room.on("participant_disconnected", lambda _: self._caller_left.set())

    async def become(self, state: str) -> None:
        """Publish the state, as an agent session does."""
        await self.room.local_participant.set_attributes({"lk.agent.state": state})

    async def speaks(self, segment: str, *pieces: str) -> None:
        """The agent's own words: one stream that grows piece by piece."""
        writer = await self._stream(segment, self.room.local_participant.identity, final=False)
        for piece in pieces:
            await writer.write(piece)
        await writer.aclose(attributes={"lk.transcription_final": "true"})

    async def understands(self, segment: str, text: str, *, final: bool) -> None:
        """The caller's words so far: a stream of its own each time, in the caller's name."""
        (caller,) = self.room.remote_participants
        writer = await self._stream(segment, caller, final=final)
        await writer.write(text)
        await writer.aclose()

    async def hears(self, *, sound: bool, within_s: float = 10) -> None:
        """Wait until the caller can be heard, or no longer can."""
        async with asyncio.timeout(within_s):
            async with self._measured:
                await self._measured.wait_for(lambda: (self.loudness > AUDIBLE) is sound)

    async def is_left_alone(self, within_s: float = 10) -> None:
        """Wait until the caller has gone."""
        await asyncio.wait_for(self._caller_left.wait(), within_s)

    async def listen(self, track: rtc.Track) -> None:
        """Follow the loudness of the caller's track until it ends."""
        recent: list[float] = []
        async for event in rtc.AudioStream(track, sample_rate=RATE_HZ, num_channels=1):
            samples = np.frombuffer(event.frame.data, dtype=np.int16).astype(np.float64) / 32768
            recent = [*recent, float(np.mean(samples**2))][-20:]
            await self._measure(float(np.sqrt(np.mean(recent))))

    async def hum(self, source: rtc.AudioSource) -> None:
        """Make an audible sound until cancelled."""
        at = np.arange(FRAME_SAMPLES)
        wave = (np.sin(2 * np.pi * TONE_HZ * at / RATE_HZ) * 8000).astype(np.int16)
        while True:
            await source.capture_frame(rtc.AudioFrame(wave.tobytes(), RATE_HZ, 1, FRAME_SAMPLES))

    async def _measure(self, loudness: float) -> None:
        async with self._measured:
            self.loudness = loudness
            self._measured.notify_all()

    async def _stream(self, segment: str, sender: str, *, final: bool) -> rtc.TextStreamWriter:
        return await self.room.local_participant.stream_text(
            topic="lk.transcription",
            sender_identity=sender,
            attributes={"lk.segment_id": segment, "lk.transcription_final": str(final).lower()},
        )


@asynccontextmanager
async def agent_in(room_name: str, livekit_url: str, key: str, secret: str) -> AsyncIterator[Agent]:
    """Join a call as its agent, once its caller is there too, and leave it at the end."""
    token = (
        api.AccessToken(key, secret)
        .with_identity("agent-of-this-test")
        .with_kind("agent")
        .with_grants(api.VideoGrants(room_join=True, room=room_name, can_update_own_metadata=True))
        .to_jwt()
    )
    room = rtc.Room()
    agent = Agent(room)
    caller_joined = asyncio.Event()
    room.on("participant_connected", lambda _: caller_joined.set())
    tasks: list[asyncio.Task[None]] = []
    room.on("track_subscribed", lambda track, *_: tasks.append(asyncio.create_task(agent.listen(track))))
    await room.connect(livekit_url, token)
    source = rtc.AudioSource(RATE_HZ, 1)
    try:
        track = rtc.LocalAudioTrack.create_audio_track("voice", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await room.local_participant.publish_track(track, options)
        tasks.append(asyncio.create_task(agent.hum(source)))
        if not room.remote_participants:
            await asyncio.wait_for(caller_joined.wait(), JOIN_S)
        yield agent
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await room.disconnect()
        await source.aclose()
