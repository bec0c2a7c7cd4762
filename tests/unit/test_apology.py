"""What is said, and when a call is given up, as providers fail."""

from __future__ import annotations

from typing import Any

import pytest
from livekit.agents import APIConnectionError, ErrorEvent
from livekit.agents import UserTranscriptionTimeoutEvent as Unheard
from livekit.agents.llm import LLMError
from livekit.agents.tts import TTSError

from callpool.apology import OUTAGE_S, Apology
from callpool.service_phrases import Key, words
from fake_session import FakeSession, FakeSpeech


class Failing(FakeSession):
    """A session whose providers fail, with an apology that listens."""

    def __init__(self, language: str = "en") -> None:
        super().__init__(language)
        self.given_up = False
        self.now_s = 0.0
        session: Any = self
        self.apology = Apology(session, self.give_up, clock=lambda: self.now_s)

    def give_up(self) -> None:
        self.given_up = True

    def fail(self, kind: type[LLMError | TTSError], recoverable: bool = False) -> None:
        error = kind(timestamp=0, label="", error=APIConnectionError(), recoverable=recoverable)
        self.emit("error", ErrorEvent(error=error, source=None))

    def miss(self, speech_s: float) -> None:
        """The caller spoke and no transcript came."""
        event = Unheard(speech_duration=speech_s, vad_speech_started_at=0)
        self.emit("user_transcription_timeout", event)


def texts(*keys: Key, language: str = "en") -> list[str]:
    return [words(key, language) for key in keys]


@pytest.fixture
async def session() -> Failing:
    """One in which the agent has greeted the caller."""
    session = Failing()
    session.add("assistant", "Hello.")
    return session


async def test_a_model_that_goes_on_failing_is_taken_leave_of(session: Failing) -> None:
    """Apologies, for as long as most failures last; then the farewell, and the call is over."""
    for _ in range(4):
        session.fail(LLMError)
    assert not session.given_up
    session.now_s = OUTAGE_S
    session.fail(LLMError)
    assert session.said == texts("apology", "apology", "apology", "apology", "farewell")
    assert session.given_up


async def test_a_short_outage_ends_no_call(session: Failing) -> None:
    """However often a caller asks within it."""
    for _ in range(10):
        session.fail(LLMError)
        session.now_s += 2
    assert not session.given_up


async def test_a_long_outage_is_apologized_for_more_than_once(session: Failing) -> None:
    """A caller who asks seldom is not sent away at the second failure."""
    session.fail(LLMError)
    session.now_s = 10 * OUTAGE_S
    session.fail(LLMError)
    assert session.said == texts("apology", "apology")


@pytest.mark.parametrize("language", ["en", "de", "es"])
async def test_apologies_are_in_the_language_of_the_call(language: str) -> None:
    """A call may begin in one language and go on in another: what counts is the one that it has now."""
    session = Failing()
    session.userdata.language = language
    session.fail(LLMError)
    assert session.said == texts("apology", language=language)


async def test_an_answer_in_between_makes_up_for_failures(session: Failing) -> None:
    """Only failures in a row end a call."""
    for _ in range(5):
        session.fail(LLMError)
        session.add("assistant", "It is on its way.")
    assert set(session.said) == set(texts("apology"))


async def test_an_apology_that_was_talked_over_counts(session: Failing) -> None:
    """What was spoken of it is an apology, not an answer."""
    session.cut_off_after = 12
    for _ in range(4):
        session.fail(LLMError)
        session.now_s += OUTAGE_S / 3
    assert session.given_up


async def test_one_apology_is_enough_for_answers_that_fail_together(session: Failing) -> None:
    """Speculative answers to the same words fail one after the other, while the apology is spoken."""
    session.next_speech = lambda: FakeSpeech(lasts=True)
    session.fail(LLMError)
    session.fail(LLMError)
    assert session.said == texts("apology")


async def test_what_is_tried_again_is_not_apologized_for(session: Failing) -> None:
    """The SDK reports each attempt."""
    session.fail(LLMError, recoverable=True)
    assert session.said == []


async def test_a_caller_who_is_not_heard_is_told_so(session: Failing) -> None:
    """Asked to say it again, then in other words, then offered a person; in the end a farewell."""
    for _ in range(4):
        session.miss(2.0)
    assert session.said == texts("unclear", "rephrase", "offer_person", "farewell")
    assert session.given_up


async def test_a_turn_in_between_makes_up_for_what_was_not_heard(session: Failing) -> None:
    """Whoever was understood is not offered a person for an old misunderstanding."""
    session.miss(2.0)
    session.miss(2.0)
    session.add("user", "Where is my order?")
    session.miss(2.0)
    assert session.said == texts("unclear", "rephrase", "unclear")


async def test_a_cough_is_not_speech(session: Failing) -> None:
    """Nobody is asked to say a cough again."""
    session.miss(0.5)
    assert session.said == []


async def test_a_murmur_into_our_own_words_wants_no_answer(session: Failing) -> None:
    """Its words were left out on purpose, or there were none: also when we have finished meanwhile."""
    session.agent("speaking", FakeSpeech(lasts=True))
    session.caller("speaking")
    session.caller("listening")
    session.miss(2.0)
    session.agent("listening")
    session.miss(2.0)
    assert session.said == []


async def test_a_caller_is_not_blamed_for_ears_that_fail(session: Failing) -> None:
    """What nobody heard was not unclear; when it lasts, the call ends with words."""
    for _ in range(4):
        session.caller("speaking")
        session.caller("listening")
        session.apology.own_up(2.0)
        session.miss(2.0)  # the SDK notices as well, later
        session.now_s += OUTAGE_S / 3
    assert session.said == texts("apology", "apology", "apology", "farewell")
    assert session.given_up


async def test_a_caller_who_goes_on_is_not_talked_over_by_an_apology(session: Failing) -> None:
    """Nor is a cough apologized for."""
    session.caller("speaking")
    session.apology.own_up(4.0)
    session.caller("listening")
    session.apology.own_up(0.6)
    assert session.said == []


async def test_a_voice_that_fails_is_apologized_for(session: Failing) -> None:
    """By a clip that it made before, where there is one (see test_clips.py)."""
    session.fail(TTSError)
    assert session.said == texts("apology")


async def test_a_call_that_never_had_a_voice_is_given_up() -> None:
    """Nobody would ever hear a word: but a voice that restarts is back in a few seconds."""
    mute = Failing()
    for _ in range(3):
        mute.fail(TTSError)
        assert not mute.given_up
        mute.now_s += OUTAGE_S / 3
    mute.fail(TTSError)
    assert mute.given_up
    assert mute.said == []
