"""How a call's record is closed when nobody said goodbye."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import CloseEvent, CloseReason

from callpool import ending, job, live_call
from callpool.burial import job_entry
from callpool.call import Call
from callpool.ending import Ending
from callpool.errors import StoreError
from callpool.job import Warm
from callpool.line import Leave, Line
from callpool.live_call import LiveCall
from callpool.store.calls import Calls
from callpool.store.writer import Writer
from callpool.telemetry.tracing import Tracing


@dataclass
class Context:
    """As much of the SDK's JobContext as the end of a job needs."""

    connected: bool = True
    job: Any = field(default_factory=lambda: SimpleNamespace(id="AJ_1"))
    proc: Any = field(default_factory=lambda: SimpleNamespace(userdata={}))
    shut_down: bool = False
    room_deleted: bool = False

    @property
    def room(self) -> Any:
        return SimpleNamespace(isconnected=lambda: self.connected)

    @property
    def call(self) -> Call:
        live: LiveCall = self.proc.userdata["warm"].live
        return live.call

    def shutdown(self, reason: str = "") -> None:
        self.shut_down = True

    def delete_room(self) -> asyncio.Future[None]:
        self.room_deleted = True
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


async def nothing(*_: object) -> None:
    """What has no connections to close."""


@pytest.fixture
async def ctx(tmp_path: Path) -> AsyncIterator[Context]:
    """A job in the middle of its call."""
    ctx = Context()
    url = f"sqlite+aiosqlite:///{tmp_path}/callpool.db"
    async with Calls(url) as calls:
        await calls.open()
        call = Call("c_1", room="call-1", agent_name="callpool")
        entry = job_entry("AJ_1", "worker-1", 4711, datetime.now(UTC))
        assert (await calls.claim(call, entry)).outcome == "taken"
        closed = SimpleNamespace(aclose=nothing, close_business=nothing)
        live = LiveCall(call, ctx, Writer(), calls, entry)  # type: ignore[arg-type]
        warm = SimpleNamespace(
            live=live, mcp=closed, roster=closed, business=None, line=Line(None), tracing=Tracing()
        )
        ctx.proc.userdata["warm"] = warm
        yield ctx


def live_of(ctx: Context) -> LiveCall:
    live: LiveCall = ctx.proc.userdata["warm"].live
    return live


async def closed(ctx: Context, reason: CloseReason) -> Ending:
    """The ending in the record, after the session closed for `reason` and the job was over."""
    job._on_close(live_of(ctx), CloseEvent(reason=reason))  # type: ignore[arg-type]
    await job.hang_up(ctx)  # type: ignore[arg-type]
    assert ctx.shut_down
    warm: Warm = ctx.proc.userdata["warm"]
    record = await warm.live.calls.get("c_1")  # type: ignore[union-attr]
    assert record is not None
    assert record.ending is not None
    assert ctx.room_deleted == (record.ending not in ending.RECOVERABLE), "its caller waits for the next job"
    return record.ending


async def test_a_job_that_is_stopped_did_not_say_goodbye(ctx: Context) -> None:
    """The SDK closes its session as if the agent had: the caller was cut off all the same."""
    assert await closed(ctx, CloseReason.USER_INITIATED) == ending.WORKER_STOPPED


async def test_a_room_that_was_closed_under_the_job_is_a_caller_who_left(ctx: Context) -> None:
    """There is nobody left to talk to."""
    ctx.connected = False
    assert await closed(ctx, CloseReason.USER_INITIATED) == ending.CALLER_LEFT


async def test_what_was_said_of_the_ending_stands(ctx: Context) -> None:
    """The agent's goodbye is noted before the session closes."""
    ctx.call.end(ending.GOODBYE)
    assert await closed(ctx, CloseReason.USER_INITIATED) == ending.GOODBYE


async def test_a_provider_that_failed_for_good_ends_the_call(ctx: Context) -> None:
    """The session gives up after several errors in a row."""
    assert await closed(ctx, CloseReason.ERROR) == ending.PROVIDER_FAILED


@pytest.mark.parametrize("connected", [True, False])
async def test_an_error_while_answering_is_a_failed_job(
    ctx: Context, monkeypatch: pytest.MonkeyPatch, connected: bool
) -> None:
    """Also before the room was joined."""

    async def answer(_: Context) -> None:
        raise OSError("no such model")

    monkeypatch.setattr(job, "answer", answer)
    ctx.connected = connected
    with pytest.raises(OSError, match="no such model"):
        await job.entrypoint(ctx)  # type: ignore[arg-type]
    assert await closed(ctx, CloseReason.USER_INITIATED) == ending.JOB_FAILED


