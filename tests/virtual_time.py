"""An event loop whose clock jumps to the next timer when nothing is left to do: hours pass in a moment."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _NeverWaiting(selectors.DefaultSelector):
    """Looks at what is ready, and reports how long it was asked to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_s = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("everything waits, and for nothing")
        self.passed_s += max(timeout, 1e-9)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """For code that waits for time alone: sockets and threads do not get the time that they need."""

    def __init__(self) -> None:
        self._clock = _NeverWaiting()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.passed_s


def in_virtual_time(work: Coroutine[Any, Any, T]) -> T:
    """Run something to its end."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(work)
