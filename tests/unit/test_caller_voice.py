"""How the synthetic caller places sound in time."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest

from callpool.caller.sound import RATE_HZ, WINDOW_S, WINDOW_SAMPLES, Samples
from callpool.caller.timeline import Entry, Timeline
from callpool.caller.voice import Ear, FrameClock, Tape


def ramp(length: int, start: int = 1) -> Samples:
    return np.arange(start, start + length, dtype=np.int16)


def test_frames_that_wander_by_a_millisecond_join_without_a_hole() -> None:
    """Dates are measured; the samples of neighbours belong together all the same."""
    tape = Tape()
    for number in range(20):
        jitter_s = (-1) ** number * 0.001
        tape.add(100 + number * WINDOW_S + jitter_s, ramp(WINDOW_SAMPLES, 1 + number * WINDOW_SAMPLES))
    heard = tape.between(99.9, 100.3)
    sound = heard[heard > 0]
    assert np.array_equal(sound, ramp(20 * WINDOW_SAMPLES))
    assert np.flatnonzero(heard)[0] == pytest.approx(0.1 * RATE_HZ, abs=WINDOW_SAMPLES)


def test_a_pause_between_frames_stays_a_pause() -> None:
    """Sound after a gap is where it was heard, not where the sound before it ended."""
    tape = Tape()
    tape.add(10.0, ramp(WINDOW_SAMPLES))
    tape.add(10.5, ramp(WINDOW_SAMPLES))
    heard = tape.between(10.0, 11.0)
    assert np.array_equal(heard[:WINDOW_SAMPLES], ramp(WINDOW_SAMPLES))
    assert not heard[WINDOW_SAMPLES : RATE_HZ // 2].any()
    assert np.array_equal(heard[RATE_HZ // 2 : RATE_HZ // 2 + WINDOW_SAMPLES], ramp(WINDOW_SAMPLES))


def test_a_cut_begins_and_ends_in_the_middle_of_frames() -> None:
    """Nothing is shifted when a cut does not fall between frames."""
    tape = Tape()
    tape.add(10.0, ramp(RATE_HZ // 10))
    assert np.array_equal(tape.between(10.05, 10.06), ramp(WINDOW_SAMPLES, RATE_HZ // 20 + 1))


@pytest.mark.parametrize("late_s", [(0, 0, 0.05, 0.04, 0.03, 0.02, 0.01, 0, 0), (0, 0.15, 0.14, 0)])
def test_a_late_frame_is_dated_by_its_place_in_the_stream(late_s: Sequence[float]) -> None:
    """A busy loop delivers frames late, then several at once; they were heard at an even pace."""
    clock = FrameClock()
    dated = [clock.date(100 + n * WINDOW_S + late, WINDOW_S) for n, late in enumerate(late_s)]
    for number, at in enumerate(dated):
        assert at == pytest.approx(100 + number * WINDOW_S, abs=0.01)


def test_a_clock_that_began_late_catches_up() -> None:
    """The first frame came late: the next one, on time, sets it right."""
    clock = FrameClock()
    clock.date(100.04, WINDOW_S)
    assert clock.date(100.01, WINDOW_S) == 100.01


def test_sound_after_a_long_pause_is_dated_anew() -> None:
    """A track on which nothing was sent for a while is not heard in the past."""
    clock = FrameClock()
    clock.date(100.0, WINDOW_S)
    assert clock.date(101.0, WINDOW_S) == 101.0


def ear_that_heard(*spans: tuple[float, float]) -> Ear:
    ear = Ear(Tape())
    for start, end in spans:
        for number in range(round((end - start) / WINDOW_S)):
            ear.note(start + number * WINDOW_S)
    return ear


def test_the_first_and_the_last_audible_moment_are_found() -> None:
    """Counted from a moment, and up to one."""
    ear = ear_that_heard((10.0, 11.0), (12.0, 12.5))
    assert ear.first_audible(9.0) == 10.0
    assert ear.first_audible(11.5) == 12.0
    assert ear.first_audible(13.0) is None
    assert ear.last_audible() == pytest.approx(12.5)
    assert ear.last_audible(until=11.5) == pytest.approx(11.0)


def test_a_pause_between_words_is_not_the_end_of_the_voice() -> None:
    """The agent stopped where a silence of the asked length began."""
    ear = ear_that_heard((10.0, 10.4), (10.7, 11.2), (13.0, 14.0))
    assert ear.quiet_after(10.1, 0.6) == pytest.approx(11.2)


def test_the_end_of_a_voice_that_has_just_stopped_is_not_known_yet() -> None:
    """Only silence that has lasted counts."""
    now = time.monotonic()
    assert ear_that_heard((now - 1.0, now - 0.1)).quiet_after(now - 0.5, 0.6) is None


def test_an_entry_is_one_line() -> None:
    """Time, speaker, gap, words."""
    line = Entry(1.5, "agent", "Hello there.", 2.5, 640).line()
    assert line.split() == ["1.50", "s", "agent", "640", "ms", "Hello", "there."]
    assert "(words unknown)" in Entry(1.5, "agent", None).line()


def test_the_summary_has_the_figures() -> None:
    """First audio and the gaps."""
    entries = [Entry(n, "agent", "", gap_ms=gap) for n, gap in enumerate((500, 900, 600))]
    summary = Timeline("c_1", "call-c_1", True, 480, duration_s=12.34, entries=entries).summary()
    assert summary == "c_1: 12.3 s; first audio 480 ms after joining; gaps 500 to 900 ms, median 600 ms"
