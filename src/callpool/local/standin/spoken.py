"""Numbers as people say them and as speech-to-text writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

from callpool.local.standin import english
from callpool.local.standin.words import RECENT

Span = tuple[int, int]

LONGEST = 40
"""Digits in the longest number that anyone would say."""

_TOKEN = re.compile(r"\d+(?:st|nd|rd|th)\b|\d+|[^\W\d_]+(?:'[^\W\d_]+)?|[^\w\s]")
_LITERAL = re.compile(r"(?<![\w.])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\w.:])-?\d+(?:\.\d+)?(?![\w:])")


@dataclass(frozen=True)
class Group:
    """Digits that were said in one breath: `double five` is one group, so is `12`."""

    digits: str
    span: Span
    doubtful: bool = False
    """A word that only sounds like a digit."""


@dataclass
class Run:
    """Groups of digits with nothing between them but separators. `corrected` follows a "no, …"."""

    groups: list[Group] = field(default_factory=list)
    joints: set[int] = field(default_factory=set)
    """Before these groups stood an "and": another number may begin there."""
    corrected: list[Group] = field(default_factory=list)

    @property
    def span(self) -> Span:
        every = self.groups + self.corrected
        return every[0].span[0], every[-1].span[1]


@dataclass(frozen=True)
class Heard:
    """A sequence of digits and where it was said."""

    digits: str
    span: Span


@dataclass(frozen=True)
class Quantity:
    value: float
    span: Span


@lru_cache(RECENT)
def digit_runs(text: str) -> tuple[Run, ...]:
    """Every run of digits: `12,345`, `1-2-3`, `one two double three`, `one twenty-three forty-five`."""
    tokens = [(match[0].lower(), match.span()) for match in _TOKEN.finditer(text)]
    runs: list[Run] = []
    run, at, correcting, joint = Run(), 0, False, False
    while at < len(tokens):
        word, _ = tokens[at]
        group, used = _group(tokens, at, run.groups[-1].digits if run.groups else "")
        if group:
            target = run.corrected if correcting else run.groups
            if joint and not correcting:
                run.joints.add(len(run.groups))
            target.append(group)
            at, joint = at + used, False
            continue
        if run.groups and word in english.CORRECTIONS:
            correcting = True
        elif word == "and":
            joint = True
        elif not (
            run.groups and (word in ",.-;" or word in english.DIGIT_FILLERS or (correcting and word == "i"))
        ):
            runs, run, correcting, joint = [*runs, run], Run(), False, False
        at += 1
    return tuple(each for each in [*runs, run] if not all(group.doubtful for group in each.groups))


def _group(tokens: list[tuple[str, Span]], at: int, previous: str) -> tuple[Group | None, int]:
    word, span = tokens[at]
    following = tokens[at + 1][0] if at + 1 < len(tokens) else ""
    before = tokens[at - 1][0] if at else ""
    if word == "one" and not previous and before in english.POINTING and not _digit(following):
        return None, 0
    if word == "one" and following == "of":
        return None, 0
    if word in english.REPEATS and (digit := _digit(following)):
        return Group(digit * english.REPEATS[word], (span[0], tokens[at + 1][1][1])), 2
    if word.isdecimal() and following not in english.SCALES:
        return Group(word, span), 1
    if word in english.EXCLAMATIONS and not previous:
        return Group("0", span, doubtful=True), 1
    value, used = _cardinal([token for token, _ in tokens[at : at + 16]])
    if used:
        return Group(str(value), (span[0], tokens[at + used - 1][1][1])), used
    # "Four, five …" is written "For four, five …" at the very start; anywhere else that is a plain "for".
    first = not previous and (at == 0 or word in english.SOUNDS_LIKE_FIRST) and bool(_digit(following))
    first = first and word in english.SOUNDS_LIKE
    if first or (word in english.SOUNDS_LIKE and 0 < len(previous) <= 2 and _may_go_on(following)):
        return Group(str(english.SOUNDS_LIKE[word]), span, doubtful=True), 1
    return None, 0


def _digit(word: str) -> str:
    if word in english.UNITS:
        return str(english.UNITS[word])
    return word if len(word) == 1 and word.isdecimal() else ""


def _may_go_on(word: str) -> bool:
    return (
        not word
        or (word.isdecimal() and len(word) <= 3)
        or word in english.UNITS
        or word in english.REPEATS
        or word in english.SOUNDS_LIKE
        or word in (*english.TEENS, *english.TENS, ".")
    )


def _is_literal(word: str) -> bool:
    return word.isdecimal() and len(word) <= LONGEST


def _cardinal(tokens: list[str]) -> tuple[int, int]:
    """The number at the start of the tokens, and how many of them it takes (0: there is none).

    `five` and `one hundred and five` are one number each; `one two` is two of them.
    """
    total, current, used, at = 0, 0, 0, 0
    last = ""
    while at < len(tokens):
        word = tokens[at]
        if (word in english.UNITS and last in ("", "scale")) or (
            word in english.UNITS and last == "tens" and english.UNITS[word]
        ):
            current, last = current + english.UNITS[word], "unit"
        elif word in english.TEENS and last in ("", "scale"):
            current, last = current + english.TEENS[word], "teen"
        elif word in english.TENS and last in ("", "scale"):
            current, last = current + english.TENS[word], "tens"
        elif _is_literal(word) and (
            last == "scale" or (last == "" and at + 1 < len(tokens) and tokens[at + 1] in english.SCALES)
        ):
            current, last = current + int(word), "literal"
        elif word in english.SCALES and (last not in ("", "scale") or (current and word != "hundred")):
            current, last = max(current, 1) * english.SCALES[word], "scale"
            if word != "hundred":
                total, current = total + current, 0
        elif (word == "-" and last == "tens") or (word == "and" and last == "scale"):
            at += 1
            continue
        else:
            break
        at += 1
        used = at
    return total + current, used


def digits_of(run: Run, lengths: tuple[int, int] | None) -> list[Heard]:
    """What a run may mean: one number, or several when that is what fits the number of digits asked for."""
    if lengths is None and len(run.groups) > 1 and run.groups[0].doubtful:
        run = Run(run.groups[1:], {joint - 1 for joint in run.joints}, run.corrected)
    joined = _corrected("".join(group.digits for group in run.groups), run.corrected, lengths)
    whole = Heard(joined, run.span)
    if lengths is None:
        return _by_joint(run, whole)
    if lengths[0] <= len(joined) <= lengths[1]:
        return [whole]
    if lengths[0] == lengths[1] and (several := _equal_parts(run.groups, lengths[0])):
        return several
    parts = dict.fromkeys([*_by_joint(run, whole), *_without_doubt(run)])
    return [part for part in parts if lengths[0] <= len(part.digits) <= lengths[1]] or [whole]


def _without_doubt(run: Run) -> list[Heard]:
    """Leave out the words that only sound like digits, and take what stands between them for numbers."""
    parts: list[list[Group]] = [[]]
    for group in run.groups:
        if group.doubtful:
            parts.append([])
        else:
            parts[-1].append(group)
    every = [group for part in parts for group in part]
    return [_heard(part) for part in [every, *parts] if part]


def _heard(groups: list[Group]) -> Heard:
    return Heard("".join(group.digits for group in groups), (groups[0].span[0], groups[-1].span[1]))


def _corrected(digits: str, correction: list[Group], lengths: tuple[int, int] | None) -> str:
    again = "".join(group.digits for group in correction)
    fits = lengths is not None and lengths[0] <= len(again) <= lengths[1]
    if not again or fits or len(again) >= len(digits):
        return again or digits
    return digits[: -len(again)] + again


def _by_joint(run: Run, whole: Heard) -> list[Heard]:
    """Split at "and", and between numbers that were each written as one."""
    if run.corrected or len(run.groups) < 2:
        return [whole]
    parts: list[list[Group]] = [[run.groups[0]]]
    for index, (one, two) in enumerate(pairwise(run.groups), 1):
        if index in run.joints or (len(one.digits) >= 4 and len(two.digits) >= 4):
            parts.append([])
        parts[-1].append(two)
    return [_heard(part) for part in parts]


def _equal_parts(groups: list[Group], length: int) -> list[Heard]:
    parts: list[Heard] = []
    digits, start = "", -1
    for group in groups:
        start = group.span[0] if start < 0 else start
        digits += group.digits
        if len(digits) == length:
            parts.append(Heard(digits, (start, group.span[1])))
            digits, start = "", -1
        elif len(digits) > length:
            return []
    return [] if digits else parts


@lru_cache(RECENT)
def quantities(text: str) -> tuple[Quantity, ...]:
    """Every number that counts or measures: `21.5`, `1,200`, `twenty-one point five`, `a dozen`."""
    found = [Quantity(float(match[0].replace(",", "")), match.span()) for match in _LITERAL.finditer(text)]
    found += _worded(text)
    countable = (quantity for quantity in found if math.isfinite(quantity.value))
    return tuple(sorted(countable, key=lambda quantity: quantity.span))


def _worded(text: str) -> Iterator[Quantity]:
    tokens = [(match[0].lower(), match.span()) for match in _TOKEN.finditer(text)]
    words = [word for word, _ in tokens]
    at = 0
    while at < len(words):
        value, used = _cardinal(words[at : at + 16])
        if not used:
            if words[at] in english.COUNTS:
                yield Quantity(english.COUNTS[words[at]], tokens[at][1])
            at += 1
            continue
        if (
            words[at] == "one"
            and used == 1
            and at
            and words[at - 1] in ("this", "that", "the", "another", "which", "no")
        ):
            at += 1
            continue
        start, number = at, float(value)
        at += used
        fraction = ""
        while (
            at < len(words)
            and (fraction or words[at] in ("point", "dot"))
            and (not fraction or _digit(words[at]))
        ):
            fraction += _digit(words[at]) or "0."
            at += 1
        number += float(fraction) if len(fraction) > 2 else 0.0
        if words[at : at + 3] == ["and", "a", "half"]:
            number, at = number + 0.5, at + 3
        if start and words[start - 1] in ("minus", "negative"):
            number = -number
        yield Quantity(number, (tokens[start][1][0], tokens[at - 1][1][1]))
