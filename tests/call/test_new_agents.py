"""A package from `callpool new` answers calls."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url

from callpool import settings
from callpool.scaffold import write
from processes import any_ports, started
from telephone import telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(240)]


async def test_a_table_is_reserved_by_telephone(
    livekit_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`callpool up --roster` in the package's folder; what was said over the telephone is in its table."""
    folder = tmp_path / "blue-door"
    write(folder)
    monkeypatch.chdir(folder)
    command = [str(Path(sys.executable).with_name("callpool")), "up", "--roster", "blue_door.roster"]
    env = any_ports(CALLPOOL_LIVEKIT_SERVER=str(livekit_program), CALLPOOL_WARM_PROCESSES="1")
    with started(folder, env, command) as up:
        up.ready()
        async with telephone_of(settings.load({"CALLPOOL_DATA_DIR": str(up.data_dir)})) as telephone:
            call = await telephone.dial()
            assert "blue door" in await call.greeting()
            assert "day" in await call.say("I would like to reserve a table for four people.")
            assert "time" in await call.say("On Friday.")
            assert "reserved" in await call.say("At eight o'clock.")
            await call.take_leave()
            record = await telephone.ended(call.invitation.room)
        database = make_url(up.document["store"]).database
    assert record.ending is not None
    assert (record.ending.result, record.ending.reason) == ("completed", "goodbye")
    assert [entry.stage for entry in record.stages] == ["host"]
    assert "reserve_table" in [tool.name for turn in record.turns for tool in turn.tools]
    with sqlite3.connect(database or "") as connection:
        rows = connection.execute(
            "SELECT call_id, strftime('%H:%M', time), guests FROM reservations"
        ).fetchall()
    assert rows == [(record.call_id, "20:00", 4)]
