"""How a call goes from one agent to the next: what the next one is given, and who may follow whom.

A tool that moves a call on ends with `return await hand_off(ctx, "verification")`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from livekit import rtc
from livekit.agents import (
    Agent,
    AgentSession,
    ConversationItemAddedEvent,
    FunctionToolsExecutedEvent,
    ModelSettings,
    RunContext,
    StopResponse,
    ToolError,
    UserTurnExceededEvent,
    llm,
)
from livekit.agents.llm import AgentHandoff, ChatContext, Tool, Toolset
from livekit.agents.stt import SpeechEvent
from livekit.agents.types import NOT_GIVEN, NotGivenOr
from livekit.agents.voice import SpeechHandle

from callpool.backchannel import without_backchannels
from callpool.call import Call
from callpool.history import caller_turns
from callpool.identification import Identification
from callpool.language import Languages
from callpool.manners import cut_in
from callpool.mcp_servers import McpTools
from callpool.stages import IllegalHandOff, Roster, Route, Stage
from callpool.store.record import StageEntry

logger = logging.getLogger(__name__)

SETTLED_S = 0.6
"""Silence of the caller, beyond the end of their turn, before a call goes to a stage that it cannot come back
from, seconds. "Connect me to operator 25, please" may have a second sentence, and nobody would hear it."""

MOST_MOVES = 6
"""Hand-offs that one sentence of the caller's may lead to. Agents that hand a call to each other for ever
would leave the caller in silence; the longest way through a roster is shorter."""

WRAP_UP = (
    "This call has taken long enough. Finish what you are doing in one or two short sentences, begin nothing "
    "new, and take leave of the caller."
)
"""Added to an agent's instructions when the call reaches its budget."""

Prompt = Callable[[Call], str]
"""The instructions of an agent for a call: in its language, with what is known already."""


@dataclass(frozen=True)
class Models:
    """What a stage's agent is given beside its own tools. What is not given is the session's.

    Ears and voice are the call's: a voice that changes in mid-call is no profit to the caller.
    """

    profile: str | None = None
    """The name of the profile in force, for the call's record."""
    llm: NotGivenOr[llm.LLM[Any]] = NOT_GIVEN
    tools: tuple[Tool | Toolset, ...] = ()
    """Offered besides the agent's own: those of MCP servers."""


@dataclass(frozen=True)
class Handover:
    """What a new agent is given."""

    conversation: Conversation
    models: Models = field(default_factory=Models)
    opens_call: bool = False
    """Whether the call begins with this agent: its fixed greeting is spoken by the job."""

    @property
    def call(self) -> Call:
        return self.conversation.call

    @property
    def business(self) -> Any:
        """What the roster's `open_business` gave."""
        return self.conversation.business


class StageAgent(Agent):
    """The agent of a stage. Answers the sentence that brought the call to it."""

    def __init__(
        self, handover: Handover, *, prompt: Prompt, tools: Sequence[Tool | Toolset], name: str
    ) -> None:
        self.handover = handover
        self._prompt = prompt
        own = set(llm.ToolContext(tools).function_tools)
        for offered in handover.models.tools:
            if isinstance(offered, McpTools):
                offered.leave_out(own)
        super().__init__(
            id=name,
            instructions=_instructions(prompt, handover.call),
            tools=[*tools, *handover.models.tools],
            llm=handover.models.llm,
        )
        # On the agent and not on its class: the SDK takes the connection of speech to text, and the words on
        # their way in it, over to the next agent only when no class overrides this node. This one may be
        # taken over, since it holds on to the session alone. test_hand_off_call.py fails when that moves.
        self.stt_node = self._attentive_stt_node  # type: ignore[method-assign]

    @property
    def call(self) -> Call:
        return self.handover.call

    async def on_enter(self) -> None:
        if self.handover.opens_call:
            return
        # Now rather than at the hand-off: what was said along with the tool's use has been spoken only now.
        await self.renew_instructions()
        await self.update_chat_ctx(words_of(self.session.history))
        self.session.generate_reply(tool_choice="auto")

    def _attentive_stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncIterable[SpeechEvent]:
        """What is heard, without what a listener says while the agent speaks."""
        return without_backchannels(Agent.default.stt_node(self, audio, model_settings), self.session)

    async def on_user_turn_exceeded(self, ev: UserTurnExceededEvent) -> None:
        """The caller does not stop."""
        await cut_in(self.session)

    async def renew_instructions(self) -> None:
        """Read the prompt again, after the call's language or state has changed."""
        if (text := _instructions(self._prompt, self.call)) != self.instructions:
            await self.update_instructions(text)


