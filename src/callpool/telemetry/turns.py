"""A span for each turn, with the phases that its time went on, and the same as metrics in mid-call."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from livekit.agents import AgentSession, ConversationItemAddedEvent, FunctionToolsExecutedEvent
from livekit.agents.llm import ChatMessage
from opentelemetry import trace

from callpool.call import Call
from callpool.line import Measured
from callpool.store.record import LatencyMs, StageEntry, Turn
from callpool.transcript import Transcript

PHASES = ("end_of_turn", "stt_final", "llm_first_token", "tts_first_audio", "playout")
"""In the order of a turn. They overlap: `stt_final` lies within `end_of_turn`, and models work ahead."""
ANSWER_PHASES = PHASES[:-1]
"""Those that are known as soon as the agent is heard."""

Measure = Callable[[Measured], None]


class TurnTelemetry:
    """Follows a call's turns. A turn's span ends when the next turn begins, or the call is over."""

    def __init__(
        self,
        tracer: trace.Tracer,
        measure: Measure,
        *,
        personal: bool,
        profile: Callable[[], str],
        cost_usd: Callable[[int], float | None] = lambda n: None,
    ) -> None:
        """`personal`: spans hold what was said. `profile`: the name of the one in force. `cost_usd`: of the
        n-th turn so far."""
        self._transcript: Transcript | None = None
        self._tracer = tracer
        self._measure = measure
        self._personal = personal
        self._profile = profile
        self._cost_usd = cost_usd
        self._turn = Turn(0, "")
        self._stage = ""
        self._span: trace.Span | None = None
        self._heard_until_s = 0.0
        self._measured: LatencyMs | None = None
        self.joined_at: datetime | None = None
        """When the caller came, by the server's clock; None: not known, or measured already."""

    def follow(self, session: AgentSession[Call], transcript: Transcript) -> None:
        """Listen to a session from now on, which `transcript` follows already."""
        self._transcript = transcript
        self._turn = transcript.turn
        self._stage = self._stage or self._turn.stage
        session.on("conversation_item_added", self._on_item)
        session.on("function_tools_executed", self._on_tools)

    def enter(self, entry: StageEntry) -> None:
        """The call has come to a stage."""
        before, self._stage = self._stage, entry.stage
        if before:
            span = self._tracer.start_span("callpool.hand_off")
            span.set_attribute("callpool.hand_off.from", before)
            span.set_attribute("callpool.hand_off.to", entry.stage)
            span.set_attribute("callpool.hand_off.skipped", entry.skipped)
            span.end()

    @property
    def span(self) -> trace.Span:
        """Of the turn that goes on."""
        return self._span or trace.INVALID_SPAN

    def end(self) -> None:
        """The call is over here."""
        self._end_turn()

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        assert self._transcript is not None
        turn = self._transcript.turn
        match event.item:
            case ChatMessage(role="user"):
                self._end_turn()
                self._begin_turn(turn)
            case ChatMessage(role="assistant") as message:
                if self._span is None:
                    self._begin_turn(turn, message.metrics.get("started_speaking_at"))
                self._turn = turn
                self._heard_until_s = message.metrics.get("stopped_speaking_at") or time.time()
                self._observe(self._turn.latency_ms)
                self._observe_first_audio(message.metrics.get("started_speaking_at"))

    def _on_tools(self, event: FunctionToolsExecutedEvent) -> None:
        assert self._transcript is not None
        self._turn = self._transcript.turn
        for call, output in event.zipped():
            outcome = "error" if output is not None and output.is_error else "ok"
            self.say("callpool_tool_calls_total", 1, call.name, outcome)

    def _begin_turn(self, turn: Turn, started_s: float | None = None) -> None:
        began_s = started_s or (turn.started_at or datetime.now(UTC)).timestamp()
        self._turn = turn
        self._measured = None
        self._heard_until_s = 0.0
        self._span = self._tracer.start_span(
            "callpool.turn",
            start_time=int(began_s * 1e9),
            attributes={"callpool.turn.n": turn.n, "callpool.stage": turn.stage},
        )

    def _end_turn(self) -> None:
        span, turn = self._span, self._turn
        if span is None:
            return
        self._span = None
        if turn.latency_ms.playout is not None:
            self.say("callpool_turn_phase_seconds", turn.latency_ms.playout / 1000, "playout", span=span)
        if span.is_recording():
            for phase in PHASES:
                if (ms := getattr(turn.latency_ms, phase)) is not None:
                    span.set_attribute(f"callpool.phase.{phase}_ms", ms)
            if turn.latency_ms.total is not None:
                span.set_attribute("callpool.turn.latency_ms", turn.latency_ms.total)
            if (usd := self._cost_usd(turn.n)) is not None:
                span.set_attribute("callpool.cost.usd", usd)
            span.set_attribute("callpool.turn.interrupted", turn.interrupted)
            span.set_attribute("callpool.turn.tools", len(turn.tools))
            span.set_attribute("callpool.profile", self._profile())
            if self._personal:
                span.set_attribute("callpool.pii.caller_text", turn.caller_text or "")
                span.set_attribute("callpool.pii.agent_text", turn.agent_text or "")
        span.end(int((self._heard_until_s or time.time()) * 1e9))

    def _observe(self, latency: LatencyMs) -> None:
        """Once a turn, when its first answer has been heard."""
        if self._measured is not None:
            return
        self._measured = latency
        if latency.total is not None:
            labels = (self._turn.stage, self._profile())
            self.say("callpool_turn_latency_seconds", latency.total / 1000, *labels, span=self._span)
        for phase in ANSWER_PHASES:
            if (ms := getattr(latency, phase)) is not None:
                self.say("callpool_turn_phase_seconds", ms / 1000, phase, span=self._span)

    def _observe_first_audio(self, began_s: float | None) -> None:
        if self.joined_at is not None and began_s is not None:
            waited_s = max(0.0, began_s - self.joined_at.timestamp())
            self.joined_at = None
            self.say("callpool_first_audio_seconds", waited_s)

    def say(self, metric: str, value: float, *labels: str, span: trace.Span | None = None) -> None:
        """Have the worker measure something, with the turn as its example."""
        context = (span or self.span).get_span_context()
        ids = (
            (trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id))
            if context.is_valid
            else ("", "")
        )
        self._measure(Measured(metric, value, labels, *ids))
