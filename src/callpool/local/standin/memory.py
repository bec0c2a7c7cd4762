"""Who is calling about what: values that stay true when the next thing is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from callpool.local.standin import english
from callpool.local.standin.asking import asks_for
from callpool.local.standin.dialogue import Turn
from callpool.local.standin.filling import fill
from callpool.local.standin.known import known_value
from callpool.local.standin.offered import Kind, Parameter, Tool
from callpool.local.standin.phrases import without_address, without_digits

LASTING = (Kind.DIGITS, Kind.PERSON, Kind.EMAIL)
"""A number, a name. A day or an amount is true for one request only."""


@dataclass
class Memory:
    """What was said under each parameter's name, and what the instructions say is known."""

    tools: Iterable[Tool]
    today: date
    facts: Mapping[str, str]
    _heard: dict[str, list[object]] = field(default_factory=dict)
    _now: dict[str, object] = field(default_factory=dict)
    _wrong: list[tuple[str, object]] = field(default_factory=list)

    def hear(self, turn: Turn) -> None:
        """Take in one turn of the caller."""
        self._now = {}
        if "address" in turn.asked.lower() and asks_for(turn.asked, ("address",)):
            return
        text = without_address(turn.caller)
        if english.OTHER_NUMBER.search(text.lower()):
            self._forget_numbers()
        for tool in self.tools:
            for parameter in tool.parameters:
                if parameter.kind not in LASTING:
                    continue
                answers = asks_for(turn.asked, parameter.words[-1:]) or (
                    parameter.kind is Kind.PERSON and asks_for(turn.asked, ("number",)) and _may_be_name(text)
                )
                asked = parameter if answers else None
                filled = fill(tool, text, self.today, asked)
                if parameter.name in filled.values:
                    value = filled.values[parameter.name]
                    spoken = turn.gloss.said_as(value) if isinstance(value, str) else value
                    self._now[parameter.name] = value if parameter.kind is Kind.DIGITS else spoken
        for name, value in self._now.items():
            self._heard.setdefault(name, []).append(value)

    def _forget_numbers(self) -> None:
        """The caller means something else: the number that was said before is not its number."""
        for tool in self.tools:
            for parameter in tool.parameters:
                if parameter.kind is Kind.DIGITS:
                    self._heard.pop(parameter.name, None)

    def value(self, parameter: Parameter) -> object | None:
        """What is known under a parameter's name. Newer words count over what the instructions know."""
        name = parameter.name
        heard = self._heard.get(name, [])
        known = known_value(dict(self.facts), parameter)
        if known is None or (name, known) in self._wrong:
            known = None
        if name in self._now:
            return self._now[name]
        if known is not None:
            since = [index for index, value in enumerate(heard) if _same(value, known)]
            return heard[-1] if since else known
        usable = [value for value in heard if (name, value) not in self._wrong]
        return usable[-1] if usable else None

    def knows(self, name: str, value: object) -> bool:
        """Whether the instructions have this value under this name."""
        for tool in self.tools:
            for parameter in tool.parameters:
                if parameter.name == name:
                    return _same(known_value(dict(self.facts), parameter), value)
        return False

    def forget(self, arguments: Mapping[str, object]) -> None:
        """A tool did not take these."""
        self._wrong += list(arguments.items())

    @property
    def news(self) -> Mapping[str, object]:
        """What the last turn said."""
        return self._now


def _may_be_name(text: str) -> bool:
    """Whether the words can be a name, though something else was asked for."""
    words = english.LEAD_IN.sub("", without_digits(text)).strip(" .,!?").split()
    return (
        2 <= len(words) <= 3
        and all(word.isalpha() for word in words)
        and not english.SENSE.search(text.lower())
    )


def _same(one: object, other: object) -> bool:
    return str(one).casefold() == str(other).casefold()
