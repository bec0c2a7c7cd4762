"""Voices that finish each other's sentences, and their own.

The SDK drops the rest of what a voice had to say once it was heard and then failed. Here the next voice, or
the same one asked again, goes on with the words that are still unspoken.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from typing import Any

from livekit import rtc
from livekit.agents import APIConnectionError, APITimeoutError, tts, utils
from livekit.agents.tts.fallback_adapter import FallbackSynthesizeStream
from livekit.agents.tts.tts import _ChunkedStreamFromStream
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, APIConnectOptions
from livekit.agents.utils import aio
from livekit.agents.voice.io import TimedString

from callpool.fallback.spoken import TimedWord, spoken_end
from callpool.fallback.standing import Standing
from callpool.fallback.tries import HEDGE_S, ONE_TRY, PATIENCE_S, Tries
from callpool.fallback.trouble import remember_retry_after
from callpool.first_words import FIRST_WORDS

logger = logging.getLogger(__name__)

STALL_S = 2.0
"""How long nothing may be heard of a voice that has all of its text and has not said it, seconds."""
SYLLABLE_S = 0.25
"""So much sound is waited for before any of it is heard, seconds …"""
HOLD_S = 0.1
"""… for no longer than this, seconds: voices give it at once, or do not give more."""
MOST_BREAKS = 3
"""How often in a row a voice may break off at the same word until the speech is given up."""


def speaking(
    members: Sequence[tts.TTS[Any]], names: Sequence[str] = (), standing: Standing | None = None
) -> tts.TTS[Any]:
    """One voice of `members`, whose providers are called `names` (none: what the plugins call them)."""
    return SpeechChain(members, names, standing)


class SpeechChain(tts.FallbackAdapter):
    """Speaks with the first voice that sounds."""

    def __init__(
        self,
        members: Sequence[tts.TTS[Any]],
        names: Sequence[str] = (),
        standing: Standing | None = None,
        *,
        hedge_s: float = HEDGE_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        super().__init__(list(members), max_retry_per_tts=0)
        self.members = tuple(members)
        for member in members:
            member.on("error", remember_retry_after)
        self._names = tuple(names) or tuple(member.provider for member in members)
        self._standing = standing or Standing()
        self._hedge_s, self._patience_s = hedge_s, patience_s

    def tries(self) -> Tries:
        """For one speech."""
        return Tries("tts", self._names, self._standing, hedge_s=self._hedge_s, patience_s=self._patience_s)

    def prewarm(self) -> None:
        """Open a connection to the first choice."""
        self.members[0].prewarm()

    def stream(self, *, conn_options: APIConnectOptions = ONE_TRY) -> SpeechStream:
        # The SDK would ask for the whole speech anew when nothing of it was heard yet: that is done here.
        return SpeechStream(self, dataclasses.replace(conn_options, max_retry=0))

    # The SDK's own stream for whole texts cannot go on in the middle of one.
    def synthesize(self, text: str, *, conn_options: APIConnectOptions = ONE_TRY) -> Any:
        options = dataclasses.replace(conn_options, max_retry=0)
        return WholeText(tts=self, input_text=text, conn_options=options)


class WholeText(_ChunkedStreamFromStream):
    """A whole text, spoken by as many voices as it takes."""

    # The SDK's class for voices that only stream, and the method that counts: both private.
    # test_fallback_speech.py fails when they move.

    async def _metrics_monitor_task(self, event_aiter: AsyncIterable[tts.SynthesizedAudio]) -> None:
        # The voices count what they speak: counted here as well, it would be paid for twice.
        async for _ in event_aiter:
            pass


class Script:
    """What is to be said: text that is still growing, and how much of it was spoken."""

    def __init__(self) -> None:
        self.text = ""
        self.spoken = 0
        self.readable = asyncio.Event()
        """Set once there is enough of it for a voice to begin with."""
        self.complete = asyncio.Event()
        """Set once no more text comes."""
        self._grown = asyncio.Event()

    @property
    def ended(self) -> bool:
        return self.complete.is_set()

    @property
    def rest(self) -> str:
        return self.text[self.spoken :].lstrip()

    def add(self, text: str) -> None:
        self.text += text
        # Voices are given the first words together: before those there is nothing to be heard.
        if len(self.text.split()) > FIRST_WORDS:
            self.readable.set()
        self._grown.set()

    def end(self) -> None:
        self.readable.set()
        self.complete.set()
        self._grown.set()

    async def grown(self, beyond: int) -> None:
        """Wait for text beyond that many characters, or for the end."""
        while len(self.text) <= beyond and not self.ended:
            self._grown.clear()
            await self._grown.wait()


class SpeechStream(FallbackSynthesizeStream):
    """One answer, spoken by as many voices and in as many attempts as it takes."""

    # Overrides `_run` of the SDK's stream, uses its `_try_synthesize`, and notes in the chain which
    # voice serves: all private. test_fallback_speech.py fails when they move.

    def __init__(self, chain: SpeechChain, conn_options: APIConnectOptions) -> None:
        super().__init__(tts=chain, conn_options=conn_options)
        self.chain = chain
        self.member_options = conn_options
        self.heard_until_s = 0.0
        """When what was made so far has been heard, if it was heard as soon as it was made: loop time."""

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        chain = self.chain
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=chain.sample_rate,
            num_channels=chain.num_channels,
            mime_type="audio/pcm",
            stream=True,
        )
        output_emitter.start_segment(segment_id=utils.shortuuid())
        script = Script()
        reading = asyncio.create_task(self._read(script), name="speech-text")
        try:
            await self._speak(script, output_emitter)
        finally:
            await aio.cancel_and_wait(reading)

    async def _read(self, script: Script) -> None:
        async for piece in self._input_ch:
            if isinstance(piece, str) and piece:
                script.add(piece)
        script.end()

    async def _speak(self, script: Script, output_emitter: tts.AudioEmitter) -> None:
        """Have the whole script spoken. Raises the voices' last error when none goes on."""
        tries = self.chain.tries()
        offset_s, breaks = 0.0, 0
        while True:
            while not script.rest:
                if script.ended:
                    return
                await script.grown(len(script.text))
            spoken = script.spoken
            winner = await tries.first(lambda member: Part(self, member, script), script.readable)
            part = winner.first
            self._fallback_adapter._active_instance = self.chain.members[winner.member]
            try:
                await part.play(output_emitter, offset_s)
                tries.answered(winner.member)
                return
            except Exception as error:
                part.note_spoken()
                wanted_text = isinstance(error, APITimeoutError) and not script.ended
                if wanted_text or not script.rest:
                    continue  # it hung up for want of text, which is no failure: it says what comes, too
                tries.broke_off(winner.member, error)
                breaks = breaks + 1 if script.spoken == spoken else 0
                logger.warning(
                    "a speech is continued",
                    extra={
                        "action": "speech_continued",
                        "audio_s": round(part.audio_s, 2),
                        "characters_left": len(script.rest),
                    },
                )
                if breaks >= MOST_BREAKS:
                    raise APIConnectionError(f"a speech broke off {breaks} times at the same word") from error
            finally:
                offset_s += part.audio_s
                await part.aclose()


