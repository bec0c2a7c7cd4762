"""What the caller wants done: requests that open with a wish, fill over turns, and close with a tool call.

Nothing is kept between two requests of the protocol: the conversation is played again from its start, so that
a request that was opened three turns ago is open still.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from callpool.local.behaviour import ToolUse
from callpool.local.standin import english
from callpool.local.standin.asking import question
from callpool.local.standin.choosing import Chooser, Wish
from callpool.local.standin.dialogue import Dialogue, Turn
from callpool.local.standin.filling import Filled, fill
from callpool.local.standin.offered import Kind, Parameter, Tool
from callpool.local.standin.request import Request
from callpool.local.standin.rules import Rules
from callpool.local.standin.telling import tell
from callpool.local.standin.words import meanings

_SURE_SCORE = 6.0
"""A wish of this score is one even where a free text was asked for."""
_FREE = (Kind.TEXT, Kind.SHORT, Kind.PERSON, Kind.LIST)

_LASTING = (Kind.DIGITS, Kind.PERSON, Kind.EMAIL)
"""A number, a name: still true when the next thing is asked for. A day or an amount is not."""


class Requests:
    """The open requests of a conversation, given the tools that are offered now."""

    def __init__(self, tools: list[Tool], rules: Rules, today: date) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._rules = rules
        self._today = today
        self._chooser = Chooser(tools, rules, today)
        self._open: list[Request] = []
        self._known: dict[str, object] = {}
        self._done_now: list[tuple[str, dict[str, object]]] = []
        self._text = ""
        self._heard_digits = ""
        self.wished_now = False
        """Whether the caller's last words were about something that a tool does."""
        self.dropped = ""
        """What to say about a request that the caller took back just now."""

    def replay(self, dialogue: Dialogue) -> None:
        """Take in the whole conversation."""
        for number, turn in enumerate(dialogue.turns, 1):
            last = number == len(dialogue.turns)
            self._hear(turn)
            self._remember(turn)
            self._note_calls(turn)
            if not last:
                self._after(turn)

    def ready(self) -> Iterator[ToolUse]:
        """The calls that can be made now."""
        for request in self._open:
            arguments = request.arguments()
            if request.callable and (request.tool.name, arguments) not in self._done_now:
                yield ToolUse(request.tool.name, arguments)

    def question(self) -> str:
        """The question for the first thing missing; empty when nothing is."""
        for request in self._open:
            if request.confirming:
                return english.Say.shall_i
            if missing := request.missing:
                return self._ask(request, missing[0])
        return ""

    def force(self, name: str) -> Request | None:
        """The request for a tool that must be called, with what is known."""
        for request in self._open:
            if request.tool.name == name:
                return request
        tool = self._tools.get(name)
        return self._open_for(Wish(tool, self._text, 0.0)) if tool else None

    def likeliest(self) -> Request | None:
        if self._open:
            return self._open[0]
        ranked = sorted(self._tools.values(), key=lambda tool: -self._chooser.score(tool, self._text))
        requests = [self._open_for(Wish(tool, self._text, 0.0)) for tool in ranked]
        return next((each for each in requests if not each.missing), requests[0] if requests else None)

    def _hear(self, turn: Turn) -> None:
        text, lowered = turn.caller, turn.caller.lower()
        self._text, self._done_now, self.dropped, self.wished_now = text, [], "", False
        first = self._open[0] if self._open else None
        if first and english.NEVER_MIND.search(lowered):
            self._open, self.dropped = [], english.Say.never_mind
        elif first and first.confirming and (english.YES.search(lowered) or english.NO.search(lowered)):
            self._confirm(first, text, lowered)
        elif first and self._is_answer(first, text):
            self.wished_now = True
        elif wishes := self._chooser.wishes(text):
            self._wish(wishes)
        elif request := self._by_values(text):
            self._open, self.wished_now = [request], True

    def _confirm(self, request: Request, text: str, lowered: str) -> None:
        if english.YES.search(lowered):
            request.confirming, request.refused, self.wished_now = False, None, True
        elif request.take(fill(request.tool, text, self._today)):
            request.confirming, self.wished_now = False, True
        else:
            self._open.remove(request)
            self.dropped = english.Say.left_as_is

    def _is_answer(self, request: Request, text: str) -> bool:
        """Take the caller's words as the answer to what was asked, if they can be one."""
        missing = request.missing
        asked = missing[0] if missing else None
        wishes = self._chooser.wishes(text)
        if asked and asked.kind in _FREE:
            elsewhere = [
                wish for wish in wishes if wish.tool.name != request.tool.name and wish.score >= _SURE_SCORE
            ]
            if elsewhere or self._is_aside(text):
                return False
        filled = fill(request.tool, text, self._today, asked)
        gave_asked = asked is not None and (asked.name in filled.values or asked.name in filled.misheard)
        same_wish = any(wish.tool.name == request.tool.name for wish in wishes)
        if wishes and not same_wish and not gave_asked:
            return False
        if not (gave_asked or same_wish or (filled.values and not wishes)):
            return False
        if asked:
            self._note_heard(filled, asked)
        request.take(filled)
        return True

    @staticmethod
    def _is_aside(text: str) -> bool:
        """Whether the words are manners rather than an answer."""
        lowered = text.lower()
        manners = (
            english.REPEAT,
            english.FAREWELL,
            english.WHO_ARE_YOU,
            english.HOW_ARE_YOU,
            english.ABILITIES,
        )
        return any(pattern.search(lowered) for pattern in manners) or lowered.strip(" .?!") in (
            "hello",
            "hi",
            "what",
        )

    def _note_heard(self, filled: Filled, asked: Parameter) -> None:
        self._heard_digits = filled.misheard.get(asked.name, "")

    def _wish(self, wishes: list[Wish]) -> None:
        opened: list[Request] = []
        for wish in wishes:
            same = next((each for each in self._open if each.tool.name == wish.tool.name), None)
            request = self._open_for(wish)
            if same and not same.refused:
                request.values = {**same.values, **request.values}
            opened += [request, *self._for_others(wish, request)]
        self._open, self.wished_now = opened, True

    def _open_for(self, wish: Wish) -> Request:
        """A request with what the wish itself says, and what was said before under the same name."""
        request = Request(wish.tool)
        filled = fill(wish.tool, wish.text, self._today)
        request.take(filled)
        for name, digits in filled.misheard.items():
            if name not in request.values:
                self._heard_digits = digits
        if not english.OTHER_ONE.search(wish.text.lower()):
            for parameter in wish.tool.needed:
                if parameter.name in self._known and parameter.name not in filled.misheard:
                    request.values.setdefault(parameter.name, self._known[parameter.name])
        return request

    def _for_others(self, wish: Wish, request: Request) -> list[Request]:
        """A request for each further value, where the tool needs nothing else: two orders are two calls."""
        needed = wish.tool.needed
        if len(needed) != 1 or needed[0].kind is Kind.LIST:
            return []
        others = fill(wish.tool, wish.text, self._today).others.get(needed[0].name, [])
        return [
            Request(wish.tool, {**request.values, needed[0].name: value})
            for value in dict.fromkeys(others)
            if value != request.values.get(needed[0].name)
        ]

    def _by_values(self, text: str) -> Request | None:
        """A request for the one tool that what was said fits, though no word named it: a bare number."""
        fitting: list[Request] = []
        for tool in self._tools.values():
            if not tool.drivable or tool.is_goodbye:
                continue
            filled = fill(tool, text, self._today)
            telling = [
                name
                for name in (*filled.values, *filled.misheard)
                if any(
                    each.name == name and each.kind in (Kind.DIGITS, Kind.CHOICE, Kind.EMAIL)
                    for each in tool.needed
                )
            ]
            if telling:
                request = Request(tool)
                request.take(filled)
                self._heard_digits = next(iter(filled.misheard.values()), "")
                fitting.append(request)
        fitting = fitting or self._by_name(text)
        complete = [request for request in fitting if not request.missing]
        chosen = complete if len(complete) == 1 else fitting
        return chosen[0] if len(chosen) == 1 else None

    def _by_name(self, text: str) -> list[Request]:
        """A request for each tool that needs a number, where the caller said no more than "my number is"."""
        if "number" not in text.lower().split():
            return []
        tools = [tool for tool in self._tools.values() if tool.drivable]
        return [Request(tool) for tool in tools if any(each.kind is Kind.DIGITS for each in tool.needed)]

    def _remember(self, turn: Turn) -> None:
        """Keep who is calling about what: a later request, or a later agent, need not ask again."""
        for tool in self._tools.values():
            asked = next(
                (each for each in tool.needed if each.kind in _LASTING and _asks_for(turn.before, each)), None
            )
            filled = fill(tool, turn.caller, self._today, asked)
            lasting = {each.name for each in tool.parameters if each.kind in _LASTING}
            self._known |= {name: value for name, value in filled.values.items() if name in lasting}

    def _note_calls(self, turn: Turn) -> None:
        for done in turn.done:
            tool = self._tools.get(done.tool)
            arguments = dict(done.arguments)
            self._done_now.append((done.tool, arguments))
            request = next(
                (
                    each
                    for each in self._open
                    if each.tool.name == done.tool and each.arguments() == arguments
                ),
                None,
            ) or next((each for each in self._open if each.tool.name == done.tool and not each.missing), None)
            if request:
                self._open.remove(request)
            told = tell(done, turn.caller, self._rules) if done.result is not None else None
            if told and told.failed:
                self._known = {
                    name: value for name, value in self._known.items() if value != arguments.get(name)
                }
            if told and (told.failed or told.confirm) and tool:
                self._reopen(tool, arguments, done.result or "", told.confirm)

    def _reopen(self, tool: Tool, arguments: dict[str, object], result: str, confirm: bool) -> None:
        """A tool that refused is called again once the caller has said something else."""
        said = set(meanings(result))
        for other in self._tools.values():
            if other.name in result and other.name != tool.name and other.drivable:
                self._open.insert(0, self._open_for(Wish(other, self._text, 0.0)))
                return
        values = {name: value for name, value in arguments.items() if value is not None}
        blamed = [each for each in tool.needed if said & set(meanings(" ".join(each.words)))] or list(
            tool.needed[:1]
        )
        if "number" in result.lower():
            blamed = [each for each in tool.needed if each.kind is Kind.DIGITS] or blamed
        if confirm:
            self._open.insert(0, Request(tool, values, confirming=True))
        elif blamed:
            for parameter in blamed:
                values.pop(parameter.name, None)
            self._open.insert(0, Request(tool, values))

    def _after(self, turn: Turn) -> None:
        """Close the turn: what was answered without a call is done with."""
        asked = "?" in " ".join(turn.agent) or any(
            request.missing or request.confirming for request in self._open
        )
        for request in self._open:
            request.times_asked += 1
            request.misheard = False
        if turn.agent and not asked:
            self._open = []
        self._open = [
            request for request in self._open if request.missing or request.confirming or not turn.agent
        ]
        self._heard_digits = ""

    def _ask(self, request: Request, parameter: Parameter) -> str:
        asking = question(request.tool, parameter, self._rules)
        if self._heard_digits and parameter.kind is Kind.DIGITS:
            count = _say_count(parameter)
            name = " ".join("number" if word == "id" else word for word in parameter.words)
            heard = english.Say.heard_digits.format(" ".join(self._heard_digits))
            return f"{heard} {english.Say.say_digits.format(count, name)}"
        return f"{english.Say.not_caught} {asking}" if request.times_asked and not self.wished_now else asking


def _asks_for(words: str, parameter: Parameter) -> bool:
    """Whether the agent's words, whoever made them, ask for a parameter by name."""
    return "?" in words and words.rstrip().lower().endswith(f"{' '.join(parameter.words)}?")


def _say_count(parameter: Parameter) -> str:
    if parameter.lengths is None or parameter.lengths[0] != parameter.lengths[1]:
        return ""
    names = {number: word for word, number in reversed((english.UNITS | english.TEENS).items())}
    return f"{names.get(parameter.lengths[0], parameter.lengths[0])} digits of the "
