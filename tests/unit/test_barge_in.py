"""What a caller says over the agent, and that it ends what the agent was saying."""

from __future__ import annotations

from typing import Any

import pytest
from livekit.agents import AgentSession, UserInputTranscribedEvent
from livekit.agents.voice import SpeechHandle
from livekit.agents.voice.events import AgentState, UserState

from callpool.barge_in import Overlap, end_speech_at_first_word
from callpool.call import Call
from fake_session import FakeSession, FakeSpeech


class PausedSession(AgentSession[Call]):
    """A session in which an answer stands, paused because the caller is audible."""

    def __init__(self, speech: SpeechHandle | None, agent: AgentState, user: UserState) -> None:
        super().__init__()
        self._speech, self._agent, self._user = speech, agent, user
        end_speech_at_first_word(self)

    @property
    def current_speech(self) -> SpeechHandle | None:
        return self._speech

    @property
    def agent_state(self) -> AgentState:
        return self._agent

    @property
    def user_state(self) -> UserState:
        return self._user

    def hears(self, words: str, *, is_final: bool = False) -> None:
        self.emit("user_input_transcribed", UserInputTranscribedEvent(transcript=words, is_final=is_final))


def speech(**options: Any) -> SpeechHandle:
    return SpeechHandle.create(**options)


async def test_an_interim_word_ends_the_paused_answer() -> None:
    answer = speech()
    PausedSession(answer, "listening", "speaking").hears("wait")
    assert answer.interrupted


@pytest.mark.parametrize(
    ("agent", "user", "words", "is_final"),
    [
        ("speaking", "speaking", "wait", False),  # not paused: too short to be an interruption so far
        ("listening", "listening", "wait", False),  # the words of the turn that is being answered, late
        ("listening", "speaking", " ", False),
        ("listening", "speaking", "wait", True),
    ],
)
async def test_nothing_else_ends_it(agent: AgentState, user: UserState, words: str, is_final: bool) -> None:
    answer = speech()
    PausedSession(answer, agent, user).hears(words, is_final=is_final)
    assert not answer.interrupted


async def test_what_may_not_be_interrupted_goes_on() -> None:
    farewell = speech(allow_interruptions=False)
    PausedSession(farewell, "listening", "speaking").hears("wait")
    assert not farewell.interrupted


async def test_a_caller_who_speaks_into_silence_disturbs_nothing() -> None:
    PausedSession(None, "listening", "speaking").hears("hello")


class TalkedOver(FakeSession):
    """A fake session in which it is known what the caller talks over."""

    def __init__(self) -> None:
        super().__init__()
        session: Any = self
        self.overlap = Overlap(session)


async def test_a_voice_that_begins_while_the_agent_speaks_is_over_it() -> None:
    """Also when the agent has paused for it, and until it has done."""
    session, answer = TalkedOver(), FakeSpeech(lasts=True)
    session.agent("speaking", answer)
    session.caller("speaking")
    session.agent("listening", answer)
    assert session.overlap.paused
    session.caller("listening")
    session.caller("speaking")
    assert session.overlap.over_agent
    answer.end()
    assert not session.overlap.over_agent
    assert session.overlap.began_over


async def test_a_voice_that_begins_in_silence_answers() -> None:
    """Also when the agent begins to speak, or has words ready, in the middle of it."""
    session, question = TalkedOver(), FakeSpeech(lasts=True)
    session.agent("listening", question)  # will be spoken, and was not heard yet
    session.caller("speaking")
    assert not session.overlap.over_agent
    session.agent("speaking", question)
    assert not session.overlap.over_agent


async def test_words_without_a_voice_that_was_noticed_are_over_the_agent() -> None:
    """Ears may find words where the detector of voices found none."""
    session = TalkedOver()
    session.caller("speaking")
    session.caller("listening")
    session.agent("speaking", FakeSpeech(lasts=True))
    assert session.overlap.over_agent


async def test_a_speech_that_was_interrupted_is_not_paused() -> None:
    """It will not go on."""
    session, answer = TalkedOver(), FakeSpeech(lasts=True)
    session.agent("speaking", answer)
    session.caller("speaking")
    session.agent("listening", answer)
    answer.interrupted = True
    assert not session.overlap.paused
    assert not session.overlap.over_agent
