"""Which call a log record is about.

A job serves one call: it binds it for its whole process. Web and dispatcher see many at a time: they bind
what they know with `structlog.contextvars.bound_contextvars(call_id=…)` around what they do for a call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opentelemetry import trace
from structlog.contextvars import get_contextvars

from callpool.call import Call


@dataclass(frozen=True)
class _Bound:
    call: Call
    job_id: str


_bound: _Bound | None = None


def bind(call: Call, job_id: str) -> None:
    """From here on, this process serves this call."""
    global _bound
    _bound = _Bound(call, job_id)


def unbind() -> None:
    """This process serves no call."""
    global _bound
    _bound = None


def bound() -> dict[str, Any]:
    """What is known now: the call's stage as it stands, and the span in which the code runs."""
    fields: dict[str, Any] = {}
    if _bound is not None:
        call = _bound.call
        fields |= {"call_id": call.call_id, "job_id": _bound.job_id, "stage": call.stage or None}
        fields["trace_id"] = call.trace_id
    fields |= get_contextvars()
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        fields["trace_id"] = trace.format_trace_id(context.trace_id)
        fields["span_id"] = trace.format_span_id(context.span_id)
    return fields
