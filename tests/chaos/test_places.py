"""Every place of a worker can be filled, whatever its capacity and however busy its machine is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pool_of_workers import Pool, local_providers_of, pool_in

from processes import local_providers
from telephone import Dialled, telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(300)]

REFUSED_S = 4.0
"""How long a caller without a place is listened to, seconds. With one, the first words take half a second."""
BUSY = "while True: pass"


@contextmanager
def pool_of(
    capacity: int, folder: Path, livekit_program: Path, free_port: Callable[[], int]
) -> Iterator[Pool]:
    """A pool of one worker with so many places, on providers that cost next to nothing."""
    with (
        local_providers(folder, free_port(), "--latency", "stt_final=100,ttft=100,ttfb=50") as origin,
        pool_in(
            folder,
            livekit_program,
            free_port,
            CALLPOOL_CAPACITY=str(capacity),
            **local_providers_of(origin),
        ) as pool,
    ):
        yield pool


@pytest.mark.parametrize("capacity", [1, 2, 4, 8])
async def test_all_places_are_filled_and_no_more(
    capacity: int, tmp_path: Path, livekit_program: Path, free_port: Callable[[], int]
) -> None:
    """So many callers hear an agent at the same time; one more waits."""
    with pool_of(capacity, tmp_path, livekit_program, free_port) as pool:
        async with telephone_of(pool.settings) as telephone:
            calls = [await telephone.dial() for _ in range(capacity)]
            for call in calls:
                assert await heard_within(call, 60), "a place stayed empty"
            assert all(call.caller.connected for call in calls)
            assert not await heard_within(await telephone.dial(), REFUSED_S)
            assert "reason=capacity" in pool.log


async def test_a_machine_without_a_free_core_still_answers(
    tmp_path: Path, livekit_program: Path, free_port: Callable[[], int]
) -> None:
    """The SDK would refuse, and the server never ask again."""
    with pool_of(4, tmp_path, livekit_program, free_port) as pool:
        async with telephone_of(pool.settings) as telephone:
            with busy_processes(4):
                calls = [await telephone.dial() for _ in range(4)]
                for call in calls:
                    assert await heard_within(call, 90), "nobody answered on a busy machine"


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """So many processes that want a core each."""
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


async def heard_within(call: Dialled, patience_s: float) -> bool:
    """Whether an agent is heard within so many seconds of joining."""
    return await call.caller.wait_for_audio(call.caller.joined_at, patience_s) is not None
