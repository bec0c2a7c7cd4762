"""`callpool bench recover`, where nothing is measured: what it makes of its times, and when it gives up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from callpool.bench import recover
from callpool.bench.recover import NotMeasured, Result, p95_of
from virtual_time import in_virtual_time


@pytest.mark.parametrize(
    ("times", "p95"),
    [([2.0], 2.0), ([1.0, 2.0], 1.95), (range(1, 11), 9.55), (range(1, 22), 20.0), ([9, 1, 5], 8.6)],
)
def test_p95_lies_between_the_times_that_were_measured(times: Any, p95: float) -> None:
    """Ten of them do not make the longest."""
    assert p95_of([float(each) for each in times]) == pytest.approx(p95)


def test_a_row_has_the_count_the_median_the_p95_and_the_longest() -> None:
    """In whatever order they were measured."""
    assert Result("job", (3.0, 1.0, 2.0)).row() == ("job", "3", "2.00", "2.90", "3.00")


class NoHost(recover._Bench):
    """A service whose calls are all answered by the worker that is not to go."""

    def __init__(self) -> None:
        super().__init__(*[None] * 5)  # type: ignore[arg-type]
        self.calls = 0

    async def _two_workers(self, *, own_host: bool) -> None: ...

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[Any]:
        self.calls += 1
        yield None, SimpleNamespace(worker="up-1")
        if self.calls > 2 * recover.MOST_CALLS:
            raise AssertionError("it calls for ever")


def test_a_host_that_is_never_called_is_given_up() -> None:
    """In one line."""
    with pytest.raises(NotMeasured, match="none of them on the host"):
        in_virtual_time(NoHost().trial("host"))


class NoWorkers(recover._Bench):
    """A service without workers."""

    def __init__(self) -> None:
        super().__init__(*[None] * 5)  # type: ignore[arg-type]
        self._further = SimpleNamespace(exited=SimpleNamespace(done=lambda: False))  # type: ignore[assignment]

    async def _is_calm(self) -> bool:
        return False


def test_workers_that_do_not_come_are_given_up() -> None:
    """In one line as well: the command line knows no other errors."""
    with pytest.raises(NotMeasured, match="no two workers without calls within 60 s"):
        in_virtual_time(NoWorkers().trial("job"))
