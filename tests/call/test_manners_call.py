"""Silence, monologues and calls that are too long, over the real server: real ears and voice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from clerk import clerk

from callpool import ending
from callpool.caller.sound import RATE_HZ
from callpool.settings import Settings
from processes import local_providers
from telephone import Dialled, telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(180)]

SILENCE_S = 3
MONOLOGUE_S = 6
MAX_CALL_S = 40
ANSWER = "A parcel that is lost is replaced by us, as soon as you have told us so."
MONOLOGUE = (
    "So last week on Monday I came home and there was no parcel at my door, and then I went over to see my "
    "neighbour, and my neighbour said that nobody had been there all day, and so I walked down to the shop "
    "at the corner, and the people in the shop told me to wait until the end of the week, and I waited and "
    "waited and nothing came"
)


@pytest.fixture(scope="module")
def impatient(
    tmp_path_factory: pytest.TempPathFactory, livekit_program: Path, free_port: Callable[[], int]
) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("impatient")
    more = {"CALLPOOL_SILENCE_S": str(SILENCE_S)}
    with clerk(folder, livekit_program, free_port, [ANSWER], **more) as settings:
        yield settings


@pytest.fixture(scope="module")
def busy(
    tmp_path_factory: pytest.TempPathFactory, livekit_program: Path, free_port: Callable[[], int]
) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("busy")
    more = {"CALLPOOL_MONOLOGUE_S": str(MONOLOGUE_S), "CALLPOOL_MAX_CALL_S": str(MAX_CALL_S)}
    with clerk(folder, livekit_program, free_port, [ANSWER], **more) as settings:
        yield settings


async def until_hung_up(call: Dialled) -> None:
    """The record is written first; the room is closed right after it."""
    async with asyncio.timeout(5):
        while not call.caller.hung_up:
            await asyncio.sleep(0.02)


async def test_a_silent_caller_is_asked_twice_and_then_taken_leave_of(impatient: Settings) -> None:
    """Two questions, a goodbye, the hang-up: each after the silence that is set."""
    async with telephone_of(impatient) as telephone:
        call = await telephone.dial()
        await call.greeting()
        silent_since = time.monotonic()
        first = await call.answer(silent_since)
        assert "still there" in first
        asked_at = call.caller.ear.first_audible(silent_since)
        assert asked_at is not None
        print(f"asked after {asked_at - silent_since:.1f} s")
        assert SILENCE_S - 1 <= asked_at - silent_since <= SILENCE_S + 2
        assert "anything else" in await call.answer(time.monotonic())
        assert "end the call" in await call.answer(time.monotonic())
        record = await telephone.ended(call.invitation.call_id, timeout_s=10)
        assert record.ending == ending.SILENCE
        await until_hung_up(call)


async def test_a_caller_who_answers_is_not_given_up(impatient: Settings) -> None:
    """After a word of theirs the questions begin anew."""
    async with telephone_of(impatient) as telephone:
        call = await telephone.dial()
        await call.greeting()
        assert "still there" in await call.answer(time.monotonic())
        assert "parcel" in await call.say("Yes, sorry, I am here. What about my parcel?")
        await telephone.record(
            call.invitation.call_id,
            lambda record: [turn.agent_text for turn in record.turns if turn.agent_text == ANSWER],
            "the answer is in the record, whole",
        )
        assert "still there" in await call.answer(time.monotonic())


async def test_a_caller_who_does_not_stop_is_cut_in_on(busy: Settings) -> None:
    """Politely, while they speak; what they said is a turn, and it is answered."""
    async with telephone_of(busy) as telephone:
        call = await telephone.dial()
        monologue = await telephone.samples(MONOLOGUE)
        await call.greeting()
        speaking = asyncio.create_task(call.caller.speak(monologue))
        began_at = time.monotonic()
        cut_in_at = await call.caller.wait_for_audio(began_at, 25)
        assert cut_in_at is not None
        print(f"cut in after {cut_in_at - began_at:.1f} s of {len(monologue) / RATE_HZ:.1f} s")
        assert MONOLOGUE_S - 1 <= cut_in_at - began_at <= MONOLOGUE_S + 8
        assert not speaking.done(), "the caller was still speaking"
        await speaking
        record = await telephone.record(
            call.invitation.call_id,
            lambda record: any("replaced" in (turn.agent_text or "") for turn in record.turns),
            "the monologue is answered",
            timeout_s=20,
        )
        said = " ".join(turn.agent_text or "" for turn in record.turns)
        assert "cutting in" in said
        assert "parcel" in " ".join(turn.caller_text or "" for turn in record.turns)


async def test_a_call_ends_when_its_time_is_up(busy: Settings) -> None:
    """The caller is told shortly before, and taken leave of."""
    async with telephone_of(busy) as telephone:
        call = await telephone.dial()
        await call.greeting()
        spoken = ""
        while call.caller.connected and "time for this call is over" not in spoken:
            heard = await call.caller.wait_for_agent(time.monotonic(), patience_s=MAX_CALL_S)
            if heard is None:
                break
            spoken += f" {await call.heard(heard)}"
            print(spoken)
        record = await telephone.ended(call.invitation.call_id, timeout_s=10)
        assert record.ending == ending.TIME_IS_UP
        await until_hung_up(call)
        assert "nearly over" in spoken
        assert "call is over" in spoken
        assert record.ended_at is not None
        assert (record.ended_at - record.started_at).total_seconds() <= MAX_CALL_S + 10


async def test_a_voice_that_is_gone_keeps_no_room_open(
    tmp_path: Path, livekit_program: Path, free_port: Callable[[], int]
) -> None:
    """The last words cannot be spoken: the call ends all the same."""
    voice_folder = tmp_path / "voice"
    voice_folder.mkdir()
    with ExitStack() as voice:
        more = {
            "CARTESIA_BASE_URL": voice.enter_context(local_providers(voice_folder, free_port())),
            "CALLPOOL_MAX_CALL_S": "15",
        }
        with clerk(tmp_path, livekit_program, free_port, [ANSWER], **more) as settings:
            async with telephone_of(settings) as telephone:
                call = await telephone.dial()
                await call.greeting()
                voice.close()
                record = await telephone.ended(call.invitation.call_id, timeout_s=60)
                assert record.ending == ending.TIME_IS_UP
                await until_hung_up(call)
