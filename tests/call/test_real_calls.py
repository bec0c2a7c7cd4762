"""Calls over the real LiveKit server, with real audio: what callers hear, and what the record says."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import pytest
from livekit import api

from callpool import ending
from callpool.caller.conversation import Invitation
from telephone import Dialled, Telephone

pytestmark = [pytest.mark.call, pytest.mark.timeout(180)]

NUMBER = "The order number is one two three four five."
ORDER = f"{NUMBER} My name is James Miller."


async def test_a_caller_is_answered_helped_and_taken_leave_of(telephone: Telephone) -> None:
    """The whole of a call, through all stages: what is asked, told and done, and what the record says."""
    call = await telephone.dial()
    assert "help" in await call.greeting()
    assert "number" in await call.say("Hello, I would like to know where my order is.")
    assert "name" in await call.say(NUMBER)
    told = await call.say("My name is James Miller.")
    assert "headphone" in told
    assert "december" in told
    await call.take_leave()

    record = await telephone.ended(call.invitation.call_id)
    assert record.ending == ending.GOODBYE
    assert record.caller.kind == "synthetic"
    assert record.turns[0].caller_text is None
    assert [(entry.stage, entry.skipped) for entry in record.stages] == [
        ("greeting", False),
        ("data_collection", False),
        ("verification", False),
        ("problem_solving", False),
        ("closing", False),
    ]
    used = [(tool.name, tool.ok) for turn in record.turns for tool in turn.tools]
    # A caller who draws breath in mid-sentence has an answer begun, and begun anew: the same tool twice.
    assert [name for name, _ in groupby(name for name, _ in used)] == [
        "note_request",
        "note_details",
        "verify_caller",
        "delivery_status",
        "end_call",
    ]
    assert all(ok for _, ok in used)
    asked = next(turn for turn in record.turns if turn.tools and turn.tools[-1].name == "delivery_status")
    assert asked.agent_text is not None
    assert "headphone" in asked.agent_text
    assert not any(character.isdigit() for character in asked.caller_text or ""), "numbers are masked"
    latency = asked.latency_ms
    assert None not in (latency.end_of_turn, latency.stt_final, latency.llm_first_token, latency.total)
    assert [job.how for job in record.jobs] == ["goodbye"]


async def test_talking_over_the_agent_silences_it(telephone: Telephone) -> None:
    """A barge-in stops the voice in the caller's ear, and the record keeps only what was spoken."""
    call = await telephone.dial()
    await call.greeting()
    assert "headphone" in await call.say(f"Where is my order? {ORDER}")
    samples = await telephone.samples("Please tell me again when it arrives.")
    over = await telephone.samples("Wait, please stop for a moment, I have another question for you.")
    spoken = await call.caller.speak(samples)
    assert await call.caller.wait_for_audio(spoken.ended_at, 15) is not None
    barge_in = await call.caller.barge_in(over)
    assert barge_in.silent_after_s is not None
    assert barge_in.silent_after_s < barge_in.spoken.ended_at - barge_in.spoken.started_at, "silent at once"

    record = await telephone.record(
        call.invitation.call_id, lambda record: any(turn.interrupted for turn in record.turns), "interrupted"
    )
    cut = next(turn for turn in record.turns if turn.interrupted)
    assert "december" not in (cut.agent_text or "").lower(), "what was not spoken is not in the record"


async def test_a_pause_in_a_sentence_does_not_end_the_turn(telephone: Telephone) -> None:
    """0.8 s after "my order number is" the caller goes on, and nobody talked into it."""
    call = await telephone.dial()
    await call.greeting()
    first = await telephone.samples("My order number is")
    second = await telephone.samples("one two three four five, and my name is James Miller.")
    begun = await call.caller.speak(first)
    await asyncio.sleep(0.8)  # the pause itself
    assert call.caller.ear.first_audible(begun.ended_at) is None
    finished = await call.caller.speak(second)
    assert call.caller.ear.first_audible(begun.ended_at) is None
    assert "headphone" in await call.answer(finished.ended_at)


async def test_killing_one_job_leaves_the_other_call_alone(telephone: Telephone) -> None:
    """Each call has a process of its own: one is killed, the other caller notices nothing."""
    doomed, spared = await telephone.dial(), await telephone.dial()
    await asyncio.gather(doomed.greeting(), spared.greeting())
    pid = await pid_of(telephone, doomed)
    assert pid != await pid_of(telephone, spared)

    os.kill(pid, signal.SIGKILL)
    assert "headphone" in await spared.say(f"Where is my order? {ORDER}")

    record = await telephone.record(
        doomed.invitation.call_id, lambda found: found.jobs[0].how, "the death is noted"
    )
    assert record.jobs[0].how == "job_died"
    assert record.turns, "what was said before the kill is kept"
    other = await telephone.calls.get(spared.invitation.call_id)
    assert other is not None
    assert other.ending is None


