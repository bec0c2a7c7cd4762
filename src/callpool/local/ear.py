"""What listens to one stream and reports: to the engine's words, or to a script's at fixed times."""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from callpool.local.behaviour import Heard
from callpool.local.deepgram_wire import Report, speech_started, utterance_end
from callpool.local.hearing import Hearing
from callpool.local.outbox import Outbox
from callpool.local.utterance import CUT_AFTER, PAUSE, Began, Ended, Paused, Segment, Utterances
from callpool.local.voice_activity import RATE_HZ, Resampler, Samples, VoiceActivity, Window

LEAST_ENDPOINT_S = 0.25
"""Shorter silences than this are gaps between words to the engine, whatever `endpointing` asks for."""

UNENDED_PAUSE_S = 0.5
"""With endpointing switched off, the silence after which words become final all the same."""

INTERIM_EVERY_S = 0.35
"""Speech between two interim results while a segment is short."""

INTERIM_SHARE = 3.0
"""In a long segment, interim results take at most one part in this many of the engine's time."""

SHORT_S = 1.0
"""A segment with less voice than this is heard together with the one before it."""

CLOSE_S = 1.0
"""As long as no more silence than this lies between them."""

CONTEXT_S = 3.0
"""And the one before is no longer than this, so that the engine's work stays small."""

LEAST_QUIET_S = 0.1
"""A scripted final comes no sooner after the voice: shorter gaps are inside words."""

SCRIPT_INTERIM_EVERY_S = 0.3
"""A scripted interim has one word more each time."""


class Ear(ABC):
    """Takes one stream of audio and puts what it hears into the outbox."""

    def __init__(
        self, report: Report, outbox: Outbox, resampler: Resampler, endpoint_s: float | None
    ) -> None:
        self._report = report
        self._outbox = outbox
        self._resampler = resampler
        self._voice = VoiceActivity()
        self._utterances = Utterances(endpoint_s)
        self._received = 0
        self._had_words = False
        self._last_word_end: int | None = None

    @property
    def duration_s(self) -> float:
        """How much audio was taken in, seconds."""
        return self._received / RATE_HZ

    def hear(self, pcm: bytes) -> None:
        """Take the next piece of audio, at the stream's own rate."""
        self._take(self._resampler.push(pcm))

    def finalize(self) -> None:
        """Report what was heard so far as final, even if nothing was."""
        self._follow_all(self._voice.flush())
        ended = self._utterances.end()
        if ended is not None:
            self._end(ended, from_finalize=True)
            return
        at = self._utterances.position
        empty = Segment(at, at, at, at, 0.0)
        self._outbox.put(
            self._report.results("", empty, is_final=True, speech_final=True, from_finalize=True)
        )

    def close(self) -> None:
        """Report what is left, and what the stream came to."""
        self._take(self._resampler.flush())
        self._follow_all(self._voice.flush())
        if ended := self._utterances.end():
            self._end(ended)
        self._outbox.put({"type": "Metadata", **self._report.metadata(self.duration_s)})

    @abstractmethod
    def abandon(self) -> None:
        """Give up work that nobody waits for any more."""

    @abstractmethod
    def _pause(self, segment: Segment) -> None: ...

    @abstractmethod
    def _go_on(self, window: Window, segment: Segment) -> None: ...

    @abstractmethod
    def _words(self, segment: Segment) -> tuple[asyncio.Future[str], str]:
        """The words of a complete segment, and their language."""

    def _take(self, samples: Samples) -> None:
        self._received += len(samples)
        self._follow_all(self._voice.push(samples))

    def _follow_all(self, windows: Iterable[Window]) -> None:
        for window in windows:
            for event in self._utterances.push(window):
                match event:
                    case Began(at):
                        self._last_word_end = None
                        if self._report.query.vad_events:
                            self._outbox.put(speech_started(at))
                    case Paused(paused):
                        self._pause(paused)
                    case Ended():
                        self._end(event)
            if (segment := self._utterances.segment) is not None and window.voiced_until is not None:
                self._go_on(window, segment)
            self._check_utterance_end()

    def _end(self, ended: Ended, *, from_finalize: bool = False) -> None:
        segment = ended.segment
        words, language = self._words(segment)
        speech_final = from_finalize or (ended.final and self._report.query.endpointing_ms is not None)

        def build(text: str) -> dict[str, object]:
            self._had_words = self._had_words or bool(text)
            return self._report.results(
                text,
                segment,
                language=language,
                is_final=True,
                speech_final=speech_final,
                from_finalize=from_finalize,
            )

        self._outbox.put_when(words, build)
        if ended.final:
            self._last_word_end = segment.voiced_until

    def _check_utterance_end(self) -> None:
        asked_ms, at = self._report.query.utterance_end_ms, self._last_word_end
        if asked_ms is None or at is None:
            return
        if (self._utterances.position - at) * 1000 >= asked_ms * RATE_HZ:
            self._last_word_end = None
            self._outbox.put_when(None, lambda _: self._utterance_end(at))

    def _utterance_end(self, at: int) -> dict[str, object] | None:
        had_words, self._had_words = self._had_words, False
        return utterance_end(at) if had_words else None


