"""The machine that runs the tests: they share it, and one that is marked `alone` has it for itself."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOM = Path(__file__)
"""Whoever runs a test holds a lock on this file, to which nothing is written: a share of it, or all."""
DOOR = ROOM.with_name("conftest.py")
"""Whoever waits for the room holds this one: nobody who comes later overtakes them."""


@contextmanager
def held(*, alone: bool, room: Path = ROOM, door: Path = DOOR) -> Iterator[None]:
    """Have the machine, or a share of it. Other runs of the tests in this folder are waited for, too."""
    with room.open() as room_lock:
        with door.open() as door_lock:
            fcntl.flock(door_lock, fcntl.LOCK_EX)
            fcntl.flock(room_lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