async def pid_of(telephone: Telephone, call: Dialled) -> int:
    record = await telephone.record(
        call.invitation.call_id, lambda record: record.jobs, "a job serves the call"
    )
    return record.jobs[-1].pid


async def test_a_caller_who_hangs_up_ends_the_call(telephone: Telephone) -> None:
    """The record is closed within 5 s of leaving."""
    call = await telephone.dial()
    await call.greeting()
    await call.caller.leave()
    record = await telephone.ended(call.invitation.call_id, timeout_s=5)
    assert record.ending == ending.CALLER_LEFT


async def test_a_participant_of_kind_sip_is_a_phone_caller(telephone: Telephone) -> None:
    """Dispatched without the web API: it gets a record all the same, and the agent hangs up the line."""
    invitation = phone_invitation(telephone)
    call = await telephone.join(invitation)
    await call.greeting()
    await call.take_leave()
    record = await telephone.ended(invitation.room)
    assert record.caller.kind == "phone"
    assert record.caller.identity == "sip_caller"
    assert record.ending == ending.GOODBYE


def phone_invitation(telephone: Telephone) -> Invitation:
    """What a SIP trunk's dispatch rule makes: a room with an agent, and a participant with a number."""
    livekit = telephone.settings.livekit
    room = f"sip-{secrets.token_hex(6)}"
    token = (
        api.AccessToken(livekit.api_key, livekit.api_secret.reveal())
        .with_identity("sip_caller")
        .with_kind("sip")
        .with_attributes({"sip.phoneNumber": "+12025550101", "sip.callStatus": "active"})
        .with_grants(api.VideoGrants(room_join=True, room=room))
        .with_room_config(api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name="callpool")]))
        .to_jwt()
    )
    return Invitation("", room, livekit.url, token)


async def test_a_caller_whose_connection_dropped_returns_to_the_same_call(telephone: Telephone) -> None:
    """The caller's process is killed and joins again: same job, nothing forgotten."""
    first = await telephone.dial()
    invitation = first.invitation
    await first.greeting()
    await first.say("Hello, where is my order?")
    pid = await pid_of(telephone, first)
    await vanish(invitation)

    again = await telephone.join(invitation)
    assert "headphone" in await again.say("It is one two three four five, and my name is James Miller.")
    record = await telephone.calls.get(invitation.call_id)
    assert record is not None
    assert [job.pid for job in record.jobs] == [pid]


async def test_a_caller_who_vanishes_is_given_up(telephone: Telephone) -> None:
    """Nobody said goodbye: the record is closed within 30 s of the last sign of life."""
    call = await telephone.dial()
    await call.greeting()
    gone_at = await vanish(call.invitation)
    record = await telephone.ended(call.invitation.call_id, timeout_s=40)
    assert record.ending == ending.CONNECTION_LOST
    print(f"given up {time.time() - gone_at:.1f} s after vanishing")
    assert time.time() - gone_at < 30


async def vanish(invitation: Invitation) -> float:
    """Take the caller's place by a process that is then killed: no goodbye reaches the server."""
    joiner = str(Path(__file__).with_name("joiner.py"))
    child = await asyncio.create_subprocess_exec(
        sys.executable, joiner, invitation.livekit_url, invitation.token, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        assert await child.stdout.readline() == b"joined\n"
    finally:
        child.kill()
        await child.wait()
    return time.time()


async def test_no_module_is_imported_while_a_caller_waits(
    telephone: Telephone, up_log: Callable[[], str]
) -> None:
    """Everything that a call needs was loaded before: its log, complete to the end, names no import."""
    call = await telephone.dial()
    await call.greeting()
    await call.say(f"Where is my order? {ORDER}")
    await call.take_leave()
    await telephone.ended(call.invitation.call_id)

    def lines() -> list[str]:
        return [line for line in up_log().splitlines() if call.invitation.call_id in line]

    async with asyncio.timeout(10):
        while not any("call ended" in line for line in lines()):
            await asyncio.sleep(0.02)
    assert not [line for line in lines() if "late_import" in line]


async def test_nothing_that_was_said_is_in_the_log(telephone: Telephone, up_log: Callable[[], str]) -> None:
    """What callers say is personal data: it is in the store, masked, and nowhere else."""
    call = await telephone.dial()
    await call.greeting()
    await call.say("Could you recommend a purple umbrella for my grandmother?")
    await call.caller.leave()
    record = await telephone.ended(call.invitation.call_id)
    said = " ".join(turn.caller_text or "" for turn in record.turns).lower()
    assert "umbrella" in said, "the word that is looked for was heard"
    assert "umbrella" not in up_log().lower()


async def test_the_agent_speaks_first(telephone: Telephone) -> None:
    """Somebody is there before the caller says a word; docs/benchmarks.md says how soon."""
    caller = (await telephone.dial()).caller
    assert await caller.wait_for_audio(caller.joined_at, 10) is not None
    print(f"first audio {caller.first_audio_s:.2f} s after joining")
