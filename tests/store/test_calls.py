"""Writing and reading call records, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import logging
import socket
import sqlite3
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import asyncpg
import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from callpool import ending
from callpool.call import Call, Caller
from callpool.cost import CostItem
from callpool.errors import StoreAway, StoreError
from callpool.pool import Lease
from callpool.settings import Settings
from callpool.store import engine, reading, transactions
from callpool.store.calls import Calls
from callpool.store.record import Event, Job, LatencyMs, StageEntry, ToolUse, Turn
from callpool.store.registry import StoreRegistry
from callpool.store.schema import upgrade_command
from callpool.store.tables import turns

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_call(call_id: str = "c_1", *, room: str = "room-1", started_at: datetime = NOON) -> Call:
    return Call(call_id, room, "callpool", caller=Caller("browser", "caller-7"), started_at=started_at)


def a_job(job_id: str = "AJ_1", *, started_at: datetime = NOON) -> Job:
    return Job(job_id, "worker-1", "host-1", 4711, started_at)


async def claimed(calls: Calls, call_id: str, job: Job, epoch: int = 1) -> None:
    """A job serves the call from now on."""
    assert (await calls.claim(replace(a_call(call_id), epoch=epoch), job)).outcome == "taken"


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
        Turn(1, "reception", "Where is it?", "On its way.", True, tools, latency, 0.002, "t1", after(4)),
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


async def test_a_turn_written_again_keeps_what_is_known(calls: Calls) -> None:
    """Latencies and an interruption arrive later; they add to the turn and take nothing away."""
    await calls.begin(a_call())
    await calls.record_turn(
        "c_1", Turn(1, "reception", "Hello?", "Good day, how are you?", tools=(ToolUse("a", True),))
    )
    await calls.record_turn("c_1", Turn(1, "reception", latency_ms=LatencyMs(stt_final=200)))
    await calls.record_turn(
        "c_1", Turn(1, "reception", agent_text="Good day", interrupted=True, latency_ms=LatencyMs(total=800))
    )

    record = await calls.get("c_1")

    assert record is not None
    assert record.turns == (
        Turn(
            1,
            "reception",
            "Hello?",
            "Good day",
            True,
            (ToolUse("a", True),),
            LatencyMs(stt_final=200, total=800),
        ),
    )


async def test_tools_of_a_turn_written_again_are_replaced(calls: Calls) -> None:
    """The second list of tools is the whole list, not an addition."""
    await calls.begin(a_call())
    await calls.record_turn("c_1", Turn(1, "reception", tools=(ToolUse("a", True),)))
    await calls.record_turn("c_1", Turn(1, "reception", tools=(ToolUse("a", True), ToolUse("b", False, 9.0))))

    record = await calls.get("c_1")

    assert record is not None
    assert record.turns[0].tools == (ToolUse("a", True), ToolUse("b", False, 9.0))


async def test_turns_are_read_in_the_order_of_their_numbers(calls: Calls) -> None:
    """A turn that was written late still stands in its place."""
    await calls.begin(a_call())
    for n in (2, 0, 10, 1):
        await calls.record_turn("c_1", Turn(n, "reception"))

    record = await calls.get("c_1")

    assert record is not None
    assert [turn.n for turn in record.turns] == [0, 1, 2, 10]


async def test_writes_happen_in_the_order_in_which_they_were_asked_for(calls: Calls) -> None:
    """Of many writes to the same turn under way at once, the last one stands."""
    await calls.begin(a_call())
    async with asyncio.TaskGroup() as group:
        for word in ("one", "two", "three", "four", "five", "six", "seven", "last"):
            group.create_task(calls.record_turn("c_1", Turn(1, "reception", agent_text=f"say {word}")))

    record = await calls.get("c_1")

    assert record is not None
    assert record.turns[0].agent_text == "say last"


async def test_a_stage_entered_again_at_the_same_time_is_one_entry(calls: Calls) -> None:
    """That a stage was skipped is known when it is left: the entry is completed, not repeated."""
    await calls.begin(a_call())
    await calls.stage_entered("c_1", StageEntry("verify", NOON, "local"))
    await calls.stage_entered("c_1", StageEntry("verify", NOON, skipped=True))
    await calls.stage_entered("c_1", StageEntry("verify", after(1)))

    record = await calls.get("c_1")

    assert record is not None
    assert record.stages == (StageEntry("verify", NOON, "local", True), StageEntry("verify", after(1)))


async def test_numbers_and_addresses_do_not_reach_the_database(calls: Calls) -> None:
    """Texts are masked before they are written, not when they are read."""
    await calls.begin(a_call())
    await calls.record_turn(
        "c_1", Turn(1, "reception", "It is one two three four five.", "12345, for james@example.com?")
    )

    async with calls._engine.connect() as connection:
        row = (await connection.execute(select(turns.c.caller_text, turns.c.agent_text))).one()

    assert tuple(row) == ("It is * * * * *.", "*****, for ***@***?")


async def test_texts_stay_plain_where_the_settings_say_so(settings: Settings) -> None:
    """With `plain_texts` the record holds what was said."""
    async with Calls(settings.store_url, plain_texts=True) as calls:
        await calls.open()
        await calls.begin(a_call())
        await calls.record_turn("c_1", Turn(1, "reception", "Order 12345."))
        record = await calls.get("c_1")

    assert record is not None
    assert record.turns[0].caller_text == "Order 12345."


async def test_the_first_final_ending_stands(calls: Calls) -> None:
    """What follows a goodbye is not a hang-up, nor a failure."""
    await calls.begin(a_call())

    for seconds, how in enumerate((ending.GOODBYE, ending.CALLER_LEFT, ending.JOB_DIED), 1):
        await calls.end("c_1", how, after(seconds))

    record = await calls.get("c_1")
    assert record is not None
    assert (record.ending, record.ended_at) == (ending.GOODBYE, after(1))


async def test_a_provisional_ending_gives_way_to_a_stronger_one(calls: Calls) -> None:
    """`unknown` gives way to `failed`, and `failed` to what the call itself says; not the other way round."""
    unknown = ending.Ending("unknown", "job_died")
    await calls.begin(a_call())

    said = (unknown, ending.JOB_DIED, unknown, ending.JOB_FAILED, ending.CALLER_LEFT)
    stands = []
    for seconds, how in enumerate(said, 1):
        await calls.end("c_1", how, after(seconds))
        record = await calls.get("c_1")
        assert record is not None
        stands.append((record.ending, record.ended_at))
    died = (ending.JOB_DIED, after(2))
    assert stands == [(unknown, after(1)), died, died, died, (ending.CALLER_LEFT, after(5))]


async def test_a_further_job_does_not_take_back_a_final_ending(calls: Calls) -> None:
    """A job that was dispatched too late finds the call over."""
    await calls.begin(a_call())
    await calls.end("c_1", ending.GOODBYE, after(1))

    assert (await calls.claim(a_call(), a_job())).outcome == "over"
    record = await calls.get("c_1")

    assert record is not None
    assert record.ending == ending.GOODBYE


async def test_the_first_word_on_how_a_job_ended_stands(calls: Calls) -> None:
    """A job that finished is not called dead by the worker that sees its process go."""
    await calls.begin(a_call())
    await claimed(calls, "c_1", a_job())

    await calls.end("c_1", ending.GOODBYE, after(1), job_id="AJ_1")
    assert not await calls.lose("c_1", a_job(), ending.JOB_DIED, after(2))

    record = await calls.get("c_1")
    assert record is not None
    assert (record.jobs[0].how, record.jobs[0].ended_at) == ("goodbye", after(1))


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


async def test_the_jobs_that_a_host_still_answers_for_can_be_found(calls: Calls) -> None:
    """Of each call the last one: those that run, and those whose processes died without a word."""
    for call_id in ("c_ended", "c_over", "c_moved", "c_none", "c_here"):
        await calls.begin(a_call(call_id))
    await claimed(calls, "c_ended", a_job())
    await calls.end("c_ended", ending.GOODBYE, after(1))
    await claimed(calls, "c_over", a_job())
    await calls.end("c_over", ending.GOODBYE, after(1), job_id="AJ_1")
    await claimed(calls, "c_moved", a_job())
    await claimed(calls, "c_moved", replace(a_job("AJ_0", started_at=after(1)), host="host-2"), epoch=2)
    await claimed(calls, "c_here", a_job("AJ_1"))
    await claimed(calls, "c_here", a_job("AJ_2"), epoch=2)

    assert await calls.last_jobs("host-1") == [("c_here", a_job("AJ_2"))]
    assert await calls.last_jobs("host-2") == [
        ("c_moved", replace(a_job("AJ_0", started_at=after(1)), host="host-2"))
    ]


async def test_jobs_of_a_worker_that_beats_are_nobody_elses_to_answer_for(
    calls: Calls, settings: Settings
) -> None:
    """It may be in another container that shares the host's name and not its processes."""
    await calls.begin(a_call())
    await claimed(calls, "c_1", a_job())
    job = a_job()
    lease = Lease(job.worker, "callpool", job.host, 1, capacity=2, running=1, draining=False, beat=1)
    async with StoreRegistry(settings.store_url) as registry:
        await registry.renew(lease)
        assert await calls.last_jobs(job.host) == []
        await registry.leave(job.worker)
    assert await calls.last_jobs(job.host) == [("c_1", job)]


