"""From the events of a session to the turns of a call record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from livekit.agents import AgentSession, ConversationItemAddedEvent, FunctionToolsExecutedEvent
from livekit.agents.llm import ChatMessage

from callpool.call import Call
from callpool.metering import Settled
from callpool.store.record import LatencyMs, ToolUse, Turn


class Transcript:
    """Builds one turn after the other and hands each on whenever it grew.

    A turn begins with what the caller said; the greeting is turn 0 and begins with nothing. What the agent
    says is known once it was spoken, or cut short: until then the turn is handed on without it.
    """

    def __init__(
        self,
        call: Call,
        save: Callable[[Turn], None],
        *,
        turn: Turn | None = None,
        settle: Callable[[int], Settled] | None = None,
    ) -> None:
        """`turn` is the last one that another job has recorded: it goes on from there. `settle`: asked for
        what the n-th turn has cost by now."""
        self._call = call
        self._save = save
        self._settle = settle
        self._first_token_s: float | None = None
        """Of the first language model that was asked in the turn."""
        self._turn = turn or Turn(n=0, stage=call.stage, trace_id=call.trace_id)

    @property
    def turn(self) -> Turn:
        """The last turn, as far as it has come."""
        return self._turn

    def finish(self) -> None:
        """The call is over here: what it has used since its last answer counts for that."""
        self._update(self._turn)

    def follow(self, session: AgentSession[Call]) -> None:
        """Listen to a session from now on."""
        session.on("conversation_item_added", self._on_item)
        session.on("function_tools_executed", self._on_tools)

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        match event.item:
            case ChatMessage(role="user") as message:
                self._caller_said(message)
            case ChatMessage(role="assistant") as message:
                self._agent_said(message)

    def _caller_said(self, message: ChatMessage) -> None:
        began_s = message.metrics.get("started_speaking_at")
        ended_s = message.metrics.get("stopped_speaking_at")
        self._first_token_s = None
        self._update(
            Turn(
                n=self._turn.n + 1,
                stage=self._call.stage,
                caller_text=message.text_content or "",
                latency_ms=LatencyMs(
                    end_of_turn=_ms(message.metrics.get("end_of_turn_delay")),
                    stt_final=_ms(message.metrics.get("transcription_delay")),
                ),
                trace_id=self._call.trace_id,
                started_at=_moment(began_s or message.created_at),
                spoken_ms=None if began_s is None or ended_s is None else _ms(max(0.0, ended_s - began_s)),
            )
        )

    def _agent_said(self, message: ChatMessage) -> None:
        turn = self._priced(self._turn)
        latency = turn.latency_ms
        first_token_s = message.metrics.get("llm_node_ttft")
        if first_token_s is None:
            first_token_s = self._first_token_s  # a fixed sentence, after the model had used a tool
        if not turn.agent_text:
            latency = replace(
                latency,
                llm_first_token=_ms(first_token_s),
                tts_first_audio=_ms(message.metrics.get("tts_node_ttfb")),
                total=_ms(message.metrics.get("e2e_latency")),
            )
        began_s = message.metrics.get("started_speaking_at")
        ended_s = message.metrics.get("stopped_speaking_at")
        if began_s is not None and ended_s is not None:
            heard_ms = round((ended_s - began_s) * 1000)
            latency = replace(latency, playout=(latency.playout or 0) + heard_ms)
        self._update(
            replace(
                turn,
                agent_text=" ".join(filter(None, (turn.agent_text, message.text_content))),
                interrupted=turn.interrupted or message.interrupted,
                latency_ms=latency,
                started_at=turn.started_at or _moment(began_s or message.created_at),
            )
        )

    def _on_tools(self, event: FunctionToolsExecutedEvent) -> None:
        used = tuple(
            ToolUse(
                name=call.name,
                ok=output is None or not output.is_error,
                ms=round((output.created_at - call.created_at) * 1000) if output else None,
                started_at=_moment(call.created_at),
            )
            for call, output in event.zipped()
        )
        self._update(replace(self._turn, tools=(*self._turn.tools, *used)))

    def _update(self, turn: Turn) -> None:
        self._turn = self._priced(turn)
        self._save(self._turn)

    def _priced(self, turn: Turn) -> Turn:
        """The turn with what it has cost by now: what is written of a call always adds up."""
        if self._settle is None:
            return turn
        settled = self._settle(turn.n)
        self._first_token_s = self._first_token_s or settled.first_token_s
        return replace(turn, cost_usd=settled.usd)


def _moment(since_1970_s: float) -> datetime:
    return datetime.fromtimestamp(since_1970_s, UTC)


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
