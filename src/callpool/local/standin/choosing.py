"""Which tools a caller means: the words of an utterance against the words of each tool and of the rules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from callpool.local.standin import english
from callpool.local.standin.offered import Kind, Tool
from callpool.local.standin.rules import Rules
from callpool.local.standin.words import meanings, say_name, split_name, stems

ENOUGH = 2.0
"""The least score at which a tool is meant."""
_NAME, _CHOICE, _FIRST_SENTENCE, _PARAMETER, _DESCRIPTION = 3.0, 2.0, 1.5, 1.0, 0.7
"""What one word counts, by where the tool has it."""
_RULE, _RULE_WORD = 4.0, 2.0
"""What a word group of the rules counts: so much, and so much for each of its words."""
_PLAIN_VERBS = frozenset("get set do make look lookup find fetch check show create add run start open new by".split())


@dataclass(frozen=True)
class Wish:
    """A tool that the caller means, and the words in which the values for it are looked for."""

    tool: Tool
    text: str
    score: float


class Chooser:
    """Scores utterances for one set of tools."""

    def __init__(self, tools: Sequence[Tool], rules: Rules) -> None:
        self._tools = [tool for tool in tools if tool.drivable and not tool.is_goodbye]
        self._rules = rules
        self._weights = {tool.name: _weights(tool) for tool in self._tools}
        self._shared = Counter(word for weights in self._weights.values() for word in weights)

    def wishes(self, text: str) -> list[Wish]:
        """The tools meant, in the order in which they were asked for."""
        best = self._best(text)
        if best is None:
            return []
        parts = _segments(text)
        if len(parts) < 2:
            return [best]
        wishes: list[Wish] = []
        for part in parts:
            wish = self._best(part)
            if wish is None or (wishes and wishes[-1].tool is wish.tool):
                if wishes:
                    wishes[-1] = Wish(wishes[-1].tool, f"{wishes[-1].text} {part}", wishes[-1].score)
            else:
                wishes.append(wish)
        tools = {wish.tool.name for wish in wishes}
        if len(tools) < 2 or len(tools) < len(wishes):
            return [best]
        opening = text[: text.find(wishes[0].text.split()[0])] if wishes[0].text.split() else ""
        return [Wish(wishes[0].tool, opening + wishes[0].text, wishes[0].score), *wishes[1:]]

    def score(self, tool: Tool, text: str) -> float:
        said = set(meanings(text))
        weights = self._weights.get(tool.name, {})
        shared = sum(weight / self._shared[word] for word, weight in weights.items() if word in said)
        return shared + self._by_rule(tool, text)

    def _by_rule(self, tool: Tool, text: str) -> float:
        said = stems(text)
        groups = [group for group in self._rules.intents.get(tool.name, ()) if group.counts(said)]
        return max((_RULE + _RULE_WORD * len(group.wanted) for group in groups), default=0.0)

    def _best(self, text: str) -> Wish | None:
        scored = [Wish(tool, text, self.score(tool, text)) for tool in self._tools]
        best = max(scored, key=lambda wish: wish.score, default=None)
        return best if best and best.score >= ENOUGH else None


def _weights(tool: Tool) -> dict[str, float]:
    weights: dict[str, float] = {}

    def note(words: Sequence[str], weight: float) -> None:
        for word in words:
            weights[word] = max(weights.get(word, 0.0), weight)

    name = split_name(tool.name)
    note(meanings(" ".join(word for word in name if word not in _PLAIN_VERBS)), _NAME)
    note(meanings(" ".join(word for word in name if word in _PLAIN_VERBS)), _PARAMETER)
    note(meanings(tool.first_sentence), _FIRST_SENTENCE)
    note(meanings(re.sub(r"[^.]*\b(?:not|never|don't)\b[^.]*", "", tool.description)), _DESCRIPTION)
    for parameter in tool.parameters:
        if parameter.kind not in (Kind.TEXT, Kind.PERSON):
            note(meanings(say_name(parameter.name)), _PARAMETER)
        for choice in parameter.choices:
            note(meanings(say_name(str(choice))), _CHOICE)
    return weights


def _segments(text: str) -> list[str]:
    parts = [part.strip() for part in english.SEGMENT_END.split(text)]
    return [part for part in parts if part]
