"""Keys of a telephone as the caller's words: a real session, a fake room, a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
from livekit import rtc
from livekit.agents import Agent, AgentSession

from callpool import ending
from callpool.call import Call
from callpool.dtmf import Keypad, as_words
from scripted_model import Asked, Says, ScriptedModel


@dataclass(frozen=True)
class FakeParticipant:
    identity: str = "sip_caller"


class FakeRoom(rtc.EventEmitter[str]):
    """A room in which only keys are pressed."""

    def press(self, keys: str, identity: str = "sip_caller") -> None:
        for key in keys:
            participant = cast(rtc.RemoteParticipant, FakeParticipant(identity))
            self.emit("sip_dtmf_received", rtc.SipDTMF(code=ord(key), digit=key, participant=participant))


class Pause:
    """A sleep that ends when the test says so."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.lengths_s: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.lengths_s.append(seconds)
        await self.over.wait()


@dataclass
class Telephone:
    room: FakeRoom
    pause: Pause
    session: AgentSession[Call]
    model: ScriptedModel

    def keypad(self, length: int | None = None) -> None:
        keypad = Keypad(self.session, cast(rtc.Room, self.room), length=length, pause_s=1.5, sleep=self.pause)
        keypad.watch(cast(rtc.RemoteParticipant, FakeParticipant()))

    def said(self) -> list[str]:
        """What the caller said, as the history has it."""
        return [
            message.text_content or ""
            for message in self.session.history.messages()
            if message.role == "user"
        ]

    async def answered(self, times: int) -> None:
        async with asyncio.timeout(5):
            while self.roles().count("assistant") < times:
                await asyncio.sleep(0.005)

    def roles(self) -> list[str]:
        return [message.role for message in self.session.history.messages()]


def echo(asked: Asked) -> Says:
    return Says(f"You said {asked.words[-1][1]}.")


@pytest.fixture
async def telephone() -> AsyncIterator[Telephone]:
    model = ScriptedModel(*[echo] * 5)
    call = Call("c1", "call-c1", "callpool")
    async with AgentSession[Call](llm=model, userdata=call) as session:
        await session.start(Agent(instructions="Answer."))
        yield Telephone(FakeRoom(), Pause(), session, model)


async def test_the_expected_number_of_digits_is_answered_at_once(telephone: Telephone) -> None:
    """Nobody waits for a pause, and a `#` after it says nothing more."""
    telephone.keypad(length=5)
    telephone.room.press("12345#")
    await telephone.answered(1)
    assert telephone.said() == ["1 2 3 4 5"]
    assert telephone.session.history.messages()[-1].text_content == "You said 1 2 3 4 5."


async def test_a_hash_ends_the_digits(telephone: Telephone) -> None:
    """Fewer digits than expected, and nothing expected at all."""
    telephone.keypad(length=5)
    telephone.room.press("25#")
    await telephone.answered(1)
    telephone.room.press("#")
    assert telephone.said() == ["2 5"]


async def test_a_pause_ends_the_digits(telephone: Telephone) -> None:
    """Each key begins the pause anew; only the last one comes to its end."""
    telephone.keypad()
    telephone.room.press("123")
    while not telephone.pause.lengths_s:
        await asyncio.sleep(0)
    telephone.room.press("45")
    while len(telephone.pause.lengths_s) < 2:
        await asyncio.sleep(0)
    assert telephone.said() == []
    telephone.pause.over.set()
    await telephone.answered(1)
    assert telephone.said() == ["1 2 3 4 5"]
    assert set(telephone.pause.lengths_s) == {1.5}


async def test_a_star_begins_anew(telephone: Telephone) -> None:
    """What was pressed before it is forgotten; keys that are no digits say nothing."""
    telephone.keypad()
    telephone.room.press("99*A12#")
    await telephone.answered(1)
    assert telephone.said() == ["1 2"]


async def test_keys_of_others_do_not_count(telephone: Telephone) -> None:
    """A person who listens in, or a server."""
    telephone.keypad(length=2)
    telephone.room.press("1", identity="somebody")
    telephone.room.emit("sip_dtmf_received", rtc.SipDTMF(code=1, digit="1"))
    telephone.room.press("23")
    await telephone.answered(1)
    assert telephone.said() == ["2 3"]


async def test_the_first_key_silences_the_agent(telephone: Telephone) -> None:
    """As the caller's voice would; what must be heard to its end is."""
    telephone.keypad(length=5)
    speech = telephone.session.say("Please wait.", audio=_endless())
    while telephone.session.current_speech is not speech:
        await asyncio.sleep(0)
    telephone.room.press("1")
    await speech
    assert speech.interrupted


async def test_what_must_be_heard_is_heard(telephone: Telephone) -> None:
    """Keys do not cut off words that may not be interrupted; they are answered after them."""
    telephone.keypad(length=2)
    heard = asyncio.Event()
    speech = telephone.session.say("A notice.", audio=_endless(heard), allow_interruptions=False)
    while telephone.session.current_speech is not speech:
        await asyncio.sleep(0)
    telephone.room.press("12")
    assert not speech.interrupted
    heard.set()
    await telephone.answered(2)
    assert telephone.said() == ["1 2"]


async def test_nobody_answers_keys_after_goodbye(telephone: Telephone) -> None:
    """The call is ending: what is pressed now is lost, and so it is after the session's end."""
    telephone.keypad(length=1)
    telephone.session.userdata.end(ending.GOODBYE)
    telephone.room.press("1")
    telephone.session.userdata.ending = None
    await telephone.session.aclose()
    telephone.room.press("2")
    assert telephone.said() == []


async def test_a_long_entry_comes_to_an_end(telephone: Telephone) -> None:
    """A key that is stuck neither fills the memory nor keeps the agent silent for ever."""
    telephone.keypad()
    telephone.room.press("7" * 32)
    await telephone.answered(1)
    assert telephone.said() == [" ".join("7" * 32)]


@pytest.mark.parametrize(
    ("keys", "words"), [("12345#", "1 2 3 4 5"), ("99*1A2", "1 2"), ("#", ""), ("", ""), ("12*", "")]
)
def test_keys_have_words(keys: str, words: str) -> None:
    """The same as a caller would say who reads the keys out."""
    assert as_words(keys) == words


async def _endless(until: asyncio.Event | None = None) -> AsyncIterator[Any]:
    silence = rtc.AudioFrame(bytes(960), 48_000, 1, 480)
    yield silence
    await (until or asyncio.Event()).wait()
