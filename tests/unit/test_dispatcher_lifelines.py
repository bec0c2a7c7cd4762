"""Who is dead, by what their leases say."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace

import pytest

from callpool.dispatcher.lifelines import LATE_S, STALE_S, STALLED_S, Lifelines, ProcessState, process_state
from callpool.pool import LEASE_S, Lease
from processes import until

STEP_S = 0.25
REMOTE = Lease("w1", "callpool", "elsewhere", 7, capacity=4, running=1, draining=False, beat=1)
LOCAL = replace(REMOTE, host="here")


class Pool:
    """Leases that are looked at every STEP_S."""

    def __init__(self, state_of: Callable[[int], ProcessState] = lambda _: "running") -> None:
        self.lifelines = Lifelines(host="here", state_of=state_of)
        self.now_s = 1000.0

    def pass_time(self, lease: Lease, for_s: float, *, beating: bool = False) -> Lease:
        for _ in range(round(for_s / STEP_S)):
            if beating:
                lease = replace(lease, beat=lease.beat + 1)
            self.lifelines.update([lease], self.now_s)
            self.now_s += STEP_S
        return lease


def test_a_worker_that_beats_lives() -> None:
    """For ever."""
    pool = Pool()
    pool.pass_time(REMOTE, 60, beating=True)
    assert not pool.lifelines.dead
    assert pool.lifelines.free("callpool") == 3
    assert pool.lifelines.free("another") == 0


def test_a_lease_whose_beats_stand_still_runs_out() -> None:
    """No sooner than LEASE_S after they were first seen to, and it counts for nothing from then on."""
    pool = Pool()
    pool.pass_time(REMOTE, LEASE_S)
    assert not pool.lifelines.dead
    pool.pass_time(REMOTE, 3 * STEP_S)
    assert pool.lifelines.dead == {"w1"}
    assert pool.lifelines.free("callpool") == 0


def test_one_whose_process_is_gone_is_dead_at_once() -> None:
    """On this host there is no need to wait."""
    alive = {7}
    pool = Pool(lambda pid: "running" if pid in alive else "gone")
    pool.pass_time(LOCAL, 1, beating=True)
    alive.clear()
    pool.pass_time(LOCAL, STEP_S)
    assert pool.lifelines.dead == {"w1"}


def test_a_process_that_was_never_seen_here_may_be_in_a_container() -> None:
    """Whose host's name is ours, and whose process ids are not: its beats alone count."""
    pool = Pool(lambda _: "gone")
    pool.pass_time(LOCAL, 30, beating=True)
    assert not pool.lifelines.dead


def test_one_whose_process_runs_has_more_time() -> None:
    """It may wait for a busy machine."""
    pool = Pool()
    pool.pass_time(LOCAL, STALLED_S)
    assert not pool.lifelines.dead
    pool.pass_time(LOCAL, 3 * STEP_S)
    assert pool.lifelines.dead == {"w1"}


def test_one_whose_process_is_stopped_has_not() -> None:
    """No machine is so busy."""
    pool = Pool(lambda _: "stopped")
    pool.pass_time(LOCAL, LEASE_S + 3 * STEP_S)
    assert pool.lifelines.dead == {"w1"}


def test_how_a_process_is() -> None:
    """Running, stopped, waited for by nobody, waited for."""
    process = subprocess.Popen(["sleep", "60"])
    until(lambda: process_state(process.pid) == "running", "it runs")
    process.send_signal(signal.SIGSTOP)
    until(lambda: process_state(process.pid) == "stopped", "it is stopped")
    process.kill()
    until(lambda: process_state(process.pid) == "gone", "it is a zombie")
    process.wait()
    assert process_state(process.pid) == "gone"


def test_nobody_dies_of_this_process_s_own_pause() -> None:
    """A suspended machine suspends its workers as well."""
    pool = Pool()
    pool.pass_time(REMOTE, LEASE_S)
    pool.now_s += 3600
    pool.pass_time(REMOTE, LEASE_S)
    assert not pool.lifelines.dead


@pytest.mark.parametrize("pause_s", [0.5, 1.0, LATE_S])
def test_a_short_pause_counts_little(pause_s: float) -> None:
    """One that comes when two beats are late already kills nobody."""
    pool = Pool()
    pool.pass_time(REMOTE, LEASE_S - 2 * STEP_S)
    pool.now_s += pause_s - STEP_S
    pool.pass_time(REMOTE, STEP_S)
    assert not pool.lifelines.dead


def test_everybody_has_a_new_period_after_the_store_was_away() -> None:
    """Nobody could beat."""
    pool = Pool()
    pool.pass_time(REMOTE, LEASE_S)
    pool.lifelines.forgive()
    pool.pass_time(REMOTE, LEASE_S)
    assert not pool.lifelines.dead


def test_a_worker_that_takes_the_name_of_a_dead_one_lives() -> None:
    """Another process, whatever its beat."""
    pool = Pool()
    pool.pass_time(REMOTE, LEASE_S + 1)
    pool.pass_time(replace(REMOTE, pid=8), STEP_S)
    assert not pool.lifelines.dead


def test_the_server_may_err_about_a_vanished_worker_for_a_while() -> None:
    """Not about one whose process ended: its connection ended with it."""
    pool = Pool()
    pool.pass_time(REMOTE, LEASE_S + 1)
    pool.lifelines.buried("w1")
    pool.pass_time(replace(REMOTE, worker="w2"), 1, beating=True)
    assert pool.lifelines.server_may_err
    pool.pass_time(replace(REMOTE, worker="w2"), STALE_S, beating=True)
    assert not pool.lifelines.server_may_err

    alive = {7}
    pool = Pool(lambda pid: "running" if pid in alive else "gone")
    pool.pass_time(LOCAL, 1, beating=True)
    alive.clear()
    pool.pass_time(LOCAL, STEP_S)
    pool.lifelines.buried("w1")
    assert not pool.lifelines.server_may_err
