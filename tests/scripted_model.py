"""A fake language model: it says what a test has written down, and remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from livekit.agents import APIConnectOptions, llm
from livekit.agents.llm import ChatContext, ChatMessage, ChoiceDelta, FunctionToolCall, Tool


@dataclass(frozen=True)
class Says:
    """One answer: words, or the use of a tool."""

    text: str = ""
    tool: str = ""
    arguments: dict[str, object] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    """Further tools that are used at the same time, without arguments."""


@dataclass(frozen=True)
class Asked:
    """One request: the words in it, and the names of the tools that were offered."""

    instructions: str
    words: tuple[tuple[str, str], ...]
    kinds: frozenset[str]
    tools: frozenset[str]


class ScriptedModel(llm.LLM[Any]):
    """Answers requests one after the other from a script; a function may look at the request first."""

    def __init__(self, *answers: Says | Callable[[Asked], Says]) -> None:
        super().__init__()
        self._answers = list(answers)
        self.asked: list[Asked] = []

    def chat(
        self,
        *,
        chat_ctx: ChatContext,
        tools: list[Tool] | None = None,
        conn_options: APIConnectOptions = APIConnectOptions(),  # noqa: B008 - the SDK's own signature
        **_: Any,
    ) -> llm.LLMStream:
        messages = [item for item in chat_ctx.items if isinstance(item, ChatMessage)]
        asked = Asked(
            instructions="\n".join(
                message.text_content or "" for message in messages if message.role in ("system", "developer")
            ),
            words=tuple(
                (message.role, message.text_content or "")
                for message in messages
                if message.role in ("user", "assistant")
            ),
            kinds=frozenset(item.type for item in chat_ctx.items),
            tools=frozenset(llm.ToolContext(tools or []).function_tools),
        )
        self.asked.append(asked)
        assert self._answers, f"the script has no answer to {asked.words[-1:]}"
        answer = self._answers.pop(0)
        said = answer if isinstance(answer, Says) else answer(asked)
        return _Stream(self, said, chat_ctx, tools or [], conn_options)


class _Stream(llm.LLMStream):
    def __init__(
        self,
        model: ScriptedModel,
        said: Says,
        chat_ctx: ChatContext,
        tools: list[Tool],
        conn_options: APIConnectOptions,
    ) -> None:
        super().__init__(model, chat_ctx=chat_ctx, tools=tools, conn_options=conn_options)
        self._said = said

    async def _run(self) -> None:
        said = self._said
        number = len(self._chat_ctx.items)
        calls = (
            [
                FunctionToolCall(
                    name=said.tool, arguments=json.dumps(said.arguments), call_id=f"{said.tool}_{number}"
                )
            ]
            if said.tool
            else []
        )
        calls += [
            FunctionToolCall(name=tool, arguments="{}", call_id=f"{tool}_{number}_{at}")
            for at, tool in enumerate(said.also)
        ]
        delta = ChoiceDelta(role="assistant", content=said.text or None, tool_calls=calls)
        self._event_ch.send_nowait(llm.ChatChunk(id=f"chunk_{number}", delta=delta))
