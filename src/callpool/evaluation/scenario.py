"""What a scenario says: a caller's part, and what must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from callpool.ending import Reason, Result

Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"
"""What a YAML file holds."""


@dataclass(frozen=True)
class ToolExpectation:
    """A tool that must have been called, with these arguments among its arguments."""

    name: str
    args: Mapping[str, Plain] = field(default_factory=dict)


@dataclass(frozen=True)
class Expectation:
    """What must have happened when the agent's answer to a turn is over. What is empty is not checked."""

    stage: str = ""
    """The stage at the end of the answer."""
    stages: tuple[str, ...] = ()
    """Stages entered in this order during the turn; those passed through count, others may lie between."""
    tools: tuple[ToolExpectation, ...] | None = None
    """Called in this order, others may lie between; an empty tuple: none at all."""
    never_tools: tuple[ToolExpectation, ...] = ()
    """Not called during the turn, with these arguments where some are named."""
    says: tuple[str, ...] = ()
    never_says: tuple[str, ...] = ()
    within_ms: float | None = None
    """From the end of the caller's words to the first words of the answer, milliseconds."""
    judge: tuple[str, ...] = ()
    """Criteria for a language model to judge the conversation by, up to the end of this turn."""


@dataclass(frozen=True)
class CallerTurn:
    """One thing that the caller does: waits, speaks, then presses keys, as far as each is given."""

    say: str = ""
    dtmf: str = ""
    silence_s: float = 0.0
    interrupt_after_s: float | None = None
    """How long after the agent began its last answer the caller starts; None: when it is over. Seconds."""
    expect: Expectation = Expectation()

    @property
    def label(self) -> str:
        """What the caller does, for people."""
        parts = [
            f"silence of {self.silence_s:g} s" if self.silence_s else "",
            f'"{self.say}"' if self.say else "",
            f"keys {self.dtmf}" if self.dtmf else "",
        ]
        return ", ".join(filter(None, parts)) or "listens"


@dataclass(frozen=True)
class RowCheck:
    """What a query on the business's database must give once the call is over."""

    sql: str
    equals: Plain


@dataclass(frozen=True)
class Scenario:
    """One call, from the greeting to the ending."""

    name: str
    file: str
    """The file that it was read from, for people."""
    turns: tuple[CallerTurn, ...]
    language: str = ""
    """The language that the caller asks for; empty: none, so that it has to be found out."""
    description: str = ""
    rows: tuple[RowCheck, ...] = ()
    result: Result | None = None
    reason: Reason | None = None
    stages: tuple[str, ...] = ()
    """Stages of the whole call, in this order."""
    says: tuple[str, ...] = ()
    never_says: tuple[str, ...] = ()
    never_tools: tuple[ToolExpectation, ...] = ()
    """Not called in the whole call."""
    judge: tuple[str, ...] = ()

    @property
    def judged(self) -> bool:
        """Whether it has criteria that only a language model can judge."""
        return bool(self.judge) or any(turn.expect.judge for turn in self.turns)
