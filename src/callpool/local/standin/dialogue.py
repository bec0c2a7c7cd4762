"""A conversation as the stand-in sees it: turns of the caller, each with what the agent did about it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from callpool.local.standin.gloss import NO_GLOSSARY, Gloss, Glossary, gloss
from callpool.local.standin.words import plain

NOT_DONE = "interrupted and did not happen"
"""In the SDK's result of a hand-off that the caller talked over: it is to be tried again."""


@dataclass
class Done:
    """A tool call that was made, and its result (None while there is none)."""

    id: str
    tool: str
    arguments: Mapping[str, object]
    result: str | None = None


@dataclass
class Turn:
    """What a caller said in one go, and what the agent did until the caller spoke again."""

    said: str
    """Their own words; what they mean in English is `caller`."""
    before: str = ""
    """The agent's last words before it."""
    done: list[Done] = field(default_factory=list)
    agent: list[str] = field(default_factory=list)
    gloss: Gloss = field(init=False)
    asked: str = field(init=False)
    """`before` in English."""

    def understand(self, language: str, glossary: Glossary) -> None:
        """Read what was said as somebody who expects a language."""
        self.gloss = gloss(self.said, language, glossary)
        self.asked = gloss(self.before, language, glossary).text

    @property
    def caller(self) -> str:
        """What the caller said, in English."""
        return self.gloss.text


@dataclass
class Dialogue:
    instructions: list[str] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    last_agent: str = ""
    """The agent's last words, whoever spoke after them."""
    pending: list[Done] = field(default_factory=list)
    """Tool calls whose results are the end of the conversation: to be told now."""
    order: str = ""
    """An instruction that is the end of the conversation: to be followed now."""

    @classmethod
    def of(
        cls,
        messages: Sequence[Mapping[str, object]],
        language: str = "en",
        glossary: Glossary = NO_GLOSSARY,
    ) -> Dialogue:
        """Read Chat Completions messages. Their shape was checked at the wire."""
        dialogue = cls()
        calls: dict[str, Done] = {}
        open_turn = False
        for message in messages:
            text = plain(spoken_text(message.get("content")))
            dialogue.order = ""
            match message.get("role"):
                case "system" | "developer":
                    dialogue.instructions.append(spoken_text(message.get("content")))
                    dialogue.order = text if len(dialogue.instructions) > 1 else ""
                case "user" if open_turn:
                    dialogue.turns[-1].said += f" {text}"
                    dialogue.pending = []
                case "user":
                    dialogue.turns.append(Turn(text, dialogue.last_agent))
                    dialogue.pending, open_turn = [], True
                case "assistant":
                    open_turn = False
                    made = _calls(message.get("tool_calls"))
                    calls |= {done.id: done for done in made}
                    dialogue.pending = [] if text or made else dialogue.pending
                    if dialogue.turns:
                        dialogue.turns[-1].done += made
                        dialogue.turns[-1].agent += [text] if text else []
                    dialogue.last_agent = text or dialogue.last_agent
                case "tool":
                    if done := calls.get(str(message.get("tool_call_id"))):
                        done.result = text
                        if NOT_DONE in text and dialogue.turns and done in dialogue.turns[-1].done:
                            dialogue.turns[-1].done.remove(done)
                        else:
                            dialogue.pending.append(done)
        for turn in dialogue.turns:
            turn.understand(language, glossary)
        return dialogue


def instructions_in(messages: Sequence[Mapping[str, object]]) -> list[str]:
    """The texts of the system messages."""
    return [
        spoken_text(message.get("content"))
        for message in messages
        if message.get("role") in ("system", "developer")
    ]


def spoken_text(content: object) -> str:
    """The text of a message's content, which is a string, a list of parts, or nothing."""
    if isinstance(content, list):
        return " ".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _calls(tool_calls: object) -> list[Done]:
    made: list[Done] = []
    for call in tool_calls if isinstance(tool_calls, list) else []:
        function = call.get("function")
        if isinstance(function, dict):
            arguments = _arguments(function.get("arguments"))
            made.append(Done(str(call.get("id", "")), str(function.get("name", "")), arguments))
    return made


def _arguments(written: object) -> dict[str, object]:
    try:
        arguments = json.loads(written) if isinstance(written, str) else None
    except (ValueError, RecursionError):
        return {}
    return arguments if isinstance(arguments, dict) else {}
