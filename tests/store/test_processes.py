"""Several processes and one store: jobs write side by side, and die at any moment."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from callpool.settings import Settings
from callpool.store.calls import Calls

SCRIBE = Path(__file__).with_name("scribe.py")


def start(settings: Settings, call_id: str, turns: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, SCRIBE, settings.store_url, call_id, str(turns)], stdout=subprocess.PIPE, text=True
    )


async def test_jobs_write_side_by_side(settings: Settings) -> None:
    """Four processes write 20 turns each at the same time, and none is lost."""
    processes = [start(settings, f"c_{n}", 20) for n in range(4)]
    for process in processes:
        process.communicate(timeout=60)

    assert [process.returncode for process in processes] == [0] * 4
    async with Calls(settings.store_url) as calls:
        records = await calls.list(10)
    assert sorted(record.call_id for record in records) == ["c_0", "c_1", "c_2", "c_3"]
    for record in records:
        assert [turn.n for turn in record.turns] == list(range(20))
        assert record.ending is not None


async def test_a_killed_job_leaves_every_turn_it_had_written(settings: Settings) -> None:
    """After kill -9 in the middle of a call, the record reads fine and others can go on writing."""
    process = start(settings, "c_1", 100_000)
    assert process.stdout is not None
    written = -1
    while written < 10:
        written = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    rest = process.communicate(timeout=60)[0].split()
    written = int(rest[-1]) if rest else written

    async with Calls(settings.store_url) as calls:
        await calls.open()
        record = await calls.get("c_1")
        assert record is not None
        assert len(record.turns) >= written + 1
        assert [turn.n for turn in record.turns] == list(range(len(record.turns)))
        assert record.ending is None
        await calls.set_language("c_1", "de")
    if settings.store_url.startswith("sqlite"):
        connection = sqlite3.connect(settings.store_url.partition(":///")[2])
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
