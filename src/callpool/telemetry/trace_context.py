"""The trace of a call: which one it is, for every process that has a part in the call.

A call that the web API started carries a W3C `traceparent` in the metadata of its dispatch. Any other call
has a trace id that follows from its call id, so that whoever knows the call knows its trace.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
"""As the W3C recommendation has it."""

_root: ContextVar[int | None] = ContextVar("callpool_root_trace", default=None)


@dataclass(frozen=True)
class TraceContext:
    """The trace of a call, and the span in it that the next one belongs under."""

    trace_id: int
    parent: SpanContext | None = None
    """None: there is none, and the next span is a first one."""

    @classmethod
    def of_call(cls, traceparent: object, call_id: str) -> TraceContext:
        """From what a dispatch says. A `traceparent` that is none is passed over."""
        if isinstance(traceparent, str) and (found := TRACEPARENT.fullmatch(traceparent)):
            trace_id, span_id, flags = (int(part, 16) for part in found.groups())
            return cls(
                trace_id, SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
            )
        return cls(int.from_bytes(hashlib.sha256(call_id.encode()).digest()[:16], "big"))

    @classmethod
    def of_dispatch(cls, metadata: str, call_id: str) -> TraceContext:
        """From the metadata of a dispatch, which may be anything."""
        try:
            document = json.loads(metadata)
        except (ValueError, RecursionError):
            document = None
        return cls.of_call(document.get("traceparent") if isinstance(document, Mapping) else None, call_id)

    @property
    def hexadecimal(self) -> str:
        """The trace id as it is written."""
        return trace.format_trace_id(self.trace_id)

    @contextmanager
    def entered(self) -> Iterator[Context]:
        """The context in which the next span of the call is started, to be given to the tracer."""
        token = _root.set(self.trace_id)
        try:
            yield trace.set_span_in_context(NonRecordingSpan(self.parent)) if self.parent else Context()
        finally:
            _root.reset(token)


class CallIds(RandomIdGenerator):
    """Gives the first span of a call the trace id of the call, wherever one was entered."""

    def generate_trace_id(self) -> int:
        root = _root.get()
        return super().generate_trace_id() if root is None else root


def traceparent_of(span: trace.Span) -> str | None:
    """What the next process is told; None when there is no such span."""
    context = span.get_span_context()
    if not context.is_valid:
        return None
    return (
        f"00-{trace.format_trace_id(context.trace_id)}-{trace.format_span_id(context.span_id)}"
        f"-{context.trace_flags & TraceFlags.SAMPLED:02x}"
    )
