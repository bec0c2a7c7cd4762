"""What happened in a call that a scenario was played to, told in the same way by text and by sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from callpool.ending import Ending


@dataclass(frozen=True)
class ObservedTool:
    """A tool that was called."""

    name: str
    args: Mapping[str, Any] | None
    """None where they are not known: the call record keeps none."""

    def __str__(self) -> str:
        given = "…" if self.args is None else ", ".join(f"{k}={v!r}" for k, v in self.args.items())
        return f"{self.name}({given})"


@dataclass
class ObservedTurn:
    """What followed one thing that the caller did."""

    begins_in: str
    """The stage in which the caller did it."""
    ends_in: str = ""
    """The stage at the end of the agent's answer."""
    entered: list[str] = field(default_factory=list)
    """Stages entered meanwhile, those passed through included."""
    tools: list[ObservedTool] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """What the agent said, as far as the caller heard it."""
    first_words_ms: float | None = None
    """From the end of the caller's words to the first words of the answer, milliseconds."""
    trouble: str = ""
    """What kept the turn from taking place, or from being answered."""

    @property
    def words(self) -> str:
        return " ".join(self.said)


@dataclass
class ObservedCall:
    """A whole call."""

    greeting: str = ""
    turns: list[ObservedTurn] = field(default_factory=list)
    """One for each turn of the scenario that took place."""
    stages: list[str] = field(default_factory=list)
    """In the order in which they were entered, those passed through included."""
    ending: Ending | None = None

    @property
    def words(self) -> str:
        """All that the agent said."""
        return " ".join(filter(None, (self.greeting, *(turn.words for turn in self.turns))))