class Part:
    """What one voice says of a script, asked once."""

    def __init__(self, stream: SpeechStream, member: int, script: Script) -> None:
        self._stream = stream
        self._member = stream.chain.members[member]
        self._script = script
        self._begins = script.spoken
        self._words: aio.Chan[Any] = aio.Chan()
        self._feeding = asyncio.create_task(self._feed(), name="speech-feed")
        self._heard: AsyncGenerator[tts.SynthesizedAudio, None] = stream._try_synthesize(
            tts=self._member, input_ch=self._words, conn_options=stream.member_options
        )
        self._opening: list[tts.SynthesizedAudio] = []
        self._ahead: asyncio.Task[tts.SynthesizedAudio | None] | None = None
        self._timed: list[TimedWord] = []
        self._told = 0
        self.audio_s = 0.0

    async def first(self) -> Part:
        """Wait for its first sound. Raises what the voice raises.

        A syllable that breaks off is kept back, as far as that takes no time that a caller would notice.
        """
        held_s = 0.0
        until_s: float | None = None
        while held_s < SYLLABLE_S:
            self._ahead = self._ahead or asyncio.create_task(self._advance(), name="speech-ahead")
            now_s = asyncio.get_running_loop().time()
            timeout_s = None if until_s is None else max(0.0, until_s - now_s)
            if not (await asyncio.wait({self._ahead}, timeout=timeout_s))[0]:
                break
            ahead, self._ahead = self._ahead, None
            if (audio := ahead.result()) is None:
                break
            self._opening.append(audio)
            held_s += audio.frame.duration
            until_s = until_s or asyncio.get_running_loop().time() + HOLD_S
        if not self._opening:
            raise APIConnectionError("the voice ended without a sound")
        return self

    async def aclose(self) -> None:
        tasks = [self._feeding] if self._ahead is None else [self._feeding, self._ahead]
        await aio.cancel_and_wait(*tasks)
        await self._heard.aclose()

    async def _advance(self) -> tts.SynthesizedAudio | None:
        return await anext(self._heard, None)

    async def play(self, output: tts.AudioEmitter, offset_s: float) -> None:
        """Pass on what it says. `offset_s`: how much of the speech was heard before, seconds.

        Raises what the voice raises, or TimeoutError for one that has all of its text and stalls. The script
        knows that all was spoken when nothing is raised.
        """
        rate_hz = self._stream.chain.sample_rate
        own_hz = self._member.sample_rate
        resampler = rtc.AudioResampler(own_hz, rate_hz) if own_hz != rate_hz else None
        try:
            while (audio := await self._next()) is not None:
                self._note_times(audio.frame)
                self.audio_s += audio.frame.duration
                now_s = asyncio.get_running_loop().time()
                self._stream.heard_until_s = max(self._stream.heard_until_s, now_s) + audio.frame.duration
                self._pass_times_on(output, offset_s, self.audio_s)
                for frame in resampler.push(audio.frame) if resampler else [audio.frame]:
                    output.push_frame(frame)
            self._pass_times_on(output, offset_s, math.inf)
            self._script.spoken = len(self._script.text)
        finally:
            for frame in resampler.flush() if resampler else []:
                output.push_frame(frame)

    async def _next(self) -> tts.SynthesizedAudio | None:
        if self._opening:
            return self._opening.pop(0)
        ahead, self._ahead = self._ahead or asyncio.create_task(self._advance(), name="speech-ahead"), None
        async with asyncio.timeout(None) as deadline:
            watching = asyncio.create_task(self._limit(deadline), name="speech-stall")
            try:
                return await ahead
            finally:
                watching.cancel()

    async def _limit(self, deadline: asyncio.Timeout) -> None:
        """Give the voice so much time, once it has all of its text and what it said was heard."""
        await self._script.complete.wait()
        now_s = asyncio.get_running_loop().time()
        deadline.reschedule(max(now_s, self._stream.heard_until_s) + STALL_S)

    async def _feed(self) -> None:
        given = len(self._script.text) - len(self._script.rest)
        while True:
            if piece := self._script.text[given:]:
                self._words.send_nowait(piece)
                given += len(piece)
            if self._script.ended:
                self._words.close()
                return
            await self._script.grown(given)

    def note_spoken(self) -> None:
        """Have the script know how far it came."""
        text = self._script.text[self._begins :]
        self._script.spoken = self._begins + spoken_end(text, self._timed, self.audio_s)

    def _note_times(self, frame: rtc.AudioFrame) -> None:
        times: list[TimedString] = frame.userdata.get(USERDATA_TIMED_TRANSCRIPT) or []
        for word in times:
            if isinstance(word.start_time, float | int) and isinstance(word.end_time, float | int):
                self._timed.append(TimedWord(str(word), word.start_time, word.end_time))

    def _pass_times_on(self, output: tts.AudioEmitter, offset_s: float, until_s: float) -> None:
        """Tell when words are spoken, as times of the whole speech, once it is certain that they are."""
        while self._told < len(self._timed) and self._timed[self._told].is_heard_by(until_s):
            word = self._timed[self._told]
            self._told += 1
            output.push_timed_transcript(
                TimedString(word.text, word.start_s + offset_s, word.end_s + offset_s)
            )
