"""The SQLite file is locked, and its disk is full, in mid-call: callers hear no difference."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from pool_of_workers import Pool, heard_again, job_of, pool_in

from callpool import ending
from callpool.store.record import CallRecord
from telephone import Dialled, Telephone, telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(300)]

LOCKED_S = 6.0
FULL_S = 6.0
MORE_S = 3.0
"""By how much the answers of two turns may differ on a busy machine, seconds."""
DISK = "8m"
TURNS = 5
"""Of a call: the greeting, three questions and a goodbye."""
QUESTION = "Where is my order? The number is one two three four five."


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a pool whose data directory is a small disk of its own."""
    folder = tmp_path_factory.mktemp("pool")
    data = folder / "data"
    data.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "tmpfs", str(data)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(data)], check=True)


@pytest.fixture(scope="module")
def pool(disk: Path, livekit_program: Path, free_port: Callable[[], int]) -> Iterator[Pool]:
    with pool_in(disk, livekit_program, free_port, CALLPOOL_WARM_PROCESSES="2") as pool:
        yield pool


@pytest.fixture
async def telephone(pool: Pool) -> AsyncIterator[Telephone]:
    async with telephone_of(pool.settings) as telephone:
        yield telephone


async def asked(telephone: Telephone, call: Dialled, sentence: str) -> tuple[str, float]:
    """The words of the answer, and how long it took to begin, seconds."""
    spoken = await call.caller.speak(await telephone.samples(sentence))
    answer = await call.caller.wait_for_agent(spoken.ended_at)
    assert answer is not None
    return await call.heard(answer), answer.started_at - spoken.ended_at


def complete(pool: Pool, record: CallRecord) -> None:
    """Every turn is in the record, with what was said on both sides.

    A goodbye with a pause in it may be two turns: the answer to its first piece is cut off by the second,
    perhaps before its first word. No other turn may lack an answer.
    """
    said = [(turn.n, turn.caller_text, turn.agent_text) for turn in record.turns]
    assert [n for n, _, _ in said] == list(range(len(said))), said
    assert len(said) >= TURNS, said
    first_piece = said[-2] if len(said) > TURNS else None
    assert all(agent for _, _, agent in (turn for turn in said if turn != first_piece)), said
    assert all(caller for _, caller, _ in said[1:]), said
    assert "a write is lost" not in pool.log
    assert "write to the store failed" not in pool.log


async def test_a_locked_file_holds_no_turn_up(pool: Pool, telephone: Telephone) -> None:
    """Another process writes for six seconds: turns go on without a gap, and none is missing."""
    call = await telephone.dial()
    await call.greeting()
    words, usual_s = await asked(telephone, call, "Where is my order?")
    assert "order number" in words
    other = sqlite3.connect(pool.up.data_dir / "callpool.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    locked_from = time.monotonic()
    try:
        words, took_s = await asked(telephone, call, "The number is one two three four five.")
        assert "name" in words
        assert took_s < usual_s + MORE_S
        await asyncio.sleep(max(0.0, locked_from + LOCKED_S - time.monotonic()))
    finally:
        other.execute("ROLLBACK")
        other.close()
    print(f"answered after {usual_s:.2f} s, with a locked file after {took_s:.2f} s")
    assert "december" in await call.say("My name is James Miller.")
    await call.take_leave()
    record = await telephone.ended(call.invitation.call_id)
    assert record.ending == ending.GOODBYE
    assert [job.how for job in record.jobs] == ["goodbye"]
    complete(pool, record)
    print("latencies of the turns, ms:", [turn.latency_ms.total for turn in record.turns])
    assert "worker is dead" not in pool.log


async def test_a_full_disk_is_heard_by_nobody(pool: Pool, telephone: Telephone) -> None:
    """What was said meanwhile is written once there is room; a job that dies meanwhile is replaced then."""
    call = await telephone.dial()
    unlucky = await telephone.dial()
    await asyncio.gather(call.greeting(), unlucky.greeting())
    assert "name" in await unlucky.say(QUESTION)
    job = await job_of(telephone, unlucky)
    before = dict(pool.pids)
    await asyncio.sleep(1)  # the checkpoint is written
    filler = pool.up.data_dir / "filler"
    fill(filler)
    full_from = time.monotonic()
    try:
        assert "order number" in await call.say("Where is my order?")
        assert "name" in await call.say("The number is one two three four five.")
        fill(filler)
        os.kill(job.pid, signal.SIGKILL)
        await asyncio.sleep(max(0.0, full_from + FULL_S - time.monotonic()))
        assert "waited for" in pool.log, "the disk was full"
    finally:
        filler.unlink()
    assert "cut off" in await heard_again(unlucky, time.monotonic())
    assert "december" in await unlucky.say("My name is James Miller.")
    await unlucky.caller.leave()
    assert "december" in await call.say("My name is James Miller.")
    await call.take_leave()

    record = await telephone.ended(call.invitation.call_id)
    assert record.ending == ending.GOODBYE
    assert [job.how for job in record.jobs] == ["goodbye"]
    complete(pool, record)
    record = await telephone.ended(unlucky.invitation.call_id)
    assert [job.how for job in record.jobs] == ["job_died", "caller_left"]
    assert dict(pool.pids) == before, "nobody crashed"
    assert "worker is dead" not in pool.log
    with sqlite3.connect(pool.up.data_dir / "callpool.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def fill(filler: Path) -> None:
    """Write until the disk is full."""
    with filler.open("ab", buffering=0) as file:
        size = 1 << 16
        while size:
            try:
                file.write(b"x" * size)
            except OSError:
                size //= 2
