"""What `callpool calls list` and `callpool calls show` print."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from callpool import ending
from callpool.call import Call, Caller
from callpool.settings import Settings, load
from callpool.store.calls import Calls
from callpool.store.record import Job, LatencyMs, StageEntry, ToolUse, Turn
from callpool.store.report import list_calls, records_url, show_call

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


async def write_two_calls(url: str) -> None:
    async with Calls(url) as calls:
        await calls.open()
        call = Call("c_1", "room-1", "callpool", caller=Caller("browser", "caller-7"), started_at=NOON)
        await calls.claim(call, Job("AJ_1", "worker-1", "host-1", 4711, NOON))
        await calls.stage_entered("c_1", StageEntry("reception", NOON, "local"))
        await calls.record_turn("c_1", Turn(0, "reception", agent_text="Hello."))
        await calls.record_turn(
            "c_1",
            Turn(
                1,
                "reception",
                "Where is\x1b[2J it?",
                "On its way.",
                True,
                (ToolUse("lookup_order", True, 3.5),),
                LatencyMs(total=750),
            ),
        )
        await calls.end("c_1", ending.GOODBYE, NOON + timedelta(seconds=75))
        await calls.begin(
            Call("c_2", "room-2", "callpool", caller=Caller("phone"), started_at=NOON + timedelta(hours=1))
        )


async def test_the_list_is_a_table_for_people(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """One line a call, newest first, under a head."""
    await write_two_calls(settings.store_url)
    capsys.readouterr()

    assert await list_calls(settings, limit=20, as_json=False) == 0

    assert capsys.readouterr().out.splitlines() == [
        "CALL  STARTED (UTC)        LENGTH  CALLER   TURNS  ENDING               ROOM",
        "c_2   2026-11-22 13:00:00  -       phone    0      -                    room-2",
        "c_1   2026-11-22 12:00:00  1:15    browser  1      completed (goodbye)  room-1",
    ]


async def test_the_list_is_an_array_for_programs(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whole records, newest first, as many as were asked for."""
    await write_two_calls(settings.store_url)
    capsys.readouterr()

    assert await list_calls(settings, limit=1, as_json=True) == 0

    document = json.loads(capsys.readouterr().out)
    assert [record["call_id"] for record in document] == ["c_2"]


async def test_a_call_is_shown_turn_by_turn(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Who said what, which tools were used, and how long it took; nothing said steers the terminal."""
    await write_two_calls(settings.store_url)
    capsys.readouterr()

    assert await show_call(settings, "room-1", as_json=False) == 0

    printed = capsys.readouterr().out
    assert printed.endswith(
        "turn 0: reception\n"
        "  agent   Hello.\n"
        "\n"
        "turn 1: reception, total 750 ms, interrupted\n"
        "  caller  Where is [2J it?\n"
        "  tool    lookup_order: ok, 4 ms\n"
        "  agent   On its way.\n"
    )
    assert "ending    completed (goodbye)\n" in printed
    assert "\x1b" not in printed


async def test_a_call_is_one_document_for_programs(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole record, found by its id."""
    await write_two_calls(settings.store_url)
    capsys.readouterr()

    assert await show_call(settings, "c_1", as_json=True) == 0

    document = json.loads(capsys.readouterr().out)
    assert document["ending"] == {"result": "completed", "reason": "goodbye"}
    assert [turn["n"] for turn in document["turns"]] == [0, 1]


async def test_an_unknown_call_is_one_line_and_exit_1(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names what was asked for."""
    capsys.readouterr()

    assert await show_call(settings, "c_9", as_json=True) == 1

    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == "callpool: no call has the id or the room 'c_9' (see callpool calls list)\n"


async def test_an_empty_store_is_said_to_be_empty(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """No calls is no error: the service may just have started."""
    capsys.readouterr()

    assert await list_calls(settings, limit=20, as_json=False) == 0

    assert capsys.readouterr().out == "no calls yet\n"


async def test_looking_for_calls_does_not_make_a_file(
    sqlite_settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a file, people are told where it would be and programs get an empty array."""
    assert await list_calls(sqlite_settings, limit=20, as_json=False) == 1
    assert await show_call(sqlite_settings, "c_1", as_json=False) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count(f"there are no call records at {tmp_path}/records/callpool.db") == 2

    assert await list_calls(sqlite_settings, limit=20, as_json=True) == 0
    assert capsys.readouterr().out == "[]\n"
    assert os.listdir(tmp_path) == []


def test_the_store_of_a_running_service_is_read(tmp_path: Path) -> None:
    """`callpool up` may have been started with another store than the one this shell knows of."""
    (tmp_path / "up.json").write_text(json.dumps({"store": f"sqlite+aiosqlite:///{tmp_path}/other.db"}))
    settings = load({"CALLPOOL_DATA_DIR": str(tmp_path)})

    assert records_url(settings) == f"sqlite+aiosqlite:///{tmp_path}/other.db"


def test_a_store_that_was_asked_for_is_read_all_the_same(tmp_path: Path) -> None:
    """An explicit setting beats what a running service uses."""
    (tmp_path / "up.json").write_text(json.dumps({"store": f"sqlite+aiosqlite:///{tmp_path}/other.db"}))
    settings = load(
        {"CALLPOOL_DATA_DIR": str(tmp_path), "CALLPOOL_STORE_URL": f"sqlite:///{tmp_path}/mine.db"}
    )

    assert records_url(settings) == f"sqlite+aiosqlite:///{tmp_path}/mine.db"


def test_the_store_of_a_service_that_died_is_not_taken_for_a_running_ones(tmp_path: Path) -> None:
    """A killed `callpool up` leaves its file behind."""
    process = subprocess.Popen(["true"])
    process.wait()
    (tmp_path / "up.json").write_text(
        json.dumps({"store": f"sqlite+aiosqlite:///{tmp_path}/other.db", "pids": {"up": process.pid}})
    )
    settings = load({"CALLPOOL_DATA_DIR": str(tmp_path)})

    assert records_url(settings) == settings.store_url


@pytest.mark.parametrize("text", ["", "{", "[]", '{"store": 5}', "{}"])
def test_an_up_file_that_cannot_be_read_is_passed_over(tmp_path: Path, text: str) -> None:
    """It may be half written, or of another version."""
    (tmp_path / "up.json").write_text(text)
    settings = load({"CALLPOOL_DATA_DIR": str(tmp_path)})

    assert records_url(settings) == settings.store_url


def test_a_synchronous_url_in_the_up_file_gets_its_driver(tmp_path: Path) -> None:
    """The contract says an SQLAlchemy URL; programs that read it may want the plain one."""
    (tmp_path / "up.json").write_text(json.dumps({"store": f"sqlite:///{tmp_path}/other.db"}))
    settings = load({"CALLPOOL_DATA_DIR": str(tmp_path)})

    assert records_url(settings) == f"sqlite+aiosqlite:///{tmp_path}/other.db"
