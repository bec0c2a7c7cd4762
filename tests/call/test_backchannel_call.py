"""Listeners and interrupters over the real server: real ears and voice, scripted answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from clerk import clerk

from callpool.caller.sound import AUDIBLE_RMS, WINDOW_S, levels
from callpool.settings import Settings
from telephone import Dialled, telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(180)]

LONG = (
    "Your order left our warehouse on Monday morning and travels with our usual carrier. It should be with "
    "you in two or three days. If you are not at home they leave a card, and you can collect it at the post "
    "office."
)
SHORT = "Very well, I am listening."
QUESTION = "Where is my order at the moment?"
GOES_ON_S = 1.0


@pytest.fixture(scope="module")
def talkative(
    tmp_path_factory: pytest.TempPathFactory, livekit_program: Path, free_port: Callable[[], int]
) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("talkative")
    with clerk(folder, livekit_program, free_port, [LONG, SHORT]) as settings:
        yield settings


async def ask(call: Dialled) -> None:
    """Ask the question, and let the agent begin its long answer."""
    await call.greeting()
    spoken = await call.caller.speak(await call.speech.synthesize(QUESTION))
    assert await call.caller.wait_for_audio(spoken.ended_at, 15) is not None
    await asyncio.sleep(1.5)  # a listener listens first


def longest_silence_s(call: Dialled, since: float, until: float) -> float:
    """The longest time without a sound of the agent."""
    audible = np.flatnonzero(levels(call.caller.heard.between(since, until)) >= AUDIBLE_RMS)
    assert audible.size, "the agent was silent all the time"
    return max((later - earlier for earlier, later in pairwise(audible.tolist())), default=0) * WINDOW_S


@pytest.mark.parametrize("murmur", ["Okay.", "Uh-huh.", "Yeah, right.", "I see.", "Right."])
async def test_a_listener_is_talked_on_to(talkative: Settings, murmur: str) -> None:
    """The same sentence goes on within 1 s of the murmur, to its end, and the record knows of no turn."""
    async with telephone_of(talkative) as telephone:
        call = await telephone.dial()
        sound = await telephone.samples(murmur)
        await ask(call)
        spoken = await call.caller.speak(sound)
        again = await call.caller.wait_for_audio(spoken.ended_at + 0.25, 5)
        assert again is not None
        print(f"{murmur}: goes on {again - spoken.ended_at:.2f} s after it")
        assert again - spoken.ended_at <= GOES_ON_S

        answer = await call.caller.wait_for_agent(spoken.ended_at)
        assert answer is not None
        print(f"longest silence {longest_silence_s(call, spoken.started_at, answer.ended_at):.2f} s")
        assert "post office" in await call.heard(answer)
        record = await telephone.record(
            call.invitation.call_id, lambda record: record.turns[-1].agent_text, "the answer is over"
        )
        assert [turn.n for turn in record.turns] == [0, 1]
        assert [turn.interrupted for turn in record.turns] == [False, False]
        assert "post office" in (record.turns[-1].agent_text or "")


@pytest.mark.parametrize("words", ["Wait, stop please, I have another question.", "No, that is wrong."])
async def test_who_interrupts_is_listened_to(talkative: Settings, words: str) -> None:
    """The voice stops, what was not heard is not in the record, and the words are the next turn."""
    async with telephone_of(talkative) as telephone:
        call = await telephone.dial()
        over = await telephone.samples(words)
        await ask(call)
        barge_in = await call.caller.barge_in(over)
        assert barge_in.silent_after_s is not None
        assert "listening" in await call.answer(barge_in.spoken.ended_at)
        record = await telephone.record(
            call.invitation.call_id,
            lambda record: "listening" in (record.turns[-1].agent_text or ""),
            "the words are answered",
        )
        assert record.turns[1].interrupted
        assert "post office" not in (record.turns[1].agent_text or "")
        assert record.turns[-1].caller_text


@pytest.mark.parametrize("yes", ["Yes.", "Okay.", "Yeah."])
async def test_the_same_word_after_a_question_is_an_answer(talkative: Settings, yes: str) -> None:
    """The agent has asked and is silent: the caller's one word is a turn."""
    async with telephone_of(talkative) as telephone:
        call = await telephone.dial()
        await call.greeting()
        assert "warehouse" in await call.say(yes)
        record = await telephone.record(
            call.invitation.call_id, lambda record: len(record.turns) == 2, "a turn"
        )
        assert record.turns[1].caller_text


async def test_a_murmur_and_then_a_question_interrupts(talkative: Settings) -> None:
    """Only the murmur is passed over: what follows it is a turn."""
    async with telephone_of(talkative) as telephone:
        call = await telephone.dial()
        over = await telephone.samples("Okay, but can you tell me the price of it?")
        await ask(call)
        barge_in = await call.caller.barge_in(over)
        assert barge_in.silent_after_s is not None
        assert "listening" in await call.answer(barge_in.spoken.ended_at)
