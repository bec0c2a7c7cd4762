"""What is seen of one call: its spans, the worker's metrics, and the events in its record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from livekit import rtc
from livekit.agents import AgentSession
from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode

from callpool.call import Call
from callpool.ending import Ending
from callpool.line import Measured, Observed
from callpool.metering import Meter
from callpool.store.record import Event, StageEntry
from callpool.telemetry.barge_ins import BargeIns
from callpool.telemetry.trace_context import TraceContext, traceparent_of
from callpool.telemetry.tracing import Tracing
from callpool.telemetry.turns import TurnTelemetry
from callpool.transcript import Transcript


class Observation:
    """Watches one call for those who run the service. Nothing of it waits for anybody."""

    def __init__(
        self,
        call: Call,
        tracing: Tracing,
        measure: Callable[[Measured], None],
        save: Callable[[Event], None],
        *,
        personal: bool,
        profile: Callable[[], str],
        meter: Meter | None = None,
    ) -> None:
        """`personal`: with what callers say and are. `profile`: the name of the one in force."""
        self._call = call
        self._tracing = tracing
        self._measure = measure
        self._save = save
        self._personal = personal
        self._span = trace.get_current_span()
        """The SDK's, around the whole job."""
        self._transcript: Transcript | None = None
        self._meter = meter
        self.turns = TurnTelemetry(
            tracing.tracer,
            measure,
            personal=personal,
            profile=profile,
            cost_usd=lambda n: None if meter is None else meter.turn_usd(n),
        )

    def begin(self, cause: str) -> None:
        """This job serves the call. `cause`: how the job before it ended; empty: it is the first."""
        call, span = self._call, self._span
        self._tracing.follow(call)
        call.traceparent = traceparent_of(span)
        span.set_attribute("callpool.call_id", call.call_id)
        span.set_attribute("callpool.epoch", call.epoch)
        if cause:
            span.set_attribute("callpool.resumed.cause", cause)
        before = TraceContext.of_call(call.resumes, call.call_id).parent
        if before is not None:
            span.add_link(before)

    def enter(self, entry: StageEntry) -> None:
        """The call has come to a stage."""
        self.turns.enter(entry)

    def follow(self, session: AgentSession[Call], transcript: Transcript) -> None:
        """Listen to a session, which `transcript` follows already."""
        self._transcript = transcript
        self.turns.follow(session, transcript)
        BargeIns(session, self._on_barge_in)

    def meet(self, participant: rtc.RemoteParticipant) -> None:
        """The caller is there."""
        self.turns.joined_at = participant.joined_at
        if self._personal:
            mine = {
                "identity": participant.identity,
                "name": participant.name,
                "metadata": participant.metadata,
                "room": self._call.room,
                **participant.attributes,
            }
            for key, value in mine.items():
                self._span.set_attribute(f"callpool.pii.caller.{key}", value)

    def provider_failed(self, observed: Observed) -> None:
        """A provider did not do what it was asked for."""
        detail = f"{observed.provider} {observed.part} {observed.kind}"
        self._save(Event(datetime.now(UTC), "provider_error", self._turn_n, detail))
        marked = {"provider": observed.provider, "part": observed.part, "kind": observed.kind}
        self._span.add_event("provider_error", {f"callpool.{key}": value for key, value in marked.items()})

    def reached_budget(self, limit: str, usd: float) -> None:
        """The call has cost as much as one of its limits."""
        self._save(Event(datetime.now(UTC), "budget", self._turn_n, f"{limit} {usd:g} USD"))
        self._span.add_event("budget", {"callpool.limit": limit, "callpool.limit_usd": usd})

    def ended(self, final: Ending) -> None:
        """The call's ending is in its record."""
        context = self._span.get_span_context()
        trace_id = trace.format_trace_id(context.trace_id) if context.is_valid else ""
        span_id = trace.format_span_id(context.span_id) if context.is_valid else ""
        self._measure(Measured("callpool_calls_total", 1, (final.result, final.reason), trace_id, span_id))

    def leave(self) -> None:
        """The job's part of the call is over."""
        self.turns.end()
        call, span = self._call, self._span
        span.set_attribute("callpool.language", call.language)
        span.set_attribute("callpool.caller.kind", call.caller.kind)
        if self._meter is not None:
            span.set_attribute("callpool.cost.usd", self._meter.total_usd)
        if (final := call.ending) is not None:
            span.set_attribute("callpool.ending.result", final.result)
            span.set_attribute("callpool.ending.reason", final.reason)
            if final.result in ("failed", "unknown"):
                span.set_status(Status(StatusCode.ERROR))

    @property
    def _turn_n(self) -> int:
        return self._transcript.turn.n if self._transcript is not None else 0

    def _on_barge_in(self, at: datetime, took_s: float) -> None:
        self.turns.say("callpool_barge_in_seconds", took_s)
        self.turns.span.add_event("barge_in", {"callpool.barge_in_ms": round(took_s * 1000)})
        self._save(Event(at, "barge_in", self._turn_n, f"{took_s:.2f} s"))
