"""A scenario played in text: the real agents, tools, business and language model, without sound and waiting.

What the SDK offers for it is `AgentSession.run`; everything else is what a job does (see `callpool.job`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from livekit.agents import (
    AgentSession,
    CloseEvent,
    CloseReason,
    ConversationItemAddedEvent,
    FunctionToolsExecutedEvent,
    RunResult,
    StopResponse,
    llm,
)
from livekit.agents.llm import ChatContext, ChatMessage

from callpool import ending
from callpool.backchannel import Backchannels
from callpool.call import Call, from_dispatch
from callpool.dtmf import as_words
from callpool.evaluation.mouth import CHARACTERS_PER_S, Mouth, word_by_word
from callpool.evaluation.observed import ObservedCall, ObservedTool, ObservedTurn
from callpool.evaluation.scenario import CallerTurn, Scenario
from callpool.hand_off import Conversation, Models
from callpool.identification import Identification
from callpool.language import Languages
from callpool.manners import Manners
from callpool.settings import Settings
from callpool.stages import Roster, Stage
from callpool.store.record import StageEntry

logger = logging.getLogger(__name__)

ANSWER_S = 30.0
"""How long an answer may take, with all its tools and hand-offs, before the scenario gives up, seconds."""
CALL_S = 300.0
"""How long a whole scenario may take, seconds."""
CLOSING_S = 10.0
"""How long a call may take to end once its ending is known, seconds."""


@dataclass(frozen=True)
class Service:
    """What a text call is held with: what a worker's process holds for its calls."""

    roster: Roster[Any, Any]
    business: Any
    llm: llm.LLM[Any]
    settings: Settings
    identification: Identification
    profile: str | None = None
    models: Callable[[Stage[Any, Any]], Models] = lambda stage: Models()


