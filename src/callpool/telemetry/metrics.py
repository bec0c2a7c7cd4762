"""What a worker says about itself to Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from callpool.line import Breaker, Observed, Resumed

CONTENT_TYPE = CONTENT_TYPE_LATEST


class WorkerMetrics:
    """The worker's own registry. Its gauges are read when they are asked for."""

    def __init__(
        self,
        *,
        active_jobs: Callable[[], float],
        capacity: Callable[[], float],
        draining: Callable[[], bool],
        refused: Callable[[], Mapping[str, int]],
    ) -> None:
        self.registry = CollectorRegistry()
        self._gauge("callpool_active_jobs", "Calls that this worker has accepted.", active_jobs)
        self._gauge("callpool_job_capacity", "Calls that this worker takes at once.", capacity)
        self._gauge("callpool_draining", "1 while this worker is draining.", lambda: float(draining()))
        self.registry.register(_Refusals(refused))
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
        self._breaker = Gauge(
            "callpool_provider_breaker_open",
            "1 while this worker's calls avoid a provider.",
            ("provider", "part"),
            registry=self.registry,
        )

    def count_resumed(self, resumed: Resumed) -> None:
        """A call goes on here."""
        self._resumed.labels(resumed.cause).inc()

    def observe(self, observed: Observed) -> None:
        """Count what a provider did."""
        self._breaker.labels(observed.provider, observed.part)
        if observed.kind != "ok":
            self._errors.labels(observed.provider, observed.kind).inc()

    def set_breaker(self, breaker: Breaker) -> None:
        """Note that a breaker has opened or closed."""
        self._breaker.labels(breaker.provider, breaker.part).set(breaker.open)

    def page(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self.registry)

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
