"""Voices that finish each other's sentences.

The SDK's chain takes the next voice when one fails before its first sound. Once it was heard, the rest of
what it had to say is dropped; here the next voice goes on with the words that are still unspoken.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
from collections.abc import AsyncIterable, Sequence
from typing import Any

from livekit import rtc
from livekit.agents import APIConnectionError, APITimeoutError, tts, utils
from livekit.agents.tts.fallback_adapter import AvailabilityChangedEvent, FallbackSynthesizeStream
from livekit.agents.tts.tts import _ChunkedStreamFromStream
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, APIConnectOptions
from livekit.agents.utils import aio
from livekit.agents.voice.io import TimedString

from callpool.fallback.spoken import TimedWord, spoken_end
from callpool.first_words import FIRST_WORDS

logger = logging.getLogger(__name__)

FIRST_SOUND_S = 2.0
"""How long a voice that has words to say may be silent before the next one says them, seconds."""
ONE_TRY = APIConnectOptions(max_retry=0, timeout=5.0)


def speaking(members: Sequence[tts.TTS[Any]]) -> tts.TTS[Any]:
    """The only one of `members`, or a chain of them."""
    return members[0] if len(members) == 1 else SpeechChain(members)


class SpeechChain(tts.FallbackAdapter):
    """Speaks with the first voice that sounds."""

    def __init__(self, members: Sequence[tts.TTS[Any]], *, first_sound_s: float = FIRST_SOUND_S) -> None:
        super().__init__(list(members), max_retry_per_tts=0)
        self.first_sound_s = first_sound_s

    def stream(self, *, conn_options: APIConnectOptions = ONE_TRY) -> SpeechStream:
        return SpeechStream(self, conn_options)

    # The SDK's own stream for whole texts cannot go on in the middle of one.
    def synthesize(self, text: str, *, conn_options: APIConnectOptions = ONE_TRY) -> Any:
        return WholeText(tts=self, input_text=text, conn_options=conn_options)


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
        self.ended = False
        self._grown = asyncio.Event()

    @property
    def rest(self) -> str:
        return self.text[self.spoken :].lstrip()

    def add(self, text: str) -> None:
        self.text += text
        self._grown.set()

    def end(self) -> None:
        self.ended = True
        self._grown.set()

    async def grown(self, beyond: int) -> None:
        """Wait for text beyond that many characters, or for the end."""
        while len(self.text) <= beyond and not self.ended:
            self._grown.clear()
            await self._grown.wait()


class SpeechStream(FallbackSynthesizeStream):
    """One answer, spoken by as many voices as it takes."""

    # Overrides `_run` of the SDK's stream and uses its `_try_synthesize` and `_try_recovery`, all private.
    # test_fallback_speech.py fails when they move.

    def __init__(self, chain: SpeechChain, conn_options: APIConnectOptions) -> None:
        super().__init__(tts=chain, conn_options=conn_options)
        self._chain = chain
        self._member_options = dataclasses.replace(conn_options, max_retry=0)

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        chain = self._chain
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=chain.sample_rate,
            num_channels=chain.num_channels,
            mime_type="audio/pcm",
            stream=True,
        )
        output_emitter.start_segment(segment_id=utils.shortuuid())
        self._pushed_tokens = []  # what the SDK's probes of a voice that failed say
        script = Script()
        reading = asyncio.create_task(self._read(script), name="speech-text")
        failed: list[tts.TTS[Any]] = []
        try:
            await self._speak(script, output_emitter, failed)
        finally:
            await aio.cancel_and_wait(reading)
            for member in failed:
                self._try_recovery(member)

    async def _read(self, script: Script) -> None:
        async for piece in self._input_ch:
            if isinstance(piece, str) and piece:
                self._pushed_tokens.append(piece)
                script.add(piece)
        script.end()

    async def _speak(
        self, script: Script, output_emitter: tts.AudioEmitter, failed: list[tts.TTS[Any]]
    ) -> None:
        """Have the whole script spoken. Raises APIConnectionError when no voice is left."""
        chain = self._chain
        all_failed = not any(status.available for status in chain._status)
        turns = [
            member
            for member, status in zip(chain._tts_instances, chain._status, strict=True)
            if status.available or all_failed
        ]
        failed += [member for member in chain._tts_instances if member not in turns]
        offset_s = 0.0
        while turns:
            while not script.rest:
                if script.ended:
                    return
                await script.grown(len(script.text))
            part = Part(self, script, output_emitter, offset_s)
            try:
                await part.spoken_by(turns[0], chain.first_sound_s if len(turns) > 1 else None)
                return
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                wanted_text = isinstance(error, APITimeoutError) and not script.ended
            finally:
                offset_s += part.audio_s
            if part.audio_s and (wanted_text or not script.rest):
                continue  # it hung up for want of text, which is no failure: it says what comes, too
            failed.append(member := turns.pop(0))
            self._mark_failed(member)
            logger.warning(
                "a voice fails",
                extra={
                    "action": "voice_failed",
                    "voice": member.label,
                    "reason": reason,
                    "audio_s": round(part.audio_s, 2),
                    "characters_left": len(script.rest),
                },
            )
        if script.rest or not script.ended:
            labels = ", ".join(member.label for member in chain._tts_instances)
            raise APIConnectionError(f"every voice failed ({labels})")

    def _mark_failed(self, member: tts.TTS[Any]) -> None:
        chain = self._chain
        status = chain._status[chain._tts_instances.index(member)]
        if status.available:
            status.available = False
            chain.emit("tts_availability_changed", AvailabilityChangedEvent(tts=member, available=False))


class Part:
    """What one voice says of a script."""

    def __init__(
        self, stream: SpeechStream, script: Script, output_emitter: tts.AudioEmitter, offset_s: float
    ) -> None:
        self._stream = stream
        self._script = script
        self._output = output_emitter
        self._offset_s = offset_s
        self._begins = script.spoken
        self._timed: list[TimedWord] = []
        self._told = 0
        self.audio_s = 0.0

    async def spoken_by(self, member: tts.TTS[Any], first_sound_s: float | None) -> None:
        """Speak what is unspoken. Raises what the voice raises, or TimeoutError for one that stays silent.

        Afterwards the script knows how far it came, whatever happened.
        """
        words: aio.Chan[Any] = aio.Chan()
        async with asyncio.timeout(None) as deadline:
            feeding = asyncio.create_task(self._feed(words, deadline, first_sound_s), name="speech-feed")
            try:
                await self._play(member, words, deadline)
                self._script.spoken = len(self._script.text)
            except Exception:
                self._note_spoken()
                raise
            except asyncio.CancelledError:
                self._note_spoken()  # the deadline cancels, too
                raise
            finally:
                await aio.cancel_and_wait(feeding)

    async def _feed(
        self, words: aio.Chan[Any], deadline: asyncio.Timeout, first_sound_s: float | None
    ) -> None:
        given = len(self._script.text) - len(self._script.rest)
        begins = given
        while True:
            if piece := self._script.text[given:]:
                words.send_nowait(piece)
                given += len(piece)
            # Voices are given the first words together: before those there is nothing to be heard.
            enough = self._script.ended or len(self._script.text[begins:].split()) > FIRST_WORDS
            if enough and first_sound_s is not None and not self.audio_s:
                deadline.reschedule(asyncio.get_running_loop().time() + first_sound_s)
                first_sound_s = None
            if self._script.ended:
                words.close()
                return
            await self._script.grown(given)

    async def _play(self, member: tts.TTS[Any], words: aio.Chan[Any], deadline: asyncio.Timeout) -> None:
        rate_hz = self._stream._chain.sample_rate
        resampler = (
            rtc.AudioResampler(input_rate=member.sample_rate, output_rate=rate_hz)
            if member.sample_rate != rate_hz
            else None
        )
        heard = self._stream._try_synthesize(
            tts=member, input_ch=words, conn_options=self._stream._member_options
        )
        try:
            async for audio in heard:
                deadline.reschedule(None)
                self._note_times(audio.frame)
                self.audio_s += audio.frame.duration
                self._pass_times_on(self.audio_s)
                for frame in resampler.push(audio.frame) if resampler else [audio.frame]:
                    self._output.push_frame(frame)
            self._pass_times_on(math.inf)
        finally:
            await heard.aclose()
            for frame in resampler.flush() if resampler else []:
                self._output.push_frame(frame)

    def _note_times(self, frame: rtc.AudioFrame) -> None:
        times: list[TimedString] = frame.userdata.get(USERDATA_TIMED_TRANSCRIPT) or []
        for word in times:
            if isinstance(word.start_time, float | int) and isinstance(word.end_time, float | int):
                self._timed.append(TimedWord(str(word), word.start_time, word.end_time))

    def _pass_times_on(self, until_s: float) -> None:
        """Tell when words are spoken, as times of the whole speech, once it is certain that they are."""
        while self._told < len(self._timed) and self._timed[self._told].is_heard_by(until_s):
            word = self._timed[self._told]
            self._told += 1
            self._output.push_timed_transcript(
                TimedString(word.text, word.start_s + self._offset_s, word.end_s + self._offset_s)
            )

    def _note_spoken(self) -> None:
        text = self._script.text[self._begins :]
        self._script.spoken = self._begins + spoken_end(text, self._timed, self.audio_s)
