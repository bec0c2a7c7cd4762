"""The tool that an agent is there for: filled over turns, or called with whatever the caller wants."""

from __future__ import annotations

from collections.abc import Sequence

from callpool.local.behaviour import ToolUse
from callpool.local.standin import english
from callpool.local.standin.asking import ask_again, asks_for, question
from callpool.local.standin.dialogue import Dialogue, Done, Turn
from callpool.local.standin.filling import fill
from callpool.local.standin.manners import is_farewell, makes_sense
from callpool.local.standin.memory import LASTING, Memory
from callpool.local.standin.offered import Kind, Parameter, Tool
from callpool.local.standin.request import Request
from callpool.local.standin.rules import Rules
from callpool.local.standin.words import meanings

_PIECES_WITHIN_TURNS = 5
"""The pieces of a number are put together when they were said within so many turns."""


class Purpose:
    """One agent's purpose in one conversation."""

    def __init__(self, tool: Tool, rules: Rules, dialogue: Dialogue, memory: Memory) -> None:
        self.tool = tool
        self._rules = rules
        self._dialogue = dialogue
        self._turn = dialogue.turns[-1] if dialogue.turns else Turn("")
        self._memory = memory
        self._heard_digits = ""

    @property
    def takes_any_wish(self) -> bool:
        return any(each.kind is Kind.TEXT for each in self.tool.needed)

    def wish(self) -> ToolUse | None:
        """The call with the caller's own words, when these are a request."""
        text = self._turn.caller
        if not self.takes_any_wish or self._done_now or not text or is_farewell(self._turn):
            return None
        values = self._remembered()
        if not (makes_sense(text) or self._numbers_in(values)) or self.is_only_a_name:
            return None
        for parameter in self.tool.needed:
            if parameter.kind is Kind.TEXT:
                values[parameter.name] = self._turn.said
        request = Request(self.tool, values)
        return None if request.missing else ToolUse(self.tool.name, request.arguments())

    def form(self) -> ToolUse | None:
        """The call with what was given so far, once that is everything, and something new after a refusal."""
        if self.takes_any_wish or self._done_now or is_farewell(self._turn):
            return None
        values = self._remembered()
        if refused := self._refused():
            values = {**refused.arguments, **self._news()}
            if not self._news():
                return None
        request = Request(self.tool, values)
        return None if request.missing else ToolUse(self.tool.name, request.arguments())

    @property
    def understood(self) -> bool:
        """Whether the caller's last words gave a value, or were no answer and still made sense."""
        asked = any(asks_for(self._turn.asked, each.words[-1:]) for each in self.tool.needed)
        return bool(self._news() or self._heard_digits or not asked or makes_sense(self._turn.caller))

    def question(self) -> str:
        """The question for the first value missing; after a refusal, for all that was refused."""
        if self.takes_any_wish:
            return ""
        partial = self._partial()
        values = self._remembered()
        missing = [each for each in self.tool.needed if each.name not in values]
        if not missing and self._refused():
            missing = [each for each in self.tool.needed if each.kind is Kind.PERSON] or list(
                self.tool.needed[:1]
            )
        for parameter in missing:
            if partial and parameter.kind is Kind.DIGITS:
                return ask_again(partial, parameter, self._rules)
            asking = question(self.tool, parameter, self._rules)
            again = asks_for(self._turn.asked, parameter.words[-1:]) and not self.understood
            return f"{self._rules.say.not_caught} {asking}" if again else asking
        return ""

    @property
    def _done_now(self) -> bool:
        return any(done.tool == self.tool.name and done.result is not None for done in self._turn.done)

    def _remembered(self) -> dict[str, object]:
        values: dict[str, object] = {}
        for parameter in self.tool.parameters:
            value = self._memory.value(parameter)
            if value is None and parameter.kind is Kind.DIGITS:
                value = self._in_pieces(parameter)
            if value is not None:
                values[parameter.name] = value
        return values

    def _news(self) -> dict[str, object]:
        names = {each.name for each in self.tool.parameters if each.kind in LASTING}
        return {name: value for name, value in self._memory.news.items() if name in names}

    def _refused(self) -> Done | None:
        """The last call of this tool that came back, so that the agent is still here."""
        every: Sequence[Done] = [done for turn in self._dialogue.turns[:-1] for done in turn.done]
        mine = [done for done in every if done.tool == self.tool.name]
        return mine[-1] if mine else None

    def _numbers_in(self, values: dict[str, object]) -> bool:
        return any(name in self._memory.news for name in values if name != "name")

    @property
    def is_only_a_name(self) -> bool:
        """Whether the caller said who they are, and not yet what they want."""
        person = next((each for each in self.tool.parameters if each.kind is Kind.PERSON), None)
        name = self._memory.news.get(person.name) if person else None
        if name is None or english.QUESTION.search(self._turn.caller.lower()):
            return False
        return not set(meanings(self._turn.caller)) - set(meanings(str(name)))

    def _partial(self) -> str:
        """Digits in the caller's last words that are too few or too many."""
        self._heard_digits = next(iter(self._misheard(self._turn).values()), "")
        return self._heard_digits

    def _misheard(self, turn: Turn) -> dict[str, str]:
        asked = next(
            (
                each
                for each in self.tool.needed
                if each.kind is Kind.DIGITS and asks_for(turn.asked, each.words[-1:])
            ),
            None,
        )
        return fill(self.tool, turn.caller, self._memory.today, asked).misheard

    def _in_pieces(self, parameter: Parameter) -> object | None:
        """A number that was said in two or three turns with a pause between."""
        digits = ""
        for turn in self._dialogue.turns[-_PIECES_WITHIN_TURNS:]:
            part = self._misheard(turn).get(parameter.name, "")
            corrected = english.NO.search(turn.caller.lower()) is not None
            digits = digits[: -len(part)] + part if corrected and len(part) < len(digits) else digits + part
        fits = parameter.lengths and parameter.lengths[0] <= len(digits) <= parameter.lengths[1]
        return digits if fits else None
