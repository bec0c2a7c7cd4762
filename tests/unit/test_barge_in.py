"""The first interim word of a caller who talks over the agent ends what it was saying."""

from __future__ import annotations

from typing import Any

import pytest
from livekit.agents import AgentSession, UserInputTranscribedEvent
from livekit.agents.voice import SpeechHandle
from livekit.agents.voice.events import AgentState, UserState

from callpool.barge_in import end_speech_at_first_word
from callpool.call import Call


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