class TextCall:
    """One call without sound. `hold` it once."""

    def __init__(self, service: Service, scenario: Scenario, call_id: str) -> None:
        self._scenario = scenario
        self._service = service
        wishes = {"call_id": call_id, "language": scenario.language, "profile": service.profile or ""}
        self.call = from_dispatch(
            json.dumps(wishes | {"caller": {"kind": "synthetic"}}),
            name=call_id,
            room=f"call-{call_id}",
            agent_name=service.settings.worker.agent_name,
            languages=service.settings.worker.languages,
        )
        self.call.state = service.roster.new_state()
        self._languages = Languages(self.call, service.identification)
        self._conversation = Conversation(
            self.call,
            service.roster,
            service.business,
            on_stage=self._on_stage,
            models=service.models,
            languages=self._languages,
        )
        self._observed = ObservedCall()
        self._turn = self._opening = ObservedTurn(begins_in="")
        self._mouth = Mouth()
        self._cut_after_s: float | None = None
        self._closed = asyncio.Event()
        self._answering: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answering.set_result(None)
        self._session: AgentSession[Call] = AgentSession[Call](
            llm=service.llm, userdata=self.call, user_away_timeout=None
        )

    @property
    def history(self) -> ChatContext:
        """What was said, for a judge."""
        return self._session.history

    async def hold(self) -> ObservedCall:
        """Play the scenario's turns, as far as the call lasts, and tell what happened."""
        session = self._session
        session.output.transcription = self._mouth
        session.on("conversation_item_added", self._on_item)
        session.on("function_tools_executed", self._on_tools)
        session.on("close", self._on_close)
        self._languages.follow(session)
        self._manners = Manners(session, self._service.settings.manners, lambda _: session.shutdown())
        try:
            async with asyncio.timeout(CALL_S):
                await session.start(self._conversation.begin(), record=False)
                await self._play_all()
        except TimeoutError:
            self._turn.trouble = f"the call was not over after {CALL_S:g} s"
        finally:
            await self._hang_up()
        self.call.end(ending.CALLER_LEFT)  # unless the agent has ended it
        self._observed.greeting = self._opening.words
        self._observed.ending = self.call.ending
        return self._observed

    async def _play_all(self) -> None:
        await self._greet()
        for index, turn in enumerate(self._scenario.turns):
            if self._is_over or self._turn.trouble:
                break
            await self._play(turn, self._cut_after(index))
        if not self._turn.trouble:
            await self._settle()

    async def _hang_up(self) -> None:
        try:
            async with asyncio.timeout(CLOSING_S):
                await self._session.aclose()
        except TimeoutError:  # an agent that went astray: the next call has a session of its own
            self._turn.trouble = self._turn.trouble or "the session could not be closed"

    @property
    def _is_over(self) -> bool:
        return self.call.ending is not None or self._closed.is_set()

    def _cut_after(self, index: int) -> float | None:
        """How much of the answer to the turn `index` (-1: the greeting) the next turn lets the agent say."""
        turns = self._scenario.turns
        return turns[index + 1].interrupt_after_s if index + 1 < len(turns) else None

    async def _greet(self) -> None:
        self._mouth.begin_answer(self._cut_after(-1))
        speech = self._session.say(word_by_word(self._conversation.greeting()))
        await self._until_heard(asyncio.ensure_future(speech.wait_for_playout()))

    async def _play(self, turn: CallerTurn, cut_after_s: float | None) -> None:
        listens = await self._break_off(turn.say or as_words(turn.dtmf))
        self._turn = observed = ObservedTurn(begins_in=self.call.stage)
        self._observed.turns.append(observed)
        if turn.silence_s:
            await self._manners.silence(turn.silence_s)
        self._mouth.begin_answer(None)
        self._cut_after_s = cut_after_s
        began_at = time.perf_counter()
        for words in filter(None, (turn.say, as_words(turn.dtmf))):
            if not self._is_over and not listens:
                await self._say(words)
        if self._mouth.first_words_at is not None:
            observed.first_words_ms = (self._mouth.first_words_at - began_at) * 1000
        observed.ends_in = self.call.stage

    async def _say(self, words: str) -> None:
        """Say something as speech to text would have heard it, and wait for the whole answer."""
        session = self._session
        await self._languages.heard(words)
        agent = session.current_agent
        try:
            await agent.on_user_turn_completed(
                agent.chat_ctx.copy(), ChatMessage(role="user", content=[words])
            )
        except StopResponse:
            return
        await self._until_heard(asyncio.ensure_future(self._finish(session.run(user_input=words))))

    async def _finish(self, run: RunResult[Any]) -> None:
        """Wait for an answer with everything that belongs to it."""
        try:
            async with asyncio.timeout(ANSWER_S):
                await run
        except TimeoutError:
            self._turn.trouble = f"the answer was not complete after {ANSWER_S:g} s"
        except Exception as error:
            # A session that closes cuts its last run off; anything else is the agent's failure.
            if not self._is_over:
                self._turn.trouble = (
                    f"the agent failed: {type(error).__name__}: {' '.join(str(error).split())}"
                )

    async def _until_heard(self, answering: asyncio.Future[Any]) -> None:
        """Wait until the agent has said all, or as much as the caller lets it say."""
        self._answering = answering
        reached: asyncio.Future[Any] = asyncio.ensure_future(self._mouth.reached.wait())
        await asyncio.wait({answering, reached}, return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()

    async def _break_off(self, words: str = "") -> bool:
        """Begin to talk over an answer that is not over yet. True for words that only a listener says."""
        listens = Backchannels.load().only(words, self.call.language)
        if self._answering.done():
            return self._talk_over_last(listens)
        if listens or not words:
            self._mouth.go_on()
        else:
            try:
                await self._session.interrupt()
            except RuntimeError:  # words that may not be interrupted are said to their end
                self._mouth.go_on()
        await self._answering
        return listens

    def _talk_over_last(self, listens: bool) -> bool:
        """Take back what of the last answer was not heard. True when it goes on, for a mere listener.

        Only now: tools and hand-offs before the answer have had the time that speech would have given them.
        """
        last = next((item for item in reversed(self._session.history.items) if _is_answer(item)), None)
        if self._cut_after_s is None or not isinstance(last, ChatMessage) or not self._turn.said:
            return False
        whole, characters = last.text_content or "", int(self._cut_after_s * CHARACTERS_PER_S)
        if len(whole) <= characters:
            return False
        if not listens:
            heard = whole[:characters] + whole[characters:].partition(" ")[0]
            last.content, last.interrupted = [heard], True
            self._turn.said[-1] = heard
        return listens

    async def _settle(self) -> None:
        """Let a call that is ending come to its end."""
        await self._break_off()
        if self.call.ending is None or self._closed.is_set():
            return
        try:
            async with asyncio.timeout(CLOSING_S):
                await self._closed.wait()
        except TimeoutError:
            self._turn.trouble = f"the agent had not hung up {CLOSING_S:g} s after its last words"

    def _on_stage(self, entry: StageEntry) -> None:
        self._observed.stages.append(entry.stage)
        self._turn.entered.append(entry.stage)

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        match event.item:
            case ChatMessage(role="assistant") as message if message.text_content:
                self._turn.said.append(message.text_content.strip())

    def _on_tools(self, event: FunctionToolsExecutedEvent) -> None:
        self._turn.tools += [
            ObservedTool(use.name, _arguments(use.arguments)) for use in event.function_calls
        ]

    def _on_close(self, event: CloseEvent) -> None:
        if event.reason is CloseReason.ERROR:
            self.call.end(ending.PROVIDER_FAILED)
        self._closed.set()


def _is_answer(item: llm.ChatItem) -> bool:
    return isinstance(item, ChatMessage) and item.role == "assistant"


def _arguments(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text or "{}")
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}
