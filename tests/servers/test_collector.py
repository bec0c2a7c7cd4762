"""What callpool exports, through the shipped configuration of a real collector, to a real Jaeger."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from opentelemetry.trace import Status, StatusCode
from running import Jaeger, collector, jaeger, tags

from callpool import settings
from callpool.telemetry.trace_context import TraceContext
from callpool.telemetry.tracing import Tracing
from callpool.telemetry.turns import PHASES
from otlp_receiver import OtlpReceiver, otlp_receiver
from processes import any_ports, started, until
from telephone import telephone_of


@dataclass(frozen=True)
class Watched:
    """A `callpool up` behind a collector, which gives traces to Jaeger and logs to a receiver."""

    settings: settings.Settings
    jaeger: Jaeger
    logs: OtlpReceiver
    metrics: str


@pytest.fixture(params=["http/protobuf", "grpc"])
def watched(
    request: pytest.FixtureRequest, tmp_path: Path, livekit_program: Path, free_port: Callable[[], int]
) -> Iterator[Watched]:
    with (
        jaeger(tmp_path, free_port) as traces,
        otlp_receiver() as logs,
        collector(tmp_path, free_port, traces.otlp, logs.url) as between,
    ):
        env = any_ports(
            CALLPOOL_LIVEKIT_SERVER=str(livekit_program),
            OTEL_EXPORTER_OTLP_PROTOCOL=request.param,
            OTEL_EXPORTER_OTLP_ENDPOINT=between.grpc if request.param == "grpc" else between.otlp,
        )
        with started(tmp_path, env) as up:
            up.ready()
            yield Watched(
                settings.load({"CALLPOOL_DATA_DIR": str(up.data_dir)}), traces, logs, between.metrics
            )


@pytest.mark.call
@pytest.mark.timeout(400)
async def test_a_call_is_read_back_from_jaeger(watched: Watched) -> None:
    """All of it in one trace, each turn with its phases; its log and the worker's metrics arrive as well."""
    async with telephone_of(watched.settings) as telephone:
        call = await telephone.dial()
        await call.greeting()
        await call.say("Hello, I would like to know where my order is.")
        await call.caller.leave()
        record = await telephone.ended(call.invitation.call_id)
    assert record.trace_id is not None
    trace_id = record.trace_id

    def whole() -> list[dict[str, object]]:
        spans = watched.jaeger.trace(trace_id)
        return spans if any(span["operationName"] == "job_entrypoint" for span in spans) else []

    spans = until(whole, "the trace is in Jaeger", 30)
    turns = {
        tags(span)["callpool.turn.n"]: tags(span)
        for span in spans
        if span["operationName"] == "callpool.turn"
    }
    assert sorted(turns) == [turn.n for turn in record.turns]
    for turn in record.turns:
        seen = {phase: turns[turn.n].get(f"callpool.phase.{phase}_ms") for phase in PHASES}
        assert seen == {phase: getattr(turn.latency_ms, phase) for phase in PHASES}
    names = {span["operationName"] for span in spans}
    assert {"callpool.start_call", "callpool.admission", "user_turn", "llm_node", "tts_node"} <= names
    told = watched.logs.until(
        lambda: [one for one in watched.logs.logs if one.body.string_value == "call ended"],
        "the log arrives",
        20,
    )
    assert told[0].trace_id.hex() == trace_id

    def counted() -> bool:
        with urllib.request.urlopen(watched.metrics, timeout=5) as page:
            return "callpool_calls_total{" in page.read().decode()

    until(counted, "the metrics are pushed", 30)


def test_errors_and_slow_calls_are_always_kept(tmp_path: Path, free_port: Callable[[], int]) -> None:
    """Where nothing else is: a share of 0 %."""
    with (
        otlp_receiver() as receiver,
        collector(tmp_path, free_port, receiver.url, receiver.url, CALLPOOL_SAMPLE_PERCENT="0") as between,
    ):
        tracing = Tracing.of(settings.load({"OTEL_EXPORTER_OTLP_ENDPOINT": between.otlp}), "web")
        contexts = {name: TraceContext.of_call(None, name) for name in ("good", "failed", "slow", "error")}
        for name, context in contexts.items():
            with tracing.span(context, name, call_id=name) as span:
                if name == "failed":
                    span.set_attribute("callpool.ending.result", "failed")
                if name == "slow":
                    span.set_attribute("callpool.turn.latency_ms", 2500)
                if name == "error":
                    span.set_status(Status(StatusCode.ERROR))
                if name == "good":
                    span.set_attribute("callpool.turn.latency_ms", 700)
        tracing.close()
        receiver.until(lambda: len(receiver.spans) >= 3, "three traces are kept", 20)
        assert {span.name for span in receiver.spans} == {"failed", "slow", "error"}
