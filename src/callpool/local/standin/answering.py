"""What the stand-in does about a conversation: call tools, ask, tell, or talk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from callpool.local.behaviour import Said, ToolUse
from callpool.local.standin import english
from callpool.local.standin.asking import abilities
from callpool.local.standin.dialogue import Dialogue, Done
from callpool.local.standin.offered import Tool, read_tools
from callpool.local.standin.requests import Requests
from callpool.local.standin.rules import Rules, read_rules
from callpool.local.standin.telling import follow, recall, tell
from callpool.local.standin.words import meanings, stems

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
        dialogue = Dialogue.of(question.messages)
        rules = next((rules for rules in self._rules if rules.apply_to(dialogue.instructions)), Rules())
        tools = [] if question.choice == "none" else read_tools(question.tools)
        return _Answer(question, dialogue, tools, rules, self._today()).give()


class _Answer:
    def __init__(
        self, question: Question, dialogue: Dialogue, tools: list[Tool], rules: Rules, today: date
    ) -> None:
        self._question = question
        self._dialogue = dialogue
        self._tools = tools
        self._rules = rules
        self._goodbye_tool = next((tool for tool in tools if tool.is_goodbye), None)
        self._requests = Requests(tools, rules, today)
        self._requests.replay(dialogue)

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
        uses = self._uses()
        if uses:
            return Said("" if any(each.failed for each in told) else text, uses)
        if any(each.asks or each.confirm for each in told):
            return Said(text)
        if asking := self._requests.question():
            return Said(f"{text} {asking}")
        if turn and self._is_farewell(turn.caller) and self._goodbye_tool:
            return self._leave(text)
        return Said(text)

    def _hear(self) -> Said:
        if not self._dialogue.turns:
            return Said(self._rules.greeting or english.Say.hello)
        turn = self._dialogue.turns[-1]
        lowered = turn.caller.lower()
        if uses := self._uses():
            return Said(self._while_calling(uses), uses)
        if self._is_farewell(turn.caller) and not self._requests.wished_now:
            return self._leave("") if self._goodbye_tool else Said(self._rules.goodbye or english.Say.goodbye)
        if english.REPEAT.search(lowered) and not self._requests.wished_now:
            return Said(turn.before or english.Say.nothing_to_repeat)
        if self._requests.dropped:
            return Said(self._requests.dropped)
        if (talk := self._talk(turn.caller)) and not self._requests.wished_now:
            again = self._requests.question()
            return Said(f"{talk} {again}" if again else talk)
        if asking := self._requests.question():
            return Said(asking)
        return Said(self._recall(turn.caller) or self._small_talk(lowered))

    def _recall(self, text: str) -> str:
        """A question that an earlier result answers."""
        earlier = [done for turn in reversed(self._dialogue.turns) for done in reversed(turn.done)]
        return next((facts for done in earlier if (facts := recall(done, text))), "")

    def _talk(self, text: str) -> str:
        said = stems(text)
        return next(
            (talk.say for talk in self._rules.talk if any(group.counts(said) for group in talk.words)), ""
        )

    def _small_talk(self, lowered: str) -> str:
        can = abilities(self._tools, self._rules)
        rest = len(meanings(lowered))
        if english.WHO_ARE_YOU.search(lowered):
            return english.Say.who_am_i
        if english.HOW_ARE_YOU.search(lowered):
            return english.Say.how_are_you
        if english.THANKS.search(lowered) and rest < 3:
            return english.Say.thanks
        if english.ABILITIES.search(lowered):
            return can
        if english.GREETING.search(lowered) and rest < 3:
            return english.Say.hello
        if (english.YES.search(lowered) or english.NO.search(lowered)) and rest < 2:
            return english.Say.what_else
        return f"{english.Say.cannot_tell} {can}"

    def _is_farewell(self, text: str) -> bool:
        lowered = text.lower()
        before = self._dialogue.turns[-1].before.lower()
        nothing_else = "anything else" in before and english.NO.search(lowered) is not None
        return bool(
            english.FAREWELL.search(lowered)
            or english.NOTHING_MORE.search(lowered)
            or (nothing_else and len(meanings(lowered)) < 3)
        )

    def _leave(self, text: str) -> Said:
        if self._goodbye_tool is None:
            return Said(text)
        if any(done.tool == self._goodbye_tool.name for done in self._dialogue.turns[-1].done):
            return Said(text or self._rules.goodbye or english.Say.goodbye)
        use = ToolUse(self._goodbye_tool.name, {})
        return Said(f"{text} {self._while_calling((use,))}".strip(), (use,))

    def _while_calling(self, uses: Sequence[ToolUse]) -> str:
        """What is said while tools run. A tool that ends the call may leave no later time for a goodbye."""
        said = [self._rules.with_call.get(use.name) for use in uses]
        if self._goodbye_tool and uses[0].name == self._goodbye_tool.name and said[0] is None:
            if english.SILENT_TOOL.search(self._goodbye_tool.description):
                return ""
            return self._rules.goodbye or english.Say.goodbye
        return next((each for each in said if each), "")

    def _uses(self) -> tuple[ToolUse, ...]:
        uses = tuple(self._requests.ready())
        return uses if self._question.parallel else uses[:1]

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
        return Said(tools=(use,)) if use else Said(english.Say.cannot_tell)
