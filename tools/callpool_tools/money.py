"""Amounts of money, as they are said."""

from __future__ import annotations

from decimal import Decimal

from callpool_tools.phrases import say


def spoken(amount_usd: Decimal, language: str) -> str:
    """`49 dollars and 50 cents`, in the caller's language. The amount has whole cents."""
    dollars, cents = divmod(int(amount_usd * 100), 100)
    key = "dollars_and_cents" if cents else "dollars"
    return say(key, language, dollars=str(dollars), cents=str(cents))
