"""How speech goes to the engine piece by piece, and what its answers are taken for."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from callpool.local.deepgram_wire import Message, Report
from callpool.local.ear import EngineEar, after
from callpool.local.hearing import Hearing
from callpool.local.listen_query import ListenQuery
from callpool.local.outbox import Outbox
from callpool.local.utterance import Segment
from callpool.local.voice_activity import RATE_HZ, Resampler

SECOND = np.zeros(RATE_HZ, np.int16)
SEGMENT = Segment(start=0, voiced_from=0, voiced_until=RATE_HZ, end=RATE_HZ, confidence=0.9)


class SlowModel:
    """Begins at once and answers when it may."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_answer = threading.Event()

    def transcribe_without_streaming(self, _audio: list[float], _rate_hz: int) -> Any:
        self.begun.set()
        assert self.may_answer.wait(10)
        return SimpleNamespace(lines=[SimpleNamespace(text="Hello.")])


@pytest.fixture
def model() -> SlowModel:
    return SlowModel()


@pytest.fixture
def hearing(model: SlowModel) -> Hearing:
    hearing = Hearing()
    hearing._model = model
    return hearing


@pytest.mark.parametrize(
    ("before", "together", "rest"),
    [
        ("Thank you.", "Thank you, good-bye.", "good-bye."),
        ("It is 1, 2.", "It is 1, 2, 3.", "3."),
        ("Thank you.", "Thank you.", ""),
        ("Thank you.", "Thanks for all, goodbye.", ""),
        ("Great.", "", ""),
    ],
)
def test_only_the_new_words_are_taken(before: str, together: str, rest: str) -> None:
    """What was said before is not said twice; when it was heard differently now, the piece is heard alone."""
    assert after(before, together) == rest


async def test_the_engine_is_busy_until_its_thread_is_done(hearing: Hearing, model: SlowModel) -> None:
    """Cancelling withdraws what waits, but does not stop what the thread is at."""
    words, withdrawn = hearing.transcribe(SECOND), hearing.transcribe(SECOND)
    assert await asyncio.to_thread(model.begun.wait, 10)
    words.cancel()
    withdrawn.cancel()
    await asyncio.sleep(0.05)
    assert hearing.busy
    model.may_answer.set()
    async with asyncio.timeout(10):
        while hearing.busy:
            await asyncio.sleep(0.01)
    assert await hearing.transcribe(SECOND) == "Hello."
    hearing.close()


async def test_a_withdrawn_piece_does_not_tell_how_fast_the_engine_is(
    hearing: Hearing, model: SlowModel
) -> None:
    """Interim results are spaced by how long the engine took, and that run was never at its end."""

    async def send(_: Message) -> None: ...

    report = Report(ListenQuery.parse({}), hearing.info)
    ear = EngineEar(report, Outbox(send), Resampler(RATE_HZ), hearing)
    ear._pause(SEGMENT)
    await asyncio.sleep(0.05)
    ear.abandon()
    await asyncio.sleep(0.05)
    assert ear._run_took_s == 0.0
    model.may_answer.set()
    ear._pause(SEGMENT)
    async with asyncio.timeout(10):
        while not ear._run_took_s:
            await asyncio.sleep(0.01)
    hearing.close()
