"""Writing and reading call records, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from noon import NOON, a_call, a_job, after, claimed

from callpool import ending
from callpool.call import Caller
from callpool.cost import CostItem
from callpool.errors import StoreError
from callpool.store import reading
from callpool.store.calls import Calls
from callpool.store.record import Event, LatencyMs, StageEntry, ToolUse, Turn


async def test_a_whole_call_reads_back_in_the_shape_of_the_contract(calls: Calls) -> None:
    """What was written turn by turn comes back as one document with the contract's keys."""
    await calls.begin(replace(a_call(), trace_id="t0"))
    await claimed(calls, "c_1", a_job())
    await calls.stage_entered("c_1", StageEntry("reception", NOON, "local"))
    await calls.stage_entered("c_1", StageEntry("verify", after(3), "local", skipped=True))
    await calls.record_turn("c_1", Turn(0, "reception", agent_text="Hello."))
    latency = LatencyMs(
        end_of_turn=310.0, stt_final=290.5, llm_first_token=350, tts_first_audio=90, total=750
    )
    tools = (ToolUse("lookup_order", True, 3.5, after(5)), ToolUse("end_call", False))
    await calls.record_turn(
        "c_1",
        Turn(
            1, "reception", "Where is it?", "On its way.", True, tools, latency, 0.002, "t1", after(4), 1250
        ),
    )
    barge_in = Event(after(6), "barge_in", 1, "0.21 s")
    await calls.record_event("c_1", barge_in)
    await calls.record_event("c_1", barge_in)  # once more, as after an answer that was lost
    items = [
        CostItem("reception", "openai", "gpt", "input_tokens", 100, 0.5, 0.005),
        CostItem("reception", "acme", "voice", "characters", 12, None),
    ]
    await calls.record_cost("c_1", "AJ_1", items)
    await calls.end("c_1", ending.GOODBYE, after(60.25), job_id="AJ_1")

    record = await calls.get("c_1")

    assert record is not None
    assert record.to_json() == {
        "call_id": "c_1",
        "room": "room-1",
        "agent_name": "callpool",
        "caller": {"kind": "browser", "identity": "caller-7"},
        "language": "en",
        "started_at": "2026-11-22T12:00:00.000Z",
        "ended_at": "2026-11-22T12:01:00.250Z",
        "ending": {"result": "completed", "reason": "goodbye"},
        "stages": [
            {
                "stage": "reception",
                "entered_at": "2026-11-22T12:00:00.000Z",
                "profile": "local",
                "skipped": False,
            },
            {
                "stage": "verify",
                "entered_at": "2026-11-22T12:00:03.000Z",
                "profile": "local",
                "skipped": True,
            },
        ],
        "turns": [
            {
                "n": 0,
                "stage": "reception",
                "caller_text": None,
                "agent_text": "Hello.",
                "interrupted": False,
                "tools": [],
                "latency_ms": dict.fromkeys(
                    ("end_of_turn", "stt_final", "llm_first_token", "tts_first_audio", "total", "playout")
                ),
                "cost_usd": None,
                "trace_id": None,
                "started_at": None,
                "spoken_ms": None,
            },
            {
                "n": 1,
                "stage": "reception",
                "caller_text": "Where is it?",
                "agent_text": "On its way.",
                "interrupted": True,
                "tools": [
                    {
                        "name": "lookup_order",
                        "ok": True,
                        "ms": 3.5,
                        "started_at": "2026-11-22T12:00:05.000Z",
                    },
                    {"name": "end_call", "ok": False, "ms": None, "started_at": None},
                ],
                "latency_ms": {
                    "end_of_turn": 310.0,
                    "stt_final": 290.5,
                    "llm_first_token": 350.0,
                    "tts_first_audio": 90.0,
                    "total": 750.0,
                    "playout": None,
                },
                "cost_usd": 0.002,
                "trace_id": "t1",
                "started_at": "2026-11-22T12:00:04.000Z",
                "spoken_ms": 1250.0,
            },
        ],
        "cost": {
            "total_usd": 0.5,
            "by_stage": {"reception": 0.5},
            "by_provider": {"openai": 0.5, "acme": 0.0},
            "items": [
                {
                    "stage": "reception",
                    "provider": "openai",
                    "model": "gpt",
                    "unit": "input_tokens",
                    "quantity": 100.0,
                    "unit_price_usd": 0.005,
                    "usd": 0.5,
                },
                {
                    "stage": "reception",
                    "provider": "acme",
                    "model": "voice",
                    "unit": "characters",
                    "quantity": 12.0,
                    "unit_price_usd": None,
                    "usd": None,
                },
            ],
            "unpriced": ["acme/voice"],
        },
        "jobs": [
            {
                "job_id": "AJ_1",
                "worker": "worker-1",
                "host": "host-1",
                "pid": 4711,
                "started_at": "2026-11-22T12:00:00.000Z",
                "ended_at": "2026-11-22T12:01:00.250Z",
                "how": "goodbye",
            }
        ],
        "trace_id": "t0",
        "events": [{"at": "2026-11-22T12:00:06.000Z", "kind": "barge_in", "turn_n": 1, "detail": "0.21 s"}],
    }