@pytest.mark.parametrize("reason", [rtc.DisconnectReason.SIGNAL_CLOSE, rtc.DisconnectReason.UNKNOWN_REASON])
async def test_a_lost_server_is_not_a_caller_who_left(
    ctx: Context, reason: rtc.DisconnectReason.ValueType
) -> None:
    """The connection broke on the job's side, or could not be mended: the call goes on elsewhere."""
    ctx.connected = False
    job._on_disconnected(ctx.call, reason)
    assert await closed(ctx, CloseReason.USER_INITIATED) == ending.SERVER_LOST


async def test_a_store_that_is_away_keeps_nobody_in_the_room(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The room is emptied while the last writes still wait, and they are still waited for."""
    monkeypatch.setattr(live_call, "RECORD_FIRST_S", 0.01)
    warm: Warm = ctx.proc.userdata["warm"]
    assert warm.live is not None
    away = asyncio.Event()
    ctx.call.end(ending.GOODBYE)
    warm.live.writer.submit(away.wait)
    ending_job = asyncio.create_task(job.hang_up(ctx))  # type: ignore[arg-type]
    async with asyncio.timeout(5):
        while not ctx.room_deleted:
            await asyncio.sleep(0.001)
    assert not ending_job.done()
    away.set()
    await ending_job
    record = await warm.live.calls.get("c_1")
    assert record is not None
    assert record.ending == ending.GOODBYE


async def test_a_job_that_is_told_to_leave_leaves_at_once(ctx: Context) -> None:
    """The next one need not wait until its session is closed; what was said last is kept."""
    warm: Warm = ctx.proc.userdata["warm"]
    assert warm.live is not None
    warm.live.save_checkpoint(lambda: "what was said")
    warm.live.hear(Leave())
    assert ctx.shut_down
    await warm.live.writer.aclose()
    next_call = Call("c_1", room="call-1", agent_name="callpool", epoch=2)
    next_job = job_entry("AJ_2", "worker-2", 4712, datetime.now(UTC))
    claim = await warm.live.calls.claim(next_call, next_job)
    assert (claim.outcome, claim.checkpoint, claim.losses) == ("taken", "what was said", 0)


async def test_a_superseded_job_says_nothing_more(ctx: Context) -> None:
    """Neither about the ending of the call, nor to the room."""
    warm: Warm = ctx.proc.userdata["warm"]
    assert warm.live is not None
    next_call = Call("c_1", room="call-1", agent_name="callpool", epoch=2)
    await warm.live.calls.claim(next_call, job_entry("AJ_2", "worker-2", 4712, datetime.now(UTC)))
    warm.live.save_checkpoint(lambda: "what was said")
    await warm.live.writer.settle(5)
    assert ctx.shut_down
    await job.hang_up(ctx)  # type: ignore[arg-type]
    assert not ctx.room_deleted
    record = await warm.live.calls.get("c_1")
    assert record is not None
    assert record.ending is None


async def test_a_locked_store_keeps_no_caller_waiting(
    ctx: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call is answered unclaimed, and claimed as soon as that is possible."""
    monkeypatch.setattr(live_call, "CLAIMED_S", 0.1)
    live = live_of(ctx)
    live.call.call_id = "c_2"
    ctx.job.room = SimpleNamespace(sid="RM_1")
    with closing(sqlite3.connect(tmp_path / "callpool.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(2):
            claim = await live.claim()
        other.execute("ROLLBACK")
    assert claim is not None
    assert claim.outcome == "taken"
    await live.writer.settle(10)
    record = await live.calls.get("c_2")
    assert record is not None
    assert [job.job_id for job in record.jobs] == ["AJ_1"]
    assert not live.superseded


async def test_who_was_sent_for_leaves_when_the_store_is_locked(
    ctx: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dispatcher sends again: nobody knows whether another job serves the call."""
    monkeypatch.setattr(live_call, "CLAIMED_S", 0.1)
    live = live_of(ctx)
    live.call.is_redispatched = True
    with closing(sqlite3.connect(tmp_path / "callpool.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError):
            await live.claim()
