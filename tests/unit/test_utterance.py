"""Where speech begins, pauses, is cut and ends: decided from judged windows, without an engine."""

from __future__ import annotations

import numpy as np
import pytest

from callpool.local.utterance import (
    CUT_AFTER,
    LEAD,
    LONGEST,
    Began,
    Ended,
    Event,
    Paused,
    Utterances,
)
from callpool.local.voice_activity import RATE_HZ, WINDOW, Window


class Stream:
    """Pushes speech and silence, and keeps the events."""

    def __init__(self, endpoint_s: float | None = 0.25) -> None:
        self.utterances = Utterances(endpoint_s)
        self.events: list[Event] = []
        self.audio: list[int] = []
        self._n = 0

    def push(
        self, seconds: float, *, voiced: bool, probability: float = 0.9, level_dbfs: float = -20
    ) -> None:
        for _ in range(round(seconds * RATE_HZ / WINDOW)):
            start = self._n * WINDOW
            self._n += 1
            samples = np.full(WINDOW, self._n, np.int16)
            window = Window(start, samples, probability, level_dbfs, start + WINDOW if voiced else None)
            for event in self.utterances.push(window):
                self.events.append(event)
                if isinstance(event, Ended):
                    self.audio.append(len(self.utterances.audio(event.segment.start, event.segment.end)))

    def ended(self) -> list[Ended]:
        return [event for event in self.events if isinstance(event, Ended)]


def test_an_utterance_begins_with_the_voice_and_ends_with_the_endpointing_silence() -> None:
    """The segment takes in a lead, knows where the voice was, and comes once."""
    stream = Stream()
    stream.push(0.96, voiced=False)
    stream.push(0.96, voiced=True)
    stream.push(0.96, voiced=False)
    assert [type(event) for event in stream.events] == [Began, Paused, Ended]
    segment = stream.ended()[0].segment
    assert segment.voiced_from == 0.96 * RATE_HZ
    assert segment.voiced_until == 1.92 * RATE_HZ
    assert segment.start == segment.voiced_from - LEAD
    assert 0.25 <= (segment.end - segment.voiced_until) / RATE_HZ < 0.25 + 2 * WINDOW / RATE_HZ
    assert segment.confidence == pytest.approx(0.9)
    assert stream.audio[0] >= segment.end - segment.start


@pytest.mark.parametrize(("seconds", "probability"), [(0.032, 0.9), (0.32, 0.4)])
def test_a_click_or_a_doubtful_sound_is_no_speech(seconds: float, probability: float) -> None:
    """Speech needs two voiced windows in a row, one of which is certain."""
    stream = Stream()
    stream.push(seconds, voiced=True, probability=probability)
    stream.push(0.96, voiced=False)
    assert stream.events == []


def test_a_gap_between_words_pauses_without_ending() -> None:
    """Every gap is announced once, and speech goes on in the same segment."""
    stream = Stream()
    for _ in range(3):
        stream.push(0.32, voiced=True)
        stream.push(0.16, voiced=False)
    assert [type(event) for event in stream.events] == [Began, Paused, Paused, Paused]


def test_long_speech_is_cut_at_a_pause_once_speech_goes_on() -> None:
    """The first part is complete, not final; the second begins in the middle of the pause."""
    stream = Stream()
    stream.push(CUT_AFTER / RATE_HZ + 0.1, voiced=True)
    stream.push(0.16, voiced=False)
    assert stream.ended() == []
    stream.push(0.64, voiced=True)
    stream.push(0.32, voiced=False)
    first, second = stream.ended()
    assert (first.final, second.final) == (False, True)
    assert first.segment.end == second.segment.start
    assert first.segment.voiced_until < second.segment.start < second.segment.voiced_from


def test_speech_without_a_pause_is_cut_at_its_quietest_place() -> None:
    """A part never grows longer than the limit, and nothing between the parts is lost."""
    stream = Stream()
    stream.push(5.12, voiced=True)
    stream.push(0.096, voiced=True, level_dbfs=-40)
    stream.push(3.2, voiced=True)
    stream.push(0.32, voiced=False)
    first, second = stream.ended()
    assert first.segment.end - first.segment.start <= LONGEST
    assert 5.12 <= first.segment.end / RATE_HZ <= 5.216
    assert second.segment.start == first.segment.end
    assert second.final


def test_without_endpointing_only_the_caller_ends_speech() -> None:
    """Neither silence nor length ends it; `end()` does, and a second `end()` finds nothing."""
    stream = Stream(endpoint_s=None)
    stream.push(10, voiced=True)
    stream.push(5, voiced=False)
    assert stream.ended() == []
    ended = stream.utterances.end()
    assert ended is not None
    assert ended.final
    assert ended.segment.voiced_until == pytest.approx(10 * RATE_HZ, abs=WINDOW)
    assert stream.utterances.end() is None
