"""Traces and metrics by gRPC: the same as by HTTP, where the standard variable says so."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from prometheus_client import CollectorRegistry, Counter

from callpool import settings
from callpool.settings import Settings
from callpool.telemetry.otlp import metric_exporter, modules
from callpool.telemetry.otlp_metrics import MetricsPush
from callpool.telemetry.resource import resource
from callpool.telemetry.tracing import Tracing


@dataclass
class Receiver(trace_service_pb2_grpc.TraceServiceServicer, metrics_service_pb2_grpc.MetricsServiceServicer):
    """Keeps what it is sent, and the headers of it."""

    port: int = 0
    requests: list[Any] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def Export(self, request: Any, context: Any) -> Any:
        self.requests.append(request)
        self.headers |= dict(context.invocation_metadata())
        traces = isinstance(request, trace_service_pb2.ExportTraceServiceRequest)
        return (
            trace_service_pb2.ExportTraceServiceResponse()
            if traces
            else metrics_service_pb2.ExportMetricsServiceResponse()
        )


@contextmanager
def receiving() -> Iterator[tuple[Receiver, Settings]]:
    receiver = Receiver()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(receiver, server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(receiver, server)
    receiver.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_HEADERS": "Api-Key=secret",
    }
    try:
        yield receiver, settings.load(env)
    finally:
        server.stop(None).wait()


def test_spans_go_by_grpc() -> None:
    """With the headers, whose names gRPC wants in small letters."""
    with receiving() as (receiver, loaded):
        tracing = Tracing.of(loaded, "web")
        tracing.tracer.start_span("callpool.turn").end()
        tracing.close()
    (request,) = receiver.requests
    assert request.resource_spans[0].scope_spans[0].spans[0].name == "callpool.turn"
    assert receiver.headers["api-key"] == "secret"


async def test_metrics_go_by_grpc() -> None:
    """With their names and values."""
    registry = CollectorRegistry()
    Counter("callpool_calls_total", "Calls.", registry=registry).inc(3)
    with receiving() as (receiver, loaded):
        exporter = metric_exporter(loaded.telemetry)
        assert exporter is not None
        await MetricsPush(registry, exporter, resource(loaded, "worker")).push()
    (request,) = receiver.requests
    (metric,) = request.resource_metrics[0].scope_metrics[0].metrics
    assert (metric.name, metric.sum.data_points[0].as_double) == ("callpool_calls_total", 3)


def test_jobs_import_grpc_before_a_caller_waits() -> None:
    """And only where it is used."""
    grpc_settings = settings.load(
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    )
    assert "opentelemetry.exporter.otlp.proto.grpc.trace_exporter" in modules(grpc_settings.telemetry)
    assert modules(settings.load({}).telemetry) == ()
