"""Turns as spans and as metrics, from the events of a session."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from livekit.agents import FunctionToolsExecutedEvent
from livekit.agents.llm import FunctionCall, FunctionCallOutput
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from callpool import ending
from callpool.call import Call
from callpool.line import Measured, Observed
from callpool.store.record import Event, StageEntry
from callpool.telemetry.barge_ins import BargeIns
from callpool.telemetry.observation import Observation
from callpool.telemetry.tracing import Tracing
from callpool.transcript import Transcript
from fake_session import FakeSession

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@dataclass
class Watched:
    """A call that is observed, by hand."""

    personal: bool = False
    session: Any = field(default_factory=FakeSession)
    measured: list[Measured] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    exported: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)

    def __post_init__(self) -> None:
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exported))
        self.call = Call("c_1", "call-c_1", "callpool", stage="greeting")
        self.observation = Observation(
            self.call,
            Tracing(provider),
            self.measured.append,
            self.events.append,
            personal=self.personal,
            profile=lambda: "balanced",
        )
        transcript = Transcript(self.call, lambda turn: None)
        transcript.follow(self.session)
        self.observation.follow(self.session, transcript)

    def spans(self, name: str = "callpool.turn") -> list[ReadableSpan]:
        return [span for span in self.exported.get_finished_spans() if span.name == name]

    def values(self, metric: str) -> list[tuple[float, tuple[str, ...]]]:
        return [(one.value, one.labels) for one in self.measured if one.metric == metric]

    def ask_and_answer(self) -> None:
        """Turn 1."""
        self.session.add(
            "user", "Where is it?", started_speaking_at=10.0, end_of_turn_delay=0.3, transcription_delay=0.2
        )
        self.session.add(
            "assistant",
            "On its way.",
            llm_node_ttft=0.35,
            tts_node_ttfb=0.09,
            e2e_latency=0.75,
            started_speaking_at=12.0,
            stopped_speaking_at=13.5,
        )


def test_a_turn_has_a_span_with_its_phases() -> None:
    """It lasts from the caller's voice to the end of the answer."""
    watched = Watched()
    watched.ask_and_answer()
    watched.observation.leave()
    (span,) = watched.spans()
    assert span.attributes is not None
    assert {key: span.attributes[key] for key in span.attributes if "phase" in key} == {
        "callpool.phase.end_of_turn_ms": 300,
        "callpool.phase.stt_final_ms": 200,
        "callpool.phase.llm_first_token_ms": 350,
        "callpool.phase.tts_first_audio_ms": 90,
        "callpool.phase.playout_ms": 1500,
    }
    assert span.attributes["callpool.turn.n"] == 1
    assert span.attributes["callpool.turn.latency_ms"] == 750
    assert (span.start_time, span.end_time) == (10_000_000_000, 13_500_000_000)


def test_turns_follow_each_other() -> None:
    """The greeting is turn 0; a turn ends when the next begins."""
    watched = Watched()
    watched.session.add("assistant", "Hello.", started_speaking_at=8.0, stopped_speaking_at=9.0)
    watched.ask_and_answer()
    assert [span.attributes["callpool.turn.n"] for span in watched.spans() if span.attributes] == [0]
    watched.observation.leave()
    assert [span.attributes["callpool.turn.n"] for span in watched.spans() if span.attributes] == [0, 1]


def test_what_was_said_is_in_a_span_only_where_it_may_be() -> None:
    """Under keys with a `pii` segment."""
    for personal in (False, True):
        watched = Watched(personal=personal)
        watched.ask_and_answer()
        watched.observation.leave()
        (span,) = watched.spans()
        said = {key: value for key, value in (span.attributes or {}).items() if "pii" in key.split(".")}
        expected = {"callpool.pii.caller_text": "Where is it?", "callpool.pii.agent_text": "On its way."}
        assert said == (expected if personal else {})


def test_a_turn_is_measured_while_the_call_goes_on() -> None:
    """As soon as the answer was heard; each measurement names the turn's span."""
    watched = Watched()
    watched.ask_and_answer()
    assert watched.values("callpool_turn_latency_seconds") == [(0.75, ("greeting", "balanced"))]
    assert dict(watched.values("callpool_turn_phase_seconds")) == {
        0.3: ("end_of_turn",),
        0.2: ("stt_final",),
        0.35: ("llm_first_token",),
        0.09: ("tts_first_audio",),
    }
    watched.observation.leave()
    assert (1.5, ("playout",)) in watched.values("callpool_turn_phase_seconds")
    (span,) = watched.spans()
    assert span.context is not None
    assert {one.span_id for one in watched.measured} == {f"{span.context.span_id:016x}"}


