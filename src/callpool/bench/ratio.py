"""What is measured twice, in pairs: with something and without it."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES = 10_000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ratio:
    """With to without, pair by pair."""

    name: str
    without: float
    """The median."""
    with_it: float
    middle: float
    """The median of the pairs' ratios."""
    upper: float
    """The upper end of the interval that holds that median with CONFIDENCE."""
    pairs: int

    @classmethod
    def of(cls, name: str, without: Sequence[float], with_it: Sequence[float]) -> Ratio:
        """What belongs together is at the same place in both."""
        ratios = [after / before for before, after in zip(without, with_it, strict=True)]
        return cls(
            name,
            statistics.median(without),
            statistics.median(with_it),
            statistics.median(ratios),
            upper_bound(ratios),
            len(ratios),
        )


def upper_bound(values: Sequence[float]) -> float:
    """The upper end of the interval that holds the median of such values with CONFIDENCE: bootstrapped, the
    same each time."""
    dice = random.Random(1)
    medians = sorted(statistics.median(dice.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return medians[round(RESAMPLES * (1 + CONFIDENCE) / 2) - 1]
