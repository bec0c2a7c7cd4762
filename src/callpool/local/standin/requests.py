"""What the caller wants done: requests that open with a wish, fill over turns, and close with a tool call.

Nothing is kept between two requests of the protocol: the conversation is played again from its start, so that
a request that was opened three turns ago is open still. After a hand-off there are words and no calls: then a
request stays open as long as the agent asks, and is closed by a statement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from callpool.local.behaviour import ToolUse
from callpool.local.standin import english
from callpool.local.standin.asking import ask_again, asks_for, question
from callpool.local.standin.choosing import Chooser, Wish
from callpool.local.standin.dialogue import Dialogue, Done, Turn
from callpool.local.standin.filling import fill
from callpool.local.standin.finding import Finder
from callpool.local.standin.manners import is_aside, is_farewell, offer_in
from callpool.local.standin.memory import LASTING, Memory
from callpool.local.standin.offered import Kind, Parameter, Tool
from callpool.local.standin.opening import Opening
from callpool.local.standin.request import Request
from callpool.local.standin.rules import Rules
from callpool.local.standin.telling import tell
from callpool.local.standin.words import meanings

_SURE_SCORE = 6.0
"""A wish of this score is one even where a free text was asked for."""
_A_WISH = 2
"""Fewer telling words than this beside a goodbye are no wish: "to buy" is what is heard for "goodbye"."""
_FREE = (Kind.TEXT, Kind.SHORT, Kind.PERSON, Kind.LIST)


class Requests:
    """The open requests of a conversation, given the tools that are offered now."""

    def __init__(self, tools: list[Tool], rules: Rules, today: date, facts: Mapping[str, str]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._rules = rules
        self._today = today
        self._chooser = Chooser(tools, rules, today)
        self._finder = Finder(tools, rules, today)
        self._open: list[Request] = []
        self.memory = Memory(tools, today, facts)
        self._opening = Opening(tools, rules, self._finder, self.memory)
        self._done_now: list[tuple[str, dict[str, object]]] = []
        self._turn = Turn("")
        self._wish_text = ""
        self._last_tool = ""
        self._heard_digits = ""
        self.wished_now = False
        """Whether the caller's last words were about something that a tool does."""
        self.dropped = ""
        """What to say about a request that the caller took back just now."""

    def replay(self, dialogue: Dialogue) -> None:
        """Take in the whole conversation."""
        for number, turn in enumerate(dialogue.turns, 1):
            self.memory.hear(turn)
            self._hear(turn)
            self._note_calls(turn)
            if number < len(dialogue.turns):
                self._after(turn)

    def ready(self) -> Iterator[ToolUse]:
        """The calls that can be made now."""
        for request in self._open:
            arguments = request.arguments()
            made = (request.tool.name, arguments) in self._done_now
            if request.callable and not made and not self._opening.is_known(request.tool, request.values):
                yield ToolUse(request.tool.name, arguments)

    def question(self) -> str:
        """The question for the first thing missing; empty when nothing is."""
        for request in self._open:
            if request.confirming:
                return self._rules.say.shall_i
            if missing := request.missing:
                return self._ask(request, missing[0])
        return ""

    def wish_for(self, text: str) -> None:
        """Open what the text means, though no rule was sure of it. What every stage does was done then."""
        wishes = [wish for wish in self._chooser.wishes(text) if wish.tool.name not in self._rules.everywhere]
        if wishes:
            self._wish(wishes)

    def force(self, name: str) -> Request | None:
        """The request for a tool that must be called, with what is known."""
        for request in self._open:
            if request.tool.name == name:
                return request
        tool = self._tools.get(name)
        return self._open_for(Wish(tool, self._turn.caller, 0.0)) if tool else None

    def likeliest(self) -> Request | None:
        if self._open:
            return self._open[0]
        text = self._turn.caller
        ranked = sorted(self._tools.values(), key=lambda tool: -self._chooser.score(tool, text))
        requests = [self._open_for(Wish(tool, text, 0.0)) for tool in ranked]
        return next((each for each in requests if not each.missing), requests[0] if requests else None)

    def _hear(self, turn: Turn) -> None:
        text, lowered = turn.caller, turn.caller.lower()
        self._turn, self._done_now, self.dropped, self.wished_now = turn, [], "", False
        first = self._open[0] if self._open else None
        if first and not first.confirming and english.NEVER_MIND.search(lowered):
            self._open, self.dropped = [], self._rules.say.never_mind
        elif self._is_agreement(first, turn):
            pass
        elif first and not first.confirming and self._is_answer(first, turn):
            self.wished_now = True
        elif is_farewell(turn) and len(meanings(text)) < _A_WISH:
            pass
        elif thing := self._finder.by_thing(text, turn.gloss, self._chooser.wishes(text)):
            self._open, self.wished_now = [thing], True
        elif wishes := self._wishes(text):
            self._wish(wishes)
        elif first and not first.missing and not first.confirming and self._is_elsewhere(turn):
            pass  # it is complete, and these words were for another stage
        elif request := self._finder.by_values(text, turn.gloss, self._last_tool):
            self._open, self.wished_now = [request], True
            self._heard_digits = request.heard

    def _is_agreement(self, request: Request | None, turn: Turn) -> bool:
        """Take a yes or a no to what was read back, or to what was offered."""
        lowered = turn.caller.lower()
        if request and request.confirming and self._confirm(request, turn.caller, lowered):
            return True
        yes, no = english.YES.search(lowered), english.NO.search(lowered)
        offer = offer_in(turn.asked) if yes or no else ""
        return bool(offer) and self._answer_offer(offer, yes is not None)

    def _wishes(self, text: str) -> list[Wish]:
        wishes = [wish for wish in self._chooser.wishes(text) if not self._speaks_already(wish)]
        return [] if self._open and all(wish.vague for wish in wishes) else wishes

    def _speaks_already(self, wish: Wish) -> bool:
        """Whether the caller asks, in the language spoken now, for this language: it was changed just now."""
        asked = fill(wish.tool, wish.text, self._today).values if self._turn.gloss.pieces else {}
        return english.LANGUAGE_NAMES[self._rules.language] in asked.values()

    def _answer_offer(self, offer: str, agreed: bool) -> bool:
        """Take a yes or a no to what the agent offered; False when no tool does what was offered."""
        wishes = self._chooser.wishes(offer)
        if not wishes or wishes[0].vague:
            return False
        if not agreed:
            self._open, self.dropped = [], self._rules.say.never_mind
            return True
        self._open = [self._open_for(Wish(wishes[0].tool, self._wish_text or self._turn.caller, _SURE_SCORE))]
        for parameter in self._open[0].missing:
            if parameter.kind is Kind.TEXT and self._wish_text:
                self._open[0].values[parameter.name] = self._wish_text
        self.wished_now = True
        return True

    def _confirm(self, request: Request, text: str, lowered: str) -> bool:
        """Take a yes, a no or other values for what was read back; False when the words are none of these."""
        news = self._finder.fill(request.tool, text, self._turn.gloss)
        changes = {
            name: value for name, value in news.values.items() if request.values.get(name) != value
        } and not any(wish.tool.name != request.tool.name for wish in self._wishes(text))
        if changes:
            request.take(news)
            request.confirming, self.wished_now = False, True
        elif english.WAIT.search(lowered) and english.QUESTION.search(lowered):
            return False  # a question first, and then a yes or a no
        elif english.NO.search(lowered) or english.NEVER_MIND.search(lowered):
            self._open = [each for each in self._open if not each.confirming]
            self.dropped = self._rules.say.left_as_is
            if missing := request.asked_anew(text):
                request.values.pop(missing.name)
                request.confirming, self.dropped, self.wished_now = False, "", True
                self._open.insert(0, request)
        elif english.YES.search(lowered):
            request.confirming, request.refused, self.wished_now = False, None, True
        else:
            return False
        return True

    def _is_answer(self, request: Request, turn: Turn) -> bool:
        """Take the caller's words as the answer to what was asked, if they can be one."""
        text, missing = turn.caller, request.wanted
        asked = missing[0] if missing and self._is_asked(missing[0], turn) else None
        wishes = [wish for wish in self._chooser.wishes(text) if not wish.vague]
        if asked and asked.kind in _FREE:
            elsewhere = [
                wish for wish in wishes if wish.tool.name != request.tool.name and wish.score >= _SURE_SCORE
            ]
            if elsewhere or is_aside(text):
                return False
        filled = self._finder.fill(request.tool, text, turn.gloss, asked)
        gave_asked = asked is not None and (asked.name in filled.values or asked.name in filled.misheard)
        same_wish = any(wish.tool.name == request.tool.name for wish in wishes)
        if wishes and not same_wish and not gave_asked:
            return False
        if request.refused and not gave_asked:
            return False
        if not (gave_asked or same_wish or (filled.values and not wishes)):
            return False
        if asked:
            self._heard_digits = filled.misheard.get(asked.name, "")
        elif not same_wish and self._is_elsewhere(turn):
            # The answer to another stage's question gives a number or a name, and no words or amounts.
            lasting = {each.name for each in request.tool.parameters if each.kind in LASTING}
            filled.values = {name: value for name, value in filled.values.items() if name in lasting}
        request.take(filled)
        return True

    @staticmethod
    def _is_asked(parameter: Parameter, turn: Turn) -> bool:
        """Whether the agent's last question was for this, and not for what another stage asks."""
        return asks_for(turn.asked, parameter.words[-1:]) or not Requests._is_elsewhere(turn)

    @staticmethod
    def _is_elsewhere(turn: Turn) -> bool:
        return any(asks_for(turn.asked, (word,)) for word in ("number", "name"))

    def _wish(self, wishes: list[Wish]) -> None:
        opened: list[Request] = []
        # Beside the wish for a person, the rest of the sentence is what they are wanted for.
        first = [wish for wish in wishes if wish.tool.name in self._rules.everywhere][:1]
        if first and len(wishes) > 1:
            wishes = [Wish(first[0].tool, self._turn.caller, first[0].score)]
        for wish in wishes:
            if self._opening.is_known_already(wish, self._turn):
                continue
            same = next((each for each in self._open if each.tool.name == wish.tool.name), None)
            request = self._open_for(wish)
            if same and not same.refused:
                request.values = {**same.values, **request.values}
            opened += [request, *self._opening.for_others(wish, request, self._turn)]
        asked_to_add = english.ALSO.search(self._turn.caller.lower()) is not None
        names = {request.tool.name for request in opened}
        kept = [
            each
            for each in self._open
            if each.tool.name not in names and (each.confirming or (asked_to_add and not each.missing))
        ]
        self._open = [*opened, *kept]
        self.wished_now, self._wish_text = True, self._turn.said

    def _open_for(self, wish: Wish) -> Request:
        request = self._opening.request(wish, self._turn)
        self._heard_digits = request.heard or self._heard_digits
        return request

    def _note_calls(self, turn: Turn) -> None:
        for done in turn.done:
            tool = self._tools.get(done.tool)
            arguments = dict(done.arguments)
            self._last_tool = done.tool
            self._opening.called(arguments)
            self._done_now.append((done.tool, arguments))
            same = [each for each in self._open if each.tool.name == done.tool]
            request = next((each for each in same if each.arguments() == arguments), None) or next(
                (each for each in same if not each.missing), None
            )
            if request:
                self._open.remove(request)
            if tool and done.tool != self._rules.purpose:
                self._note_result(tool, done, turn)

    def _note_result(self, tool: Tool, done: Done, turn: Turn) -> None:
        if done.result is None:
            return
        arguments = dict(done.arguments)
        told = tell(done, turn.caller, self._rules)
        if told.failed and not told.offers:
            self.memory.forget(arguments)
        if told.confirm or (told.failed and not told.offers):
            again = self._opening.again(tool, arguments, done.result, self._turn, told.confirm)
            self._open[:0] = [again] if again else []

    def _after(self, turn: Turn) -> None:
        """Close the turn: what was answered without a call is done with."""
        last = turn.agent[-1] if turn.agent else ""
        waits = english.ASKING.search(last) is not None and not english.ANYTHING_ELSE.search(last)
        for request in self._open:
            request.times_asked += 1
            request.misheard = False
        if turn.agent and not waits:
            self._open = [request for request in self._open if request.confirming]
        self._open = [
            request
            for request in self._open
            if request.missing
            or request.confirming
            or request.refused
            or request.tool.name not in self._rules.everywhere
        ]
        self._heard_digits = ""

    def _ask(self, request: Request, parameter: Parameter) -> str:
        if self._heard_digits and parameter.kind is Kind.DIGITS:
            return ask_again(self._heard_digits, parameter, self._rules)
        asking = question(request.tool, parameter, self._rules)
        asked_before = request.times_asked and asks_for(self._turn.asked, parameter.words[-1:])
        return f"{self._rules.say.not_caught} {asking}" if asked_before and not self.wished_now else asking
