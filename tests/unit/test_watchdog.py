"""Which jobs a worker kills: real processes, and a clock that a test moves."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import psutil
import pytest

from callpool import isolation
from callpool.isolation import niceness, set_niceness, step_behind
from callpool.line import Beat, Farewell, Hello, Measured
from callpool.pulse import ENDING_S
from callpool.setting_groups import Worker as Settings
from callpool.watchdog import FIRST_BEAT_S, STARVED, Watchdog
from processes import until

SETTINGS = Settings(job_heartbeat_s=5.0, job_cpu_limit=0.0, memory_limit_mb=0)
NO_SUCH_PID = 4_194_305
"""Above Linux' largest."""

SLEEPS = "import time; print('up', flush=True); time.sleep(600)"
SPINS = "print('up', flush=True)\nwhile True: pass"
SPINS_IN_A_THREAD = """
import threading, time
def spin():
    while True: pass
threading.Thread(target=spin, daemon=True).start()
print('up', flush=True)
time.sleep(600)
"""
LEAKS = """
import time
print('up', flush=True)
kept = []
while True:
    kept.append(bytearray(b'x' * 5_000_000))
    time.sleep(0.005)
"""
SHARES = """
import os, time
kept = bytearray(b'x' * 300_000_000)
for _ in range(3):
    if not os.fork():
        time.sleep(600)
print('up', flush=True)
time.sleep(600)
"""


class Kennel:
    """A watchdog, the processes that it watches, and a clock."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.now_s = 1000.0
        self.reachable = True
        self.dog = Watchdog(settings, reachable=lambda: self.reachable, clock=lambda: self.now_s)
        self.started: list[subprocess.Popen[bytes]] = []

    def job(self, code: str = SLEEPS, job_id: str = "AJ_1", *, known: bool = True) -> subprocess.Popen[bytes]:
        """A job's process that runs, and has said hello if it is known."""
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
        )
        self.started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        if code == SLEEPS:
            until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_SLEEPING, "it sleeps")
        self.dog.watch(job_id, process.pid)
        if known:
            self.dog.hear(Hello(job_id, f"c_{job_id}", process.pid), Beat())
        return process

    def beat(self, job_id: str = "AJ_1") -> None:
        self.dog.hear(Hello(job_id, "c", 1), Beat())

    async def pass_by(self, seconds: float, *beating: str) -> None:
        """Let time pass with a look each second; some jobs beat meanwhile."""
        for _ in range(int(seconds)):
            self.now_s += 1
            for job_id in beating:
                self.beat(job_id)
            await self.dog.look()

    async def watch_for(self, true: Callable[[], object], timeout_s: float = 30.0) -> float:
        """Look in real time until something is so; give how long that took, seconds."""
        began, offset = time.monotonic(), self.now_s
        while not true():
            assert time.monotonic() - began < timeout_s
            await asyncio.sleep(0.1)
            self.now_s = offset + time.monotonic() - began
            await self.dog.look()
        return time.monotonic() - began

    def close(self) -> None:
        for process in self.started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def killed(process: subprocess.Popen[bytes]) -> bool:
    return process.wait(5) == -signal.SIGKILL


def alive(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is None


@pytest.fixture
def kennel() -> Iterator[Kennel]:
    kennel = Kennel()
    yield kennel
    kennel.close()


def kennel_of(**settings: object) -> Kennel:
    return Kennel(replace(SETTINGS, **settings))  # type: ignore[arg-type]


async def test_a_job_that_beats_is_left_alone(kennel: Kennel) -> None:
    """For as long as it does."""
    process = kennel.job()
    await kennel.pass_by(300, "AJ_1")
    assert alive(process)
    assert kennel.dog.forget("AJ_1") is None


async def test_a_job_whose_beats_stay_away_is_killed(
    kennel: Kennel, caplog: pytest.LogCaptureFixture
) -> None:
    """After five seconds and not before; the log has the reason, and so has who asks for it."""
    process = kennel.job()
    await kennel.pass_by(5)
    assert alive(process)
    await kennel.pass_by(1)
    assert killed(process)
    [record] = [one for one in caplog.records if getattr(one, "action", "") == "job_killed"]
    assert vars(record)["how"] == "hanging"
    assert vars(record)["pid"] == process.pid
    assert vars(record)["silent_s"] == 6.0
    assert kennel.dog.forget("AJ_1") == "hanging"


async def test_a_job_that_was_stopped_is_killed(kennel: Kennel) -> None:
    """SIGSTOP: it neither beats nor heeds any signal but one."""
    process = kennel.job()
    process.send_signal(signal.SIGSTOP)
    until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, "it has stopped")
    await kennel.pass_by(6)
    assert killed(process)


