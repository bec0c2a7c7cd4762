"""A worker's place in the pool, and how many calls its machine bears."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callpool import machine
from callpool.admission import Admission
from callpool.membership import QUEUE_S, Membership, worker_name
from callpool.store.calls import Calls
from callpool.store.registry import StoreRegistry


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[StoreRegistry]:
    url = f"sqlite+aiosqlite:///{tmp_path}/callpool.db"
    async with Calls(url) as calls:
        await calls.open()
    async with StoreRegistry(url) as registry:
        yield registry


class Clock:
    """Time that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def membership(registry: StoreRegistry, clock: Clock) -> Membership:
    return Membership("worker-1", "callpool", registry, Admission(2), is_draining=lambda: False, clock=clock)


async def test_a_lease_is_renewed_whenever_something_changes(
    membership: Membership, registry: StoreRegistry
) -> None:
    """Who waits for a place learns of it at once."""
    await membership.join()
    keeping = asyncio.create_task(membership.keep())
    async with asyncio.timeout(5):
        membership.admission.changed = membership.change
        membership.admission.release("nobody")
        while [lease.beat for lease in await registry.leases()] == [1]:
            await asyncio.sleep(0.005)
    keeping.cancel()
    await membership.leave()
    assert await registry.leases() == []


async def test_who_waits_is_let_in_first(membership: Membership, registry: StoreRegistry) -> None:
    """As many as there are places; a newcomer only when places are left over."""
    await registry.queue("callpool", ["first", "second"])
    assert await membership.is_next("first", 1)
    assert not await membership.is_next("second", 1)
    assert await membership.is_next("second", 2)
    assert not await membership.is_next("newcomer", 2)
    assert await membership.is_next("newcomer", 3)


async def test_who_was_just_let_in_is_not_in_the_way(membership: Membership, registry: StoreRegistry) -> None:
    """They are in the queue until their agent is in the room."""
    await registry.queue("callpool", ["first", "second"])
    membership.admission._jobs["AJ_1"] = "first"
    assert await membership.is_next("second", 1)


async def test_a_queue_that_nobody_sees_to_keeps_nobody_waiting(
    membership: Membership, registry: StoreRegistry, clock: Clock
) -> None:
    """The dispatcher may be gone for good."""
    await registry.queue("callpool", ["first"])
    assert not await membership.is_next("newcomer", 1)
    clock.now_s += QUEUE_S + 1
    assert await membership.is_next("newcomer", 1)
    await registry.queue("callpool", ["first"])
    assert not await membership.is_next("newcomer", 1), "it is seen to again"


async def test_a_store_that_is_away_keeps_nobody_waiting(clock: Clock) -> None:
    """Callers are answered first of all."""
    async with StoreRegistry("sqlite+aiosqlite:////nowhere/at/all.db") as nowhere:
        membership = Membership(
            "worker-1", "callpool", nowhere, Admission(2), is_draining=lambda: False, clock=clock
        )
        assert await membership.is_next("newcomer", 1)


def test_no_two_workers_have_one_name() -> None:
    """Also those that are called alike in the settings, and each process 1 of its container."""
    assert worker_name("east").startswith("east-")
    assert worker_name("east").endswith(f"-{os.getpid()}")
    assert worker_name("east") != worker_name("east")


async def test_a_lease_outlives_what_nobody_foresaw(membership: Membership, registry: StoreRegistry) -> None:
    """One that stood still would cost every call of a healthy worker."""
    stumbles = iter([True])

    def stumble() -> None:
        if next(stumbles, False):
            raise ZeroDivisionError

    membership.each_beat = stumble
    await membership.join()
    keeping = asyncio.create_task(membership.keep())
    async with asyncio.timeout(5):
        while [lease.beat for lease in await registry.leases()] == [1]:
            membership.change()
            await asyncio.sleep(0.005)
    keeping.cancel()


async def test_looks_in_quick_succession_do_not_hide_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several calls that come at once have it looked at several times; in a millisecond nothing is busy."""
    clock = Clock()
    readings = iter([100.0, 0.0])
    monkeypatch.setattr(machine.psutil, "cpu_percent", lambda interval: next(readings))
    pressure = machine.Pressure(clock=clock)
    clock.now_s += 0.002
    pressure.look()
    assert pressure._reason(0.0) == "cpu"
    clock.now_s += 1
    pressure.look()
    assert pressure._reason(0.0) is None


def test_a_full_container_on_an_empty_machine_is_short_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's memory is not the container's."""
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    assert machine.available_memory() > 1e8
    (tmp_path / "memory.max").write_text("2000000\n")
    (tmp_path / "memory.current").write_text("1500000\n")
    assert machine.available_memory() == 500_000
    (tmp_path / "memory.stat").write_text("anon 1000000\ninactive_file 300000\n")
    assert machine.available_memory() == 800_000
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.available_memory() > 1e8


@pytest.mark.parametrize(
    ("cores", "memory_mb", "capacity"),
    [(2, 24_000, 8), (0.5, 24_000, 2), (16, 2_000, 6), (0.1, 500, 1), (64, 128_000, 256)],
)
def test_capacity_is_what_cores_and_memory_bear(cores: float, memory_mb: float, capacity: int) -> None:
    """Whichever is shorter; a worker that takes no call at all would be none."""
    assert machine.capacity_of(cores, memory_mb) == capacity


async def test_a_busy_machine_delays_an_answer_and_refuses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for a second at most while every core is busy, and not at all on one that is not."""
    busy = [100.0]
    monkeypatch.setattr(machine.psutil, "cpu_percent", lambda interval: busy[0])
    clock = Clock()
    pressure = machine.Pressure(clock=clock)

    async def pass_time(seconds: float) -> None:
        clock.now_s += seconds

    monkeypatch.setattr(machine.asyncio, "sleep", pass_time)
    await pressure.settled()
    assert 0.9 < clock.now_s - 1000 < 1.5
    busy[0] = 50.0
    clock.now_s += 1
    pressure.look()
    before = clock.now_s
    await pressure.settled()
    assert clock.now_s == before
