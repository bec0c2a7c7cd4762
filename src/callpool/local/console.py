"""One readable log of several processes: each line behind the name of the process that wrote it."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Sequence
from typing import TextIO

COLOURS = (36, 33, 32, 35, 34, 31)
QUEUE_LINES = 10_000
FLUSH_S = 2.0
"""How long the last lines may take to be written at the end, seconds."""


class Console:
    """Writes from a thread of its own, so that a reader who stops reading never holds up a call.

    When more than 10,000 lines wait, further ones are dropped and counted.
    """

    def __init__(self, stream: TextIO, names: Sequence[str]) -> None:
        self._stream = stream
        self._width = max(map(len, names))
        coloured = stream.isatty() and not os.environ.get("NO_COLOR")
        self._colours = dict(zip(names, COLOURS, strict=False)) if coloured else {}
        self._lines: queue.Queue[str | None] = queue.Queue(QUEUE_LINES)
        self._dropped = 0
        self._writer = threading.Thread(target=self._write, name="console", daemon=True)
        self._writer.start()

    def line(self, name: str, text: str) -> None:
        """Add a line; from any thread."""
        prefix = f"{name:<{self._width}} |"
        if colour := self._colours.get(name):
            prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
        try:
            self._lines.put_nowait(f"{prefix} {text}\n")
        except queue.Full:
            self._dropped += 1

    def of(self, name: str) -> Callable[[str], None]:
        """What a process called `name` writes its lines to."""
        return lambda text: self.line(name, text)

    def close(self) -> None:
        """Write what waits."""
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=FLUSH_S)
        self._writer.join(FLUSH_S)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            if self._dropped:
                line += f"{self._dropped} later lines were dropped, since nobody read this\n"
                self._dropped = 0
            with contextlib.suppress(OSError, ValueError):  # the reader is gone; the service goes on
                self._stream.write(line)
                self._stream.flush()
