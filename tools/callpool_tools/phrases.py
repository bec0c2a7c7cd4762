"""The sentences and parts of sentences that tools speak, or have spoken, in the caller's language."""

from __future__ import annotations

from callpool.phrases import Phrases

_PHRASES = Phrases.of(__package__)  # once a process: tools are imported while it warms up


def say(key: str, language: str, **values: str) -> str:
    return _PHRASES.say(key, language, **values)
