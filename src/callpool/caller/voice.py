"""The caller's mouth and ear: audio out and in, with the moment at which every 10 ms of it passed.

All moments are `time.monotonic()` seconds. Sound sent is dated by when it leaves the queue of the audio
source, not by when it entered it. Sound heard is dated by when it leaves WebRTC's jitter buffer, which is
when a person hears it. On one machine both ways take 40 to 60 ms each.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass

import numpy as np
from livekit import rtc

from callpool.caller.sound import (
    AUDIBLE_RMS,
    RATE_HZ,
    WINDOW_S,
    WINDOW_SAMPLES,
    Samples,
    audible_span,
    levels,
)
from callpool.errors import CallpoolError

FRAME_S = 0.02
FRAME_SAMPLES = int(RATE_HZ * FRAME_S)
QUEUE_S = 0.04
"""Sound queued ahead, so that a busy event loop does not tear the voice. No measure counts it."""
CLOSING_S = 1.0
LOST_S = 0.2
"""A clock of heard sound that is further off than this is set anew: frames were lost, or none were sent."""


class MicrophoneClosed(CallpoolError):
    """The caller left, or lost its microphone, before it had said all."""


@dataclass(frozen=True)
class Spoken:
    """One thing the caller said."""

    started_at: float
    """When its first audible 10 ms began to be sent."""
    ended_at: float
    """When its last audible 10 ms had been sent."""


@dataclass(frozen=True)
class _Voice:
    """A recording on its way: its samples, the audible span in it, and when that was sent."""

    samples: Samples
    first: int
    stop: int
    spoken: asyncio.Future[Spoken]


class Tape:
    """Sound placed in time: what was sent, or what was heard on all tracks together."""

    def __init__(self) -> None:
        self._chunks: list[tuple[float, Samples]] = []

    def add(self, at: float, samples: Samples) -> None:
        self._chunks.append((at, samples))

    def between(self, start: float, end: float) -> Samples:
        """What passed from `start` to `end`; silence where nothing did."""
        mixed = np.zeros(max(0, round((end - start) * RATE_HZ)), dtype=np.int32)
        place = 0
        last_at = float("-inf")
        for at, samples in self._chunks:
            wanted = round((at - start) * RATE_HZ)
            # Moments wander by a millisecond: neighbours join without a click or a hole.
            if at < last_at or abs(wanted - place) > WINDOW_SAMPLES:
                place = wanted
            first, stop = max(place, 0), min(place + len(samples), len(mixed))
            if first < stop:
                mixed[first:stop] += samples[first - place : stop - place]
            place += len(samples)
            last_at = at
        return np.clip(mixed, -32768, 32767).astype(np.int16)


class Microphone:
    """A microphone that is always on: real-time frames, silence between the things said."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._source = rtc.AudioSource(RATE_HZ, 1, queue_size_ms=round(QUEUE_S * 1000))
        self.track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)
        self._waiting: deque[_Voice] = deque()
        self._next_at = 0.0
        self._open = True
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to send silence."""
        self._task = asyncio.create_task(self._feed(), name="callpool caller: microphone")

    async def close(self) -> None:
        """Stop after the frame that is being sent; the SDK complains about one that is cut short."""
        self._open = False
        if self._task is not None:
            _, late = await asyncio.wait([self._task], timeout=CLOSING_S)
            for task in late:
                task.cancel()
        await self._source.aclose()

    async def play(self, samples: Samples) -> Spoken:
        """Send a recording, after what is being sent. Returns when its last audible 10 ms has been sent.

        Raises ValueError when nothing in it is audible, MicrophoneClosed when the caller leaves meanwhile.
        """
        span = audible_span(samples)
        if span is None:
            raise ValueError("a recording in which nothing is audible")
        voice = _Voice(samples, *span, asyncio.get_running_loop().create_future())
        self._waiting.append(voice)
        spoken = await voice.spoken
        await asyncio.sleep(spoken.ended_at - time.monotonic())
        return spoken

    async def _feed(self) -> None:
        silence = np.zeros(FRAME_SAMPLES, dtype=np.int16)
        try:
            while self._open:
                if self._waiting:
                    await self._say(self._waiting[0])
                else:
                    await self._send(silence)
        finally:
            for voice in self._waiting:
                if not voice.spoken.done():
                    voice.spoken.set_exception(MicrophoneClosed("the caller left before all was said"))

    async def _say(self, voice: _Voice) -> None:
        started_at = 0.0
        for start in range(0, len(voice.samples), FRAME_SAMPLES):
            if not self._open:
                return
            frame = voice.samples[start : start + FRAME_SAMPLES]
            at = await self._send(np.pad(frame, (0, FRAME_SAMPLES - len(frame))))
            if start <= voice.first < start + FRAME_SAMPLES:
                started_at = at + (voice.first - start) / RATE_HZ
            if start < voice.stop <= start + FRAME_SAMPLES and not voice.spoken.done():
                voice.spoken.set_result(Spoken(started_at, at + (voice.stop - start) / RATE_HZ))
        self._waiting.popleft()

    async def _send(self, samples: Samples) -> float:
        """Queue one frame, and tell when its first sample plays.

        The source takes 10 ms out of its queue every 10 ms and returns from `capture_frame` when no more
        than `QUEUE_S` is left in it, this frame at the end: so the frame is over `QUEUE_S` later at most.
        """
        expected = max(self._next_at, time.monotonic())
        frame = rtc.AudioFrame(samples.tobytes(), RATE_HZ, 1, len(samples))
        await self._source.capture_frame(frame)
        at = min(expected, time.monotonic() + QUEUE_S - FRAME_S)
        self._next_at = at + FRAME_S
        self._tape.add(at, samples)
        return at


class Ear:
    """Hears every track of the agent, and remembers when it was audible."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._audible: list[float] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.frames = 0
        """10 ms frames heard so far, silent ones included."""

    def listen(self, track: rtc.Track) -> None:
        task = asyncio.create_task(self._hear(track), name="callpool caller: ear")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    def note(self, at: float) -> None:
        """Remember that the agent was audible for 10 ms."""
        self._audible.append(at)

    def first_audible(self, since: float) -> float | None:
        """When the agent became audible for the first time after `since`."""
        return min((at for at in self._since(since)), default=None)

    def last_audible(self, since: float = 0.0, *, until: float = float("inf")) -> float | None:
        """The end of the last audible 10 ms that began between `since` and `until`."""
        latest = max((at for at in self._since(since) if at <= until), default=None)
        return None if latest is None else latest + WINDOW_S

    def quiet_after(self, since: float, quiet_s: float) -> float | None:
        """The end of the sound that was going on at `since`: the first stop of at least `quiet_s` after it.

        None while there was none; `since` itself when the agent was silent then.
        """
        end = since
        for at in sorted(self._since(since - WINDOW_S)):
            if at - end >= quiet_s:
                return end
            end = max(end, at + WINDOW_S)
        return end if time.monotonic() - end >= quiet_s else None

    def _since(self, since: float) -> list[float]:
        start = len(self._audible)
        # Frames of several tracks interleave, a few milliseconds out of order at most.
        while start and self._audible[start - 1] > since - LOST_S:
            start -= 1
        return [at for at in self._audible[start:] if at >= since]

    async def _hear(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE_HZ, num_channels=1, frame_size_ms=10)
        clock = FrameClock()
        try:
            async for event in stream:
                samples = np.frombuffer(event.frame.data, dtype=np.int16)
                at = clock.date(time.monotonic(), len(samples) / RATE_HZ)
                self._tape.add(at, samples)
                for index, level in enumerate(levels(samples)):
                    if level >= AUDIBLE_RMS:
                        self.note(at + index * WINDOW_S)
                self.frames += 1
        finally:
            await stream.aclose()


class FrameClock:
    """Dates frames that come at an even pace and are now and then delivered late by a busy event loop."""

    def __init__(self) -> None:
        self._expected = float("inf")

    def date(self, arrived_at: float, length_s: float) -> float:
        """When a frame left the jitter buffer: on time, if it came after the one before it or late."""
        late_s = arrived_at - self._expected
        at = self._expected + 0.02 * late_s if 0 <= late_s <= LOST_S else arrived_at
        self._expected = at + length_s
        return at
