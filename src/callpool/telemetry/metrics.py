"""What a worker says about itself to Prometheus."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from callpool.ending import ENDINGS, RECOVERABLE
from callpool.line import Breaker, Measured, Observed, Resumed
from callpool.telemetry.otlp import Signal

SECONDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0, 20.0)
"""Upper bounds of what a caller waits for: fine where a turn is good (below 1 s), coarse where it is not."""


@dataclass(frozen=True)
class OfJobs:
    """A metric that jobs observe and their worker keeps. `seconds`: a histogram; else a counter."""

    text: str
    labels: tuple[str, ...] = ()
    seconds: bool = False


OF_JOBS = {
    "callpool_calls_total": OfJobs("Calls that have ended here, by how.", ("result", "reason")),
    "callpool_turn_latency_seconds": OfJobs(
        "From the caller's last voiced sample to the first of the answer.", ("stage", "profile"), seconds=True
    ),
    "callpool_turn_phase_seconds": OfJobs("What the time of a turn goes on.", ("phase",), seconds=True),
    "callpool_barge_in_seconds": OfJobs(
        "From the voice of a caller who interrupts to the agent's silence.", seconds=True
    ),
    "callpool_first_audio_seconds": OfJobs(
        "From a caller's joining to the first sound of the agent.", seconds=True
    ),
    "callpool_tool_calls_total": OfJobs("Function tools that agents have used.", ("tool", "outcome")),
    "callpool_cost_usd_total": OfJobs("What calls have cost.", ("provider", "model", "stage")),
    "callpool_telemetry_dropped_total": OfJobs(
        "Spans, logs and metrics that no collector has taken.", ("signal",)
    ),
}
"""By name."""
MOST_VALUES = 200
"""How many values a label may have; what comes later is counted as `OTHER`: a model can invent tools."""
OTHER = "other"

logger = logging.getLogger(__name__)


def dropped(signal: Signal, count: int) -> Measured:
    """So many spans, logs or metrics were not taken by a collector."""
    return Measured("callpool_telemetry_dropped_total", count, (signal,))


def page(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """All metrics, and their content type: OpenMetrics, which has exemplars, for those who accept it."""
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class WorkerMetrics:
    """The worker's own registry. Its gauges are read when they are asked for.

    Counters whose labels are known start at 0: Prometheus sees nothing happen to a series that begins at 1,
    so that the first failure of a kind would raise no alarm.
    """

    def __init__(
        self,
        *,
        active_jobs: Callable[[], float],
        capacity: Callable[[], float],
        draining: Callable[[], bool],
        refused: Callable[[], Mapping[str, int]],
        draining_s: Callable[[], float] = lambda: 0.0,
        drain_timeout_s: float = 0.0,
        error_kinds: Sequence[str] = (),
    ) -> None:
        self.registry = CollectorRegistry()
        self._gauge("callpool_active_jobs", "Calls that this worker has accepted.", active_jobs)
        self._gauge("callpool_job_capacity", "Calls that this worker takes at once.", capacity)
        self._gauge("callpool_draining", "1 while this worker is draining.", lambda: float(draining()))
        self._gauge(
            "callpool_draining_seconds", "How long this worker has been draining; 0: it is not.", draining_s
        )
        self._gauge(
            "callpool_drain_timeout_seconds",
            "How long it lets calls finish before it hands them over.",
            lambda: drain_timeout_s,
        )
        self.registry.register(_Refusals(refused))
        self._error_kinds = error_kinds
        self._errors = Counter(
            "callpool_provider_errors",
            "Failures of providers, also those that callers heard nothing of.",
            ("provider", "kind"),
            registry=self.registry,
        )
        self._resumed = Counter(
            "callpool_resumed_calls",
            "Calls that this worker has taken up, by how their last job ended.",
            ("cause",),
            registry=self.registry,
        )
        for cause in RECOVERABLE:
            self._resumed.labels(cause.reason)
        self._of_jobs = {name: self._family(name, one) for name, one in OF_JOBS.items()}
        for ending in ENDINGS:
            self._of_jobs["callpool_calls_total"].labels(ending.result, ending.reason)
        self._known: dict[tuple[str, int], set[str]] = {}
        self._breaker = Gauge(
            "callpool_provider_breaker_open",
            "1 while this worker's calls avoid a provider.",
            ("provider", "part"),
            registry=self.registry,
        )

    def take(self, measured: Measured) -> None:
        """What a job has observed. What cannot be used is logged: a job's mistake ends no worker."""
        family = self._of_jobs.get(measured.metric)
        if family is None or len(measured.labels) != len(OF_JOBS[measured.metric].labels):
            logger.error("no such metric", extra={"action": "unknown_metric", "metric": measured.metric})
            return
        values = [self._bounded(measured.metric, at, value) for at, value in enumerate(measured.labels)]
        child = family.labels(*values) if values else family
        exemplar = {"trace_id": measured.trace_id, "span_id": measured.span_id} if measured.trace_id else None
        if isinstance(child, Histogram):
            child.observe(measured.value, exemplar)
        elif measured.value >= 0:
            child.inc(measured.value, exemplar)

    def begin(self, metric: str, labels: tuple[str, ...]) -> None:
        """Have a series of `OF_JOBS` that nothing is counted in yet."""
        self._of_jobs[metric].labels(*labels)

    def count_resumed(self, resumed: Resumed) -> None:
        """A call goes on here."""
        self._resumed.labels(resumed.cause).inc()

    def observe(self, observed: Observed) -> None:
        """Count what a provider did."""
        self._breaker.labels(observed.provider, observed.part)
        for kind in self._error_kinds:
            self._errors.labels(observed.provider, kind)
        if observed.kind != "ok":
            self._errors.labels(observed.provider, observed.kind).inc()

    def set_breaker(self, breaker: Breaker) -> None:
        """Note that a breaker has opened or closed."""
        self._breaker.labels(breaker.provider, breaker.part).set(breaker.open)

    def _family(self, name: str, one: OfJobs) -> Counter | Histogram:
        if one.seconds:
            return Histogram(name, one.text, one.labels, registry=self.registry, buckets=SECONDS)
        return Counter(name, one.text, one.labels, registry=self.registry)

    def _bounded(self, metric: str, at: int, value: str) -> str:
        known = self._known.setdefault((metric, at), set())
        if value not in known and len(known) >= MOST_VALUES:
            return OTHER
        known.add(value)
        return value

    def _gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        Gauge(name, text, registry=self.registry).set_function(read)


class _Refusals(Collector):
    """The jobs that admission has refused: it counts them itself."""

    def __init__(self, read: Callable[[], Mapping[str, int]]) -> None:
        self._read = read

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(
            "callpool_jobs_refused", "Jobs that this worker has refused.", labels=["reason"]
        )
        for reason, count in self._read().items():
            family.add_metric([reason], count)
        yield family
