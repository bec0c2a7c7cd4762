"""No dead air: a caller who waits for an answer hears a moment's words that were synthesized before.

They are slipped in below everything that the session plays, so that they wait for nothing, interrupt nothing,
and an answer that comes meanwhile goes on right after them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator

from livekit import rtc
from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    ConversationItemAddedEvent,
    UserStateChangedEvent,
)
from livekit.agents.llm import ChatMessage
from livekit.agents.voice import io

from callpool.barge_in import Overlap
from callpool.call import Call
from callpool.clips import Clip, Clips
from callpool.service_phrases import Key, words_for

logger = logging.getLogger(__name__)

PATIENCE_S = 2.7
"""How long nothing may be heard after the caller's last word before they are told that it takes a moment,
seconds. Longer than an answer takes when no provider fails, and well below the 4 s after which a line sounds
dead: on a busy machine the end of a voice is noticed late."""
GLANCE_S = 0.1
LATEST_NOTICE_S = 1.0
"""The most by which the end of a voice is taken to have been noticed late, seconds."""
AUDIBLE = 150
"""Peak of a frame that is no silence, of 32,768: voices begin with some."""
LEAST_SPEECH_S = 0.8
"""Shorter sounds of which no words came may be a cough, seconds."""
MOST_CLIPS = 4
"""How often a caller is told so in one turn. Whoever answers has been given up by then."""
PLAYING_S = 10.0
"""How long a clip may take to be heard, seconds: a caller may have left."""
PIECE_S = 0.05


class Loudspeaker(io.AudioOutput):
    """What the session plays to, and a way to slip a clip in."""

    def __init__(self, sink: io.AudioOutput) -> None:
        super().__init__(
            label="callpool",
            capabilities=io.AudioOutputCapabilities(pause=True),
            next_in_chain=sink,
            sample_rate=sink.sample_rate,
        )
        self._below = self.next_in_chain or sink
        self._is_open = False
        self._unfinished = 0
        self._clip_over: asyncio.Event | None = None
        self._plays_until_s = 0.0
        self.heard_until_s = 0.0
        """When the last sound that was played so far has been heard, in the loop's time."""

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        if (clip_over := self._clip_over) is not None:
            await clip_over.wait()
        if not self._is_open:
            self._is_open = True
            self._unfinished += 1
        await super().capture_frame(frame)
        self._note(frame)
        await self._below.capture_frame(frame)

    def flush(self) -> None:
        super().flush()
        if self._is_open:
            self._is_open = False
            self._below.flush()

    def clear_buffer(self) -> None:
        if self._unfinished:
            self._stop_clock()
            self._below.clear_buffer()

    def on_playback_started(self, *, created_at: float) -> None:
        if self._clip_over is None:
            super().on_playback_started(created_at=created_at)

    def on_playback_progressed(self, *, started_at: float, offset: float, duration: float) -> None:
        if self._clip_over is None:
            super().on_playback_progressed(started_at=started_at, offset=offset, duration=duration)

    def on_playback_finished(
        self, *, playback_position: float, interrupted: bool, synchronized_transcript: str | None = None
    ) -> None:
        if self._clip_over is not None:
            self._clip_over.set()
            return
        self._unfinished = max(0, self._unfinished - 1)
        super().on_playback_finished(
            playback_position=playback_position,
            interrupted=interrupted,
            synchronized_transcript=synchronized_transcript,
        )

    @property
    def is_playing(self) -> bool:
        """Whether an answer has begun to be heard and is not over."""
        return self._unfinished > 0

    async def slip_in(self, clip: Clip) -> bool:
        """Play a clip now. False: an answer is being heard to its end."""
        if self._is_open:
            # In the middle of an answer that does not go on.
            for frame in self._pieces(clip):
                self._note(frame)
                await self._below.capture_frame(frame)
            return True
        if self._unfinished or self._clip_over is not None:
            return False
        self._clip_over = asyncio.Event()
        try:
            async with asyncio.timeout(PLAYING_S):
                for frame in self._pieces(clip):
                    self._note(frame)
                    await self._below.capture_frame(frame)
                self._below.flush()
                await self._clip_over.wait()
        except TimeoutError:
            logger.warning("a clip was not heard", extra={"action": "clip_unheard"})
        finally:
            self._clip_over.set()
            self._clip_over = None
        return True

    def cut_clip(self) -> None:
        """End a clip that is being heard."""
        if self._clip_over is not None:
            self._stop_clock()
            self._below.clear_buffer()

    def _stop_clock(self) -> None:
        now_s = asyncio.get_running_loop().time()
        self._plays_until_s = min(self._plays_until_s, now_s)
        self.heard_until_s = min(self.heard_until_s, now_s)

    def _note(self, frame: rtc.AudioFrame) -> None:
        now_s = asyncio.get_running_loop().time()
        self._plays_until_s = max(self._plays_until_s, now_s) + frame.duration
        if max(frame.data, default=0) >= AUDIBLE:
            self.heard_until_s = self._plays_until_s

    def _pieces(self, clip: Clip) -> Iterator[rtc.AudioFrame]:
        frames = [clip]
        if self.sample_rate is not None and self.sample_rate != clip.sample_rate:
            resampler = rtc.AudioResampler(clip.sample_rate, self.sample_rate)
            frames = [*resampler.push(clip), *resampler.flush()]
        for frame in frames:
            size = round(frame.sample_rate * PIECE_S)
            for at in range(0, frame.samples_per_channel, size):
                data = frame.data[at : at + size]
                yield rtc.AudioFrame(bytes(data.cast("B")), frame.sample_rate, 1, len(data))


