"""One thing that a caller said, and which of its words are taken by a value already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from callpool.local.standin.offered import Parameter
from callpool.local.standin.spoken import Span


@dataclass(frozen=True)
class Utterance:
    text: str
    today: date
    asked: Parameter | None = None
    """What the agent had just asked for."""
    taken: tuple[Span, ...] = ()

    def free(self, span: Span) -> bool:
        return all(span[1] <= start or end <= span[0] for start, end in self.taken)

    def is_asked(self, parameter: Parameter) -> bool:
        return self.asked is not None and self.asked.name == parameter.name

    def left(self) -> str:
        """The text with what was taken blanked out."""
        text = self.text
        for start, end in self.taken:
            text = text[:start] + " " * (end - start) + text[end:]
        return text

    @property
    def whole(self) -> Span:
        return 0, len(self.text)


Found = Iterator[tuple[object, Span]]
"""Values and where they were said, the likeliest first."""
