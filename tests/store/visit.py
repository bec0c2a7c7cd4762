"""A caller's visit to the shop: its tools, run in a real session without audio or language model."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from livekit.agents import Agent, AgentSession, FunctionTool, RunContext, ToolError
from livekit.agents.llm import FunctionCall, FunctionCallOutput
from livekit.agents.llm.utils import prepare_function_arguments
from livekit.agents.voice.speech_handle import SpeechHandle
from sqlalchemy import text

from callpool.call import Call
from callpool.hand_off import Conversation, Handover, StageAgent
from callpool.stages import Roster, Stage
from callpool.store.engine import create_engine
from callpool_tools.business import Business
from callpool_tools.case import Case
from callpool_tools.changes import change_tools
from callpool_tools.orders import order_tools
from callpool_tools.tickets import open_ticket_tool
from callpool_tools.transfer import transfer_call_tool
from callpool_tools.verification import verify_caller_tool


class Desk(StageAgent):
    """An agent that waits to be told which tool to use."""

    def __init__(self, handover: Handover, name: str) -> None:
        super().__init__(handover, name=name, prompt=lambda call: "", tools=[])

    async def on_enter(self) -> None:
        """Says nothing."""


def stage(name: str) -> Stage[StageAgent, Business]:
    return Stage(name, lambda handover: Desk(handover, name), greeting=lambda call: "Hello.")


NAMES = ("desk", "data_collection", "problem_solving", "human_transfer")
ROSTER = Roster(
    stages=tuple(map(stage, NAMES)),
    first={"callpool": "desk"},
    transitions=dict.fromkeys(NAMES, NAMES[1:]),
    open_business=Business,
    new_state=Case,
)


def shop_tools(business: Business) -> dict[str, FunctionTool[Any, Any]]:
    """Every tool that touches the business, by name."""
    tools: Sequence[FunctionTool[Any, Any]] = (
        *order_tools(business, unverified_to="data_collection"),
        *change_tools(business, unverified_to="data_collection"),
        open_ticket_tool(business),
        verify_caller_tool(business, to="problem_solving", give_up_to="human_transfer"),
        transfer_call_tool(business, to="human_transfer"),
    )
    return {tool.info.name: tool for tool in tools}


@dataclass
class Visit:
    """One call. Words are put into its history, and tools are called as the session would call them."""

    session: AgentSession[Call]
    business: Business
    tools: dict[str, FunctionTool[Any, Any]] = field(default_factory=dict)

    @property
    def call(self) -> Call:
        return self.session.userdata

    @property
    def case(self) -> Case:
        case = self.call.state
        assert isinstance(case, Case)
        return case

    def caller_says(self, words: str) -> None:
        self.session.history.add_message(role="user", content=words)

    def agent_says(self, words: str) -> None:
        self.session.history.add_message(role="assistant", content=words)

    def verified_for(self, number: str, name: str = "James Miller") -> None:
        """As after a verification."""
        self.case.order_number, self.case.name = number, name
        self.case.verified.append(number)

    async def use(self, tool: str, **arguments: Any) -> Any:
        """What a tool returns to the model: its result, or its ToolError, or the agent it hands off to."""
        ctx = self._context(tool, arguments)
        args, kwargs = prepare_function_arguments(
            fnc=self.tools[tool], json_arguments=json.dumps(arguments), call_ctx=ctx
        )
        try:
            result = await self.tools[tool](*args, **kwargs)
        except ToolError as error:
            self._note(ctx.function_call, error.message, is_error=True)
            raise
        self._note(ctx.function_call, "" if isinstance(result, Agent) else result, is_error=False)
        return result

    async def use_after_yes(self, tool: str, **arguments: Any) -> Any:
        """Use a tool that changes something, have it read back, say yes, and use it again."""
        self.caller_says(f"Please, {tool}.")
        asked = await self.use(tool, **arguments)
        assert "Ask the caller to confirm" in asked
        self.agent_says(asked)
        self.caller_says("Yes, please.")
        return await self.use(tool, **arguments)

    def _context(self, tool: str, arguments: dict[str, Any]) -> RunContext[Call]:
        called = FunctionCall(call_id=uuid.uuid4().hex, name=tool, arguments=json.dumps(arguments))
        return RunContext(session=self.session, speech_handle=SpeechHandle.create(), function_call=called)

    def _note(self, called: FunctionCall, output: str, *, is_error: bool) -> None:
        answer = FunctionCallOutput(
            call_id=called.call_id, name=called.name, output=output, is_error=is_error
        )
        self.session.history.insert([called, answer])


@asynccontextmanager
async def visiting(business: Business, call_id: str = "c_1", language: str = "en") -> AsyncIterator[Visit]:
    """A call that has just begun."""
    call = Call(
        call_id=call_id, room=f"call-{call_id}", agent_name="callpool", language=language, state=Case()
    )
    async with AgentSession[Call](userdata=call) as session:
        await session.start(Conversation(call, ROSTER, business).begin())
        yield Visit(session, business, shop_tools(business))


async def rows(url: str, query: str) -> list[dict[str, Any]]:
    """What a database answers to a query of the test's own."""
    engine = create_engine(url)
    async with engine.begin() as connection:
        result = await connection.execute(text(query))
        found = [dict(row) for row in result.mappings().all()] if result.returns_rows else []
    await engine.dispose()
    return found


def facts(agent_or_text: Any) -> dict[str, Any]:
    """The facts in a tool's result."""
    found: dict[str, Any] = json.loads(agent_or_text)
    return found
