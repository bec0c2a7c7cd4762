"""Requests and values that lie in the caller's words, given the business's names for things."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from callpool.local.standin import english
from callpool.local.standin.choosing import Wish
from callpool.local.standin.filling import Filled, fill
from callpool.local.standin.gloss import Gloss
from callpool.local.standin.offered import Kind, Parameter, Tool
from callpool.local.standin.request import Request
from callpool.local.standin.rules import Rules
from callpool.local.standin.words import stems


class Finder:
    """Finds values for one set of tools."""

    def __init__(self, tools: Sequence[Tool], rules: Rules, today: date) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._rules = rules
        self._today = today

    def by_values(self, text: str, gloss: Gloss, last_tool: str) -> Request | None:
        """A request for the one tool that what was said fits, though no word named it: a bare number.

        `last_tool`: the one called last, which is meant when a number alone fits several.
        """
        if self._rules.purpose in self._tools:
            return None
        fitting: list[Request] = []
        for tool in self._tools.values():
            if not tool.drivable or tool.is_goodbye:
                continue
            filled = self.fill(tool, text, gloss)
            wants = english.WANT.search(text.lower()) is not None
            telling = [
                each.name
                for each in tool.needed
                if (each.kind in (Kind.DIGITS, Kind.CHOICE, Kind.EMAIL) and each.name in filled.values)
                or each.name in filled.misheard
                or ("address" in each.words and each.name in filled.values)
                or (wants and self._named_value(tool, each, text))
            ]
            if telling:
                request = Request(tool)
                request.take(filled)
                fitting.append(request)
        fitting = fitting or self._by_name(text)
        complete = [request for request in fitting if not request.missing]
        chosen = complete if len(complete) == 1 else fitting
        if len(chosen) > 1 and self._rules.vague:
            # "And 67890?" means what was done before, or what the rules do with a number alone.
            likely = (last_tool, *self._rules.vague)
            chosen = [each for name in likely for each in complete if each.tool.name == name][:1]
        return chosen[0] if len(chosen) == 1 else None

    def by_thing(self, text: str, gloss: Gloss, wishes: Sequence[Wish]) -> Request | None:
        """A request for so many of a thing that the business has: "give me a lamp"."""
        if self._rules.purpose in self._tools or any(not wish.vague for wish in wishes):
            return None
        if not english.WANT.search(text.lower()):
            return None
        for tool in self._tools.values():
            if any(self._named_value(tool, each, text) for each in tool.needed):
                request = Request(tool)
                request.take(self.fill(tool, text, gloss))
                if not request.missing:
                    return request
        return None

    def _by_name(self, text: str) -> list[Request]:
        """A request for each tool that needs a number, where the caller said no more than "my number is"."""
        if "number" not in text.lower().split():
            return []
        tools = [tool for tool in self._tools.values() if tool.drivable]
        return [Request(tool) for tool in tools if any(each.kind is Kind.DIGITS for each in tool.needed)]

    def fill(self, tool: Tool, text: str, gloss: Gloss, asked: Parameter | None = None) -> Filled:
        """What the text gives for a tool. Free text is in the caller's own words, not in their gloss."""
        filled = fill(tool, text, self._today, asked)
        for parameter in tool.parameters:
            value = filled.values.get(parameter.name)
            if isinstance(value, str) and parameter.kind in (Kind.TEXT, Kind.PERSON):
                filled.values[parameter.name] = gloss.said_as(value)
            digits = parameter.kind is Kind.DIGITS and parameter.name in filled.values
            if not digits and (named := self._named_value(tool, parameter, text)):
                filled.values[parameter.name] = named
        return filled

    def _named_value(self, tool: Tool, parameter: Parameter, text: str) -> str:
        """The name that the business has for a thing, when the text holds all its words."""
        known = self._rules.values.get(f"{tool.name}.{parameter.name}") or self._rules.values.get(
            parameter.name
        )
        said = stems(text)
        return next((each for each in known or () if stems(each) <= said), "")
