"""How a wish becomes a request: with what it says itself, and with what was said or done before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from callpool.local.standin import english
from callpool.local.standin.choosing import Wish
from callpool.local.standin.dialogue import Turn
from callpool.local.standin.finding import Finder
from callpool.local.standin.memory import Memory
from callpool.local.standin.offered import Kind, Tool
from callpool.local.standin.request import Request
from callpool.local.standin.rules import Rules
from callpool.local.standin.words import meanings


class Opening:
    """Opens requests in one conversation."""

    def __init__(self, tools: Sequence[Tool], rules: Rules, finder: Finder, memory: Memory) -> None:
        self._tools = tools
        self._rules = rules
        self._finder = finder
        self._memory = memory
        self._last_values: dict[str, object] = {}

    def called(self, arguments: Mapping[str, object]) -> None:
        """Take in a call that was made: "the same again" means its values."""
        self._last_values |= arguments

    def is_known_already(self, wish: Wish, turn: Turn) -> bool:
        """Whether the tool would do no more than note what the instructions know."""
        values = self._finder.fill(wish.tool, wish.text, turn.gloss).values
        return self.is_known(wish.tool, values)

    def is_known(self, tool: Tool, values: Mapping[str, object]) -> bool:
        """Whether the instructions know all these values, and the tool is not called with such."""
        return (
            tool.name in self._rules.unless_known
            and bool(values)
            and all(self._memory.knows(name, value) for name, value in values.items())
        )

    def request(self, wish: Wish, turn: Turn) -> Request:
        """A request with what the wish itself says, and what was said before under the same name."""
        request = Request(wish.tool)
        filled = self._finder.fill(wish.tool, wish.text, turn.gloss)
        request.take(filled)
        lowered = wish.text.lower()
        other = english.OTHER_NUMBER if self._memory.facts else english.OTHER_ONE
        means_another = other.search(lowered) is not None
        means_the_same = english.SAME.search(lowered) is not None
        for parameter in wish.tool.needed:
            name = parameter.name
            known = None if means_another else self._memory.value(parameter)
            if known is not None and name not in filled.misheard:
                request.values.setdefault(name, known)
            if means_the_same and name in self._last_values:
                request.values.setdefault(name, self._last_values[name])
        return request

    def for_others(self, wish: Wish, request: Request, turn: Turn) -> list[Request]:
        """A request for each further value, where the tool needs nothing else: two orders are two calls."""
        needed = wish.tool.needed
        if len(needed) != 1 or needed[0].kind is Kind.LIST:
            return []
        others = self._finder.fill(wish.tool, wish.text, turn.gloss).others.get(needed[0].name, [])
        return [
            Request(wish.tool, {**request.values, needed[0].name: value})
            for value in dict.fromkeys(others)
            if value != request.values.get(needed[0].name)
        ]

    def again(
        self, tool: Tool, arguments: Mapping[str, object], result: str, turn: Turn, confirm: bool
    ) -> Request | None:
        """The request for what a tool refused: without what it blames, until the caller says something else.

        `confirm`: it was not refused, the tool only wants a yes first.
        """
        if other := next((each for each in self._tools if _names(result, each, tool)), None):
            return self.request(Wish(other, turn.caller, 0.0), turn)
        values = {name: value for name, value in arguments.items() if value is not None}
        if confirm:
            return Request(tool, values, confirming=True)
        if not tool.needed:
            return Request(tool, values, refused=dict(arguments))
        said = set(meanings(result))
        blamed = [each for each in tool.needed if said & set(meanings(" ".join(each.words)))]
        if "number" in result.lower():
            blamed = [each for each in tool.needed if each.kind is Kind.DIGITS] or blamed
        for parameter in blamed or tool.needed[:1]:
            values.pop(parameter.name, None)
        return Request(tool, values)


def _names(result: str, other: Tool, refusing: Tool) -> bool:
    """Whether a result names another tool, to be called first."""
    return other.name in result and other.name != refusing.name and other.drivable
