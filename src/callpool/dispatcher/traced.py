"""The dispatcher's part of a call's trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from callpool.dispatcher.decision import Want
from callpool.telemetry.trace_context import TraceContext, traceparent_of
from callpool.telemetry.tracing import Tracing


@contextmanager
def traced(tracing: Tracing, want: Want) -> Iterator[str]:
    """A span around a dispatch. Gives the dispatch's metadata, which names that span to the job."""
    document = json.loads(want.metadata)
    call_id = document["call_id"]
    context = TraceContext.of_call(document.get("traceparent"), call_id)
    with tracing.span(context, "callpool.dispatch", call_id=call_id) as span:
        span.set_attribute("callpool.epoch", want.epoch)
        span.set_attribute("callpool.dispatch.cause", want.cause)
        traceparent = traceparent_of(span)
        yield json.dumps(document | {"traceparent": traceparent}) if traceparent else want.metadata
