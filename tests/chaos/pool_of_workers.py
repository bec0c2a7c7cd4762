"""A `callpool up` with further workers beside its own, and what it takes to kill parts of it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from callpool import settings
from callpool.running import Running
from callpool.settings import Settings
from callpool.store.record import CallRecord, Job
from processes import Up, any_ports, clean_environment, started, still_running, until
from telephone import Dialled, Telephone

BACK_S = 20.0
"""How long an agent may take to be heard again before a test gives up, seconds. The aim is 2 s for a job and
5 s for a worker; `callpool bench recover` measures it, since these machines are too noisy to assert it."""


PATIENCE = {"CALLPOOL_SILENCE_S": "120"}
"""A caller who waits while the test speaks with another one is not asked whether they are there."""


@dataclass
class Pool:
    """The running parts."""

    up: Up
    folder: Path
    free_port: Callable[[], int]

    @property
    def settings(self) -> Settings:
        return settings.load({"CALLPOOL_DATA_DIR": str(self.up.data_dir)})

    @property
    def pids(self) -> dict[str, int]:
        """Of the parts that `up` runs, by name."""
        return dict(self.up.document["pids"])

    @property
    def log(self) -> str:
        return self.up.log.read_text()

    @contextmanager
    def worker(self, name: str = "second", **more: str) -> Iterator[subprocess.Popen[bytes]]:
        """A further worker, ready for calls, until it is killed or the test is over."""
        running = Running.find(self.up.data_dir)
        assert running is not None
        port = self.free_port()
        env = clean_environment(
            LIVEKIT_URL=running.livekit_url,
            LIVEKIT_API_KEY=running.api_key,
            LIVEKIT_API_SECRET=f"file://{running.api_secret_file}",
            CALLPOOL_STORE_URL=f"sqlite:///{self.up.data_dir / 'callpool.db'}",
            CALLPOOL_WORKER_PORT=str(port),
            CALLPOOL_WORKER_NAME=name,
            **local_providers_of(running.providers),
            **{**PATIENCE, **more},
        )
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "callpool", "worker"], env=env, stdout=log, stderr=log
            )
        try:
            until(lambda: answers(f"http://127.0.0.1:{port}/readyz"), f"{name} is ready", 60)
            yield process
        finally:
            kill_tree(process.pid)
            process.wait(10)


@contextmanager
def dispatcher(pool: Pool) -> Iterator[subprocess.Popen[bytes]]:
    """A second dispatcher beside that of `up`, until the test is over."""
    running = Running.find(pool.up.data_dir)
    assert running is not None
    env = clean_environment(
        LIVEKIT_URL=running.livekit_url,
        LIVEKIT_API_KEY=running.api_key,
        LIVEKIT_API_SECRET=f"file://{running.api_secret_file}",
        CALLPOOL_STORE_URL=f"sqlite:///{pool.up.data_dir / 'callpool.db'}",
        CALLPOOL_DISPATCHER_PORT="0",
    )
    path = pool.folder / "dispatcher.log"
    with path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "callpool", "dispatcher"], env=env, stdout=log, stderr=log
        )
    try:
        until(lambda: "listening" in path.read_text(), "the dispatcher listens", 30)
        yield process
    finally:
        process.terminate()
        process.wait(10)


def local_providers_of(origin: str) -> dict[str, str]:
    """What points a worker at the local providers."""
    return {
        "DEEPGRAM_API_KEY": "local",
        "DEEPGRAM_BASE_URL": origin,
        "CALLPOOL_DEEPGRAM_MODEL": "local-moonshine",
        "OPENAI_API_KEY": "local",
        "OPENAI_BASE_URL": f"{origin}/v1",
        "CALLPOOL_OPENAI_MODEL": "local-standin",
        "CARTESIA_API_KEY": "local",
        "CARTESIA_BASE_URL": origin,
        "CALLPOOL_CARTESIA_MODEL": "local-piper",
    }


def answers(url: str) -> bool:
    """Whether a page is there, with status 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def tree_of(pid: int) -> list[psutil.Process]:
    """A process and all that descends from it; empty when it is gone."""
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def kill_tree(pid: int) -> None:
    """SIGKILL to a process and all that descends from it, as when a machine is gone."""
    family = tree_of(pid)
    for one in family:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    still_running(family)


@contextmanager
def pool_in(folder: Path, livekit_program: Path, free_port: Callable[[], int], **more: str) -> Iterator[Pool]:
    """A pool whose files are in `folder`."""
    env = any_ports(CALLPOOL_LIVEKIT_SERVER=str(livekit_program), CALLPOOL_WARM_PROCESSES="1")
    env |= PATIENCE | more
    with started(folder, env) as up:
        up.ready()
        yield Pool(up, folder, free_port)


async def job_of(telephone: Telephone, call: Dialled) -> Job:
    """The job that serves a call."""
    record = await telephone.record(
        call.invitation.call_id, lambda found: found.jobs and not found.jobs[-1].ended_at, "a job serves it"
    )
    return record.jobs[-1]


def worker_pid(job: Job) -> int:
    """The process of a job's worker, which its name ends with."""
    return int(job.worker.rpartition("-")[2])


async def killed(telephone: Telephone, call: Dialled) -> float:
    """SIGKILL the job of a call. Gives when, by the monotonic clock."""
    job = await job_of(telephone, call)
    now = time.monotonic()
    os.kill(job.pid, signal.SIGKILL)
    return now


async def heard_again(call: Dialled, since: float) -> str:
    """What the agent that takes a call up says first; prints how long it took."""
    answer = await call.caller.wait_for_agent(since, patience_s=BACK_S)
    assert answer is not None, f"nobody came back to {call.invitation.room}"
    words = await call.heard(answer)
    print(f"heard again after {answer.started_at - since:.2f} s: {words}")
    return words


def spoken(record: CallRecord) -> str:
    """All that the agents of a call said, in small letters."""
    return " ".join(turn.agent_text or "" for turn in record.turns).lower()


async def until_true(true: Callable[[], bool], what: str, timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        await asyncio.sleep(0.02)
