"""The line between a job and its worker: one Unix socket, one JSON object per line, both ways.

A worker knows of its jobs' processes only whether they live. Over this line a job says how it fares and what
its providers do, and the worker tells all of its jobs what one of them has found out. The line needs no key:
its socket lies in a directory that only its owner can open.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, get_args

logger = logging.getLogger(__name__)

CONNECT_S = 1.0
"""How long a job tries to reach its worker, seconds: a call goes on without."""
LONGEST_LINE = 64 * 1024
"""Bytes of one message at most."""
MOST_UNSENT = 256 * 1024
"""Bytes that may wait for the other side to read them. What comes on top is dropped: no call waits for it."""


@dataclass(frozen=True)
class Hello:
    """From a job, first of all: who it is."""

    job_id: str
    call_id: str
    pid: int


@dataclass(frozen=True)
class Beat:
    """From a job, once a second: it runs, and its call makes progress."""


@dataclass(frozen=True)
class Farewell:
    """From a job: its call is over and written down. It beats no more, and is about to end."""


@dataclass(frozen=True)
class Leave:
    """From the worker: leave your call to another job, now."""


@dataclass(frozen=True)
class Resumed:
    """From a job: it goes on with a call whose last job ended so, such as `job_died`."""

    cause: str


@dataclass(frozen=True)
class Observed:
    """From a job: what a provider did. `kind`: `ok`, or how it failed (`429`, `timeout`, `dropped`, …)."""

    provider: str
    part: str
    """`stt`, `llm` or `tts`."""
    kind: str


@dataclass(frozen=True)
class Measured:
    """From a job: a number for one of the worker's metrics (`telemetry.metrics.OF_JOBS`)."""

    metric: str
    value: float
    labels: tuple[str, ...] = ()
    """In the order in which the metric declares them."""
    trace_id: str = ""
    """Of the call, as hexadecimal digits; empty: it is not traced."""
    span_id: str = ""


@dataclass(frozen=True)
class Breaker:
    """From the worker: whether a provider is to be left alone for now."""

    provider: str
    part: str
    open: bool


Message = Hello | Leave | Beat | Farewell | Resumed | Observed | Measured | Breaker
_KINDS: dict[str, type[Message]] = {kind.__name__: kind for kind in get_args(Message)}


def encode(message: Message) -> bytes:
    """One line, with its end."""
    return json.dumps({"message": type(message).__name__} | asdict(message)).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The message of a line. Raises ValueError for anything else."""
    try:
        document: dict[str, Any] = json.loads(line)
        return _KINDS[document.pop("message")](**document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no message: {line[:80]!r}") from error


class Switchboard:
    """The worker's end of all its jobs' lines."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="callpool-"))
        self.path = self._folder / "line"
        """The socket that jobs connect to."""
        self._server: asyncio.Server | None = None
        self._lines: dict[asyncio.StreamWriter, Hello | None] = {}
        self._listeners: list[Callable[[Hello, Message], None]] = []

    async def open(self) -> None:
        """Let jobs connect."""
        self._server = await asyncio.start_unix_server(self._serve, self.path, limit=LONGEST_LINE)

    async def aclose(self) -> None:
        """Hang up on all jobs, and remove the socket."""
        if self._server is not None:
            self._server.close()
        for line in self._lines:
            line.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def listen(self, listener: Callable[[Hello, Message], None]) -> None:
        """Have every message given to `listener`, with the job that sent it; a job's Hello comes first."""
        self._listeners.append(listener)

    def tell(self, message: Message, job_id: str | None = None) -> None:
        """Send a message to a job, or to all of them."""
        for line, hello in self._lines.items():
            if hello is not None and job_id in (None, hello.job_id):
                _send(line, message)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines[writer] = None
        try:
            async for line in reader:
                message = decode(line)
                if isinstance(message, Hello):
                    self._lines[writer] = message
                if (hello := self._lines[writer]) is not None:
                    for listener in self._listeners:
                        listener(hello, message)
        except (ValueError, ConnectionError) as error:
            logger.warning("a job's line broke", extra={"action": "line_broke", "error": error})
        finally:
            del self._lines[writer]
            writer.close()


class Line:
    """A job's end. Where there is no worker to be had, what is said goes nowhere."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._listeners: list[Callable[[Message], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def is_open(self) -> bool:
        """Whether somebody listens, as far as can be told."""
        return self._writer is not None and not self._writer.is_closing()

    async def open(self, hello: Hello) -> Self:
        """Call the worker, or call it again. One that does not answer is logged, and done without."""
        if self._path is None:
            return self
        self._loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, self._writer = await asyncio.open_unix_connection(self._path, limit=LONGEST_LINE)
        except (OSError, TimeoutError) as error:
            logger.warning("no line to the worker", extra={"action": "no_line", "error": error})
            return self
        self._reading = asyncio.create_task(self._read(reader, self._writer), name="line")
        self.say(hello)
        return self

    async def aclose(self) -> None:
        """Hang up. What was said before still arrives."""
        if self._reading is not None:
            self._reading.cancel()
        if self._writer is not None:
            with contextlib.suppress(OSError):
                self._writer.close()
                await self._writer.wait_closed()

    def say(self, message: Message) -> None:
        """Send a message. Never blocks."""
        if self._writer is not None:
            _send(self._writer, message)

    def say_from_thread(self, message: Message) -> None:
        """The same, from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.say, message)

    def listen(self, listener: Callable[[Message], None]) -> None:
        """Have every message of the worker's given to `listener`."""
        self._listeners.append(listener)

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async for line in reader:
                message = decode(line)
                for listener in self._listeners:
                    listener(message)
        except (ValueError, ConnectionError) as error:
            logger.warning("the worker's line broke", extra={"action": "line_broke", "error": error})
        finally:
            writer.close()


def _send(writer: asyncio.StreamWriter, message: Message) -> None:
    if not writer.is_closing() and writer.transport.get_write_buffer_size() < MOST_UNSENT:
        writer.write(encode(message))
