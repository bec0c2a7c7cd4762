"""The fixed sentences of the shop's agents."""

from __future__ import annotations

from functools import cache

from callpool.phrases import Phrases


@cache
def load() -> Phrases:
    """Read once a process, while it warms up."""
    return Phrases.of(__package__)


def say(key: str, language: str) -> str:
    return load().say(key, language)
