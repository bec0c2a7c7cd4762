"""Language models that finish each other's answers.

The SDK's chain asks the next model when one fails before its first word. Where words were spoken already it
gives the answer up; here the next model is given those words and goes on after them. A tool call that was
given stands: the answer ends with it, and the next model is asked with the tool's result.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, Sequence
from typing import Any

from livekit.agents import llm
from livekit.agents.llm import ChatChunk, ChatContext, ChoiceDelta, Tool, ToolChoice
from livekit.agents.llm.fallback_adapter import FallbackLLMStream
from livekit.agents.types import NOT_GIVEN, APIConnectOptions, NotGivenOr

from callpool.fallback.overlap import Overlap

logger = logging.getLogger(__name__)

ATTEMPT_S = 3.0
"""How long a model may be silent before the next one is asked, seconds: a caller is waiting."""
ONE_TRY = APIConnectOptions(max_retry=0, timeout=ATTEMPT_S)

GO_ON = (
    "Your last message was cut off where it ends. Go on with the words that follow it. "
    "Do not repeat anything of it, and do not begin anew."
)


def answering(members: Sequence[llm.LLM[Any]]) -> llm.LLM[Any]:
    """The only one of `members`, or a chain of them."""
    return members[0] if len(members) == 1 else AnswerChain(members)


class AnswerChain(llm.FallbackAdapter):
    """Asks the first model that answers."""

    def __init__(self, members: Sequence[llm.LLM[Any]], *, attempt_s: float = ATTEMPT_S) -> None:
        super().__init__(list(members), attempt_timeout=attempt_s)

    def chat(
        self,
        *,
        chat_ctx: ChatContext,
        tools: list[Tool] | None = None,
        conn_options: APIConnectOptions = ONE_TRY,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> AnswerStream:
        return AnswerStream(
            self,
            chat_ctx=chat_ctx,
            tools=tools or [],
            conn_options=conn_options,
            parallel_tool_calls=parallel_tool_calls,
            tool_choice=tool_choice,
            extra_kwargs=extra_kwargs,
        )


class AnswerStream(FallbackLLMStream):
    """One answer, by as many models as it takes."""

    # Overrides private parts of the SDK's stream: `_run`, which gives up once words were sent, and
    # `_try_generate`, through which the words come. test_fallback_answer.py fails when they move.

    _said = ""
    _called_tools = False

    async def _run(self) -> None:
        asked = self._chat_ctx
        for _ in self._fallback_adapter._llm_instances:
            try:
                return await super()._run()
            except Exception:
                if self._called_tools:
                    logger.warning(
                        "an answer ends with its tool call", extra={"action": "answer_cut_after_tool"}
                    )
                    return None
                if not self._said or not any(one.available for one in self._fallback_adapter._status):
                    raise
            logger.warning(
                "the next model finishes an answer",
                extra={"action": "answer_continued", "characters": len(self._said)},
            )
            self._chat_ctx = asked.copy()
            self._chat_ctx.add_message(role="assistant", content=self._said)
            self._chat_ctx.add_message(role="system", content=GO_ON)
        raise AssertionError("each round either ends the answer or takes a model out of the chain")

    async def _try_generate(
        self, *, llm: llm.LLM[Any], check_recovery: bool = False
    ) -> AsyncIterable[ChatChunk]:
        chunks = super()._try_generate(llm=llm, check_recovery=check_recovery)
        if check_recovery:
            async for chunk in chunks:
                yield chunk
            return
        overlap = Overlap(self._said)
        last_id = ""
        async for chunk in chunks:
            last_id = chunk.id
            if chunk.delta and chunk.delta.content:
                chunk.delta.content = overlap.push(chunk.delta.content)
            if chunk.delta and chunk.delta.tool_calls:
                chunk.delta.content = f"{chunk.delta.content or ''}{overlap.rest()}"
            yield self._noted(chunk)
        if rest := overlap.rest():
            yield self._noted(ChatChunk(id=last_id, delta=ChoiceDelta(role="assistant", content=rest)))

    def _noted(self, chunk: ChatChunk) -> ChatChunk:
        if chunk.delta:
            self._said += chunk.delta.content or ""
            self._called_tools = self._called_tools or bool(chunk.delta.tool_calls)
        return chunk
