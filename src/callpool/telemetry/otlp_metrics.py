"""The same metrics that Prometheus scrapes, pushed to a collector by OTLP.

`prometheus_client` owns them, since it alone has exemplars and metrics that are read when they are asked for;
here they are put into OpenTelemetry's words.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Sample

from callpool import __version__
from callpool.settings import Settings
from callpool.telemetry.otlp import metric_exporter
from callpool.telemetry.resource import Role, resource

EVERY_S = 10.0
"""How often they are pushed, seconds."""
LAST_S = 1.0
"""How long the end of the process waits for the collector, seconds."""

logger = logging.getLogger(__name__)


class MetricsPush:
    """Pushes a registry's metrics until it is stopped, and once more then. Runs in no loop's way."""

    def __init__(
        self,
        registry: CollectorRegistry,
        exporter: MetricExporter,
        resource: Resource,
        dropped: Callable[[int], None] = lambda count: None,
    ) -> None:
        """`dropped`: told how many points no collector has taken."""
        self._registry = registry
        self._exporter = exporter
        self._resource = resource
        self._dropped = dropped
        self._began_ns = time.time_ns()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await asyncio.sleep(EVERY_S)
                await self.push()
        finally:
            try:
                async with asyncio.timeout(LAST_S):
                    await self.push()
            except TimeoutError:
                logger.warning("the last metrics were not pushed", extra={"action": "metrics_late"})

    async def push(self) -> None:
        """Push what there is now."""
        data = metrics_data(self._registry.collect(), self._resource, self._began_ns)
        result = await _exported(self._exporter, data)
        if result is not MetricExportResult.SUCCESS:
            scopes = data.resource_metrics[0].scope_metrics
            self._dropped(sum(len(metric.data.data_points) for metric in scopes[0].metrics))


async def _exported(exporter: MetricExporter, data: MetricsData) -> MetricExportResult:
    """Export in a thread that nobody waits for at the end of the process, as the loop does for its own."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[MetricExportResult] = loop.create_future()

    def tell(result: MetricExportResult) -> None:
        if not done.done():
            done.set_result(result)

    def export() -> None:
        result = MetricExportResult.FAILURE
        try:
            result = exporter.export(data)
        finally:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(tell, result)

    threading.Thread(target=export, name="push-metrics", daemon=True).start()
    return await done


async def push_metrics(
    settings: Settings,
    role: Role,
    registry: CollectorRegistry,
    dropped: Callable[[int], None] = lambda count: None,
) -> None:
    """Push to the collector of the settings until cancelled. Without one, nothing happens."""
    exporter = metric_exporter(settings.telemetry)
    if exporter is not None:
        await MetricsPush(registry, exporter, resource(settings, role), dropped).run()


def metrics_data(families: Iterable[Family], resource: Resource, began_ns: int) -> MetricsData:
    """Families of `prometheus_client` as a push of OTLP. `began_ns`: since when counters count."""
    now_ns = time.time_ns()
    metrics = [metric for family in families if (metric := _metric(family, began_ns, now_ns)) is not None]
    scope = ScopeMetrics(InstrumentationScope("callpool", __version__), metrics, "")
    return MetricsData([ResourceMetrics(resource, [scope], "")])


def _metric(family: Family, began_ns: int, now_ns: int) -> Metric | None:
    data: Any
    match family.type:
        case "counter":
            counted = [sample for sample in family.samples if sample.name.endswith("_total")]
            points = [_number(sample, began_ns, now_ns) for sample in counted]
            data = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)
            name = f"{family.name}_total"
        case "gauge":
            points = [_number(sample, began_ns, now_ns) for sample in family.samples]
            data, name = Gauge(points), family.name
        case "histogram":
            made = [
                _histogram(list(samples), began_ns, now_ns)
                for _, samples in groupby(family.samples, key=_labels_but_bound)
            ]
            data, name = Histogram(made, AggregationTemporality.CUMULATIVE), family.name
        case _:
            return None
    unit = "s" if "_seconds" in name else ""
    return Metric(name, family.documentation, unit, data) if data.data_points else None


def _number(sample: Sample, began_ns: int, now_ns: int) -> NumberDataPoint:
    return NumberDataPoint(sample.labels, began_ns, now_ns, sample.value, _exemplars([sample]))


def _labels_but_bound(sample: Sample) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in sample.labels.items() if name != "le"))


def _histogram(samples: Sequence[Sample], began_ns: int, now_ns: int) -> HistogramDataPoint:
    """Prometheus counts what is below a bound, OTLP what is between two."""
    buckets = [sample for sample in samples if sample.name.endswith("_bucket")]
    below = [int(sample.value) for sample in buckets]
    between = [count - before for before, count in zip([0, *below], below, strict=False)]
    total = next(sample.value for sample in samples if sample.name.endswith("_sum"))
    return HistogramDataPoint(
        attributes=dict(_labels_but_bound(samples[0])),
        start_time_unix_nano=began_ns,
        time_unix_nano=now_ns,
        count=below[-1],
        sum=total,
        bucket_counts=between,
        explicit_bounds=[float(sample.labels["le"]) for sample in buckets[:-1]],
        # Neither is known, and OTLP can do without.
        min=None,  # type: ignore[arg-type]
        max=None,  # type: ignore[arg-type]
        exemplars=_exemplars(buckets),
    )


def _exemplars(samples: Sequence[Sample]) -> list[Exemplar]:
    given = [sample.exemplar for sample in samples if sample.exemplar is not None]
    return [
        Exemplar(
            {},
            one.value,
            int(float(one.timestamp or 0) * 1e9),
            int(one.labels["span_id"], 16),
            int(one.labels["trace_id"], 16),
        )
        for one in given
    ]
