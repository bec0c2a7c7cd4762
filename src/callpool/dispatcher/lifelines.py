"""Which workers live: their beats, watched by this process's own clock."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import psutil

from callpool.pool import BEAT_S, LEASE_S, Lease

STALLED_S = 3 * LEASE_S
"""A worker on this host whose process runs is not dead before that, seconds: the machine is busy."""
SILENT_S = 1.5 * BEAT_S
"""A worker whose beats stand still for this long is late, seconds."""
MOST_COUNTED_S = 0.5
"""How much of the time between two looks at the leases counts as silence at most, seconds: this process may
have had no time to look, and the workers none to beat, for the same reason."""
LATE_S = 2.0
"""When two looks are further apart, seconds, every worker gets a new period: this process was suspended, or
the store was away."""
STALE_S = 60.0
"""How long the server may take a worker that vanished without a word for available, seconds."""


ProcessState = Literal["running", "stopped", "gone"]


def process_state(pid: int) -> ProcessState:
    """How a process of this machine is. A zombie is gone; a stopped one does nothing by itself."""
    try:
        status = psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return "gone"
    except psutil.Error:
        return "running"
    if status == psutil.STATUS_ZOMBIE:
        return "gone"
    return "stopped" if status == psutil.STATUS_STOPPED else "running"


@dataclass
class _Line:
    lease: Lease
    has_run: bool
    """Its process was seen on this host. A container may share the host's name and not its processes."""
    silent_s: float = 0.0
    """How long its beats have stood still."""
    state: ProcessState = "gone"
    """How its process is on this host."""

    @property
    def ended(self) -> bool:
        """Whether its process was seen, and is gone."""
        return self.has_run and self.state == "gone"

    @property
    def dead(self) -> bool:
        return self.ended or self.silent_s > (STALLED_S if self.state == "running" else LEASE_S)


@dataclass
class Lifelines:
    """The workers' leases."""

    host: str = field(default_factory=socket.gethostname)
    state_of: Callable[[int], ProcessState] = process_state
    _lines: dict[str, _Line] = field(default_factory=dict)
    _looked_s: float = float("-inf")
    _vanished_s: dict[str, float] = field(default_factory=dict)

    def update(self, leases: Sequence[Lease], now_s: float) -> None:
        """Take in what the store says now."""
        gap_s = now_s - self._looked_s
        self._looked_s = now_s
        lines: dict[str, _Line] = {}
        for lease in leases:
            old = self._lines.get(lease.worker)
            if old is not None and old.lease.pid != lease.pid:
                old = None  # another process has taken the name
            state = self.state_of(lease.pid) if lease.host == self.host else "gone"
            has_run = state != "gone" or (old is not None and old.has_run)
            line = _Line(lease, has_run, state=state)
            if old is not None and old.lease.beat == lease.beat and gap_s <= LATE_S:
                line.silent_s = old.silent_s + min(gap_s, MOST_COUNTED_S)
            lines[lease.worker] = line
        self._lines = lines

    def forgive(self) -> None:
        """The store did not answer: what the workers did meanwhile is unknown."""
        self._looked_s = float("-inf")

    @property
    def silent(self) -> bool:
        """Whether the beats of a worker are late, which may be the store's fault."""
        return any(line.silent_s > SILENT_S for line in self._lines.values())

    @property
    def dead(self) -> frozenset[str]:
        """Workers whose leases are over."""
        return frozenset(worker for worker, line in self._lines.items() if line.dead)

    def beat(self, worker: str) -> int:
        """The last beat of a worker that has a lease."""
        return self._lines[worker].lease.beat

    def buried(self, worker: str) -> None:
        """A worker's lease was taken. One that vanished rather than ended is remembered for a while."""
        line = self._lines.pop(worker, None)
        if line is not None and not line.ended:
            self._vanished_s[worker] = self._looked_s

    def free(self, agent_name: str) -> int:
        """How many more calls the living take."""
        leases = (line.lease for line in self._lines.values() if not line.dead)
        return sum(lease.free for lease in leases if lease.agent_name == agent_name)

    @property
    def server_may_err(self) -> bool:
        """Whether the server may still send jobs to a worker that is no more."""
        return any(self._looked_s - at_s < STALE_S for at_s in self._vanished_s.values())
