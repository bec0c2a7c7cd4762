"""What a call cost: items, and their sums. Money is USD."""

from __future__ import annotations

import math
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
    """What `quantity` counts: `input_tokens`, `cached_input_tokens`, `output_tokens`, `characters`,
    `audio_s` or `job_minutes`."""
    quantity: float
    usd: float | None
    """`quantity` times `unit_price_usd`; None: no price is known."""
    unit_price_usd: float | None = None
    """Of one token, character, second or minute."""


@dataclass(frozen=True)
class Cost:
    """The items of a call and their sums. A call without items has no total, which is not the same as 0.

    What has no known price is in no sum; `unpriced` names it.
    """

    items: tuple[CostItem, ...] = ()

    @property
    def total_usd(self) -> float | None:
        return math.fsum(item.usd or 0.0 for item in self.items) if self.items else None

    @property
    def unpriced(self) -> tuple[str, ...]:
        """`provider/model` of each item without a price."""
        return tuple(sorted({f"{one.provider}/{one.model}" for one in self.items if one.usd is None}))

    def by(self, key: Literal["stage", "provider"]) -> dict[str, float]:
        """The sum in USD for each stage or provider."""
        sums: defaultdict[str, float] = defaultdict(float)
        for item in self.items:
            sums[getattr(item, key)] += item.usd or 0.0
        return dict(sums)
