"""When a process is told to stop."""

from __future__ import annotations

import asyncio
import signal

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Events that the first SIGINT or SIGTERM sets, the second, …; one more ends the process."""

    def __init__(self, count: int) -> None:
        self.events = tuple(asyncio.Event() for _ in range(count))
        self._loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            self._loop.add_signal_handler(number, self._told)

    def _told(self) -> None:
        next(event for event in self.events if not event.is_set()).set()
        if all(event.is_set() for event in self.events):
            for number in STOP_SIGNALS:
                self._loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_DFL)


def stop_event() -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM; the second one ends the process at once."""
    return StopSignals(1).events[0]