@dataclass(frozen=True)
class Run:
    """One piece at the engine."""

    segment: Segment
    words: asyncio.Future[str]

    def covers(self, segment: Segment) -> bool:
        """Whether its words are those of `segment`, with enough silence behind them for the last sound."""
        return (
            self.segment.start == segment.start
            and self.segment.voiced_until == segment.voiced_until
            and self.segment.end - segment.voiced_until >= PAUSE
        )


@dataclass(frozen=True)
class Before:
    """The segment before, as it was heard."""

    audio: Samples
    voiced_until: int
    text: str

    def leads_to(self, segment: Segment) -> bool:
        """Whether `segment` is short and follows closely, so that it is better heard with this one."""
        return (
            bool(self.text)
            and len(self.audio) <= CONTEXT_S * RATE_HZ
            and segment.voiced_until - segment.voiced_from <= SHORT_S * RATE_HZ
            and 0 <= segment.voiced_from - self.voiced_until <= CLOSE_S * RATE_HZ
        )


def after(before: str, together: str) -> str:
    """What `together` says after the words of `before`; empty when it does not begin with them."""
    known, words = bare(before), together.split()
    if len(words) <= len(known) or bare(" ".join(words[: len(known)])) != known:
        return ""
    return " ".join(words[len(known) :])


def bare(text: str) -> list[str]:
    """The words in small letters, without what is not pronounced."""
    return re.sub(r"[^\w\s']|_", "", text.lower()).split()


