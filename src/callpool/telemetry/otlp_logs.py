"""Log records on their way to a collector, in batches, from a thread of their own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

# The logs of OpenTelemetry's SDK are in packages with a `_` for as long as they may still change.
# test_otlp_logs.py fails when they do.
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    LogRecordExporter,
    LogRecordExportResult,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from callpool.settings import Settings
from callpool.telemetry.log_filter import fields_of
from callpool.telemetry.otlp import log_exporter
from callpool.telemetry.resource import Role, resource

MOST_WAITING = 2048
"""Records that wait for the collector; while there are so many, further ones are dropped."""
FLUSH_S = 1.5
"""How long the last records may take at the end of a process, seconds."""
PAUSE_MS = 1000
"""How long a record waits for others, milliseconds."""
OF_EXPORT = ("opentelemetry", "urllib3", "requests", "grpc")
"""Loggers that speak about sending: what they say of a failure would be sent next, and fail."""

_SEVERITY = {
    logging.DEBUG: SeverityNumber.DEBUG,
    logging.INFO: SeverityNumber.INFO,
    logging.WARNING: SeverityNumber.WARN,
    logging.ERROR: SeverityNumber.ERROR,
    logging.CRITICAL: SeverityNumber.FATAL,
}


class OtlpLogs(logging.Handler):
    """Sends records that a `LogFilter` has cleaned. Never blocks: what the collector does not take in time is
    dropped, and counted."""

    def __init__(self, exporter: LogRecordExporter, resource: Resource) -> None:
        super().__init__()
        self._provider = LoggerProvider(resource, shutdown_on_exit=False)
        self._provider.add_log_record_processor(
            BatchLogRecordProcessor(
                _Counting(exporter, self._on_sent), PAUSE_MS, max_queue_size=2 * MOST_WAITING
            )
        )
        self._logger = self._provider.get_logger("callpool")
        self._counting = threading.Lock()
        self._waiting = 0
        self._dropped = 0
        self._tell: Callable[[int], None] | None = None
        # Made now: at the end of a process no thread can be started.
        self._ending = threading.Event()
        self._closer = threading.Thread(target=self._shut_down, name="otlp-logs-end", daemon=True)
        self._closer.start()

    @classmethod
    def of(cls, settings: Settings, role: Role) -> OtlpLogs | None:
        """None when no endpoint is set."""
        exporter = log_exporter(settings.telemetry)
        return None if exporter is None else cls(exporter, resource(settings, role))

    def tell_dropped(self, dropped: Callable[[int], None]) -> None:
        """Have `dropped` told of records that are lost, how many, also of those until now. It is called from
        other threads."""
        with self._counting:
            self._tell, before, self._dropped = dropped, self._dropped, 0
        if before:
            dropped(before)

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] in OF_EXPORT:
            return
        with self._counting:
            is_full = self._waiting >= MOST_WAITING
            self._waiting += not is_full
        if is_full:
            self._drop(1)
            return
        try:
            self._logger.emit(_exported(record))
        except Exception:
            self._on_sent(1, taken=False)

    def close(self) -> None:
        """Send what waits, for FLUSH_S at most. `logging` calls this at the end of a process."""
        if not self._ending.is_set():
            self._ending.set()
            self._closer.join(FLUSH_S)
            with self._counting:
                left, self._waiting = self._waiting, 0
            self._drop(left)
        super().close()

    def _shut_down(self) -> None:
        self._ending.wait()
        self._provider.shutdown()

    def _on_sent(self, count: int, taken: bool) -> None:
        with self._counting:
            self._waiting = max(0, self._waiting - count)
        if not taken:
            self._drop(count)

    def _drop(self, count: int) -> None:
        if count == 0:
            return
        with self._counting:
            if self._tell is None:
                self._dropped += count
        if self._tell is not None:
            self._tell(count)


class _Counting(LogRecordExporter):
    """Says of every batch whether it was taken."""

    def __init__(self, exporter: LogRecordExporter, sent: Callable[[int, bool], None]) -> None:
        self._exporter = exporter
        self._sent = sent

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        result = LogRecordExportResult.FAILURE
        try:
            result = self._exporter.export(batch)
        finally:
            self._sent(len(batch), result is LogRecordExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _exported(record: logging.LogRecord) -> LogRecord:
    fields = {name: value for name, value in fields_of(record).items() if value is not None}
    context = _context(fields.pop("trace_id", None), fields.pop("span_id", None))
    attributes: dict[str, Any] = {"logger": record.name, **fields}
    if (exception := attributes.pop("exception", None)) is not None:
        attributes["exception.stacktrace"] = exception
    return LogRecord(
        timestamp=int(record.created * 1e9),
        context=context,
        severity_text=record.levelname,
        severity_number=_SEVERITY.get(record.levelno, SeverityNumber.UNSPECIFIED),
        body=record.getMessage(),
        attributes=attributes,
    )


def _context(trace_id: object, span_id: object) -> Context:
    """The span that a record belongs to, which may be one of another process."""
    try:
        ids = int(str(trace_id or 0), 16), int(str(span_id or 0), 16)
    except ValueError:
        return Context()
    span = SpanContext(*ids, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED if ids[0] else 0))
    return set_span_in_context(NonRecordingSpan(span), Context())
