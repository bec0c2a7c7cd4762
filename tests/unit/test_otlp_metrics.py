"""The worker's metrics, pushed to a collector."""

from __future__ import annotations

import asyncio
from typing import Any

from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from callpool import settings
from callpool.line import Measured
from callpool.telemetry.metrics import WorkerMetrics
from callpool.telemetry.otlp import metric_exporter
from callpool.telemetry.otlp_metrics import MetricsPush, push_metrics
from callpool.telemetry.resource import resource
from otlp_receiver import OtlpReceiver, otlp_receiver, values

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def a_workers() -> WorkerMetrics:
    """Of a worker that has two calls and has measured two turns."""
    metrics = WorkerMetrics(active_jobs=lambda: 2, capacity=lambda: 8, draining=lambda: False, refused=dict)
    for seconds in (0.45, 30.0):
        metrics.take(
            Measured("callpool_turn_latency_seconds", seconds, ("greeting", "balanced"), TRACE, SPAN)
        )
    metrics.take(Measured("callpool_calls_total", 1, ("completed", "goodbye")))
    return metrics


async def pushed(receiver: OtlpReceiver, metrics: WorkerMetrics, **env: str) -> dict[str, Metric]:
    """What a collector gets in one push, by name."""
    loaded = settings.load({"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, **env})
    exporter = metric_exporter(loaded.telemetry)
    assert exporter is not None
    await MetricsPush(metrics.registry, exporter, resource(loaded, "worker")).push()
    return {metric.name: metric for metric in receiver.metrics}


async def test_a_histogram_keeps_its_buckets_and_its_example() -> None:
    """What Prometheus counts below a bound, OTLP counts between two; the turn's trace goes along."""
    with otlp_receiver() as receiver:
        found = await pushed(receiver, a_workers())
    histogram = found["callpool_turn_latency_seconds"]
    (point,) = histogram.histogram.data_points
    assert histogram.unit == "s"
    assert values(point.attributes) == {"stage": "greeting", "profile": "balanced"}
    assert (point.count, point.sum) == (2, 30.45)
    assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
    assert point.bucket_counts[list(point.explicit_bounds).index(0.5)] == 1
    assert point.bucket_counts[-1] == 1, "above the last bound"
    assert sum(point.bucket_counts) == 2
    assert not point.HasField("min")
    assert {(one.trace_id.hex(), one.span_id.hex()) for one in point.exemplars} == {(TRACE, SPAN)}


async def test_counters_and_gauges_have_their_names_and_labels() -> None:
    """As Prometheus shows them, so that one dashboard serves both ways."""
    with otlp_receiver() as receiver:
        found = await pushed(receiver, a_workers())
    calls = found["callpool_calls_total"].sum
    assert calls.is_monotonic
    by_ending = {tuple(values(point.attributes).values()): point.as_double for point in calls.data_points}
    assert by_ending[("completed", "goodbye")] == 1
    assert [point.as_double for point in found["callpool_active_jobs"].gauge.data_points] == [2]


async def test_the_end_of_the_process_pushes_once_more() -> None:
    """Else the last calls of a worker that is scaled in would be missing."""
    with otlp_receiver() as receiver:
        loaded = settings.load({"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url})
        pushing = asyncio.create_task(push_metrics(loaded, "worker", a_workers().registry))
        await asyncio.sleep(0)
        pushing.cancel()
        await asyncio.gather(pushing, return_exceptions=True)
        assert receiver.of("metrics")


async def test_what_no_collector_takes_is_counted() -> None:
    """Points, not pushes."""
    lost: list[int] = []
    with otlp_receiver() as receiver:
        receiver.status = 400
        loaded = settings.load({"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url})
        exporter: Any = metric_exporter(loaded.telemetry)
        await MetricsPush(a_workers().registry, exporter, resource(loaded, "worker"), lost.append).push()
    assert lost
    assert lost[0] > 3