class EngineEar(Ear):
    """Begins to transcribe at every short pause: the words are there when it proves to be the end."""

    def __init__(self, report: Report, outbox: Outbox, resampler: Resampler, hearing: Hearing) -> None:
        asked_ms = report.query.endpointing_ms
        endpoint_s = UNENDED_PAUSE_S if asked_ms is None else max(asked_ms / 1000, LEAST_ENDPOINT_S)
        super().__init__(report, outbox, resampler, endpoint_s)
        self._hearing = hearing
        self._run: Run | None = None
        self._run_at = 0
        self._run_took_s = 0.0
        self._complete_until = 0
        self._before: Before | None = None

    def abandon(self) -> None:
        """Withdraw what waits for the engine."""
        if self._run is not None:
            self._run.words.cancel()

    def _pause(self, segment: Segment) -> None:
        self._begin(segment)

    def _go_on(self, window: Window, segment: Segment) -> None:
        running = self._run is not None and not self._run.words.done()
        if not self._report.query.interim_results or running or self._hearing.busy:
            return
        every_s = INTERIM_EVERY_S
        if segment.voiced_until - segment.voiced_from > CUT_AFTER:
            every_s = max(every_s, INTERIM_SHARE * self._run_took_s)
        since = max(self._run_at, segment.voiced_from)
        if window.end - since >= every_s * RATE_HZ:
            self._begin(segment)

    def _begin(self, segment: Segment) -> None:
        if self._run is not None:
            self._run.words.cancel()
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        words = self._hear_segment(segment)
        run = self._run = Run(segment, words)
        self._run_at = segment.end

        def done(_: asyncio.Future[str]) -> None:
            if words.cancelled():  # and so does not tell how long the engine takes
                return
            self._run_took_s = loop.time() - began_s
            self._interim(run)

        words.add_done_callback(done)

    def _hear_segment(self, segment: Segment) -> asyncio.Future[str]:
        audio = self._utterances.audio(segment.start, segment.end)
        before = self._before
        if before is None or not before.leads_to(segment):
            return self._hearing.transcribe(audio)
        return asyncio.ensure_future(self._hear_after(before, audio))

    async def _hear_after(self, before: Before, audio: Samples) -> str:
        """The words of a short piece, heard together with what was said just before it.

        By itself the tiny model takes "goodbye" for "the bay"; after "thank you" it knows better.
        """
        words = await self._hearing.transcribe(np.concatenate([before.audio, audio]))
        return after(before.text, words) or await self._hearing.transcribe(audio)

    def _interim(self, run: Run) -> None:
        over = run.segment.start < self._complete_until
        if run.words.exception() or over or not self._report.query.interim_results:
            return
        if text := run.words.result():
            self._outbox.put(self._report.results(text, run.segment))

    def _words(self, segment: Segment) -> tuple[asyncio.Future[str], str]:
        if self._run is None or not self._run.covers(segment) or self._run.words.cancelled():
            self._begin(segment)
        assert self._run is not None
        words, self._run = self._run.words, None
        self._complete_until = segment.end
        audio = self._utterances.audio(segment.start, segment.end)

        def remember(heard: asyncio.Future[str]) -> None:
            if not heard.cancelled() and not heard.exception():
                self._before = Before(audio, segment.voiced_until, heard.result())

        words.add_done_callback(remember)
        return words, "en"


@dataclass
class Bookmark:
    """How many utterances of a script were heard."""

    heard: int = 0


class ScriptEar(Ear):
    """Says the script's words, a fixed time after the last voiced sample of each utterance.

    A sample's time follows from its piece of audio, whose last sample is taken to be spoken as it arrived.
    """

    def __init__(
        self,
        report: Report,
        outbox: Outbox,
        resampler: Resampler,
        script: Sequence[Heard],
        final_s: float,
        bookmark: Bookmark,
    ) -> None:
        super().__init__(report, outbox, resampler, endpoint_s=None)
        self._script = script
        self._final_s = max(final_s, LEAST_QUIET_S)
        self._bookmark = bookmark
        self._shown = 0
        self._loop = asyncio.get_running_loop()
        self._arrived_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def hear(self, pcm: bytes) -> None:
        """Take the next piece of audio, which arrived just now."""
        self._arrived_s = self._loop.time()
        super().hear(pcm)

    def abandon(self) -> None:
        """Stop the clock."""
        if self._timer is not None:
            self._timer.cancel()

    def _pause(self, segment: Segment) -> None:
        """A script knows when an utterance ends without working ahead."""

    def _go_on(self, window: Window, segment: Segment) -> None:
        if self._timer is not None:
            self._timer.cancel()
        spoken_s = self._arrived_s - (self._received - segment.voiced_until) / RATE_HZ
        self._timer = self._loop.call_at(spoken_s + self._final_s, self._time_is_up)
        words = self._heard.text.split()
        said_s = (segment.voiced_until - segment.voiced_from) / RATE_HZ
        show = min(int(said_s / SCRIPT_INTERIM_EVERY_S), len(words) - 1)
        if self._report.query.interim_results and show > self._shown:
            self._shown = show
            self._outbox.put(
                self._report.results(" ".join(words[:show]), segment, language=self._heard.language)
            )

    @property
    def _heard(self) -> Heard:
        return self._script[min(self._bookmark.heard, len(self._script) - 1)]

    def _time_is_up(self) -> None:
        if ended := self._utterances.end():
            self._end(ended)

    def _words(self, segment: Segment) -> tuple[asyncio.Future[str], str]:
        self.abandon()
        words: asyncio.Future[str] = self._loop.create_future()
        heard = self._heard
        words.set_result(heard.text)
        self._bookmark.heard += 1
        self._shown = 0
        return words, heard.language
