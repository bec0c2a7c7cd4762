"""A silent caller, and a call that is too long, in a fake session on a fake clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from callpool import ending
from callpool.ending import Ending
from callpool.manners import Manners, take_leave
from callpool.service_phrases import Key, words
from callpool.setting_groups import Manners as Settings
from fake_session import FakeSession, FakeSpeech

SETTINGS = Settings(silence_s=10, max_call_s=600)


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    async def sleep(self, seconds: float) -> None:
        event = asyncio.Event()
        self._sleepers.append((self._now_s + seconds, event))
        await event.wait()

    async def pass_by(self, seconds: float) -> None:
        await settle()
        self._now_s += seconds
        for at, event in self._sleepers:
            if at <= self._now_s + 1:
                event.set()
        await settle()


async def settle() -> None:
    """Let everything run that can: nothing here waits for anything but the loop."""
    for _ in range(10):
        await asyncio.sleep(0)


class Hall:
    """A call in a fake session, with manners."""

    def __init__(self, *, language: str = "en", settings: Settings = SETTINGS, age_s: float = 0) -> None:
        self.session = FakeSession(language)
        self.session.userdata.before_s = age_s
        self.clock = Clock()
        self.ended: list[Ending] = []
        session: Any = self.session
        self.manners = Manners(session, settings, self.ended.append, sleep=self.clock.sleep)

    async def goes_away(self) -> None:
        """The SDK finds that nobody has said anything for the time that is set."""
        self.session.caller("away")
        await settle()


def texts(*keys: Key, language: str = "en") -> list[str]:
    return [words(key, language) for key in keys]


@pytest.mark.parametrize("language", ["en", "de", "es"])
async def test_a_silent_caller_is_asked_twice_and_then_taken_leave_of(language: str) -> None:
    """In their language; the goodbye cannot be talked over, and ends the call."""
    hall = Hall(language=language)
    await hall.goes_away()
    assert hall.session.said == texts("silence_1", language=language)
    assert hall.session.user_state == "listening", "the clock of silence runs again"
    await hall.goes_away()
    assert not hall.ended
    await hall.goes_away()
    assert hall.session.said == texts("silence_1", "silence_2", "silence_goodbye", language=language)
    assert hall.session.interruptible == [True, True, False]
    assert hall.ended == [ending.SILENCE]
    assert hall.session.userdata.ending == ending.SILENCE


async def test_the_clock_of_silence_waits_for_the_question() -> None:
    """It begins anew when the question was spoken, not when it was begun."""
    hall = Hall()
    question = FakeSpeech(lasts=True)
    hall.session.next_speech = lambda: question
    await hall.goes_away()
    assert hall.session.away_timer_resets == 0
    question.end()
    await settle()
    assert hall.session.away_timer_resets == 1


async def test_a_caller_who_says_something_is_asked_anew() -> None:
    """Two silences with words between them are not the third."""
    hall = Hall()
    await hall.goes_away()
    await hall.goes_away()
    hall.session.add("user", "Yes, I am here.")
    await hall.goes_away()
    assert hall.session.said[-1:] == texts("silence_1")
    assert not hall.ended


async def test_nobody_is_asked_during_a_goodbye() -> None:
    """The call is ending already, for a reason of its own."""
    hall = Hall()
    hall.session.userdata.end(ending.GOODBYE)
    await hall.goes_away()
    await hall.clock.pass_by(600)
    assert hall.session.said == []
    assert hall.ended == []


@pytest.mark.parametrize(
    ("silence_s", "said"),
    [
        (9.9, ()),
        (10, ("silence_1",)),
        (25, ("silence_1", "silence_2")),
        (300, ("silence_1", "silence_2", "silence_goodbye")),
    ],
)
async def test_silence_can_be_played_in_text(silence_s: float, said: tuple[Key, ...]) -> None:
    """Without waiting for it: what is due within that time is said when the method returns."""
    hall = Hall()
    await hall.manners.silence(silence_s)
    assert hall.session.said == texts(*said)
    assert bool(hall.ended) == ("silence_goodbye" in said)


async def test_a_long_call_is_announced_to_end_and_ends() -> None:
    """A minute before, and when the time is up."""
    hall = Hall()
    await hall.clock.pass_by(530)
    assert hall.session.said == []
    await hall.clock.pass_by(10)
    assert hall.session.said == texts("time_is_short")
    await hall.clock.pass_by(60)
    assert hall.session.said == texts("time_is_short", "time_is_up")
    assert hall.session.interruptible[-1] is False
    assert hall.ended == [ending.TIME_IS_UP]


async def test_the_time_before_this_job_counts() -> None:
    """A call may outlive a job: its length is the caller's time."""
    hall = Hall(age_s=590)
    await hall.clock.pass_by(0)
    assert hall.session.said == texts("time_is_short")


async def test_a_session_that_is_closed_is_left_alone() -> None:
    """Nothing is said into a room that is gone."""
    hall = Hall()
    await settle()
    hall.session.emit("close", None)
    await settle()
    await hall.clock.pass_by(600)
    assert hall.session.said == []
    assert not hall.ended


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Callable[[], FakeSpeech]:
    """A voice that never finishes, and a patience that ends at once."""
    monkeypatch.setattr("callpool.manners.LAST_WORDS_S", 0.01)
    return lambda: FakeSpeech(lasts=True)


async def test_a_voice_that_hangs_keeps_nobody(hanging: Callable[[], FakeSpeech]) -> None:
    """The call ends without its last words."""
    hall = Hall()
    for _ in range(2):
        await hall.goes_away()
    hall.session.next_speech = hanging
    await asyncio.wait_for(hall.manners.silence(10), 5)
    assert hall.ended == [ending.SILENCE]


async def test_last_words_into_a_closed_session_raise_nothing() -> None:
    """There is nobody left to hear them."""

    class Closed(FakeSession):
        def say(self, words: str, allow_interruptions: bool = True, audio: object = None) -> FakeSpeech:
            raise RuntimeError("AgentSession isn't running")

    session: Any = Closed()
    await take_leave(session, "Goodbye.")
    assert session.said == []
