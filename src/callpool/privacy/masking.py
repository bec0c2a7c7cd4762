"""Hides numbers and e-mail addresses in a transcript, written as digits or spoken as English words.

It errs towards hiding: a price of three digits goes, as does "twelve thirty". A count of up to two digits
stays readable ("two desk lamps", "forty five dollars").
"""

from __future__ import annotations

import re

LONGEST_OPEN_NUMBER = 2
"""Numbers with more digits than this are masked."""

HIDDEN_EMAIL = "***@***"

_UNITS = ["zero", "oh", "o", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SCALES = {"hundred": 2, "thousand": 3, "million": 6}
_REPEATS = {"double": 1, "triple": 2}
_DIGITS_IN = (
    dict.fromkeys(_UNITS, 1) | dict.fromkeys(_TEENS, 2) | dict.fromkeys(_TENS, 2) | _SCALES | _REPEATS
)

_NUMBER = rf"(?:\d+|\b(?:{'|'.join(sorted(_DIGITS_IN, key=len, reverse=True))})\b)"
_BETWEEN = r"(?:[ \t]*[-–/()]+[ \t]*|[,.;]?\s+|(?<=hundred)\s+and\s+|(?<=thousand)\s+and\s+|\.(?=\d))"
_RUN = re.compile(rf"{_NUMBER}(?:{_BETWEEN}?{_NUMBER})*", re.IGNORECASE)
_PART = re.compile(_NUMBER, re.IGNORECASE)

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
        0 if before in _TENS and part in _UNITS else _DIGITS_IN.get(part, len(part))
        for before, part in zip(["", *parts], parts, strict=False)
    )
    if digits <= LONGEST_OPEN_NUMBER or all(part in _SCALES for part in parts):
        return run[0]
    return _PART.sub(lambda part: "*" * len(part[0]) if part[0].isdigit() else "*", run[0])
