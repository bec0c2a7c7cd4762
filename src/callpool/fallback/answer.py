"""Language models that finish each other's answers, and their own.

An answer that breaks off is continued: the next model, or the same one asked again, is given the words that
were spoken already and goes on after them. A tool call that was given stands: the answer ends with it, and a
model is asked with the tool's result.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from livekit.agents import APIConnectionError, llm
from livekit.agents.llm import ChatChunk, ChatContext, ChoiceDelta, Tool, ToolChoice
from livekit.agents.llm.fallback_adapter import FallbackLLMStream
from livekit.agents.types import NOT_GIVEN, APIConnectOptions, NotGivenOr

from callpool.fallback.overlap import TextOverlap
from callpool.fallback.standing import Standing
from callpool.fallback.tries import HEDGE_S, ONE_TRY, PATIENCE_S, Tries
from callpool.fallback.trouble import remember_retry_after

logger = logging.getLogger(__name__)

MOST_BREAKS = 3
"""How often in a row an answer may break off at the same word until it is given up."""

GO_ON = (
    "Your last message was cut off where it ends. Go on with the words that follow it. "
    "Do not repeat anything of it, and do not begin anew."
)


def answering(
    members: Sequence[llm.LLM[Any]], names: Sequence[str] = (), standing: Standing | None = None
) -> llm.LLM[Any]:
    """One model of `members`, whose providers are called `names` (none: what the plugins call them)."""
    return AnswerChain(members, names, standing)


class AnswerChain(llm.FallbackAdapter):
    """Listens to the first model that answers."""

    def __init__(
        self,
        members: Sequence[llm.LLM[Any]],
        names: Sequence[str] = (),
        standing: Standing | None = None,
        *,
        hedge_s: float = HEDGE_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        super().__init__(list(members))
        self.members = tuple(members)
        for member in members:
            member.on("error", remember_retry_after)
        self._names = tuple(names) or tuple(member.provider for member in members)
        self._standing = standing or Standing()
        self._hedge_s, self._patience_s = hedge_s, patience_s
        self.instead: llm.LLM[Any] | None = None
        """Asked in place of this one from now on."""
        self._in_flight: dict[AnswerStream, tuple[int, int]] = {}
        self._unreported: Counter[int] = Counter()

    @property
    def unreported(self) -> Mapping[int, int]:
        """How many characters have come of answers whose usage nobody reports: of those that go on, and of
        those that were cut off. By the place of the model that gave them."""
        total = self._unreported.copy()
        for member, characters in self._in_flight.values():
            total[member] += characters
        return total

    def note(self, stream: AnswerStream, member: int, characters: int) -> None:
        """So much has come of an answer by now."""
        self._in_flight[stream] = (member, characters)

    def forget(self, stream: AnswerStream, *, reported: bool) -> None:
        """An answer is over. What was cut off before its end, nobody reports the usage of."""
        member, characters = self._in_flight.pop(stream, (0, 0))
        if not reported and characters:
            self._unreported[member] += characters

    def tries(self) -> Tries:
        """For one answer."""
        return Tries("llm", self._names, self._standing, hedge_s=self._hedge_s, patience_s=self._patience_s)

    def chat(
        self,
        *,
        chat_ctx: ChatContext,
        tools: list[Tool] | None = None,
        conn_options: APIConnectOptions = ONE_TRY,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> llm.LLMStream:
        if self.instead is not None:
            return self.instead.chat(
                chat_ctx=chat_ctx,
                tools=tools,
                conn_options=conn_options,
                parallel_tool_calls=parallel_tool_calls,
                tool_choice=tool_choice,
                extra_kwargs=extra_kwargs,
            )
        return AnswerStream(
            self,
            chat_ctx=chat_ctx,
            tools=tools or [],
            # The SDK would ask for the whole answer anew, words that were spoken included.
            conn_options=ONE_TRY,
            parallel_tool_calls=parallel_tool_calls,
            tool_choice=tool_choice,
            extra_kwargs=extra_kwargs,
        )


class Attempt:
    """One model, asked once."""

    def __init__(self, stream: llm.LLMStream) -> None:
        self.stream = stream
        self._opening: list[ChatChunk] = []

    async def first(self) -> Attempt:
        """Wait for the first word or tool call, or for the end, when there is none."""
        async for chunk in self.stream:
            self._opening.append(chunk)
            if chunk.has_response():
                break
        return self

    async def chunks(self) -> AsyncIterator[ChatChunk]:
        """All of it, from the beginning."""
        for chunk in self._opening:
            yield chunk
        async for chunk in self.stream:
            yield chunk

    async def aclose(self) -> None:
        await self.stream.aclose()


class AnswerStream(FallbackLLMStream):
    """One answer, by as many models and in as many attempts as it takes."""

    # Overrides `_run` of the SDK's stream, and notes in private fields of it which model serves, for traces
    # and metrics. test_fallback_answer.py fails when they move.

    def __init__(self, chain: AnswerChain, **asked: Any) -> None:
        super().__init__(chain, **asked)
        self._chain = chain
        self._said = ""
        self._called_tools = False
        self._came = 0
        self._member = 0

    async def _run(self) -> None:
        reported = False
        try:
            await self._answer()
            reported = True
        finally:
            self._chain.forget(self, reported=reported)

    async def _answer(self) -> None:
        tries = self._chain.tries()
        breaks = 0
        while True:
            said = self._said
            winner = await tries.first(self._ask)
            self._fallback_adapter._active_instance = self._chain.members[winner.member]
            self._current_stream = winner.first.stream
            self._member = winner.member
            try:
                await self._pass_on(winner.first)
                tries.answered(winner.member)
                return
            except Exception as error:
                tries.broke_off(winner.member, error)
                if self._called_tools:
                    logger.warning(
                        "an answer ends with its tool call", extra={"action": "answer_cut_after_tool"}
                    )
                    return
                breaks = breaks + 1 if self._said == said else 0
                if breaks >= MOST_BREAKS:
                    raise APIConnectionError(
                        f"an answer broke off {breaks} times at the same word"
                    ) from error
                logger.warning(
                    "an answer is continued",
                    extra={"action": "answer_continued", "characters": len(self._said)},
                )
            finally:
                await winner.first.aclose()

    def _ask(self, member: int) -> Attempt:
        asked = self._chat_ctx
        if self._said:
            asked = asked.copy()
            asked.add_message(role="assistant", content=self._said)
            asked.add_message(role="system", content=GO_ON)
        return Attempt(
            self._chain.members[member].chat(
                chat_ctx=asked,
                tools=self._tools,
                parallel_tool_calls=self._parallel_tool_calls,
                tool_choice=self._tool_choice,
                extra_kwargs=self._extra_kwargs,
                conn_options=ONE_TRY,
            )
        )

    async def _pass_on(self, attempt: Attempt) -> None:
        overlap = TextOverlap(self._said)
        last_id = ""
        async for chunk in attempt.chunks():
            last_id = chunk.id
            self._send(chunk, overlap)
        if rest := overlap.rest():
            self._emit(ChatChunk(id=last_id, delta=ChoiceDelta(role="assistant", content=rest)))

    def _send(self, chunk: ChatChunk, overlap: TextOverlap) -> None:
        if chunk.delta and chunk.delta.content:
            chunk.delta.content = overlap.push(chunk.delta.content)
        if chunk.delta and chunk.delta.tool_calls:
            chunk.delta.content = f"{chunk.delta.content or ''}{overlap.rest()}"
        self._emit(chunk)

    def _emit(self, chunk: ChatChunk) -> None:
        if chunk.delta:
            self._said += chunk.delta.content or ""
            self._called_tools = self._called_tools or bool(chunk.delta.tool_calls)
            arguments = sum(len(tool.arguments) for tool in chunk.delta.tool_calls)
            self._came += len(chunk.delta.content or "") + arguments
            self._chain.note(self, self._member, self._came)
        self._event_ch.send_nowait(chunk)
