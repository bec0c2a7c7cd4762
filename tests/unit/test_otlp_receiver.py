"""The collector that tests use keeps what real exporters send."""

from __future__ import annotations

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otlp_receiver import OtlpReceiver, otlp_receiver, serving, values


def send_span(receiver: OtlpReceiver, name: str, compression: Compression, **attributes: str | int) -> None:
    exporter = OTLPSpanExporter(f"{receiver.url}/v1/traces", compression=compression, timeout=2)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span(name, attributes=attributes):
        pass
    provider.shutdown()


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
def test_a_span_is_found_in_the_bytes_and_decoded(compression: Compression) -> None:
    """However it is compressed on its way."""
    with otlp_receiver() as receiver:
        send_span(receiver, "a-turn", compression, word="marigold", n=3)
    (span,) = receiver.spans
    assert span.name == "a-turn"
    assert values(span.attributes) == {"word": "marigold", "n": 3}
    assert receiver.holding("marigold") == receiver.requests
    assert not receiver.holding("dandelion")


def test_metrics_are_decoded() -> None:
    """A counter of a real reader."""
    with otlp_receiver() as receiver:
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{receiver.url}/v1/metrics"))
        provider = MeterProvider([reader], shutdown_on_exit=False)
        provider.get_meter("test").create_counter("calls").add(2, {"result": "completed"})
        provider.shutdown()
    (metric,) = receiver.metrics
    (point,) = metric.sum.data_points
    assert (metric.name, point.as_int, values(point.attributes)) == ("calls", 2, {"result": "completed"})


def test_a_receiver_that_was_away_listens_on_its_port_again() -> None:
    """With what it already had."""
    with otlp_receiver() as receiver:
        send_span(receiver, "before", Compression.Gzip)
    port = receiver.port
    with serving(receiver):
        assert receiver.port == port
        send_span(receiver, "after", Compression.Gzip)
    assert [span.name for span in receiver.spans] == ["before", "after"]


def test_what_is_refused_is_not_kept() -> None:
    """A test can see that something was tried."""
    with otlp_receiver() as receiver:
        receiver.status = 400
        send_span(receiver, "refused", Compression.NoCompression)
    assert (receiver.spans, receiver.attempts) == ([], 1)
