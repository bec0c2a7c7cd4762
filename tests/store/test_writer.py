"""Writes in the background, one after the other."""

from __future__ import annotations

import asyncio
import logging

import pytest

from callpool.errors import StoreAway, StoreError
from callpool.store import writer as writing
from callpool.store.writer import Writer


async def test_writes_run_in_order_one_at_a_time() -> None:
    """A slow write holds back those behind it, never the one who submits."""
    writer = Writer()
    done: list[int] = []
    gate = asyncio.Event()

    async def slow() -> None:
        await gate.wait()
        done.append(1)

    async def quick() -> None:
        done.append(2)

    writer.submit(slow)
    writer.submit(quick)
    await asyncio.sleep(0)
    assert done == []
    gate.set()
    await writer.aclose()

    assert done == [1, 2]


async def test_a_write_that_fails_is_logged_and_the_next_one_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A call outlives its record."""
    writer = Writer()
    done: list[int] = []

    async def fails() -> None:
        raise StoreError("the store is away")

    async def works() -> None:
        done.append(1)

    with caplog.at_level(logging.ERROR):
        writer.submit(fails)
        writer.submit(works)
        await writer.aclose()

    assert done == [1]
    assert [vars(record)["action"] for record in caplog.records] == ["store_write"]


async def test_closing_waits_for_the_writes_even_when_it_is_cancelled() -> None:
    """The last write of a call is not lost because somebody was in a hurry."""
    writer = Writer()
    gate = asyncio.Event()
    done: list[int] = []

    async def slow() -> None:
        await gate.wait()
        done.append(1)

    writer.submit(slow)
    closing = asyncio.create_task(writer.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    asyncio.get_running_loop().call_later(0.05, gate.set)
    with pytest.raises(asyncio.CancelledError):
        await closing

    assert done == [1]


async def test_a_write_that_hangs_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to a machine that vanished would keep the job's process for a quarter of an hour."""
    monkeypatch.setattr(writing, "CLOSING_S", 0.01)
    writer = Writer()
    writer.submit(asyncio.Event().wait)
    closing = asyncio.create_task(writer.aclose())
    await asyncio.sleep(0)
    closing.cancel()

    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await closing


async def test_a_store_that_is_away_is_waited_for() -> None:
    """Nothing is missing afterwards, and nothing is written out of its order."""
    writer = Writer()
    done: list[int] = []
    failures = 3

    async def first() -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise StoreAway("the store is away")
        done.append(1)

    async def second() -> None:
        done.append(2)

    writer.submit(first)
    writer.submit(second)
    await writer.aclose()

    assert done == [1, 2]


async def test_a_store_that_stays_away_does_not_keep_a_call_that_is_over() -> None:
    """What is lost is said, one line each."""
    now_s = 0.0
    writer = Writer(lambda: now_s)

    async def in_vain() -> None:
        nonlocal now_s
        now_s += 5
        raise StoreAway("the store is away")

    writer.submit(in_vain)
    writer.submit(in_vain)
    async with asyncio.timeout(5):
        await writer.aclose()
    assert now_s == 15