class DeadAir:
    """Watches how long a caller hears nothing."""

    def __init__(self, session: AgentSession[Call], clips: Clips, *, patience_s: float = PATIENCE_S) -> None:
        self._session = session
        self._clips = clips
        self._patience_s = patience_s
        self._overlap = Overlap(session)
        self._loudspeaker: Loudspeaker | None = None
        self._spoke_at_s: float | None = None
        self._voice_ended_s = 0.0
        self._awaited = False
        self._owed = False
        """Whether the caller has spoken since something was last heard."""
        self._told = 0
        self._fetching: asyncio.Task[None] | None = None
        self._making: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        session.on("user_state_changed", self._on_caller)
        session.on("agent_state_changed", self._on_agent)
        session.on("conversation_item_added", self._on_item)
        session.on("close", lambda _: self._stop())

    def start(self) -> None:
        """Once the session has an output: from now on."""
        output = self._session.output.audio
        while output is not None and output.next_in_chain is not None:
            output = output.next_in_chain
        if output is None:
            return
        self._loudspeaker = Loudspeaker(output)
        self._session.output.replace_audio_tail(self._loudspeaker)
        self._watching = asyncio.create_task(self._watch(self._loudspeaker), name="patience")

    def expect(self) -> None:
        """The caller waits for something to be said, from now on: the greeting."""
        language = self._session.userdata.language
        self._fetching = asyncio.create_task(self._clips.fetch(language), name="clips-fetch")
        self._voice_ended_s = asyncio.get_running_loop().time()
        self._awaited = True

    async def _watch(self, loudspeaker: Loudspeaker) -> None:
        heard_before_s = loudspeaker.heard_until_s
        while True:
            await asyncio.sleep(GLANCE_S)
            if loudspeaker.heard_until_s != heard_before_s:
                heard_before_s = loudspeaker.heard_until_s
                self._prepare()
                self._awaited = self._owed = False
            now_s = asyncio.get_running_loop().time()
            silent_since_s = max(self._voice_ended_s, loudspeaker.heard_until_s)
            if now_s - silent_since_s >= self._patience_s and self._is_waiting(loudspeaker):
                await self._tell(loudspeaker)
                heard_before_s = loudspeaker.heard_until_s

    def _is_waiting(self, loudspeaker: Loudspeaker) -> bool:
        """Whether something is to be heard: an answer that is thought of, one that has stopped in the middle,
        or one to words that speech to text is still looking for."""
        session = self._session
        if session.user_state == "speaking" or session.userdata.ending is not None:
            return False
        match session.agent_state:
            case "thinking":
                return True
            case "speaking":
                return loudspeaker.is_playing
            case _:
                return self._awaited

    async def _tell(self, loudspeaker: Loudspeaker) -> None:
        key: Key = "still_waiting" if self._told else "filler"
        clip = self._clips.get(key, self._session.userdata.language)
        if clip is None or self._told >= MOST_CLIPS:
            self._voice_ended_s = asyncio.get_running_loop().time()
            return
        if await loudspeaker.slip_in(clip):
            self._told += 1
            logger.info("asked for patience", extra={"action": "patience", "words": key, "times": self._told})

    def _prepare(self) -> None:
        """Make the clips of the language in which the voice was just heard."""
        language = self._session.userdata.language
        if language not in self._clips and (self._making is None or self._making.done()):
            self._making = asyncio.create_task(
                self._clips.make(lambda: self._session.userdata.language), name="clips"
            )

    def _on_caller(self, event: UserStateChangedEvent) -> None:
        now_s = asyncio.get_running_loop().time()
        if event.new_state == "speaking":
            self._spoke_at_s = now_s
            if self._loudspeaker is not None:
                self._loudspeaker.cut_clip()
        elif self._spoke_at_s is not None:
            spoke_s, self._spoke_at_s = now_s - self._spoke_at_s, None
            self._owed = True
            noticed_after_s = time.time() - event.created_at
            self._voice_ended_s = now_s - min(max(noticed_after_s, 0.0), LATEST_NOTICE_S)
            if spoke_s >= LEAST_SPEECH_S and not self._overlap.began_over:
                self._awaited = True
                self._told = 0

    def _on_agent(self, event: AgentStateChangedEvent) -> None:
        if event.new_state == "thinking" and not self._owed:
            # Of keys that were pressed, or by itself: the wait begins now.
            self._voice_ended_s = asyncio.get_running_loop().time()

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        match event.item:
            case ChatMessage(role="user"):
                self._told = 0
            case ChatMessage(role="assistant") as message if message.text_content == self._filler:
                self._told = max(self._told, 1)  # a slow tool said so

    @property
    def _filler(self) -> str:
        return words_for(self._session, "filler")

    def _stop(self) -> None:
        for task in (self._watching, self._fetching, self._making):
            if task is not None:
                task.cancel()
