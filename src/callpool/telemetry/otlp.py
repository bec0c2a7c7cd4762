"""Exporters to a collector, by OTLP over HTTP or gRPC."""

from __future__ import annotations

from typing import Literal

# The logs of OpenTelemetry's SDK are in packages with a `_` for as long as they may still change.
# test_otlp_logs.py fails when they do.
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.util.re import parse_env_headers

from callpool.setting_groups import Telemetry

Signal = Literal["traces", "metrics", "logs"]

GRPC_MODULES = (
    "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
    "opentelemetry.exporter.otlp.proto.grpc.metric_exporter",
)
"""Imported only where gRPC is asked for: 10 MB of each process."""


def modules(settings: Telemetry) -> tuple[str, ...]:
    """What a process imports when it first exports, to be imported before a caller waits."""
    return GRPC_MODULES if settings.protocol == "grpc" and endpoint(settings, "traces") else ()


def endpoint(settings: Telemetry, signal: Signal) -> str:
    """Where a signal goes; empty: nowhere. The common endpoint gets the signal's path over HTTP."""
    own: str = getattr(settings, f"{signal}_endpoint")
    if own or not settings.endpoint or settings.protocol == "grpc":
        return own or settings.endpoint
    return f"{settings.endpoint.rstrip('/')}/v1/{signal}"


def _headers(settings: Telemetry) -> dict[str, str]:
    return dict(parse_env_headers(settings.headers.reveal(), liberal=True))


def span_exporter(settings: Telemetry) -> SpanExporter | None:
    """None: nobody is to be told."""
    if not (where := endpoint(settings, "traces")):
        return None
    if settings.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import trace_exporter

        return trace_exporter.OTLPSpanExporter(endpoint=where, headers=_headers(settings))
    return OTLPSpanExporter(endpoint=where, headers=_headers(settings))


def log_exporter(settings: Telemetry) -> LogRecordExporter | None:
    """None: nobody is to be told."""
    if not (where := endpoint(settings, "logs")):
        return None
    if settings.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import _log_exporter

        return _log_exporter.OTLPLogExporter(endpoint=where, headers=_headers(settings))
    return OTLPLogExporter(endpoint=where, headers=_headers(settings))


def metric_exporter(settings: Telemetry) -> MetricExporter | None:
    """None: nobody is to be told."""
    if not (where := endpoint(settings, "metrics")):
        return None
    if settings.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import metric_exporter

        return metric_exporter.OTLPMetricExporter(endpoint=where, headers=_headers(settings))
    return OTLPMetricExporter(endpoint=where, headers=_headers(settings))
