"""The trace of a call across processes, and a collector that is away."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import trace

from callpool import settings
from callpool.call import Call
from callpool.telemetry import tracing as module
from callpool.telemetry.trace_context import TraceContext, traceparent_of
from callpool.telemetry.tracing import JOB_SPAN, MOST_WAITING, Tracing
from otlp_receiver import OtlpReceiver, otlp_receiver, values

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


def tracing_to(
    receiver: OtlpReceiver, role: Any = "web", dropped: Any = lambda count: None, **env: str
) -> Tracing:
    return Tracing.of(settings.load({"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, **env}), role, dropped)


def in_job(monkeypatch: pytest.MonkeyPatch, metadata: str) -> None:
    """From now on, this process runs a job with this metadata."""
    job = SimpleNamespace(
        id="AJ_1", metadata=metadata, agent_name="callpool", room=SimpleNamespace(sid="RM_1", name="room-1")
    )
    monkeypatch.setattr(module, "get_job_context", lambda required: SimpleNamespace(job=job))


def test_a_span_belongs_under_the_one_that_it_was_told_of() -> None:
    """In the same trace; and it tells the next process of itself."""
    with otlp_receiver() as receiver:
        tracing = tracing_to(receiver)
        with tracing.span(
            TraceContext.of_call(TRACEPARENT, "c_1"), "callpool.start_call", call_id="c_1"
        ) as span:
            told = traceparent_of(span)
        tracing.close()
        (exported,) = receiver.spans
    assert exported.trace_id.hex() == TRACE
    assert exported.parent_span_id.hex() == PARENT
    assert told == f"00-{TRACE}-{exported.span_id.hex()}-01"
    assert values(exported.attributes)["callpool.call_id"] == "c_1"


@pytest.mark.parametrize(
    "nonsense", [None, "", 7, "00-zz-zz-01", f"00-{'0' * 32}-{PARENT}-01", f"{TRACEPARENT}x"]
)
def test_a_call_that_nobody_traced_has_a_trace_of_its_own(nonsense: object) -> None:
    """The same for every process that knows the call."""
    here, there = TraceContext.of_call(nonsense, "c_1"), TraceContext.of_call(None, "c_1")
    assert here == there
    assert here.parent is None
    assert here.hexadecimal != TraceContext.of_call(None, "c_2").hexadecimal


@pytest.mark.parametrize(
    ("metadata", "trace_id", "parent"),
    [
        (f'{{"call_id": "c_1", "traceparent": "{TRACEPARENT}"}}', TRACE, PARENT),
        ('{"call_id": "c_1"}', TraceContext.of_call(None, "c_1").hexadecimal, ""),
        ("no JSON", TraceContext.of_call(None, "c_RM_1").hexadecimal, ""),
    ],
)
def test_the_first_span_of_a_job_takes_the_calls_trace(
    monkeypatch: pytest.MonkeyPatch, metadata: str, trace_id: str, parent: str
) -> None:
    """The SDK starts it without a parent; all that follows is under it."""
    with otlp_receiver() as receiver:
        tracing = tracing_to(receiver, "job")
        in_job(monkeypatch, metadata)
        with tracing.tracer.start_as_current_span(JOB_SPAN), tracing.tracer.start_as_current_span("inner"):
            pass
        receiver.until(lambda: len(receiver.spans) == 2, "two spans")
        by_name = {span.name: span for span in receiver.spans}
    assert {span.trace_id.hex() for span in by_name.values()} == {trace_id}
    assert by_name[JOB_SPAN].parent_span_id.hex() == parent
    assert by_name["inner"].parent_span_id == by_name[JOB_SPAN].span_id


def test_what_a_process_does_before_its_job_is_no_call() -> None:
    """A trace of its own for each slow import would hide the calls."""
    with otlp_receiver() as receiver:
        tracing = tracing_to(receiver, "job")
        with tracing.tracer.start_as_current_span("event_loop_blocked") as span:
            assert not span.is_recording()
        tracing.close()
        assert receiver.attempts == 0


def test_every_span_of_a_job_names_its_call_and_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those of the SDK, which know neither."""
    with otlp_receiver() as receiver:
        tracing = tracing_to(receiver, "job")
        in_job(monkeypatch, "{}")
        call = Call("c_1", "room-1", "callpool", stage="greeting")
        tracing.follow(call)
        tracing.tracer.start_span("llm_node").end()
        call.stage = "closing"
        tracing.tracer.start_span("tts_node").end()
        tracing.close()
        marked = [values(span.attributes) for span in receiver.spans]
    assert [(one["callpool.call_id"], one["callpool.stage"]) for one in marked] == [
        ("c_1", "greeting"),
        ("c_1", "closing"),
    ]


