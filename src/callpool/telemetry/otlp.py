"""Exporters to a collector, by OTLP over HTTP or gRPC."""

from __future__ import annotations

from typing import Literal
from urllib.parse import unquote

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter

from callpool.secrets import Secret
from callpool.setting_groups import Telemetry

GRPC_MODULES = (
    "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
    "opentelemetry.exporter.otlp.proto.grpc.metric_exporter",
)
"""Imported only where gRPC is asked for: 10 MB of each process."""


def modules(settings: Telemetry) -> tuple[str, ...]:
    """What a process imports when it first exports, to be imported before a caller waits."""
    return GRPC_MODULES if settings.protocol == "grpc" and endpoint(settings, "traces") else ()


def endpoint(settings: Telemetry, signal: Literal["traces", "metrics", "logs"]) -> str:
    """Where a signal goes; empty: nowhere. The common endpoint gets the signal's path over HTTP."""
    own: str = getattr(settings, f"{signal}_endpoint")
    if own or not settings.endpoint or settings.protocol == "grpc":
        return own or settings.endpoint
    return f"{settings.endpoint.rstrip('/')}/v1/{signal}"


def headers(secret: Secret) -> dict[str, str]:
    """`name=value,name=value`, percent-encoded, as the variable is defined. Names in small letters: gRPC
    refuses others."""
    pairs = (pair.partition("=") for pair in secret.reveal().split(",") if "=" in pair)
    return {unquote(name).strip().lower(): unquote(value).strip() for name, _, value in pairs}


def span_exporter(settings: Telemetry) -> SpanExporter | None:
    """None: nobody is to be told."""
    if not (where := endpoint(settings, "traces")):
        return None
    if settings.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import trace_exporter

        return trace_exporter.OTLPSpanExporter(endpoint=where, headers=headers(settings.headers))
    return OTLPSpanExporter(endpoint=where, headers=headers(settings.headers))


def metric_exporter(settings: Telemetry) -> MetricExporter | None:
    """None: nobody is to be told."""
    if not (where := endpoint(settings, "metrics")):
        return None
    if settings.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import metric_exporter

        return metric_exporter.OTLPMetricExporter(endpoint=where, headers=headers(settings.headers))
    return OTLPMetricExporter(endpoint=where, headers=headers(settings.headers))
