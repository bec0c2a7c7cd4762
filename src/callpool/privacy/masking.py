"""Hides numbers and e-mail addresses in a transcript, written as digits or spoken as English words.

It errs towards hiding: a price of three digits goes, as does "twelve thirty". A count of up to two digits
stays readable ("two desk lamps", "forty five dollars").
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from callpool.number_words import REPEATS, SCALES, SOUNDS_LIKE, TEENS, TENS, UNITS

LONGEST_OPEN_NUMBER = 2
"""Numbers with more digits than this are masked."""

HIDDEN_EMAIL = "***@***"

_DIGITS_IN = (
    dict.fromkeys(UNITS, 1)
    | dict.fromkeys(TEENS, 2)
    | dict.fromkeys(TENS, 2)
    | {word: len(str(scale)) - 1 for word, scale in SCALES.items()}
    | {word: times - 1 for word, times in REPEATS.items()}
    | dict.fromkeys(SOUNDS_LIKE, 1)
    # "Two to three" is more often a range than a number, and hidden only as part of a longer one.
    | {"to": 0, "for": 0}
)


def _any_of(words: Iterable[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_NUMBER = rf"(?:\d+|\b(?:{_any_of(_DIGITS_IN.keys() - SOUNDS_LIKE.keys())})\b)"
_AFTER_SCALE = "|".join(rf"(?<={scale})" for scale in SCALES)
_BETWEEN = rf"(?:[ \t]*[-–/()]+[ \t]*|[,.;]?\s+|(?:{_AFTER_SCALE})\s+and\s+|\.(?=\d))"
_AFTER_DIGIT = "|".join(rf"(?<=\b{digit})" for digit in [r"\d", *UNITS])
_SOUNDS = rf"(?:{_AFTER_DIGIT})[,.;]?\s+(?:{_any_of(SOUNDS_LIKE)})(?=[,.;]?\s+(?:\d|{_any_of(UNITS)})\b)"
_RUN = re.compile(rf"{_NUMBER}(?:{_BETWEEN}?{_NUMBER}|{_SOUNDS})*", re.IGNORECASE)
_PART = re.compile(rf"{_NUMBER}|\b(?:{_any_of(SOUNDS_LIKE)})\b", re.IGNORECASE)

_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_SPOKEN_EMAIL = re.compile(
    r"(?<![\w'’.+-])(?:\w\s+){0,40}[\w.+-]{1,64}(?:\s+(?:dot|underscore|dash|hyphen|plus)\s+[\w.+-]{1,64}){0,8}"
    r"\s+at\s+[\w-]{1,64}(?:(?:\s+dot\s+|\.)[\w-]{1,64}){1,8}",
    re.IGNORECASE,
)


def mask(text: str) -> str:
    """Give `text` with every long number and every e-mail address hidden; the rest is left as it is.

    Each digit and each number word becomes one `*`: "order 12345" gives "order *****", "one two three"
    gives "* * *".
    """
    text = _EMAIL.sub(HIDDEN_EMAIL, text)
    text = _SPOKEN_EMAIL.sub(HIDDEN_EMAIL, text)
    return _RUN.sub(_hide, text)


def _hide(run: re.Match[str]) -> str:
    parts = [part.lower() for part in _PART.findall(run[0])]
    digits = sum(
        0 if before in TENS and UNITS.get(part) else _DIGITS_IN.get(part, len(part))
        for before, part in zip(["", *parts], parts, strict=False)
    )
    if digits <= LONGEST_OPEN_NUMBER or all(part in SCALES for part in parts):
        return run[0]
    return _PART.sub(lambda part: "*" * len(part[0]) if part[0].isdigit() else "*", run[0])