def _instructions(prompt: Prompt, call: Call) -> str:
    return f"{prompt(call)}\n\n{WRAP_UP}" if call.is_wrapping_up else prompt(call)


def _leave_the_answer_to_the_next_agent(executed: FunctionToolsExecutedEvent) -> None:
    """Else two agents speak: the old one about the tools that it used beside the one that handed off."""
    if executed.has_agent_handoff:
        executed.cancel_tool_reply()


def words_of(history: ChatContext) -> ChatContext:
    """What was said, without the mechanics of tools and without other agents' instructions."""
    return history.copy(
        exclude_instructions=True,
        exclude_function_call=True,
        exclude_handoff=True,
        exclude_config_update=True,
        exclude_empty_message=True,
    )


class Conversation:
    """Moves one call through the stages of a roster."""

    def __init__(
        self,
        call: Call,
        roster: Roster[Any, Any],
        business: Any,
        *,
        on_stage: Callable[[StageEntry], None] = lambda entry: None,
        models: Callable[[Stage[Any, Any]], Models] = lambda stage: Models(),
        languages: Languages | None = None,
    ) -> None:
        self.call = call
        self.languages = languages or Languages(call, Identification((call.language,)))
        self.roster = roster
        self.business = business
        self._on_stage = on_stage
        self._models = models
        self._turn = self._moves = 0
        self._left: tuple[Agent, SpeechHandle] | None = None
        self._session: AgentSession[Call] | None = None
        self._leaving_for: tuple[Agent, Route[Any, Any]] | None = None

    def begin(self) -> Agent:
        """The agent that the call begins with."""
        stage = self.roster.first_stage(self.call.agent_name)
        self._note(stage, skipped=False)
        return self._agent_of(stage, opens_call=True)

    async def resume(self, history: ChatContext) -> Agent:
        """The agent of the stage that the call was in when another job served it."""
        agent = self._agent_of(self.roster.stage(self.call.stage), opens_call=True)
        await agent.update_chat_ctx(words_of(history))
        return agent

    def greeting(self) -> str:
        """The fixed words that open the call."""
        words = self.roster.first_stage(self.call.agent_name).greeting
        assert words is not None, "a roster is refused whose first stages have no greeting"
        return words(self.call)

    async def move_on(self, to: str, first: Callable[[], Awaitable[None]] | None = None) -> Agent:
        """The agent of the stage `to`, or of the first one after it that still has something to do.

        `first` is awaited once it is certain that the call may move. It has moved when the session, which
        must be followed, has taken the agent: an answer that is interrupted before hands nothing off.
        Raises IllegalHandOff.
        """
        route = await self.roster.route(self.call, to, self.business)
        if first is not None:
            await first()
        agent = self._agent_of(route.stage, opens_call=False)
        self._leaving_for = (agent, route)
        return agent

    def agent_at(self, to: str) -> Agent:
        """The agent of a stage that the call goes to whatever may follow the present one: see `move_on`."""
        stage = self.roster.stage(to)
        agent = self._agent_of(stage, opens_call=False)
        self._leaving_for = (agent, Route((), stage))
        return agent

    def follow(self, session: AgentSession[Call]) -> None:
        """Watch a session, whose agents hand the call off."""
        if self._session is None:
            self._session = session
            session.on("conversation_item_added", self._on_item)
            session.on("function_tools_executed", _leave_the_answer_to_the_next_agent)

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        if not isinstance(event.item, AgentHandoff) or self._leaving_for is None or self._session is None:
            return
        agent, route = self._leaving_for
        if self._session.current_agent is agent:
            self._leaving_for = None
            for stage in route.passed:
                self._note(stage, skipped=True)
            self._note(route.stage, skipped=False)

    def is_end(self, stage: str) -> bool:
        """Whether no stage follows this one."""
        return not self.roster.transitions.get(stage)

    def may_move(self, turn: int) -> bool:
        """Count a hand-off in the caller's n-th turn, and say whether it is one too many."""
        self._moves = self._moves + 1 if turn == self._turn else 1
        self._turn = turn
        return self._moves <= MOST_MOVES

    def may_leave(self, agent: Agent, answer: SpeechHandle) -> bool:
        """Note that an agent hands the call off in an answer. False: it does so already, by another tool."""
        if self._left == (agent, answer):
            return False
        self._left = (agent, answer)
        return True

    def stay(self) -> None:
        """The hand-off that was noted came to nothing."""
        self._left = None

    def _agent_of(self, stage: Stage[Any, Any], *, opens_call: bool) -> Agent:
        agent: Agent = stage.agent(Handover(self, self._models(stage), opens_call))
        return agent

    def _note(self, stage: Stage[Any, Any], *, skipped: bool) -> None:
        self.call.stage = stage.name
        profile = None if skipped else self._models(stage).profile
        self._on_stage(StageEntry(stage.name, datetime.now(UTC), profile, skipped))


