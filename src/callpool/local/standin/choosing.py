"""Which tools a caller means: the words of an utterance against the words of each tool and of the rules."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from callpool.local.standin import english
from callpool.local.standin.filling import fill
from callpool.local.standin.offered import Kind, Tool
from callpool.local.standin.phrases import addresses
from callpool.local.standin.rules import Rules
from callpool.local.standin.words import meanings, say_name, split_name, stems

UNCLEAR = "unclear"
"""The tool by which a model says that it does not follow: no words of the caller's ask for it."""
ENOUGH = 2.0
"""The least score at which a tool is meant."""
_NAME, _CHOICE, _FIRST_SENTENCE, _PARAMETER, _DESCRIPTION = 3.0, 2.0, 1.5, 1.0, 0.7
"""What one word counts, by where the tool has it."""
_RULE, _RULE_WORD = 4.0, 2.0
"""What a word group of the rules counts: so much, and so much for each of its words."""
_EVERYWHERE = 4.0
"""What it counts that a tool is for every stage: who asks for a person is heard first."""
_SAID_ADDRESS = 9.0
"""What it counts that an address was said, for a tool that takes one: more than a single word of a rule."""
_VALUES = 1.5
"""What it counts when everything that a tool needs was said."""
_PLAIN_VERBS = frozenset(
    [
        "get",
        "set",
        "do",
        "make",
        "look",
        "lookup",
        "find",
        "fetch",
        "check",
        "show",
        "create",
        "add",
        "run",
        "start",
        "open",
        "new",
        "by",
    ]
)


@dataclass(frozen=True)
class Wish:
    """A tool that the caller means, and the words in which the values for it are looked for."""

    tool: Tool
    text: str
    score: float
    vague: bool = False
    """The words mean this tool only when nothing else is open: "it is about my order"."""


class Chooser:
    """Scores utterances for one set of tools."""

    def __init__(self, tools: Sequence[Tool], rules: Rules, today: date) -> None:
        self._today = today
        self._tools = [
            tool
            for tool in tools
            if tool.drivable and not tool.is_goodbye and tool.name not in (rules.purpose, UNCLEAR)
        ]
        # Beside a purpose that takes any words, a tool is meant only by words that the rules have for it.
        self._ruled_only = bool(rules.purpose) and any(tool.name == rules.purpose for tool in tools)
        self._rules = rules
        self._weights = {tool.name: _weights(tool) for tool in self._tools}
        self._shared = Counter(word for weights in self._weights.values() for word in weights)

    def wishes(self, text: str) -> list[Wish]:
        """The tools meant, in the order in which they were asked for."""
        best = self._best(text)
        if best is None:
            return []
        if best.vague:
            return [best]
        parts = _segments(text)
        if len(parts) < 2:
            return [best]
        wishes: list[Wish] = []
        lead = ""
        for part in parts:
            wish = self._best(part)
            if wish is not None and not wish.vague and not (wishes and wishes[-1].tool is wish.tool):
                wishes.append(Wish(wish.tool, f"{lead} {part}".strip(), wish.score))
            elif wishes:
                wishes[-1] = Wish(wishes[-1].tool, f"{wishes[-1].text}, {part}", wishes[-1].score)
            else:
                lead = f"{lead} {part},".strip()
        names = [wish.tool.name for wish in wishes]
        return wishes if len(set(names)) == len(names) > 1 else [best]

    def score(self, tool: Tool, text: str) -> float:
        if self._ruled_only or tool.name in self._rules.intents:
            ruled = self._by_rule(tool, text)
            if any("address" in each.words for each in tool.needed) and any(
                re.search(r"\d", str(address)) for address, _ in addresses(text)
            ):
                ruled = max(ruled, _SAID_ADDRESS)
            return ruled + (self._by_values(tool, text) if ruled else 0.0)
        said = frozenset(meanings(text))
        weights = self._weights.get(tool.name, {})
        shared = sum(
            weight / math.sqrt(self._shared[word]) for word, weight in weights.items() if word in said
        )
        return shared + self._by_rule(tool, text) + (self._by_values(tool, text) if shared else 0.0)

    def _by_rule(self, tool: Tool, text: str) -> float:
        said = stems(english.HOLD_ON.sub(" ", english.ORDER_VERB.sub(r"\1 buy", text).lower()))
        groups = [group for group in self._rules.intents.get(tool.name, ()) if group.counts(said)]
        always = _EVERYWHERE if tool.name in self._rules.everywhere else 0.0
        return max((_RULE + _RULE_WORD * len(group.wanted) + always for group in groups), default=0.0)

    def _by_values(self, tool: Tool, text: str) -> float:
        """Of two tools whose words were said, the one whose values were said too is meant."""
        telling = [each for each in tool.needed if each.kind not in (Kind.TEXT, Kind.YES_NO)]
        filled = fill(tool, text, self._today).values if telling else {}
        return _VALUES * sum(each.name in filled for each in telling) / (len(telling) or 1)

    def _best(self, text: str) -> Wish | None:
        scored = [Wish(tool, text, self.score(tool, text)) for tool in self._tools]
        best = max(scored, key=lambda wish: wish.score, default=None)
        if best and best.score >= ENOUGH:
            return best
        said = stems(text)
        return next(
            (
                Wish(tool, text, ENOUGH, vague=True)
                for tool in self._tools
                if any(group.counts(said) for group in self._rules.vague.get(tool.name, ()))
            ),
            None,
        )


def _weights(tool: Tool) -> dict[str, float]:
    weights: dict[str, float] = {}

    def note(words: Iterable[str], weight: float) -> None:
        for word in words:
            weights[word] = max(weights.get(word, 0.0), weight)

    name = split_name(tool.name)
    note(meanings(" ".join(word for word in name if word not in _PLAIN_VERBS)), _NAME)
    note(meanings(" ".join(word for word in name if word in _PLAIN_VERBS)), _PARAMETER)
    # A tool without values, such as a hand-off, has little more to go by than what its description names.
    note(meanings(tool.first_sentence), _FIRST_SENTENCE if tool.needed else ENOUGH)
    note(meanings(re.sub(r"(?<![^.])[^.]*\b(?:not|never|don't)\b[^.]*", "", tool.description)), _DESCRIPTION)
    for parameter in tool.parameters:
        if parameter.kind not in (Kind.TEXT, Kind.PERSON):
            note(meanings(say_name(parameter.name)), _PARAMETER)
        for choice in parameter.choices:
            note(meanings(say_name(str(choice))), _CHOICE)
    return weights


def _segments(text: str) -> list[str]:
    parts = [part.strip() for part in english.SEGMENT_END.split(text)]
    return [part for part in parts if part]
