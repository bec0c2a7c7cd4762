"""From a session's events to the turns of a record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from livekit.agents import ConversationItemAddedEvent, FunctionToolsExecutedEvent
from livekit.agents.llm import ChatMessage, FunctionCall, FunctionCallOutput

from callpool.call import Call
from callpool.store.record import LatencyMs, ToolUse, Turn
from callpool.transcript import Transcript

TRACE = "0af7651916cd43dd8448eb211c80319c"
THEN_S = 100.0
THEN = datetime(1970, 1, 1, 0, 1, 40, tzinfo=UTC)


class Session:
    """Events by hand, and what became of them."""

    def __init__(self) -> None:
        self._handlers: dict[str, Any] = {}
        self.saved: list[Turn] = []
        call = Call("c_1", room="call-1", agent_name="callpool", stage="reception", trace_id=TRACE)
        session: Any = SimpleNamespace(on=self._handlers.__setitem__)
        Transcript(call, self.saved.append).follow(session)

    def says(self, role: Any, text: str, *, interrupted: bool = False, **metrics: float) -> None:
        message = ChatMessage(
            role=role,
            content=[text],
            interrupted=interrupted,
            metrics=metrics,  # type: ignore[typeddict-item]
            created_at=THEN_S,
        )
        self._handlers["conversation_item_added"](ConversationItemAddedEvent(item=message))

    def uses(self, tool: str, *, ms: float, error: bool = False) -> None:
        call = FunctionCall(call_id="1", name=tool, arguments="{}", created_at=THEN_S)
        output = FunctionCallOutput(
            call_id="1", name=tool, output="", is_error=error, created_at=THEN_S + ms / 1000
        )
        event = FunctionToolsExecutedEvent(function_calls=[call], function_call_outputs=[output])
        self._handlers["function_tools_executed"](event)


def test_the_greeting_is_turn_0() -> None:
    """Nobody had asked for it."""
    session = Session()
    session.says("assistant", "Hello.")
    assert session.saved == [Turn(0, "reception", agent_text="Hello.", trace_id=TRACE, started_at=THEN)]


def test_a_turn_is_saved_whenever_it_grew() -> None:
    """What the caller said is there before the answer is; times are whole milliseconds."""
    session = Session()
    session.says("user", "Where is it?", end_of_turn_delay=0.31, transcription_delay=0.29)
    session.uses("lookup_order", ms=12)
    session.says("assistant", "On its way.", llm_node_ttft=0.35, tts_node_ttfb=0.0904, e2e_latency=0.75)
    heard = LatencyMs(end_of_turn=310, stt_final=290)
    asked = Turn(1, "reception", "Where is it?", latency_ms=heard, trace_id=TRACE, started_at=THEN)
    looked_up = replace(asked, tools=(ToolUse("lookup_order", ok=True, ms=12, started_at=THEN),))
    answered = replace(
        looked_up,
        agent_text="On its way.",
        latency_ms=LatencyMs(310, 290, llm_first_token=350, tts_first_audio=90, total=750),
    )
    assert session.saved == [asked, looked_up, answered]


def test_a_turn_begins_with_the_callers_voice() -> None:
    """Not when its words were known; the greeting begins with the agent's."""
    session = Session()
    session.says("assistant", "Hello.", started_speaking_at=90.0, stopped_speaking_at=91.5)
    session.says("user", "Where is it?", started_speaking_at=98.5, stopped_speaking_at=99.75)
    assert [turn.started_at for turn in session.saved] == [THEN - timedelta(seconds=s) for s in (10, 1.5)]
    assert [turn.spoken_ms for turn in session.saved] == [None, 1250]


def test_playout_is_how_long_the_agent_was_heard_in_all() -> None:
    """In two parts, with a tool between them that took a while."""
    session = Session()
    session.says("user", "Where is it?")
    session.says("assistant", "One moment.", started_speaking_at=101.0, stopped_speaking_at=101.6)
    session.says("assistant", "On its way.", started_speaking_at=105.0, stopped_speaking_at=106.0)
    assert session.saved[-1].latency_ms.playout == 1600


def test_an_answer_in_two_parts_is_one_turn() -> None:
    """Words before a tool and words after it; the times are those of the first."""
    session = Session()
    session.says("user", "Where is it?")
    session.says("assistant", "One moment.", e2e_latency=0.5)
    session.says("assistant", "It is on its way.", interrupted=True, e2e_latency=3.0)
    turn = session.saved[-1]
    assert (turn.n, turn.agent_text) == (1, "One moment. It is on its way.")
    assert turn.interrupted
    assert turn.latency_ms.total == 500


@pytest.mark.parametrize("error", [False, True])
def test_a_tool_that_failed_says_so(error: bool) -> None:
    """Its arguments and its answer are not kept."""
    session = Session()
    session.says("user", "Where is it?")
    session.uses("lookup_order", ms=3, error=error)
    assert session.saved[-1].tools == (ToolUse("lookup_order", ok=not error, ms=3, started_at=THEN),)


def test_what_the_model_is_told_is_no_turn() -> None:
    """Instructions are not part of what was said."""
    session = Session()
    session.says("system", "Be brief.")
    assert session.saved == []
