"""What is said, and when a call is given up, as providers fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import APIConnectionError, ConversationItemAddedEvent, ErrorEvent
from livekit.agents import UserTranscriptionTimeoutEvent as Unheard
from livekit.agents.llm import ChatMessage, LLMError
from livekit.agents.stt import STTError
from livekit.agents.tts import TTSError

from callpool.apology import APOLOGY, FAREWELL, Apology


class Speech:
    """A speech that is over as soon as it began."""

    def done(self) -> bool:
        return True

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        callback(self)


class Session(rtc.EventEmitter[str]):
    """As much of the SDK's session as fails and speaks."""

    def __init__(self) -> None:
        super().__init__()
        self.agent_state = "listening"
        self.said: list[str] = []
        self.given_up = False
        self.talked_over = False
        Apology(self, self.give_up)  # type: ignore[arg-type]

    def give_up(self) -> None:
        self.given_up = True

    def say(self, words: str, allow_interruptions: bool) -> Speech:
        self.said.append(words)
        self.add("assistant", words[:12] if self.talked_over else words)
        return Speech()

    def add(self, role: Any, words: str) -> None:
        item = ChatMessage(role=role, content=[words])
        self.emit("conversation_item_added", ConversationItemAddedEvent(item=item))

    def fail(self, kind: type[LLMError | STTError | TTSError], recoverable: bool = False) -> None:
        error = kind(timestamp=0, label="", error=APIConnectionError(), recoverable=recoverable)
        self.emit("error", ErrorEvent(error=error, source=None))

    def miss(self, speech_s: float) -> None:
        """The caller spoke and no transcript came."""
        event = Unheard(speech_duration=speech_s, vad_speech_started_at=0)
        self.emit("user_transcription_timeout", event)


@pytest.fixture
def session() -> Session:
    """One in which the agent has greeted the caller."""
    session = Session()
    session.add("assistant", "Hello.")
    return session


def test_a_model_that_goes_on_failing_is_taken_leave_of(session: Session) -> None:
    """Two apologies, then the farewell, and the call is over."""
    session.fail(LLMError)
    session.fail(LLMError)
    assert not session.given_up
    session.fail(LLMError)
    assert session.said == [APOLOGY, APOLOGY, FAREWELL]
    assert session.given_up


def test_an_answer_in_between_makes_up_for_failures(session: Session) -> None:
    """Only failures in a row end a call."""
    for _ in range(5):
        session.fail(LLMError)
        session.add("assistant", "It is on its way.")
    assert set(session.said) == {APOLOGY}


def test_an_apology_that_was_talked_over_counts(session: Session) -> None:
    """What was spoken of it is an apology, not an answer."""
    session.talked_over = True
    for _ in range(3):
        session.fail(LLMError)
    assert session.given_up


def test_what_is_tried_again_is_not_apologized_for(session: Session) -> None:
    """The SDK reports each attempt."""
    session.fail(LLMError, recoverable=True)
    assert session.said == []


def test_a_caller_who_is_not_heard_is_told_so(session: Session) -> None:
    """Speech without a transcript is a failure of ours; a cough is not, nor a murmur into our own words."""
    session.miss(0.5)
    session.agent_state = "speaking"
    session.miss(2.0)
    assert session.said == []
    session.agent_state = "listening"
    for _ in range(3):
        session.miss(2.0)
    assert session.said == [APOLOGY, APOLOGY, FAREWELL]
    assert session.given_up


def test_ears_that_fail_twice_in_a_row_end_the_call(session: Session) -> None:
    """With words that somebody listens to: the SDK alone would cut the call off a little later."""
    session.fail(STTError)
    session.add("user", "Hello?")
    session.fail(STTError)
    assert session.said == []
    session.fail(STTError)
    assert session.said == [FAREWELL]
    assert session.given_up


def test_a_call_that_never_had_a_voice_is_given_up(session: Session) -> None:
    """Nobody would ever hear a word; a voice that fails later is left to the SDK's own count."""
    session.fail(TTSError)
    assert not session.given_up
    mute = Session()
    mute.add("assistant", "")
    mute.fail(TTSError)
    assert mute.given_up
    assert mute.said == []
