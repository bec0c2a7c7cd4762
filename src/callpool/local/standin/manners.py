"""What is said for the sake of the talk: hellos, thanks, goodbyes, waits, and questions about the agent."""

from __future__ import annotations

import re
from collections.abc import Sequence

from callpool.local.standin import english
from callpool.local.standin.asking import abilities
from callpool.local.standin.dialogue import Turn
from callpool.local.standin.offered import Tool
from callpool.local.standin.rules import Rules
from callpool.local.standin.words import meanings

_OFFER = re.compile(
    r"\b(?:would you like|shall i|should i|do you want|may i|can i|i could|i can)\b[^.!?]*\?", re.IGNORECASE
)
_ASIDES = (english.REPEAT, english.FAREWELL, english.WHO_ARE_YOU, english.HOW_ARE_YOU, english.ABILITIES)
_FEW = 3
"""Fewer telling words than this beside a "thank you" or a "hello" are no request."""


def small_talk(turn: Turn, rules: Rules) -> str:
    """The answer to manners alone; empty when the words are something else."""
    lowered = turn.caller.lower()
    rest = len(meanings(lowered))
    if english.WHO_ARE_YOU.search(lowered):
        return rules.say.who_am_i
    if english.HOW_ARE_YOU.search(lowered) and rest < _FEW:
        return rules.say.how_are_you
    if english.HOLD_ON.search(lowered) and rest < _FEW:
        return rules.say.take_your_time
    if english.THANKS.search(lowered) and rest < _FEW and not english.OWN_MATTER.search(lowered):
        return rules.say.thanks
    if english.VAGUE_WISH.search(lowered):
        return rules.say.what_about
    if english.GREETING.search(lowered) and not meanings(english.GREETING.sub("", lowered)):
        return rules.say.hello
    if (english.YES.search(lowered) or english.NO.search(lowered)) and rest < 2:
        return rules.say.what_else
    return ""


def asks_for_abilities(turn: Turn) -> bool:
    return english.ABILITIES.search(turn.caller.lower()) is not None


def not_understood(tools: Sequence[Tool], rules: Rules) -> str:
    return f"{rules.say.cannot_tell} {abilities(tools, rules)}"


def is_farewell(turn: Turn) -> bool:
    """Whether the caller takes leave, also by a "no" to whether there is anything else."""
    lowered = turn.caller.lower()
    nothing_else = english.ANYTHING_ELSE.search(turn.before) and english.NO.search(lowered)
    return bool(
        english.FAREWELL.search(lowered)
        or english.NOTHING_MORE.search(lowered)
        or (nothing_else and len(meanings(lowered)) < _FEW)
    )


def is_introduction(turn: Turn) -> bool:
    """Whether the caller says no more than who they are."""
    match = english.NAME_CUE.search(turn.caller)
    return match is not None and not set(meanings(turn.caller)) - set(meanings(match[1]))


def is_aside(text: str) -> bool:
    """Whether the words are manners rather than an answer."""
    lowered = text.lower()
    return any(pattern.search(lowered) for pattern in _ASIDES) or lowered.strip(" .?!") in (
        "hello",
        "hi",
        "what",
    )


def makes_sense(text: str) -> bool:
    """Whether the words are a sentence about something, whatever it is; else they may be noise."""
    lowered = text.lower()
    return bool(english.SENSE.search(lowered) and meanings(lowered)) and not is_aside(text)


def offer_in(words: str) -> str:
    """What the agent offered in a question; empty when it did not."""
    offers = _OFFER.findall(words)
    return str(offers[-1]) if offers else ""
