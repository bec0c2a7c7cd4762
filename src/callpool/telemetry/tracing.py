"""Traces: one a call, from dispatch to hang-up, exported by OTLP off the audio path."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from livekit.agents import get_job_context, telemetry
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from callpool import __version__
from callpool.burial import call_of
from callpool.call import Call
from callpool.settings import Settings
from callpool.telemetry.otlp import span_exporter
from callpool.telemetry.personal import without_personal
from callpool.telemetry.resource import Role, resource
from callpool.telemetry.trace_context import CallIds, TraceContext

logger = logging.getLogger(__name__)

MOST_WAITING = 4096
"""Spans that wait for the collector. A minute of a call makes about 300; what comes on top is dropped."""
FLUSH_S = 2.0
"""How long the end of a call waits for the collector, seconds, while its last words are written."""
LAST_FLUSH_S = 0.9
"""The same for the last spans of a process."""
JOB_SPAN = "job_entrypoint"
"""The SDK's span around a whole job."""

Dropped = Callable[[int], None]
"""Told how many spans nobody will see."""


class Tracing:
    """The traces of a process. Without an endpoint nothing is recorded, and every method does nothing."""

    def __init__(self, provider: TracerProvider | None = None, spans: _CallSpans | None = None) -> None:
        self._provider = provider
        self._spans = spans
        self.tracer: trace.Tracer = (
            provider.get_tracer("callpool", __version__) if provider else trace.NoOpTracer()
        )

    @classmethod
    def of(cls, settings: Settings, role: Role, dropped: Dropped = lambda count: None) -> Tracing:
        """Those that the settings want. `role`: what the process does."""
        exporter = span_exporter(settings.telemetry)
        if exporter is None:
            return cls()
        make = _CallTracerProvider if role == "job" else TracerProvider
        provider = make(
            resource=resource(settings, role),
            sampler=TraceIdRatioBased(settings.telemetry.sample_ratio),
            id_generator=CallIds(),
            shutdown_on_exit=False,  # `close`, or the end of the job's own span, has seen to it
        )
        spans = _CallSpans(exporter, settings.telemetry.pii, dropped)
        provider.add_span_processor(spans)
        return cls(provider, spans)

    def adopt_sdk(self, *, personal: bool) -> None:
        """Have the SDK's own spans recorded, in a process that is to run a job."""
        telemetry.gen_ai.set_capture_content(personal)
        if self._provider is not None:
            telemetry.set_tracer_provider(self._provider, allow_pii=personal)

    def follow(self, call: Call) -> None:
        """Mark all spans from now on with the call, and the stage that it is in."""
        if self._spans is not None:
            self._spans.call = call

    @contextmanager
    def span(
        self,
        context: TraceContext,
        name: str,
        kind: trace.SpanKind = trace.SpanKind.INTERNAL,
        *,
        call_id: str,
    ) -> Iterator[trace.Span]:
        """A span of a call, in a process that serves many."""
        with context.entered() as parent:
            started = self.tracer.start_span(name, parent, kind, {"callpool.call_id": call_id})
        with trace.use_span(started, end_on_exit=True) as span:
            yield span

    def flush(self, timeout_s: float = FLUSH_S) -> None:
        """Hand on what has been recorded. Blocks for `timeout_s` at most: to be called in a thread."""
        if self._spans is not None:
            self._spans.flush(timeout_s)

    def close(self) -> None:
        """The end of the process: hand on the rest."""
        if self._spans is not None:
            self._spans.close()


class _CallSpans(SpanProcessor):
    """Marks spans with the call, exports them in batches, and counts what is dropped."""

    def __init__(self, exporter: SpanExporter, personal: bool, dropped: Dropped) -> None:
        self.call: Call | None = None
        self._exporter = _Exporter(exporter, personal)
        self._batches = BatchSpanProcessor(self._exporter, max_queue_size=MOST_WAITING)
        self._dropped = dropped
        self._ended = 0
        self._told = 0

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if self.call is not None:
            span.set_attribute("callpool.call_id", self.call.call_id)
            if self.call.stage:
                span.set_attribute("callpool.stage", self.call.stage)

    def on_end(self, span: ReadableSpan) -> None:
        if not (span.context and span.context.trace_flags.sampled):
            return
        self._ended += 1
        self._batches.on_end(span)
        self._tell()
        if span.name == JOB_SPAN:
            # The SDK ends it when all else is done, the process after it without another word: nobody is
            # kept waiting by this, and what is not handed on now never is.
            self.flush(LAST_FLUSH_S)

    def flush(self, timeout_s: float) -> None:
        # In a thread: the SDK's own timeout does nothing.
        flushing = threading.Thread(target=self._batches.force_flush, name="flush-spans", daemon=True)
        flushing.start()
        flushing.join(timeout_s)
        self._tell()

    def close(self) -> None:
        self.flush(LAST_FLUSH_S)
        threading.Thread(target=self._batches.shutdown, name="close-spans", daemon=True).start()

    def shutdown(self) -> None:
        self.close()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        self.flush(timeout_millis / 1000)
        return True

    def _tell(self) -> None:
        """Say what was refused by the collector since, and what the queue could not hold."""
        overflow = max(0, self._ended - self._exporter.taken - MOST_WAITING)
        lost = self._exporter.refused + overflow
        if lost > self._told:
            self._dropped(lost - self._told)
            self._told = lost


class _Exporter(SpanExporter):
    """Exports what is not personal. Runs in the exporting thread."""

    def __init__(self, inner: SpanExporter, personal: bool) -> None:
        self._inner = inner
        self._personal = personal
        self.taken = 0
        """Spans that left the queue."""
        self.refused = 0
        """Those of them that nobody took."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.taken += len(spans)
        result = SpanExportResult.FAILURE
        try:
            result = self._inner.export([without_personal(span, personal=self._personal) for span in spans])
        finally:
            if result is not SpanExportResult.SUCCESS:
                self.refused += len(spans)
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()


class _CallTracerProvider(TracerProvider):
    """Gives every span of a job's process that has no parent the call's own: the SDK's first span takes none.

    What a process does before it has a job belongs to no call, and is not recorded.
    """

    def get_tracer(self, *arguments: Any, **named: Any) -> trace.Tracer:
        return _CallTracer(super().get_tracer(*arguments, **named))


class _CallTracer(trace.Tracer):
    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def start_span(
        self, name: str, context: Context | None = None, *arguments: Any, **named: Any
    ) -> trace.Span:
        if trace.get_current_span(context).get_span_context().is_valid:
            return self._tracer.start_span(name, context, *arguments, **named)
        job = get_job_context(required=False)
        if job is None:
            return trace.INVALID_SPAN
        with TraceContext.of_dispatch(job.job.metadata, call_of(job.job).call_id).entered() as parent:
            return self._tracer.start_span(name, parent, *arguments, **named)

    @contextmanager
    def start_as_current_span(  # type: ignore[override]
        self,
        name: str,
        *arguments: Any,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
        **named: Any,
    ) -> Iterator[trace.Span]:
        span = self.start_span(name, *arguments, **named)
        with trace.use_span(
            span,
            end_on_exit=end_on_exit,
            record_exception=record_exception,
            set_status_on_exception=set_status_on_exception,
        ) as current:
            yield current
