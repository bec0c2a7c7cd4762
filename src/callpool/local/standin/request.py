"""One thing that the caller wants done: a tool, and the values for it so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from callpool.local.standin.filling import Filled
from callpool.local.standin.offered import Kind, Parameter, Tool
from callpool.local.standin.words import meanings


@dataclass
class Request:
    """One thing that the caller wants done."""

    tool: Tool
    values: dict[str, object] = field(default_factory=dict)
    partial: dict[str, str] = field(default_factory=dict)
    """Digits that were too few: the rest may follow."""
    misheard: bool = False
    heard: str = ""
    """The digits last heard that are too few or too many."""
    times_asked: int = 0
    confirming: bool = False
    """The tool wants a yes before it is called again."""
    refused: dict[str, object] | None = None
    """The arguments that the tool did not take."""

    @property
    def missing(self) -> list[Parameter]:
        return [each for each in self.tool.needed if each.name not in self.values]

    @property
    def wanted(self) -> list[Parameter]:
        """What the caller is asked for: what is missing, else what the tool did not take."""
        return self.missing or [
            each for each in self.tool.parameters if self.refused and self.refused.get(each.name) is not None
        ]

    @property
    def callable(self) -> bool:
        return not self.missing and not self.confirming and self.arguments() != self.refused

    def arguments(self) -> dict[str, object]:
        """The arguments in the schema's order; null for what may be null, is required and was not said."""
        arguments: dict[str, object] = {}
        for parameter in self.tool.parameters:
            if parameter.name in self.values:
                arguments[parameter.name] = self.values[parameter.name]
            elif parameter.required and parameter.nullable:
                arguments[parameter.name] = None
        return arguments

    def asked_anew(self, text: str) -> Parameter | None:
        """The parameter that a no names: "no, another address"."""
        said = set(meanings(text))
        return next(
            (
                each
                for each in self.tool.needed
                if each.kind is not Kind.DIGITS and said & set(meanings(" ".join(each.words)))
            ),
            None,
        )

    def take(self, filled: Filled, keep: bool = False) -> bool:
        """Add what was found, and say whether that was something new. `keep`: values already there stay."""
        news = False
        for name, value in filled.values.items():
            if not (keep and name in self.values):
                news = news or self.values.get(name) != value
                self.values[name] = value
                self.partial.pop(name, None)
        for name, digits in filled.misheard.items():
            if name not in self.values:
                news = self._take_partial(name, digits) or news
        self.misheard = bool(filled.misheard) and not news
        self.heard = next(iter(filled.misheard.values()), "")
        return news

    def _take_partial(self, name: str, digits: str) -> bool:
        parameter = next(each for each in self.tool.parameters if each.name == name)
        joined = self.partial.pop(name, "") + digits
        if parameter.lengths and parameter.lengths[0] <= len(joined) <= parameter.lengths[1]:
            self.values[name] = int(joined) if parameter.json_type == "integer" else joined
            return True
        if parameter.lengths and len(digits) < parameter.lengths[0]:
            self.partial[name] = digits
        return False