async def test_a_call_that_goes_on_has_no_ending(calls: Calls) -> None:
    """Until it ends, a call has neither ending nor end time nor total cost."""
    await calls.begin(a_call())

    record = await calls.get("c_1")

    assert record is not None
    document = record.to_json()
    assert (document["ending"], document["ended_at"], record.cost.total_usd) == (None, None, None)


async def test_a_second_beginning_only_adds(calls: Calls) -> None:
    """A resumed job begins the same call again: what is known stays, what was empty is filled."""
    first = a_call()
    first.caller = Caller("browser")
    await calls.begin(first)
    second = a_call(started_at=after(50))
    second.language, second.room = "es", "another"
    await calls.begin(second)

    record = await calls.get("c_1")

    assert record is not None
    assert (record.started_at, record.language, record.room) == (NOON, "en", "room-1")
    assert record.caller == Caller("browser", "caller-7")


async def test_a_time_in_another_zone_is_kept_in_utc(calls: Calls) -> None:
    """A start at 14:00 in a zone two hours ahead is noon."""
    await calls.begin(a_call(started_at=NOON.astimezone(timezone(timedelta(hours=2)))))

    record = await calls.get("c_1")

    assert record is not None
    assert record.to_json()["started_at"] == "2026-11-22T12:00:00.000Z"


async def test_a_time_without_a_zone_is_refused(calls: Calls) -> None:
    """Nobody can say which moment a naive datetime means."""
    with pytest.raises(StoreError, match="no time zone"):
        await calls.begin(a_call(started_at=datetime(2026, 11, 22)))


async def test_a_stage_entered_again_at_the_same_time_is_one_entry(calls: Calls) -> None:
    """That a stage was skipped is known when it is left: the entry is completed, not repeated."""
    await calls.begin(a_call())
    await calls.stage_entered("c_1", StageEntry("verify", NOON, "local"))
    await calls.stage_entered("c_1", StageEntry("verify", NOON, skipped=True))
    await calls.stage_entered("c_1", StageEntry("verify", after(1)))

    record = await calls.get("c_1")

    assert record is not None
    assert record.stages == (StageEntry("verify", NOON, "local", True), StageEntry("verify", after(1)))


async def test_the_caller_and_the_language_can_become_known_later(calls: Calls) -> None:
    """A job begins the record before anybody has joined."""
    await calls.begin(a_call())
    await calls.set_caller("c_1", "phone", "sip_1")
    await calls.set_language("c_1", "de")

    record = await calls.get("c_1")

    assert record is not None
    assert (record.caller.kind, record.caller.identity, record.language) == ("phone", "sip_1", "de")


async def test_costs_replace_those_of_the_same_job_only(calls: Calls) -> None:
    """A job says what it used so far, again and again; a resumed call adds up its jobs."""
    await calls.begin(a_call())
    await calls.record_cost("c_1", "AJ_1", [CostItem("stt", "deepgram", "nova", "audio_s", 1, 0.25)])
    await calls.record_cost("c_1", "AJ_1", [CostItem("stt", "deepgram", "nova", "audio_s", 2, 0.5)])
    await calls.record_cost("c_1", "AJ_2", [CostItem("tts", "cartesia", "sonic", "characters", 9, 1.0)])

    record = await calls.get("c_1")

    assert record is not None
    assert record.cost.total_usd == 1.5
    assert record.cost.by("stage") == {"stt": 0.5, "tts": 1.0}


async def test_a_room_gives_its_newest_call(calls: Calls) -> None:
    """Rooms are used again; an id beats a room of the same name."""
    await calls.begin(a_call("c_1", room="lobby"))
    await calls.begin(a_call("c_3", room="lobby", started_at=after(20)))
    await calls.begin(a_call("c_2", room="lobby", started_at=after(10)))
    await calls.begin(a_call("lobby-2", room="c_1", started_at=after(30)))

    by_room, by_id = await calls.get("lobby"), await calls.get("c_1")

    assert by_room is not None
    assert by_id is not None
    assert (by_room.call_id, by_id.call_id) == ("c_3", "c_1")
    assert await calls.get("nobody") is None


async def test_calls_are_listed_newest_first(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most as many as asked for, each with its own turns, in however many batches they are read."""
    monkeypatch.setattr(reading, "BATCH", 2)
    for n in (3, 1, 5, 2, 4):
        await calls.begin(a_call(f"c_{n}", room=f"room-{n}", started_at=after(n)))
        await calls.record_turn(f"c_{n}", Turn(0, "reception", agent_text=f"hello {n}"))

    listed = await calls.list(4)

    assert [(record.call_id, record.turns[0].agent_text) for record in listed] == [
        ("c_5", "hello 5"),
        ("c_4", "hello 4"),
        ("c_3", "hello 3"),
        ("c_2", "hello 2"),
    ]