def test_an_answer_in_two_parts_is_measured_once() -> None:
    """The caller waited for the first."""
    watched = Watched()
    watched.ask_and_answer()
    watched.session.add("assistant", "It comes on Monday.", e2e_latency=4.0)
    assert len(watched.values("callpool_turn_latency_seconds")) == 1


def test_the_first_audio_counts_from_the_callers_joining() -> None:
    """Once a call."""
    watched = Watched()
    watched.observation.turns.joined_at = datetime.fromtimestamp(7.5, UTC)
    watched.session.add("assistant", "Hello.", started_speaking_at=8.0, stopped_speaking_at=9.0)
    watched.ask_and_answer()
    assert watched.values("callpool_first_audio_seconds") == [(0.5, ())]


@pytest.mark.parametrize(("error", "outcome"), [(False, "ok"), (True, "error")])
def test_tools_are_counted(error: bool, outcome: str) -> None:
    """With how they ended."""
    watched = Watched()
    call = FunctionCall(call_id="1", name="lookup_order", arguments="{}")
    output = FunctionCallOutput(call_id="1", name="lookup_order", output="", is_error=error)
    event = FunctionToolsExecutedEvent(function_calls=[call], function_call_outputs=[output])
    watched.session.emit("function_tools_executed", event)
    assert watched.values("callpool_tool_calls_total") == [(1, ("lookup_order", outcome))]


def test_a_hand_off_has_a_span() -> None:
    """From stage to stage, also to one that is only passed through."""
    watched = Watched()
    for stage, skipped in (("verification", True), ("problem_solving", False)):
        watched.observation.enter(StageEntry(stage, NOW, "balanced", skipped))
    ways = [
        (span.attributes["callpool.hand_off.from"], span.attributes["callpool.hand_off.to"])
        for span in watched.spans("callpool.hand_off")
        if span.attributes
    ]
    assert ways == [("greeting", "verification"), ("verification", "problem_solving")]


def test_a_failing_provider_is_in_the_record() -> None:
    """With the turn in which it failed."""
    watched = Watched()
    watched.ask_and_answer()
    watched.observation.provider_failed(Observed("openai", "llm", "429"))
    (event,) = watched.events
    assert (event.kind, event.turn_n, event.detail) == ("provider_error", 1, "openai llm 429")


def test_the_end_of_a_call_is_counted() -> None:
    """By result and reason."""
    watched = Watched()
    watched.observation.ended(ending.GOODBYE)
    assert watched.values("callpool_calls_total") == [(1, ("completed", "goodbye"))]


class Interruptions:
    """What was told of a session's barge-ins."""

    def __init__(self) -> None:
        self.session: Any = FakeSession()
        self.told: list[float] = []
        BargeIns(self.session, lambda at, took_s: self.told.append(round(took_s, 3)))
        self.session.agent("speaking", at_s=5.0)


def test_a_barge_in_counts_from_the_voice_to_the_silence() -> None:
    """Not to the moment when the SDK has made up its mind."""
    call = Interruptions()
    call.session.caller("speaking", at_s=10.0)
    call.session.agent("listening", at_s=10.2)
    call.session.add("assistant", "Your order", interrupted=True)
    assert call.told == [0.2]


def test_a_sound_that_was_none_is_no_barge_in() -> None:
    """The agent goes on, and says all that it had to say."""
    call = Interruptions()
    call.session.caller("speaking", at_s=10.0)
    call.session.agent("listening", at_s=10.2)
    call.session.agent("speaking", at_s=10.8)
    call.session.add("assistant", "Your order is on its way.")
    assert call.told == []


def test_a_turn_of_the_callers_own_is_no_barge_in() -> None:
    """Nobody was interrupted who had finished."""
    call = Interruptions()
    call.session.agent("listening", at_s=9.0)
    call.session.caller("speaking", at_s=10.0)
    call.session.add("assistant", "Your order", interrupted=True)
    assert call.told == []
