"""How often in a row a caller was not understood: said again, then in other words, then a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Offer = Literal["unclear", "rephrase", "offer_person"]
"""What there are words for."""
_OFFERS: tuple[Offer, ...] = ("unclear", "rephrase", "offer_person")


@dataclass
class Understanding:
    """Counts the turns that were not understood. One that was understood begins the count anew.

    Turns are numbered by how often the caller has spoken: nobody needs to report a turn that went well.
    """

    misses: int = 0
    turn: int = -1
    """The turn of the last miss."""
    unheard: bool = False
    """Whether that was a sound after the turn, of which no words came."""

    def miss(self, turn: int) -> int:
        """Note that the words of a turn were not understood. Gives how often in a row, this time included."""
        if self.turn == turn and not self.unheard:
            return self.misses  # a model may say so twice
        return self._count(turn, in_row=self.turn >= turn - 1, unheard=False)

    def miss_sound(self, turn: int) -> int:
        """Note that the caller spoke after a turn, and no words came of it. Gives how often in a row."""
        return self._count(turn, in_row=self.turn >= turn, unheard=True)

    def _count(self, turn: int, *, in_row: bool, unheard: bool) -> int:
        self.misses = self.misses + 1 if in_row else 1
        self.turn, self.unheard = turn, unheard
        return self.misses


def offer(misses: int) -> Offer:
    """What to say to a caller who was not understood so often in a row (1 or more)."""
    return _OFFERS[min(misses, len(_OFFERS)) - 1]