async def test_only_the_silent_one_is_killed(kennel: Kennel) -> None:
    """Its siblings go on."""
    silent, *siblings = [kennel.job(job_id=f"AJ_{n}") for n in range(4)]
    await kennel.pass_by(30, "AJ_1", "AJ_2", "AJ_3")
    assert killed(silent)
    assert all(alive(one) for one in siblings)
    assert [kennel.dog.forget(f"AJ_{n}") for n in range(4)] == ["hanging", None, None, None]


async def test_a_job_may_take_a_while_to_say_hello(kennel: Kennel) -> None:
    """But not for ever."""
    process = kennel.job(known=False)
    await kennel.pass_by(FIRST_BEAT_S)
    assert alive(process)
    await kennel.pass_by(1)
    assert killed(process)


async def test_jobs_that_could_not_say_hello_are_left_alone(kennel: Kennel) -> None:
    """Somebody has cleaned up /tmp: that is not the jobs' fault."""
    kennel.reachable = False
    process = kennel.job(known=False)
    await kennel.pass_by(300)
    assert alive(process)


async def test_figures_are_no_sign_of_life(kennel: Kennel) -> None:
    """Speech to text goes on costing money while a caller waits for ever."""
    process = kennel.job()
    for _ in range(int(SETTINGS.job_heartbeat_s) + 1):
        kennel.dog.hear(Hello("AJ_1", "c", 1), Measured("callpool_cost_usd_total", 0.01, ("p", "m", "s")))
        await kennel.pass_by(1)
    assert killed(process)


async def test_a_call_that_is_over_may_take_its_time(kennel: Kennel) -> None:
    """But does not occupy its place in the worker for ever."""
    process = kennel.job()
    kennel.dog.hear(Hello("AJ_1", "c", 1), Farewell())
    await kennel.pass_by(ENDING_S)
    assert alive(process)
    await kennel.pass_by(1)
    assert killed(process)


async def test_a_watchdog_that_slept_kills_nobody(kennel: Kennel) -> None:
    """The machine was suspended for an hour: everybody has a new period, and no more than that."""
    process = kennel.job()
    await kennel.pass_by(4)
    kennel.now_s += 3600
    await kennel.dog.look()
    await kennel.pass_by(5)
    assert alive(process)
    await kennel.pass_by(1)
    assert killed(process)


