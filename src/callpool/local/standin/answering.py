"""What the stand-in does about a conversation: call tools, ask, tell, or talk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from callpool.local.behaviour import Said, ToolUse
from callpool.local.standin import english, manners
from callpool.local.standin.asking import abilities
from callpool.local.standin.choosing import UNCLEAR
from callpool.local.standin.dialogue import Dialogue, Done, Turn, instructions_in
from callpool.local.standin.gloss import gloss, language_of
from callpool.local.standin.known import REQUEST, known_facts
from callpool.local.standin.offered import Tool, read_tools
from callpool.local.standin.phrases import without_digits
from callpool.local.standin.purpose import Purpose
from callpool.local.standin.requests import Requests
from callpool.local.standin.rule_files import read_rules
from callpool.local.standin.rules import Rules, choose
from callpool.local.standin.telling import follow, recall, tell
from callpool.local.standin.words import stems

Choice = Literal["auto", "none", "required"]


@dataclass(frozen=True)
class Question:
    """What a request asks of the model."""

    messages: Sequence[Mapping[str, object]]
    tools: Sequence[Mapping[str, object]] = ()
    choice: Choice = "auto"
    named: str | None = None
    """The one tool that must be called."""
    parallel: bool = True
    """Whether one answer may call several tools."""


class StandIn:
    """Answers in place of a language model. Keeps nothing between requests."""

    def __init__(self, rules: Sequence[Rules] = (), today: Callable[[], date] = date.today) -> None:
        self._rules = tuple(rules)
        self._today = today

    @classmethod
    def load(cls, folders: Sequence[Path]) -> StandIn:
        """With the rules in the folders' `*.yaml` files. Raises SettingError for a file that holds none."""
        return cls(read_rules(folders))

    def answer(self, question: Question) -> Said:
        """Words, tool calls, or both."""
        instructions = instructions_in(question.messages)
        offered = read_tools(question.tools)
        language = language_of("\n".join(instructions[:1]))
        rules = choose(self._rules, instructions, {tool.name for tool in offered}, language)
        dialogue = Dialogue.of(question.messages, language, tuple(rules.glossary.items()))
        tools = [] if question.choice == "none" else offered
        return _Answer(question, dialogue, tools, rules, self._today()).give()


