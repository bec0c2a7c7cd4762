"""What the service itself says in a call, in the caller's language."""

from __future__ import annotations

from functools import cache
from typing import Literal

from livekit.agents import AgentSession

from callpool.call import Call
from callpool.phrases import Phrases

Key = Literal[
    "apology",
    "farewell",
    "silence_1",
    "silence_2",
    "silence_goodbye",
    "monologue",
    "unclear",
    "rephrase",
    "offer_person",
    "time_is_short",
    "time_is_up",
    "budget_spent",
    "filler",
    "still_waiting",
    "resumed",
    "go_on",
]
"""What there are words for."""


@cache
def load() -> Phrases:
    """Read once a process, while it warms up."""
    return Phrases.of(__package__)


def words(key: Key, language: str) -> str:
    """The words for something, in a language (`de`, `de-CH`)."""
    return load().say(key, language)


def words_for(session: AgentSession[Call], key: Key) -> str:
    """The words for something, in the language of the session's call."""
    return words(key, session.userdata.language)