async def test_a_job_that_gets_no_cpu_is_granted_more_time(
    kennel: Kennel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would run if it could, on a machine less crowded. In the end it is replaced all the same."""
    process = kennel.job()
    monkeypatch.setattr(psutil.Process, "status", lambda _: psutil.STATUS_RUNNING)
    await kennel.pass_by(STARVED * 5)
    assert alive(process)
    await kennel.pass_by(1)
    assert killed(process)


async def test_without_a_heartbeat_nobody_hangs() -> None:
    """0 is never: for whoever sits in a debugger."""
    kennel = kennel_of(job_heartbeat_s=0)
    process = kennel.job()
    await kennel.pass_by(600)
    assert alive(process)
    kennel.close()


async def test_a_job_that_has_ended_by_itself_was_not_killed(kennel: Kennel) -> None:
    """Nor does it disturb the looking."""
    ended, other = kennel.job(), kennel.job(job_id="AJ_2")
    ended.kill()
    ended.wait()
    await kennel.pass_by(10)
    assert kennel.dog.forget("AJ_1") is None
    assert killed(other)
    kennel.dog.watch("AJ_3", NO_SUCH_PID)
    await kennel.pass_by(10)
    assert kennel.dog.forget("AJ_3") is None


@pytest.mark.parametrize("code", [SPINS, SPINS_IN_A_THREAD])
async def test_a_job_that_spins_stands_back_first_and_is_killed_then(
    code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Though it beats. All of its threads stand back, since the kernel knows nothing else."""
    kennel = kennel_of(job_cpu_limit=0.3, job_cpu_limit_s=3.0)
    process, sibling = kennel.job(code), kennel.job(job_id="AJ_2")

    def beat() -> bool:
        kennel.beat("AJ_1")
        kennel.beat("AJ_2")
        return not alive(process)

    def held_back() -> bool:
        beat()
        actions = [getattr(one, "action", "") for one in caplog.records]
        return "job_held_back" in actions

    try:
        held_after_s = await kennel.watch_for(held_back)
        threads = psutil.Process(process.pid).threads()
        assert {os.getpriority(os.PRIO_PROCESS, thread.id) for thread in threads} == {19}
        killed_after_s = held_after_s + await kennel.watch_for(beat)
        print(f"stands back after {held_after_s:.1f} s, killed after {killed_after_s:.1f} s")
        assert killed(process)
        assert alive(sibling)
        assert held_after_s < killed_after_s
        assert killed_after_s >= 3.0, "it is given its time"
        assert kennel.dog.forget("AJ_1") == "spinning"
    finally:
        kennel.close()


async def test_a_job_that_calms_down_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """A call may have something to reckon; afterwards it is what it was."""
    kennel = kennel_of(job_cpu_limit=0.3, job_cpu_limit_s=4.0)
    process = kennel.job(
        "import time; print('up', flush=True); end = time.monotonic() + 2.6\n"
        "while time.monotonic() < end and time.process_time() < 1.1: pass\n"
        "time.sleep(600)"
    )
    before = niceness(psutil.Process(process.pid))

    def released() -> bool:
        kennel.beat()
        return "job_released" in [getattr(one, "action", "") for one in caplog.records]

    await kennel.watch_for(released)
    assert alive(process)
    if os.geteuid() == 0:
        assert niceness(psutil.Process(process.pid)) == before
    kennel.close()


async def test_a_job_that_must_be_held_back_again_and_again_is_killed() -> None:
    """It spins whenever it is let: on a crowded machine its average would never tell."""
    kennel = kennel_of(job_cpu_limit=0.3, job_cpu_limit_s=600.0)
    process = kennel.job()
    watched = kennel.dog._jobs["AJ_1"]
    for cores in (0.9, 0.0, 0.9, 0.0):
        kennel.dog._hold_back(watched, cores)
    assert alive(process)
    kennel.dog._hold_back(watched, 0.9)
    assert killed(process)
    assert kennel.dog.forget("AJ_1") == "spinning"
    kennel.close()


async def test_a_silent_job_that_spins_is_said_to_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    """It blocks its own loop: the heartbeat finds it sooner, and the reason is the better one."""
    kennel = kennel_of(job_cpu_limit=0.3, job_cpu_limit_s=60.0, job_heartbeat_s=3.0)
    process = kennel.job(SPINS)
    after_s = await kennel.watch_for(lambda: not alive(process))
    print(f"killed after {after_s:.1f} s")
    assert kennel.dog.forget("AJ_1") == "spinning"
    kennel.close()


async def test_a_job_that_leaks_is_killed_before_it_has_the_machine() -> None:
    """1 GB a second: with looks twice a second it has the limit and about a second's worth more."""
    kennel = kennel_of(memory_limit_mb=256)
    process, sibling = kennel.job(LEAKS), kennel.job(job_id="AJ_2")
    most = 0

    def over() -> bool:
        nonlocal most
        kennel.beat("AJ_1")
        kennel.beat("AJ_2")
        with suppress(psutil.Error):
            most = max(most, psutil.Process(process.pid).memory_info().rss)
        return not alive(process)

    after_s = await kennel.watch_for(over)
    print(f"killed after {after_s:.1f} s at {most / 1e6:.0f} MB")
    assert killed(process)
    assert alive(sibling)
    assert kennel.dog.forget("AJ_1") == "leaking"
    kennel.close()


async def test_memory_that_is_shared_is_not_a_leak() -> None:
    """Four processes share 300 MB: RSS says 300 each, and each has its part alone. So have forked jobs."""
    kennel = kennel_of(memory_limit_mb=256)
    process = kennel.job(SHARES)
    assert psutil.Process(process.pid).memory_info().rss > 300e6
    await kennel.pass_by(5, "AJ_1")
    assert alive(process)
    kennel.close()


async def test_looking_costs_next_to_nothing(kennel: Kennel) -> None:
    """Twice a second for every job of a worker."""
    for n in range(8):
        kennel.job(job_id=f"AJ_{n}")
    began = time.process_time()
    await kennel.pass_by(50, *(f"AJ_{n}" for n in range(8)))
    used_ms = (time.process_time() - began) / 50 * 1000
    print(f"{used_ms:.2f} ms of CPU a look at 8 jobs")
    assert used_ms < 100


def test_a_job_goes_first_when_the_machine_runs_out_of_memory() -> None:
    """And stands back where CPU is short: in a process that has nothing else to do."""
    code = (
        "import os; from callpool.isolation import step_behind; step_behind(5);"
        "print(os.nice(0), open('/proc/self/oom_score_adj').read())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(min(os.nice(0) + 5, isolation.MOST_NICE)), str(isolation.FIRST_TO_GO)]


def test_who_need_not_stand_back_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default changes nothing, and asks for no right."""
    monkeypatch.setattr(os, "nice", lambda _: pytest.fail("a nice value was set"))
    monkeypatch.setattr(isolation, "_OOM", isolation.Path("/nonexistent/oom"))
    step_behind(0)


def test_a_process_that_is_gone_has_no_niceness(kennel: Kennel) -> None:
    """It may end between the look and the deed."""
    process = kennel.job()
    gone = psutil.Process(process.pid)
    process.kill()
    process.wait()
    set_niceness(gone, 19)
    assert niceness(gone) == 0
