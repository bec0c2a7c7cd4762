"""Which product of the shop a caller means."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from livekit.agents import ToolError
from rapidfuzz import fuzz, process, utils

ALIKE = 80.0
"""How much of a product's name must be in what was said, in percent."""

CLEARER_BY = 5.0
"""How much better the product must fit than the next one, in percent."""


def find_product(said: str, prices: Mapping[str, Decimal]) -> tuple[str, Decimal]:
    """The product's name and its price in USD. Raises ToolError, which names what there is."""
    fitting = process.extract(
        said, list(prices), scorer=fuzz.token_set_ratio, processor=utils.default_process, limit=2
    )
    (item, score, _), *others = fitting or [("", 0.0, 0)]
    if score < ALIKE or any(score - other < CLEARER_BY for _, other, _ in others):
        raise ToolError(
            f"It is not clear which product that is. Tell the caller that there are {_listed(list(prices))}. "
            "Ask the caller which one they want."
        )
    return item, prices[item]


def _listed(items: list[str]) -> str:
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else "".join(items)
