"""A caller in text: says sentences to the stand-in and runs the tools that it calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from livekit.agents.llm import FunctionTool, ToolContext

from callpool.local.behaviour import Said, ToolUse
from callpool.local.standin import StandIn
from callpool.local.standin.answering import Choice, Question

TODAY = date(2026, 11, 25)  # a Wednesday
STEPS_AT_MOST = 4

Result = str | Callable[..., str]
Tool = FunctionTool[Any, Any]


def schemas(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """The tools as the OpenAI plugin sends them."""
    return ToolContext(list(tools)).parse_function_tools("openai", strict=True)


@dataclass
class Caller:
    """Holds a conversation. `results` gives what each tool returns."""

    tools: Sequence[Tool]
    results: Mapping[str, Result] = field(default_factory=dict)
    model: StandIn = field(default_factory=lambda: StandIn(today=lambda: TODAY))
    system: str = "You answer the telephone."
    messages: list[dict[str, object]] = field(default_factory=list)
    calls: list[ToolUse] = field(default_factory=list)
    """Every call so far."""

    def ask(self, choice: Choice = "auto", named: str | None = None, parallel: bool = True) -> Said:
        system = {"role": "system", "content": self.system}
        question = Question([system, *self.messages], schemas(self.tools), choice, named, parallel)
        return self.model.answer(question)

    def say(self, text: str, *, parallel: bool = True) -> str:
        """Say something, and give all that the agent answered, tools run in between."""
        self.messages.append({"role": "user", "content": text})
        heard: list[str] = []
        for _ in range(STEPS_AT_MOST):
            said = self.ask(parallel=parallel)
            heard += [said.text] if said.text else []
            self._note(said)
            if not said.tools:
                return " ".join(heard)
        raise AssertionError(f"still calling tools after {STEPS_AT_MOST} answers: {self.calls}")

    def called(self, text: str, *, parallel: bool = True) -> list[tuple[str, dict[str, object]]]:
        """Say something, and give the tools that were called because of it."""
        before = len(self.calls)
        self.say(text, parallel=parallel)
        return [(use.name, use.arguments) for use in self.calls[before:]]

    def _note(self, said: Said) -> None:
        message: dict[str, object] = {"role": "assistant", "content": said.text or None}
        ids = [f"call_{len(self.calls) + number}" for number in range(len(said.tools))]
        if said.tools:
            message["tool_calls"] = [
                {
                    "id": id,
                    "type": "function",
                    "function": {"name": use.name, "arguments": json.dumps(use.arguments)},
                }
                for id, use in zip(ids, said.tools, strict=True)
            ]
        self.messages.append(message)
        for id, use in zip(ids, said.tools, strict=True):
            result = self.results.get(use.name, "Done.")
            content = result if isinstance(result, str) else result(**use.arguments)
            self.messages.append({"role": "tool", "tool_call_id": id, "content": content})
        self.calls += said.tools