def conversation_of(ctx: RunContext[Call]) -> Conversation:
    """The conversation that a tool runs in."""
    agent = ctx.session.current_agent
    if not isinstance(agent, StageAgent):
        raise TypeError(f"{type(agent).__name__} is no StageAgent: only those can hand a call off")
    return agent.handover.conversation


async def hand_off(
    ctx: RunContext[Call], to: str, *, first: Callable[[], Awaitable[None]] | None = None
) -> Agent:
    """Give the call to another stage's agent. Raises ToolError, for the model, when that may not follow.

    `first` is awaited when nothing stands in the way any more: what it writes is about a call that does move.
    """
    conversation = conversation_of(ctx)
    conversation.follow(ctx.session)
    if not conversation.may_leave(ctx.session.current_agent, ctx.speech_handle):
        # The SDK drops both agents when two tools of one answer give one each, and lets the old agent answer
        # beside the new one when a tool fails.
        logger.warning("a call is handed off twice at once", extra={"action": "hand_off_twice", "to": to})
        conversation.call.refused_hand_offs += 1
        raise StopResponse
    try:
        return await _hand_off(ctx, conversation, to, first)
    except BaseException:
        conversation.stay()
        raise


async def _hand_off(
    ctx: RunContext[Call],
    conversation: Conversation,
    to: str,
    first: Callable[[], Awaitable[None]] | None,
) -> Agent:
    if not conversation.may_move(caller_turns(ctx.session)):
        logger.warning("agents hand a call to and fro", extra={"action": "hand_off_loop", "to": to})
        conversation.call.refused_hand_offs += 1
        raise ToolError("The call was handed on too often by now. Use no tool: speak to the caller first.")
    if conversation.is_end(to):
        await _until_settled(ctx.session)
    try:
        if first is not None:
            ctx.disallow_interruptions()
        elif ctx.speech_handle.interrupted:
            raise RuntimeError
    except RuntimeError:
        # The SDK drops the agent that an interrupted answer's tool gives.
        raise ToolError("The caller spoke meanwhile: listen to them first.") from None
    try:
        return await conversation.move_on(to, first)
    except IllegalHandOff as error:
        conversation.call.refused_hand_offs += 1
        logger.warning(
            "hand-off refused",
            extra={"action": "hand_off_refused", "stage": error.origin, "to": error.to},
        )
        raise ToolError(str(error)) from error


async def _until_settled(session: AgentSession[Call]) -> None:
    """Wait until the caller has been silent for a moment. Words of theirs interrupt the answer meanwhile.

    What is written has no pauses.
    """
    if session.input.audio is None:
        return
    silent_since = time.monotonic()
    while (left_s := silent_since + SETTLED_S - time.monotonic()) > 0:
        await asyncio.sleep(min(left_s, 0.05))
        if session.user_state == "speaking":
            silent_since = time.monotonic()
