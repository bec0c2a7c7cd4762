"""`callpool bench recover`: from a kill to the first audio of the agent that takes the call up.

It starts a service of its own with two workers, calls it, and kills the job that answers, the whole tree of
its worker, or stops that tree without a word, as when a host is gone and no connection is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import aiohttp
import click
import psutil

from callpool.caller import SyntheticCaller
from callpool.caller.conversation import Invitation, invite
from callpool.columns import columns
from callpool.errors import CallpoolError
from callpool.evaluation.own_service import service_in
from callpool.local import further_worker
from callpool.local.child import Child
from callpool.running import Running
from callpool.settings import Settings
from callpool.store.calls import Calls
from callpool.store.record import Job
from callpool.store.registry import StoreRegistry

Kill = Literal["job", "worker", "host"]
KILLS: tuple[Kill, ...] = get_args(Kill)

READY_S = 60.0
"""How long a worker may take to be there, seconds."""
PATIENCE_S = 60.0
"""How long the next agent may take, seconds."""
MOST_CALLS = 20
"""How often it is called for a job of the host that is to go: the other worker may answer."""
FURTHER = "further"
_GLANCE_S = 0.02


class NotMeasured(CallpoolError):
    """Something that the measurement needs did not happen."""


@dataclass(frozen=True)
class Result:
    """The times of one kind of kill, seconds."""

    kill: Kill
    times_s: tuple[float, ...]

    def row(self) -> tuple[str, ...]:
        """For the table."""
        times = self.times_s
        shown = (statistics.median(times), p95_of(times), max(times))
        return (self.kill, str(len(times)), *(f"{each:.2f}" for each in shown))


def p95_of(times: Sequence[float]) -> float:
    """The time that 95 % are within: between two of them, in proportion. Of one, that one."""
    return times[0] if len(times) == 1 else statistics.quantiles(times, n=20, method="inclusive")[-1]


async def run(settings: Settings, *, kills: Sequence[str], count: int, as_json: bool) -> int:
    """Measure, print, and give the exit code. `kills`: some of KILLS; none: all. Raises CallpoolError."""
    wanted = [kill for kill in KILLS if not kills or kill in kills]
    with tempfile.TemporaryDirectory(prefix="callpool-bench-") as name:
        async with _bench(settings, Path(name)) as bench:
            results = []
            for kill in filter(_can, wanted):
                times = [await bench.trial(kill) for _ in range(count)]
                results.append(Result(kill, tuple(times)))
    if as_json:
        click.echo(json.dumps({result.kill: list(result.times_s) for result in results}))
    else:
        rows = [("KILLED", "N", "P50 S", "P95 S", "MAX S"), *(result.row() for result in results)]
        for line in columns(rows):
            click.echo(line)
    return 0


def _can(kill: Kill) -> bool:
    """A host of its own takes a name of its own, which only root may give."""
    if kill != "host" or (sys.platform == "linux" and os.geteuid() == 0 and shutil.which("unshare")):
        return True
    click.echo("host: not measured, since it needs Linux, root and `unshare`", err=True)
    return False


@asynccontextmanager
async def _bench(settings: Settings, folder: Path) -> AsyncIterator[_Bench]:
    async with (
        service_in(settings, folder) as running,
        aiohttp.ClientSession() as http,
        Calls(running.store) as calls,
        StoreRegistry(running.store) as registry,
    ):
        bench = _Bench(running, running.applied(settings), http, calls, registry)
        try:
            yield bench
        finally:
            await bench.stop()


class _Bench:
    """A running service with two workers."""

    def __init__(
        self,
        running: Running,
        settings: Settings,
        http: aiohttp.ClientSession,
        calls: Calls,
        registry: StoreRegistry,
    ) -> None:
        self._running = running
        self._settings = settings
        self._http = http
        self._calls = calls
        self._registry = registry
        self._further: Child | None = None

    async def trial(self, kill: Kill) -> float:
        """One kill. Gives the seconds until the next agent is heard."""
        await self._two_workers(own_host=kill == "host")
        for _ in range(MOST_CALLS):
            async with self._call() as (caller, job):
                if kill != "host" or job.worker.startswith(FURTHER):
                    return await self._killed(kill, caller, job)
        raise NotMeasured(f"{kill}: {MOST_CALLS} calls were answered, none of them on the host that is to go")

    async def _killed(self, kill: Kill, caller: SyntheticCaller, job: Job) -> float:
        at = time.monotonic()
        try:
            _kill(kill, job)
        except ProcessLookupError:
            raise NotMeasured(f"job: process {job.pid} was gone before it could be killed") from None
        heard_at = await caller.wait_for_audio(at + 0.2, PATIENCE_S)  # what was on its way is still heard
        if heard_at is None:
            raise NotMeasured(f"{kill}: no agent was heard within {PATIENCE_S:g} s of the kill")
        return heard_at - at

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[tuple[SyntheticCaller, Job]]:
        """A caller who was greeted, and the job that did."""
        invitation: Invitation = await invite(self._http, self._running.web, None)
        caller = SyntheticCaller()
        await caller.join(invitation.livekit_url, invitation.token)
        try:
            if await caller.wait_for_agent(caller.joined_at) is None:
                raise NotMeasured("the service did not answer")
            record = await self._calls.get(invitation.call_id)
            if record is None or not record.jobs:
                raise NotMeasured(f"call {invitation.call_id} has no job")
            yield caller, record.jobs[-1]
        finally:
            await caller.leave()

    async def _two_workers(self, *, own_host: bool) -> None:
        """See to it that the worker of `up` and a further one are there, both without calls."""
        if self._further is None or self._further.exited.done() or own_host:
            await self.stop()
            name = f"{FURTHER}-{time.monotonic_ns()}"
            env = further_worker.environment(self._running, self._settings, name)
            before = ("unshare", "--uts", "sh", "-c", f'hostname {name}; exec "$@"', "sh") if own_host else ()
            self._further = Child.start(further_worker.program(env, name, before), lambda _: None)
        try:
            async with asyncio.timeout(READY_S):
                while not await self._is_calm():  # noqa: ASYNC110 - processes share no event with this one
                    await asyncio.sleep(_GLANCE_S)
        except TimeoutError:
            raise NotMeasured(f"there were no two workers without calls within {READY_S:g} s") from None

    async def _is_calm(self) -> bool:
        leases = [lease for lease in await self._registry.leases() if not lease.draining]
        return len(leases) == 2 and not any(lease.running for lease in leases)

    async def stop(self) -> None:
        """End the further worker."""
        if self._further is not None:
            for one in _tree(self._further.pid):
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(signal.SIGCONT)
            self._further.kill()
            await self._further.exited
            self._further = None


def _kill(kill: Kill, job: Job) -> None:
    if kill == "job":
        os.kill(job.pid, signal.SIGKILL)
        return
    action = psutil.Process.kill if kill == "worker" else psutil.Process.suspend
    for one in _tree(int(job.worker.rpartition("-")[2])):
        with contextlib.suppress(psutil.NoSuchProcess):
            action(one)


def _tree(pid: int) -> list[psutil.Process]:
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