class _Answer:
    def __init__(
        self, question: Question, dialogue: Dialogue, tools: list[Tool], rules: Rules, today: date
    ) -> None:
        self._question = question
        self._dialogue = dialogue
        self._tools = tools
        self._rules = rules
        self._facts = known_facts(dialogue.instructions)
        self._goodbye_tool = next((tool for tool in tools if tool.is_goodbye), None)
        self._requests = Requests(tools, rules, today, self._facts)
        self._requests.replay(dialogue)
        purpose = next((tool for tool in tools if tool.name == rules.purpose), None)
        self._purpose = Purpose(purpose, rules, dialogue, self._requests.memory) if purpose else None

    def give(self) -> Said:
        if self._question.named or self._question.choice == "required":
            return self._must_call()
        if self._dialogue.order:
            return Said(follow(self._dialogue.order, self._rules).text)
        offered = {tool.name for tool in self._tools}
        # A result of a tool that is not offered any more is a hand-off: the caller still waits for an answer.
        results = [done for done in self._dialogue.pending if not offered or done.tool in offered]
        if not results and self._dialogue.pending and not self._dialogue.turns:
            results = self._dialogue.pending
        return self._after_results(results) if results else self._hear()

    def _after_results(self, results: Sequence[Done]) -> Said:
        turn = self._dialogue.turns[-1] if self._dialogue.turns else None
        said_goodbye = bool(turn and turn.agent)
        told = [tell(done, turn.caller if turn else "", self._rules, said_goodbye) for done in results]
        text = " ".join(dict.fromkeys(each.text for each in told))
        if any(each.says_goodbye for each in told):
            return Said(text)
        if any(each.confirm for each in told):
            return Said(text)
        if uses := self._uses():
            return Said("" if any(each.failed for each in told) else text, uses)
        if any(each.asks for each in told):
            again = all(done.tool == UNCLEAR for done in results) and not manners.offer_in(text)
            return Said(self._with_question(text) if again and self._purpose else text)
        if asking := self._open_question():
            return Said(f"{text} {asking}")
        if self._purpose and self._purpose.takes_any_wish:
            return Said(f"{text} {self._rules.say.what_else}")
        if turn and manners.is_farewell(turn) and self._goodbye_tool:
            return self._leave(text)
        return Said(text)

    def _hear(self) -> Said:
        if not self._dialogue.turns:
            return Said(self._rules.greeting or self._rules.say.hello)
        turn = self._dialogue.turns[-1]
        if talk := self._talk(turn, first=True):
            return Said(self._with_question(talk, self._rules.say.what_else))
        if uses := self._uses():
            return Said(self._while_calling(uses), uses)
        wished = self._requests.wished_now
        if not wished:
            if manners.is_farewell(turn):
                goodbye = self._rules.goodbye or self._rules.say.goodbye
                return self._leave("") if self._goodbye_tool else Said(goodbye)
            if english.REPEAT.search(turn.caller.lower()):
                return Said(turn.before or self._rules.say.nothing_to_repeat)
            if self._requests.dropped:
                return Said(self._with_question(self._requests.dropped))
            if talk := self._talk(turn) or manners.small_talk(turn, self._rules):
                return Said(self._with_question(talk))
            if manners.asks_for_abilities(turn):
                return Said(self._with_question(abilities(self._tools, self._rules)))
            if self._purpose and (use := self._purpose.wish()):
                return Said(self._while_calling((use,)), (use,))
            if self._purpose and self._purpose.takes_any_wish and self._purpose.is_only_a_name:
                return Said(self._rules.say.what_else)
        if (self._purpose is None or wished or self._purpose.understood) and (
            asking := self._open_question()
        ):
            return Said(asking)
        return self._at_a_loss(turn)

    def _at_a_loss(self, turn: Turn) -> Said:
        """No tool and no manners: an earlier result, the way in, or that it was not understood."""
        if recalled := self._recall(turn.caller):
            return Said(recalled)
        if self._is_entry and self._rules.entry and not self._purpose:
            wanted = gloss(self._facts.get(REQUEST, ""), self._rules.language).text
            # Its number may be an older one than the number that is known by now.
            self._requests.wish_for(without_digits(wanted))
            if uses := self._uses():
                return Said(self._while_calling(uses), uses)
            if asking := self._open_question():
                return Said(asking)
            strange = manners.makes_sense(wanted) and self._rules.unsettled
            return Said(self._rules.unsettled if strange else self._rules.entry)
        if manners.is_introduction(turn):
            return Said(self._rules.say.what_else)
        if manners.makes_sense(turn.caller) and self._rules.unsettled:
            return Said(self._rules.unsettled)
        if any(tool.name == UNCLEAR for tool in self._tools) and not self._called_now(UNCLEAR):
            return Said(tools=(ToolUse(UNCLEAR, {}),))
        return Said(self._with_question(self._rules.say.cannot_tell, abilities(self._tools, self._rules)))

    @property
    def _is_entry(self) -> bool:
        """Whether no call of a tool is in sight: the agent may have just taken over."""
        return not any(turn.done for turn in self._dialogue.turns)

    def _called_now(self, name: str) -> bool:
        return any(done.tool == name for done in self._dialogue.turns[-1].done)

    def _open_question(self) -> str:
        """What the caller has to say next, for an open request or for the agent's purpose."""
        return self._requests.question() or (self._purpose.question() if self._purpose else "")

    def _with_question(self, text: str, otherwise: str = "") -> str:
        """The text, and the question that is open; but not two questions."""
        asking = "" if text.endswith("?") and not self._purpose else self._open_question() or otherwise
        first = text.rpartition(". ")[0] + "." if text.endswith("?") and asking and ". " in text else text
        return f"{first} {asking}" if asking and not first.endswith("?") else asking or text

    def _recall(self, text: str) -> str:
        """A question that an earlier result answers."""
        earlier = [done for turn in reversed(self._dialogue.turns) for done in reversed(turn.done)]
        return next((facts for done in earlier if (facts := recall(done, text))), "")

    def _talk(self, turn: Turn, first: bool = False) -> str:
        said = stems(turn.caller)
        return next(
            (
                talk.say
                for talk in self._rules.talk
                if talk.first is first and any(group.counts(said) for group in talk.words)
            ),
            "",
        )

    def _leave(self, text: str) -> Said:
        if self._goodbye_tool is None:
            return Said(text)
        if self._called_now(self._goodbye_tool.name):
            return Said(text or self._rules.goodbye or self._rules.say.goodbye)
        use = ToolUse(self._goodbye_tool.name, {})
        return Said(f"{text} {self._while_calling((use,))}".strip(), (use,))

    def _while_calling(self, uses: Sequence[ToolUse]) -> str:
        """What is said while tools run. A tool that ends the call may leave no later time for a goodbye."""
        said = [self._rules.with_call.get(use.name) for use in uses]
        if self._goodbye_tool and uses[0].name == self._goodbye_tool.name and said[0] is None:
            if english.SILENT_TOOL.search(self._goodbye_tool.description):
                return ""
            return self._rules.goodbye or self._rules.say.goodbye
        return next((each for each in said if each), "")

    def _uses(self) -> tuple[ToolUse, ...]:
        uses = tuple(self._requests.ready())
        if not uses and self._purpose and (use := self._purpose.form()):
            uses = (use,)
        together = self._question.parallel and not self._rules.one_at_a_time
        return uses if together else uses[:1]

    def _must_call(self) -> Said:
        """The named tool, or the likeliest one. What was not said is left out: it is never made up."""
        ready = list(self._requests.ready())
        if named := self._question.named:
            use = next((use for use in ready if use.name == named), None)
            request = self._requests.force(named)
        else:
            use = ready[0] if ready else None
            request = self._requests.likeliest()
        if use is None and request is not None:
            use = ToolUse(request.tool.name, request.arguments())
        return Said(tools=(use,)) if use else Said(self._rules.say.cannot_tell)