def test_the_end_of_a_job_hands_everything_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends right after it, without another word."""
    with otlp_receiver() as receiver:
        tracing = tracing_to(receiver, "job")
        in_job(monkeypatch, "{}")
        with tracing.tracer.start_as_current_span(JOB_SPAN):
            tracing.tracer.start_span("agent_turn").end()
        assert {span.name for span in receiver.spans} == {JOB_SPAN, "agent_turn"}


def test_a_collector_that_does_not_answer_holds_nobody() -> None:
    """A span is started and ended at once, and the end of the process waits for the stated time only."""
    with otlp_receiver() as receiver:
        receiver.delay_s = 30
        tracing = tracing_to(receiver)
        began = time.monotonic()
        for _ in range(1000):
            tracing.tracer.start_span("turn").end()
        assert time.monotonic() - began < 1.0
        tracing.flush(0.3)
        assert time.monotonic() - began < 2.0


def test_what_no_collector_takes_is_counted() -> None:
    """Once each, also when more comes later."""
    lost: list[int] = []
    with otlp_receiver() as receiver:
        receiver.status = 400  # refused for good: it is not tried again
        tracing = tracing_to(receiver, dropped=lost.append)
        for _ in range(3):
            tracing.tracer.start_span("turn").end()
        tracing.flush(5)
        assert sum(lost) == 3
        tracing.tracer.start_span("turn").end()
        tracing.flush(5)
        assert sum(lost) == 4


def test_what_the_queue_cannot_hold_is_counted() -> None:
    """The oldest are dropped, and no more than the queue holds is kept."""
    lost: list[int] = []
    with otlp_receiver() as receiver:
        receiver.delay_s = 0.5
        tracing = tracing_to(receiver, dropped=lost.append, OTEL_EXPORTER_OTLP_TIMEOUT="5")
        many = 2 * MOST_WAITING
        for _ in range(many):
            tracing.tracer.start_span("turn").end()
        tracing.flush(30)
        assert sum(lost) + len(receiver.spans) == many
        assert sum(lost) > 0


def test_without_an_endpoint_there_is_nothing() -> None:
    """No thread, no span that records, and no trace in the metadata."""
    before = threading.active_count()
    tracing = Tracing.of(settings.load({}), "web")
    with tracing.span(TraceContext.of_call(None, "c_1"), "callpool.start_call", call_id="c_1") as span:
        assert not span.is_recording()
        assert traceparent_of(span) is None
    tracing.flush()
    tracing.close()
    assert threading.active_count() == before


def test_a_callers_trace_goes_on_where_nothing_is_recorded() -> None:
    """A page that traces its own part finds the call's, whoever records that."""
    with Tracing().span(
        TraceContext.of_call(TRACEPARENT, "c_1"), "callpool.start_call", call_id="c_1"
    ) as span:
        assert traceparent_of(span) == TRACEPARENT


def test_a_share_of_calls_is_traced_whole() -> None:
    """All processes decide by the trace id, and come to the same result."""
    with otlp_receiver() as receiver:
        half = [
            tracing_to(receiver, role, CALLPOOL_TELEMETRY_SAMPLE_RATIO="0.5") for role in ("web", "worker")
        ]
        for number in range(200):
            context = TraceContext.of_call(None, f"c_{number}")
            for tracing in half:
                with tracing.span(context, "span", call_id=f"c_{number}"):
                    pass
        for tracing in half:
            tracing.close()
        traces = [span.trace_id for span in receiver.spans]
    assert 60 < len(set(traces)) < 140
    assert all(traces.count(one) == 2 for one in traces)


def test_spans_say_whose_they_are() -> None:
    """The resource names the service, its version and the part of it."""
    with otlp_receiver() as receiver:
        tracing = tracing_to(receiver, OTEL_SERVICE_NAME="hotline")
        tracing.tracer.start_span("turn").end()
        tracing.close()
        (request,) = receiver.of("traces")
        resource = values(request.message.resource_spans[0].resource.attributes)
    assert (resource["service.name"], resource["callpool.role"]) == ("hotline", "web")


def test_headers_go_along() -> None:
    """A collector may want a key, which is a secret."""
    with otlp_receiver() as receiver:
        tracing = tracing_to(receiver, OTEL_EXPORTER_OTLP_HEADERS="Api-Key=a%20b,other=c")
        tracing.tracer.start_span("turn").end()
        tracing.close()
        (request,) = receiver.of("traces")
    assert {name.lower(): value for name, value in request.headers.items()}["api-key"] == "a b"
    assert trace.get_current_span() is trace.INVALID_SPAN
