"""What keeps the parts of `callpool up` running, with small programs in their place."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import psutil
import pytest

from callpool.local.child import Child, Program
from callpool.local.ports import listens
from callpool.local.supervisor import ChildFailed, Service, Supervisor

SERVES = """
import http.server
class Ok(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", {port}), Ok).serve_forever()
"""


class Watched:
    """A supervisor, what it reported, and the process ids that it told."""

    def __init__(self, code: str, port: int) -> None:
        self.reports: list[str] = []
        self.pids: list[int] = []
        program = Program("part", (sys.executable, "-c", code), os.environ)
        service = Service(program, f"http://127.0.0.1:{port}/")
        self.again = asyncio.Event()
        self.supervisor = Supervisor(service, lambda _: None, self.reports.append, self._started)

    def _started(self, _: str, pid: int) -> None:
        if self.pids:
            self.again.set()
        self.pids.append(pid)


@asynccontextmanager
async def kept(watched: Watched) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(watched.supervisor.keep())
    try:
        yield task
    finally:
        await watched.supervisor.stop()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_killed_one_is_reported_and_started_again(free_port: Callable[[], int]) -> None:
    """The report has how it ended and its last lines; the new one answers."""
    port = free_port()
    watched = Watched(SERVES.format(port=port), port)
    async with kept(watched), asyncio.timeout(30):
        await watched.supervisor.answers.wait()
        os.kill(watched.pids[0], signal.SIGKILL)
        await watched.again.wait()
        await watched.supervisor.answers.wait()
    assert watched.reports[:2] == ["part was killed by SIGKILL; its last lines:", "    serving"]
    assert len(set(watched.pids)) == 2


async def test_wrong_configuration_is_not_tried_again(free_port: Callable[[], int]) -> None:
    """Exit code 2 before an answer ends it with the line that the program gave, and with the same code."""
    watched = Watched("import sys; print('PORT is wrong'); sys.exit(2)", free_port())
    async with kept(watched) as keeping, asyncio.timeout(30):
        with pytest.raises(ChildFailed, match="part cannot start: PORT is wrong") as failed:
            await keeping
    assert failed.value.exit_code == 2
    assert len(watched.pids) == 1


async def test_one_that_never_answers_is_given_up(free_port: Callable[[], int]) -> None:
    """Three starts in vain are enough."""
    watched = Watched("raise SystemExit('no model')", free_port())
    async with kept(watched) as keeping, asyncio.timeout(30):
        with pytest.raises(ChildFailed, match="3 times in a row, before it answered: no model"):
            await keeping
    assert len(watched.pids) == 3


@asynccontextmanager
async def stranger_on(port: int) -> AsyncIterator[None]:
    """A program that is not watched, and answers."""
    program = Program("stranger", (sys.executable, "-c", SERVES.format(port=port)), os.environ)
    stranger = Child.start(program, lambda _: None)
    try:
        async with asyncio.timeout(20):
            while not listens(stranger.pid, port):
                await asyncio.sleep(0.02)
        yield
    finally:
        await stranger.stop()


async def test_a_stranger_on_its_port_does_not_answer_for_it(free_port: Callable[[], int]) -> None:
    """While it runs, it does not serve; and starts that end count as made in vain."""
    port = free_port()
    watched = Watched("import time; time.sleep(1); raise SystemExit('the port is taken')", port)
    async with stranger_on(port), kept(watched) as keeping, asyncio.timeout(30):
        answering = asyncio.create_task(watched.supervisor.answers.wait())
        with pytest.raises(ChildFailed, match="3 times in a row, before it answered: the port is taken"):
            await keeping
        assert not answering.done()
        answering.cancel()
    assert len(watched.pids) == 3


async def test_what_it_starts_may_answer_for_it(free_port: Callable[[], int]) -> None:
    """A script around the program is the program."""
    port = free_port()
    inner = [sys.executable, "-c", SERVES.format(port=port)]
    watched = Watched(f"import subprocess; subprocess.run({inner!r})", port)
    async with kept(watched), asyncio.timeout(30):
        await watched.supervisor.answers.wait()
    assert watched.reports == []


async def test_an_answer_counts_where_the_system_does_not_tell(
    free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program with privileges of its own hides its sockets, also from its parent."""

    def denied(*_: object) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "net_connections", denied)
    port = free_port()
    watched = Watched(SERVES.format(port=port), port)
    async with kept(watched), asyncio.timeout(30):
        await watched.supervisor.answers.wait()


async def test_stopped_it_stays_stopped(free_port: Callable[[], int]) -> None:
    """After `stop` the keeper ends without a report."""
    port = free_port()
    watched = Watched(SERVES.format(port=port), port)
    async with kept(watched) as keeping, asyncio.timeout(30):
        await watched.supervisor.answers.wait()
        await watched.supervisor.stop()
        await keeping
    assert watched.reports == []
    assert len(watched.pids) == 1