async def test_a_turn_of_a_call_that_never_began_is_refused(calls: Calls) -> None:
    """The error names the call."""
    with pytest.raises(StoreError, match="call c_9 has no record"):
        await calls.record_turn("c_9", Turn(0, "reception"))


async def test_a_write_waits_until_a_locked_file_is_free(
    sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may hold the file for longer than SQLite itself waits."""
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 20)
    async with Calls(sqlite_settings.store_url) as calls:
        await calls.open()
        other = sqlite3.connect(sqlite_settings.store_url.partition(":///")[2], isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        class FreeTheFile(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if other.in_transaction and vars(record)["action"] == "store_retry":
                    other.execute("ROLLBACK")

        handler = FreeTheFile()
        logging.getLogger("callpool.store.transactions").addHandler(handler)
        try:
            await calls.begin(a_call())
        finally:
            logging.getLogger("callpool.store.transactions").removeHandler(handler)
            freed = not other.in_transaction
            other.close()

        assert freed
        assert await calls.get("c_1") is not None


async def test_a_file_that_cannot_grow_is_waited_for(sqlite_settings: Settings) -> None:
    """Its disk is full, and somebody will make room."""
    async with Calls(sqlite_settings.store_url) as calls:
        await calls.open()
        await calls.begin(a_call())

        async def limit(pages: int) -> None:
            async with calls._engine.connect() as connection:
                await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

        await limit(1)
        written = asyncio.create_task(
            calls.record_turn("c_1", Turn(0, "reception", agent_text="x" * 100_000))
        )
        await asyncio.sleep(0.5)
        assert not written.done()
        while not written.done():  # a connection may be in use just now, and another one be given the room
            await limit(1_000_000)
            await asyncio.sleep(0.01)
        await written


@pytest.mark.postgres
async def test_postgresql_that_hangs_is_away(
    postgres_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller does not wait for the store, and who asks it is told."""
    monkeypatch.setattr(transactions, "HANG_S", 0.3)
    await upgrade_command(postgres_settings)
    async with Calls(postgres_settings.store_url) as calls:
        await calls.begin(a_call())
        other = await asyncpg.connect(postgres_settings.store.url)
        async with other.transaction():
            await other.execute("LOCK TABLE calls IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(StoreAway):
                await calls.set_language("c_1", "de")
        await other.close()
        await calls.set_language("c_1", "de")


@pytest.mark.postgres
async def test_a_lost_connection_to_postgresql_is_made_anew(postgres_settings: Settings) -> None:
    """The server may close connections between two turns."""
    await upgrade_command(postgres_settings)
    async with Calls(postgres_settings.store_url) as calls:
        await calls.begin(a_call())
        admin = await asyncpg.connect(postgres_settings.store.url)
        killed = await admin.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await admin.close()

        await calls.record_turn("c_1", Turn(0, "reception"))

        assert killed
        record = await calls.get("c_1")
        assert record is not None
        assert len(record.turns) == 1


@asynccontextmanager
async def restarting(url: str, refusals: int) -> AsyncIterator[str]:
    """A way to a PostgreSQL server that lets nobody in at first, as one that starts up; gives its URL."""
    beginning, _, rest = url.partition("@127.0.0.1:")
    port, _, database = rest.partition("/")
    left = refusals
    message = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        if left:
            left -= 1
            await reader.read(8)
            writer.write(b"N")  # no TLS
            await reader.read(1024)
            writer.write(b"E" + struct.pack("!I", len(message) + 4) + message)
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", int(port))
        await asyncio.gather(pass_on(reader, back), pass_on(there, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"{beginning}@127.0.0.1:{server.sockets[0].getsockname()[1]}/{database}"
    assert not left


@pytest.mark.postgres
async def test_a_write_waits_until_postgresql_has_started(postgres_settings: Settings) -> None:
    """A restart of the server costs no turn."""
    await upgrade_command(postgres_settings)
    async with restarting(postgres_settings.store_url, 3) as url, Calls(url) as calls:
        await calls.begin(a_call())

        assert await calls.get("c_1") is not None


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.AdminShutdownError("terminating connection due to administrator command"),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        asyncpg.DiskFullError("could not extend file: No space left on device"),
        asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT in a read-only transaction"),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        TimeoutError(),
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        OSError(113, "No route to host"),
        ConnectionRefusedError(),
        DBAPIError(
            "SELECT 1", None, asyncpg.CannotConnectNowError("starting up"), connection_invalidated=False
        ),
        DBAPIError("SELECT 1", None, ValueError(), connection_invalidated=True),
    ],
    ids=repr,
)
def test_a_server_that_is_away_comes_back(error: Exception) -> None:
    """Whatever says so: the server, the driver, the network or the name server."""
    assert engine.is_passing(error)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InvalidPasswordError("password authentication failed"),
        asyncpg.InvalidCatalogNameError("database does not exist"),
        asyncpg.UndefinedTableError("relation does not exist"),
        DBAPIError("SELECT 1", None, ValueError(), connection_invalidated=False),
        ValueError("no time zone"),
    ],
    ids=repr,
)
def test_what_does_not_mend_itself_is_not_tried_again(error: Exception) -> None:
    """A caller's turn is not held up by a wrong password."""
    assert not engine.is_passing(error)
