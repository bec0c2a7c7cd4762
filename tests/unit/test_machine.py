"""Tests that share the machine, and one that has it for itself."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

import machine
from processes import until

HAVE_IT_S = 10.0


class Holder:
    """Has the machine, or a share of it, until it is told to let go."""

    def __init__(self, *, alone: bool, room: Path, door: Path) -> None:
        self.has_it, self._over = Event(), Event()
        self._files = {"room": room, "door": door}
        self._alone = alone

    def hold(self) -> None:
        with machine.held(alone=self._alone, **self._files):
            self.has_it.set()
            assert self._over.wait(HAVE_IT_S)

    def let_go(self) -> None:
        self._over.set()


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Callable[..., Holder]]:
    """Starts one after the other."""
    room, door = tmp_path / "room", tmp_path / "door"
    room.touch()
    door.touch()
    started: list[tuple[Holder, Future[None]]] = []
    with ThreadPoolExecutor(4) as threads:

        def start(*, alone: bool) -> Holder:
            one = Holder(alone=alone, room=room, door=door)
            started.append((one, threads.submit(one.hold)))
            return one

        yield start
        for one, _ in started:
            one.let_go()
        for _, done in started:
            done.result(HAVE_IT_S)


def test_tests_share_the_machine(holder: Callable[..., Holder]) -> None:
    """As many as there are."""
    both = holder(alone=False), holder(alone=False)
    assert all(one.has_it.wait(HAVE_IT_S) for one in both)


def test_one_that_is_alone_waits_for_the_others_and_is_not_overtaken(
    tmp_path: Path, holder: Callable[..., Holder]
) -> None:
    """Else it would wait until all the others are over."""
    first = holder(alone=False)
    assert first.has_it.wait(HAVE_IT_S)
    alone = holder(alone=True)
    until(lambda: waits_at(tmp_path / "door"), "it stands in the door")
    late = holder(alone=False)
    assert not alone.has_it.is_set()
    first.let_go()
    assert alone.has_it.wait(HAVE_IT_S)
    assert not late.has_it.is_set()
    alone.let_go()
    assert late.has_it.wait(HAVE_IT_S)


def waits_at(door: Path) -> bool:
    """Whether somebody holds the door."""
    with door.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
