"""From windows to segments: where speech begins, pauses, is cut and ends.

A segment is what is transcribed at once. It ends with an utterance, at the endpointing silence; a long one is
cut before, at a pause, so that little work is left when the speaker stops.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from callpool.local.voice_activity import RATE_HZ, WINDOW, Samples, Window

ONSET_WINDOWS = 2
"""Voiced windows in a row that make speech: 64 ms."""

ONSET_PROBABILITY = 0.5
LEAD = RATE_HZ // 4
"""Samples before the first voiced one that a segment takes in: soft consonants come before the voice."""

PAUSE = WINDOW * 2
"""Samples of silence that are a pause: 64 ms. Most are gaps between words: a pause only starts work early."""

CUT_PAUSE = RATE_HZ * 13 // 100
"""A pause of 130 ms, and speech after it, cut a segment that is long enough."""

CUT_AFTER = RATE_HZ * 3
LONGEST = RATE_HZ * 6
"""A segment of 6 s without such a pause is cut at the quietest 96 ms of its last third."""

QUIET_WINDOWS = 3


@dataclass(frozen=True)
class Segment:
    """Speech, as positions in samples at 16 kHz: the voice is inside, with silence around."""

    start: int
    voiced_from: int
    voiced_until: int
    end: int
    confidence: float
    """The mean of Silero's certainty over the voiced windows, 0 to 1."""


@dataclass(frozen=True)
class Began:
    """Someone began to speak."""

    at: int


@dataclass(frozen=True)
class Paused:
    """A gap between words, or the end: nobody knows yet."""

    segment: Segment


@dataclass(frozen=True)
class Ended:
    """A segment is complete. `final`: its utterance too; else speech goes on in another segment."""

    segment: Segment
    final: bool


Event = Began | Paused | Ended


class Utterances:
    """Follows one stream. `endpoint_s`: the silence that ends an utterance; None: `end()` alone does."""

    def __init__(self, endpoint_s: float | None) -> None:
        self._endpoint = None if endpoint_s is None else int(endpoint_s * RATE_HZ)
        self._windows: deque[Window] = deque()
        self._position = 0
        self._onset: list[Window] = []
        self._start: int | None = None
        self._least = 0
        self._voiced_from = 0
        self._voiced_until = 0
        self._paused_at = -1

    @property
    def position(self) -> int:
        """How much was heard, samples."""
        return self._position

    @property
    def segment(self) -> Segment | None:
        """What is being said now."""
        return None if self._start is None else self._segment(self._position)

    @property
    def voiced(self) -> bool:
        """Whether the last window had a voice."""
        return bool(self._windows) and self._windows[-1].voiced_until is not None

    def audio(self, start: int, end: int) -> Samples:
        """The samples of a segment that was not ended before the last event."""
        kept = [w.samples for w in self._windows if w.end > start and w.start < end]
        return np.concatenate(kept) if kept else np.zeros(0, np.int16)

    def push(self, window: Window) -> Iterator[Event]:
        """Take the next window. Use up the events before the next push: they free the audio behind them."""
        self._windows.append(window)
        self._position = window.end
        if self._start is None:
            yield from self._await_speech(window)
        elif window.voiced_until is not None:
            yield from self._go_on(window, window.voiced_until)
        else:
            yield from self._wait(window)
        keep_from = self._position - LEAD - ONSET_WINDOWS * WINDOW if self._start is None else self._start
        while self._windows and self._windows[0].end <= keep_from:
            self._windows.popleft()

    def end(self) -> Ended | None:
        """End what is being said here and now."""
        if self._start is None:
            return None
        return self._ended(self._position, final=True)

    def _await_speech(self, window: Window) -> Iterator[Event]:
        if window.voiced_until is None:
            self._onset.clear()
            return
        self._onset.append(window)
        sure = max(entry.probability for entry in self._onset) >= ONSET_PROBABILITY
        if len(self._onset) >= ONSET_WINDOWS and sure:
            self._voiced_from = self._onset[0].start
            self._voiced_until = window.voiced_until
            self._start = max(self._least, self._voiced_from - LEAD)
            self._onset.clear()
            yield Began(self._voiced_from)

    def _go_on(self, window: Window, voiced_until: int) -> Iterator[Event]:
        assert self._start is not None
        pause = window.start - self._voiced_until
        long_enough = self._voiced_until - self._voiced_from >= CUT_AFTER
        if self._endpoint is not None and long_enough and pause >= CUT_PAUSE:
            yield self._ended(self._voiced_until + pause // 2, final=False)
            self._start, self._voiced_from = self._least, window.start
        self._voiced_until = voiced_until
        if self._endpoint is not None and self._position - self._start >= LONGEST:
            cut = self._quietest_place()
            yield self._ended(cut, final=False)
            self._start = self._voiced_from = cut
            self._voiced_until = voiced_until

    def _wait(self, window: Window) -> Iterator[Event]:
        quiet = window.end - self._voiced_until
        if self._endpoint is not None and quiet >= self._endpoint:
            yield self._ended(window.end, final=True)
        elif quiet >= PAUSE and self._paused_at != self._voiced_until:
            self._paused_at = self._voiced_until
            yield Paused(self._segment(window.end))

    def _quietest_place(self) -> int:
        """The middle of the quietest few windows of late: most likely it is between two words."""
        late = [w for w in self._windows if w.start >= self._position - LONGEST // 3]
        places = [late[n : n + QUIET_WINDOWS] for n in range(len(late) - QUIET_WINDOWS)]
        quietest = min(places, key=lambda place: sum(w.level_dbfs for w in place))
        return quietest[QUIET_WINDOWS // 2].start + WINDOW // 2

    def _segment(self, end: int) -> Segment:
        assert self._start is not None
        voiced = [
            w.probability
            for w in self._windows
            if w.voiced_until is not None and self._start <= w.start < end
        ]
        confidence = float(np.mean(voiced)) if voiced else 0.0
        return Segment(self._start, self._voiced_from, min(self._voiced_until, end), end, confidence)

    def _ended(self, end: int, *, final: bool) -> Ended:
        ended = Ended(self._segment(end), final)
        self._least = end
        self._start = None
        return ended
