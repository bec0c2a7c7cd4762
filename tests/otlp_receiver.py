"""A collector for tests: takes OTLP over HTTP on loopback and keeps every request, as bytes and decoded.

It runs in a thread of its own, so that a test may wait for an exporter's flush without waiting for itself.
"""

from __future__ import annotations

import asyncio
import gzip
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

LOOPBACK = "127.0.0.1"
LARGEST_BODY = 64 * 2**20

OtlpRequest: TypeAlias = ExportTraceServiceRequest | ExportMetricsServiceRequest | ExportLogsServiceRequest
SIGNALS: Mapping[str, type[OtlpRequest]] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}


@dataclass(frozen=True)
class Received:
    """One request. `body`: its bytes, decompressed, which is what a search for words has to look at."""

    signal: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    message: Any
    """An `Export…ServiceRequest`."""
    at: float
    """`time.monotonic()`, seconds."""


@dataclass
class OtlpReceiver:
    """What has arrived. `status` and `delay_s` say how later requests are answered; a test may set them."""

    port: int = 0
    status: int = 200
    delay_s: float = 0.0
    requests: list[Received] = field(default_factory=list)
    attempts: int = 0
    """Requests that were made, also those that were refused."""

    @property
    def url(self) -> str:
        """For `OTEL_EXPORTER_OTLP_ENDPOINT`."""
        return f"http://{LOOPBACK}:{self.port}"

    def of(self, signal: str) -> list[Received]:
        """The requests with `traces`, `metrics` or `logs`."""
        return [request for request in list(self.requests) if request.signal == signal]

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.of("traces")
            for resource in request.message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def metrics(self) -> list[Metric]:
        return [
            metric
            for request in self.of("metrics")
            for resource in request.message.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]

    @property
    def logs(self) -> list[LogRecord]:
        return [
            record
            for request in self.of("logs")
            for resource in request.message.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    def holding(self, word: str) -> list[Received]:
        """The requests with this word anywhere in their bytes."""
        return [request for request in list(self.requests) if word.encode() in request.body]

    def until(self, true: Callable[[], Any], what: str, timeout_s: float = 10.0) -> Any:
        """Wait until `true()` is truthy, and give that value. Not for the loop of an asyncio test."""
        deadline = time.monotonic() + timeout_s
        while not (value := true()):
            assert time.monotonic() < deadline, f"not received within {timeout_s:g} s: {what}"
            time.sleep(0.01)
        return value

    async def _take(self, request: web.Request) -> web.Response:
        signal = request.match_info["signal"]
        self.attempts += 1
        # aiohttp decompresses what says that it is compressed; a test's own bytes may still be.
        body = _plain(await request.read())
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.status != 200:
            return web.Response(status=self.status)
        message = SIGNALS[signal].FromString(body)
        self.requests.append(
            Received(signal, request.path, dict(request.headers), body, message, time.monotonic())
        )
        return web.Response(body=b"", content_type="application/x-protobuf")

    async def _serve(self, up: threading.Event, down: asyncio.Event) -> None:
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_post("/v1/{signal:traces|metrics|logs}", self._take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        try:
            site = web.TCPSite(runner, LOOPBACK, self.port, reuse_address=True)
            await site.start()
            self.port = runner.addresses[0][1]
            up.set()
            await down.wait()
        finally:
            up.set()
            await runner.cleanup()


@contextmanager
def otlp_receiver(port: int = 0) -> Iterator[OtlpReceiver]:
    """A receiver on a free port of loopback, or on `port`: one that is away comes back on its own one."""
    with serving(OtlpReceiver(port)) as receiver:
        yield receiver


@contextmanager
def serving(receiver: OtlpReceiver) -> Iterator[OtlpReceiver]:
    """Have a receiver listen for as long as the block runs; it keeps what it got."""
    loops: list[asyncio.AbstractEventLoop] = []
    up, down = threading.Event(), asyncio.Event()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            with asyncio.Runner() as runner:  # which leaves no task behind
                loops.append(runner.get_loop())
                runner.run(receiver._serve(up, down))
        except BaseException as error:
            failed.append(error)
            up.set()

    thread = threading.Thread(target=run, name="otlp-receiver", daemon=True)
    thread.start()
    up.wait(10)
    try:
        if failed or not receiver.port:
            raise AssertionError(f"the receiver does not listen: {failed}")
        yield receiver
    finally:
        if thread.is_alive():
            loops[0].call_soon_threadsafe(down.set)
        thread.join(10)
        assert not thread.is_alive(), "the receiver did not end"


def values(attributes: Sequence[KeyValue]) -> dict[str, Any]:
    """Attributes as Python has them."""
    return {entry.key: _value(entry.value) for entry in attributes}


def _value(value: AnyValue) -> Any:
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [_value(one) for one in value.array_value.values]
        case "kvlist_value":
            return values(value.kvlist_value.values)
        case kind:
            return getattr(value, kind)


def _plain(body: bytes) -> bytes:
    if body.startswith(b"\x1f\x8b"):
        return gzip.decompress(body)
    if body.startswith((b"\x78\x01", b"\x78\x9c", b"\x78\xda")):
        return zlib.decompress(body)
    return body
