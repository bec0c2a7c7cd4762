"""What a call cost: items, and their sums. Money is USD."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CostItem:
    """What one provider was used for and what that cost."""

    stage: str
    provider: str
    model: str
    unit: str
    """What `quantity` counts, such as `input_tokens`, `characters` or `audio_s`."""
    quantity: float
    usd: float


@dataclass(frozen=True)
class Cost:
    """The items of a call and their sums. A call without items has no total, which is not the same as 0."""

    items: tuple[CostItem, ...] = ()

    @property
    def total_usd(self) -> float | None:
        return sum(item.usd for item in self.items) if self.items else None

    def by(self, key: Literal["stage", "provider"]) -> dict[str, float]:
        """The sum in USD for each stage or provider."""
        sums: defaultdict[str, float] = defaultdict(float)
        for item in self.items:
            sums[getattr(item, key)] += item.usd
        return dict(sums)
