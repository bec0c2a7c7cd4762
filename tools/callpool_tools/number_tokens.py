"""From a text to tokens: which words are numbers, in the language that the text counts in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from callpool.number_words import ENGLISH, GERMAN, LANGUAGES, NumberWords, fold
from callpool_tools.number_talk import NAMES_ONE, PAUSES, PLACES, kind_of

NUMBERS = "zoutdDHhkmnN"
"""Kinds that are numbers: zero, "oh", unit, teen, tens (`D`: the unit stands before it), hundreds, scales
(hundred, thousand), and figures: one or two, three, or more of them."""

_TOKEN = re.compile(r"\d{1,3}(?:[.,]\d{3}){1,4}(?!\d)|\d+|[^\W\d_]+(?:'[^\W\d_]+)?|[^\w\s]")
_MARKS = {",": ",", ";": ",", ":": ",", ".": ".", "!": ".", "?": ".", "…": ".", "-": "-", "–": "-"}
_JOINTS = {"and": "a", "und": "b", "y": "y"}
_SIGHS = frozenset({"oh", "o"})
"""Zeros that are no more than a sigh where no digit follows or goes before."""
_NO_VOTE = frozenset({"once", *_SIGHS})
"""Number words of one language that are common words of another."""
_MORPHEME = re.compile(
    "|".join(
        sorted(
            [*GERMAN.digits_in(), *GERMAN.articles, GERMAN.joint],
            key=len,
            reverse=True,
        )
    )
)


@dataclass(frozen=True)
class Token:
    """A word, a mark or a run of figures. `kind` is one letter; see `NUMBERS` and `number_talk`."""

    kind: str
    text: str
    value: int = 0
    """What a number is worth, how often a repeat repeats, which place a place is."""


def _numbers(words: NumberWords) -> dict[str, Token]:
    """Every number word of a language as a token."""
    kinds = {
        **dict.fromkeys(words.sounds_like, "s"),
        **dict.fromkeys(words.repeats, "r"),
        **{word: {100: "h", 1000: "k"}.get(scale, "w") for word, scale in words.scales.items()},
        **dict.fromkeys(words.hundreds, "H"),
        **dict.fromkeys(words.tens, "D" if words.unit_first else "d"),
        **dict.fromkeys(words.teens, "t"),
        **{word: "u" if digit else "z" for word, digit in words.units.items()},
        **dict.fromkeys(words.units.keys() & _SIGHS, "o"),
    }
    worth = {
        **words.sounds_like,
        **words.repeats,
        **words.scales,
        **words.hundreds,
        **words.tens,
        **words.teens,
        **words.units,
    }
    return {word: Token(kind, word, worth[word]) for word, kind in kinds.items()}


_NUMBERS = {words.joint: _numbers(words) for words in LANGUAGES.values()}
_COUNTED = {name: words.digits_in().keys() - _NO_VOTE for name, words in LANGUAGES.items()}


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text, in time that grows with its length alone."""
    words = [part for match in _TOKEN.finditer(fold(text).replace("’", "'")) for part in _parts(match[0])]
    counted = _language(words)
    tokens = [
        _token(counted, before, word, after)
        for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False)
    ]
    return list(_with_places(tokens))


def _parts(word: str) -> list[str]:
    """A German compound in its parts; any other word as it is."""
    parts = _MORPHEME.findall(word)
    return parts if len(parts) > 1 and sum(map(len, parts)) == len(word) else [word]


def _language(words: list[str]) -> NumberWords:
    votes = {name: sum(word in counted for word in words) for name, counted in _COUNTED.items()}
    return LANGUAGES[max(votes, key=lambda name: votes[name])]


def _token(words: NumberWords, before: str, word: str, after: str) -> Token:
    if word[0].isdecimal():
        figures = "".join(str(unicodedata.decimal(each)) for each in word if each.isdecimal())
        kind = "m" if len(figures) < 3 else "n" if len(figures) == 3 else "N"
        return Token(kind, figures, int(figures) if kind != "N" else 0)
    if mark := _MARKS.get(word):
        return Token(mark, word)
    if joint := _JOINTS.get(word):
        return Token(joint, word)
    if word in words.articles and (after == words.joint or after in words.scales):
        return Token("u", word, 1)
    if word == "one" and words is ENGLISH and _is_no_digit(words, before, after):
        return Token("f" if after in PAUSES else "e", word)
    if number := _NUMBERS[words.joint].get(word):
        return number
    return Token(kind_of(before, word, after), word)


def _is_no_digit(words: NumberWords, before: str, after: str) -> bool:
    """Whether "one" is a thing: "the last one", "that one", "one moment"."""
    if before in PLACES or after in PAUSES:
        return True
    return before in NAMES_ONE and not (after[:1].isdecimal() or after in _NUMBERS[words.joint])


def _with_places(tokens: list[Token]) -> Iterator[Token]:
    """Find the places ("the last one is", "the last two digits are"); how many they are is no digit."""
    for at, token in enumerate(tokens):
        before = tokens[at - 1] if at else None
        after = tokens[at + 1] if at + 1 < len(tokens) else None
        if token.text in PLACES and after is not None and (after.kind in "eg" or _counts(tokens, at + 1)):
            yield Token("p", token.text, PLACES[token.text])
        elif (before is not None and before.text in PLACES and _counts(tokens, at)) or (
            after is not None and PLACES.get(after.text) == -1 and _counts(tokens, at, 2)
        ):
            yield Token("e", token.text)
        else:
            yield token


def _counts(tokens: list[Token], at: int, ahead: int = 1) -> bool:
    """Whether the number here says how many digits: the verb or "digits" stands `ahead` tokens later."""
    return tokens[at].kind in "um" and at + ahead < len(tokens) and tokens[at + ahead].kind in "eg"
