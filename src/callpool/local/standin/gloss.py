"""German and Spanish, word by word in English: what the stand-in understands, it understands in English.

A gloss is no translation. It puts the English word in the place of each word that it knows, so that digits,
names, wishes and a yes are found by the same rules in every language. What it does not know stays as it was
said, and `said_as` gives back the caller's own words for a piece of the gloss.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from callpool.local.standin import german, spanish
from callpool.local.standin.words import RECENT, plain
from callpool.number_words import LANGUAGES, NumberWords, fold

Span = tuple[int, int]

FOREIGN = {"de": german, "es": spanish}
Glossary = tuple[tuple[str, str], ...]
"""Words of a business, and the English for each."""
NO_GLOSSARY: Glossary = ()

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_ENGLISH = """
the and is are am i you my me it where when what how who why please can could would like for with to of a an
yes not have has had thanks thank hello do does did your this that on one two three four five six seven eight
nine order want
"""
_PHRASE_AT_MOST = 5
_SCALE_WORDS = {100: "hundred", 1000: "thousand"}
_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


@dataclass(frozen=True)
class Gloss:
    """What was said, and what it means in English."""

    said: str
    text: str
    pieces: tuple[tuple[Span, Span], ...] = ()
    """Which part of `text` stands for which part of `said`."""

    def said_as(self, piece: str) -> str:
        """The caller's own words for a piece of the gloss."""
        if not self.pieces:
            return piece
        at = self.text.lower().find(piece.lower())
        whole = [old for new, old in self.pieces if at <= new[0] and new[1] <= at + len(piece)]
        return self.said[whole[0][0] : whole[-1][1]] if at >= 0 and whole else piece


@lru_cache(RECENT)
def language_of(text: str, expected: str = "en") -> str:
    """The language that most words of a text belong to; `expected` when that is not clear."""
    words = [fold(match[0]) for match in _WORD.finditer(text)]
    counts = {language: sum(word in _markers(language) for word in words) for language in ("en", *FOREIGN)}
    best = max(counts.values())
    likeliest = [language for language, count in counts.items() if count == best]
    return expected if expected in likeliest else likeliest[0]


@lru_cache(RECENT)
def gloss(said: str, expected: str = "en", glossary: Glossary = NO_GLOSSARY) -> Gloss:
    """The gloss of one thing that was said, by a caller who is expected to speak a language."""
    said = plain(said)
    language = language_of(said, expected)
    if language not in FOREIGN:
        return Gloss(said, said)
    table, numbers = _table(language, glossary), LANGUAGES[language]
    words = [(fold(match[0]), match.span()) for match in _WORD.finditer(said)]
    text, pieces, at, end = "", [], 0, 0
    while at < len(words):
        english, used = _phrase(table, said, words, at)
        if not used:
            english, used = _number(numbers, [word for word, _ in words[at : at + 3]])
        start, stop = words[at][1][0], words[at + max(used, 1) - 1][1][1]
        text += said[end:start]
        if english or not used:
            piece = english if used else said[start:stop]
            pieces.append(((len(text), len(text) + len(piece)), (start, stop)))
            text += piece
        at, end = at + max(used, 1), stop
    return Gloss(said, text + said[end:], tuple(pieces))


@cache
def _markers(language: str) -> frozenset[str]:
    if language == "en":
        return frozenset(_ENGLISH.split())
    numbers = LANGUAGES[language]
    return frozenset((*FOREIGN[language].MARKERS.split(), *numbers.units, *numbers.teens, *numbers.tens))


@cache
def _table(language: str, glossary: Glossary) -> Mapping[tuple[str, ...], str]:
    """Folded words to English; a word that ends in `*` stands for all that begin so."""
    table = {tuple(fold(word) for word in phrase.split()): english for phrase, english in glossary}
    for line in FOREIGN[language].PHRASES.strip().splitlines():
        foreign, _, english = line.partition("=")
        for phrase in foreign.split("|"):
            table.setdefault(tuple(fold(word) for word in phrase.split()), english.strip())
    return table


def _phrase(
    table: Mapping[tuple[str, ...], str], said: str, words: list[tuple[str, Span]], at: int
) -> tuple[str, int]:
    """The English for the longest known phrase that begins here, and how many words it takes."""
    for length in range(min(_PHRASE_AT_MOST, len(words) - at), 0, -1):
        phrase = tuple(word for word, _ in words[at : at + length])
        joined = said[words[at][1][0] : words[at + length - 1][1][1]]
        if phrase in table and not re.search(r"[.,;!?]", joined):
            return table[phrase], length
    word = words[at][0]
    for size in range(len(word), 3, -1):
        if (english := table.get((f"{word[:size]}*",))) is not None:
            return english, 1
    return "", 0


def _number(numbers: NumberWords, words: list[str]) -> tuple[str, int]:
    """The English for a number word, and how many words it takes: `treinta y cinco` takes three."""
    word = words[0]
    if word in numbers.tens and len(words) == 3 and words[1] == numbers.joint and numbers.units.get(words[2]):
        return f"{_TENS[numbers.tens[word] // 10]}-{_ONES[numbers.units[words[2]]]}", 3
    if word in numbers.repeats:
        return ("double" if numbers.repeats[word] == 2 else "triple"), 1
    if (value := _value(numbers, word)) is None:
        return "", 0
    return _say_number(value), 1


def _value(numbers: NumberWords, word: str) -> int | None:
    for words in (numbers.units, numbers.teens, numbers.tens, numbers.hundreds, numbers.scales):
        if word in words:
            return words[word]
    if numbers.unit_first and numbers.joint in word:
        for tens, value in numbers.tens.items():
            unit = word.removesuffix(f"{numbers.joint}{tens}")
            if unit != word:
                return value + (1 if unit == "ein" else numbers.units.get(unit, 0))
    return None


def _say_number(value: int) -> str:
    if value in _SCALE_WORDS:
        return _SCALE_WORDS[value]
    if value >= 100:
        return f"{_ONES[value // 100]} hundred"
    if value < 20:
        return _ONES[value]
    return _TENS[value // 10] + (f"-{_ONES[value % 10]}" if value % 10 else "")
