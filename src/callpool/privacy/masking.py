"""Hides numbers and e-mail addresses in a transcript, as figures or as English, German or Spanish words.

It errs towards hiding: a price of three digits goes, as does "twelve thirty". A count of up to two digits
stays readable ("two desk lamps", "forty five dollars", "dreiundzwanzig").
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from callpool.number_words import LANGUAGES, SCALES, SOUNDS_LIKE, UNITS, fold

LONGEST_OPEN_NUMBER = 2
"""Numbers with more digits than this are masked."""

HIDDEN_EMAIL = "***@***"

_COMMON_WORDS = frozenset({"once"})
"""Number words that are common words of another language, and say nothing about which is spoken."""
_ROUND = frozenset({"cien", "ciento"})
"""Round numbers, said without meaning one, besides the scales."""
_JOINTS = frozenset(words.joint for words in LANGUAGES.values())

# "Two to three" is more often a range than a number, and hidden only as part of a longer one.
_SOUNDS_WORTH = dict.fromkeys(SOUNDS_LIKE, 1) | {"to": 0, "for": 0}

_ACCENTED = {"a": "á", "e": "é", "i": "í", "o": "óö", "u": "úü"}
_AT = "(?:at|ät|arroba)"
_DOT = "(?:dot|punkt|punto)"
_SIGN = (
    "(?:dot|punkt|punto|underscore|unterstrich|dash|hyphen|bindestrich|minus|guion|guión|plus|gui[oó]n bajo)"
)
_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_SPOKEN_EMAIL = re.compile(
    rf"(?<![\w'’.+-])(?:\w\s+){{0,40}}[\w.+-]{{1,64}}(?:\s+{_SIGN}\s+[\w.+-]{{1,64}}){{0,8}}"
    rf"\s+{_AT}\s+[\w-]{{1,64}}(?:(?:\s+{_DOT}\s+|\.)[\w-]{{1,64}}){{1,8}}",
    re.IGNORECASE,
)


def mask(text: str) -> str:
    """Give `text` with every long number and every e-mail address hidden; the rest is left as it is.

    Each digit and each number word becomes one `*`: "order 12345" gives "order *****", "one two three"
    gives "* * *".
    """
    text = _EMAIL.sub(HIDDEN_EMAIL, text)
    text = _SPOKEN_EMAIL.sub(HIDDEN_EMAIL, text)
    counting = tuple(name for name, words in LANGUAGES.items() if name == "en" or _counts(name, text))
    return _hider(counting).hide(text)


def _counts(language: str, text: str) -> bool:
    """Whether there is a number word of this language in a text."""
    return any(fold(match[0]) not in _COMMON_WORDS for match in _number_word(language).finditer(text))


@dataclass(frozen=True)
class _Hider:
    """Hides the numbers of some languages."""

    run: re.Pattern[str]
    """A number: figures and number words, with what callers put between them."""
    part: re.Pattern[str]
    """One word of it, or one run of figures."""
    worth: dict[str, int]
    """How many digits a word adds to the number that it is part of."""
    units: frozenset[str]
    """Those from one to nine: together with tens they add no digit."""
    tens: frozenset[str]
    tens_after_unit: frozenset[str]
    round: frozenset[str]

    def hide(self, text: str) -> str:
        return self.run.sub(self._hide, text)

    def _hide(self, run: re.Match[str]) -> str:
        parts = [word for match in self.part.finditer(run[0]) for word in _morphemes(fold(match[0]))]
        digits = sum(self._digits(parts, at) for at in range(len(parts)))
        if digits <= LONGEST_OPEN_NUMBER or all(part in self.round for part in parts):
            return run[0]
        return self.part.sub(_stars, run[0])

    def _digits(self, parts: list[str], at: int) -> int:
        part = parts[at]
        if part in self.units:
            before = parts[at - 2] if at > 1 and parts[at - 1] in _JOINTS else parts[at - 1] if at else ""
            joined = (
                at + 2 < len(parts) and parts[at + 1] in _JOINTS and parts[at + 2] in self.tens_after_unit
            )
            if before in self.tens or joined:
                return 0
        return len(part) if part[0].isdecimal() else self.worth.get(part, 0)


def _stars(part: re.Match[str]) -> str:
    if part[0].isdecimal():
        return "*" * len(part[0])
    return part[0] if fold(part[0]) in _JOINTS else "*"


@cache
def _hider(counting: tuple[str, ...]) -> _Hider:
    languages = [LANGUAGES[name] for name in counting]
    number = rf"(?:\d+|{'|'.join(_number_word(name).pattern for name in counting)})"
    spaced = [rf"(?:{_AFTER_SCALE})\s+and\s+"]
    spaced += [rf"\s+{words.joint}\s+" for words in languages if words.joint != "and"]
    between = rf"(?:[ \t]*[-–/()]+[ \t]*|{'|'.join(spaced)}|[,.;]?\s+|\.(?=\d))"
    joints = "|".join(words.joint for words in languages)
    return _Hider(
        run=re.compile(rf"{number}(?:{between}?{number}|{_SOUNDS})*", re.IGNORECASE),
        part=re.compile(rf"{number}|\b(?:{_any_of(SOUNDS_LIKE)}|{joints})\b", re.IGNORECASE),
        worth=_SOUNDS_WORTH
        | {word: digits for words in languages for word, digits in words.digits_in().items()}
        | {article: 1 for words in languages for article in words.articles},
        units=frozenset(
            word
            for words in languages
            for word in (*words.articles, *words.units)
            if words.units.get(word, 1)
        ),
        tens=frozenset(word for words in languages if not words.unit_first for word in words.tens),
        tens_after_unit=frozenset(word for words in languages if words.unit_first for word in words.tens),
        round=_ROUND | _JOINTS | {word for words in languages for word in words.scales},
    )


def _any_of(words: Iterable[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


def _spelled(word: str) -> str:
    """A pattern for a folded word as people write it, with its accents or without."""
    letters = "".join(
        rf"(?:{letter}[\u0300-\u036f]?|[{_ACCENTED[letter]}])" if letter in _ACCENTED else letter
        for letter in word
    )
    return letters.replace("ss", "(?:ss|ß)")


def _spelled_any(words: Iterable[str]) -> str:
    return "|".join(map(_spelled, sorted(words, key=len, reverse=True)))


@cache
def _number_word(language: str) -> re.Pattern[str]:
    """A number word of a language, which German writes together."""
    words = LANGUAGES[language]
    if language == "en":
        return re.compile(rf"\b(?:{_any_of(words.digits_in())})\b", re.IGNORECASE)
    if not words.compounds:
        return re.compile(rf"\b(?:{_spelled_any(words.digits_in())})\b", re.IGNORECASE)
    no_numbers = _any_of([*words.articles, words.joint])
    every = _spelled_any([*words.digits_in(), *words.articles, words.joint])
    return re.compile(rf"\b(?!(?:{no_numbers})++\b)(?:{every})++\b", re.IGNORECASE)


_MORPHEME = re.compile(
    _any_of(
        part
        for words in LANGUAGES.values()
        if words.compounds
        for part in (*words.digits_in(), *words.articles, words.joint)
    )
)


def _morphemes(word: str) -> list[str]:
    """The parts of a word that is written together; any other word as it is."""
    parts = _MORPHEME.findall(word)
    return parts if sum(map(len, parts)) == len(word) else [word]


_AFTER_SCALE = "|".join(rf"(?<={scale})" for scale in SCALES)
_AFTER_DIGIT = "|".join(rf"(?<=\b{digit})" for digit in [r"\d", *UNITS])
_SOUNDS = rf"(?:{_AFTER_DIGIT})[,.;]?\s+(?:{_any_of(SOUNDS_LIKE)})(?=[,.;]?\s+(?:\d|{_any_of(UNITS)})\b)"
