"""What the dispatcher tells a monitoring system."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge

from callpool.dispatcher.decision import Cause
from callpool.ending import RECOVERABLE, Ending
from callpool.telemetry.otlp import Signal


class Figures:
    """The metrics of one dispatcher, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._waiting = Gauge(
            "callpool_waiting_callers", "Callers who wait for an agent.", registry=self.registry
        )
        self._oldest = Gauge(
            "callpool_oldest_wait_seconds",
            "How long the longest waiting caller has waited.",
            registry=self.registry,
        )
        self.dispatches = Counter(
            "callpool_dispatches_total", "Dispatches sent.", ["cause"], registry=self.registry
        )
        for cause in get_args(Cause):  # a series that begins at 1 looks to Prometheus as if nothing happened
            self.dispatches.labels(cause)
        self._ended = Counter(
            "callpool_calls_total",
            "Calls that were lost with their job and that nobody took up: jobs count all others.",
            ["result", "reason"],
            registry=self.registry,
        )
        for lost in RECOVERABLE:
            self._ended.labels(lost.result, lost.reason)
        self._dropped = Counter(
            "callpool_telemetry_dropped_total",
            "Spans, logs and metrics that no collector has taken.",
            ["signal"],
            registry=self.registry,
        )
        for each in get_args(Signal):
            self._dropped.labels(each)
        self.ghosts = Counter(
            "callpool_ghosts_removed_total",
            "Agents without a job that were put out of a room.",
            registry=self.registry,
        )

    def drop(self, signal: Signal, count: int) -> None:
        """No collector has taken so many spans, logs or metrics."""
        self._dropped.labels(signal).inc(count)

    def ended(self, final: Ending) -> None:
        """A call is over, and no job is left to say so."""
        self._ended.labels(final.result, final.reason).inc()

    def watch(self, waiting: Callable[[], float], oldest_s: Callable[[], float]) -> None:
        """Where the present values come from."""
        self._waiting.set_function(waiting)
        self._oldest.set_function(oldest_s)
