"""From what a caller said to strands: the digits that belong together, after all that was taken back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from callpool_tools.number_runs import Run, runs_of
from callpool_tools.number_talk import CONTINUES
from callpool_tools.number_tokens import Token

Called = Literal["order", "other", ""]


@dataclass(frozen=True)
class Strand:
    """Digits that belong together, as they stand after every correction."""

    digits: str
    numbers: tuple[str, ...]
    """The numbers of the length asked for that it holds."""
    called: Called = ""
    """What the caller called it."""


_BETWEEN_CORRECTIONS = frozenset("cZxpefgqsaby,.-r")
_DENIAL = re.compile(r"x[efgq]*$")


def strands(text: str, length: int, known: str = "") -> list[Strand]:
    """The strands of a text. `length` is that of the numbers looked for, which settles what is doubtful;
    `known` is a number from before, which a correction at the beginning of the text changes."""
    found = [Strand(known, (known,))]
    denied = False
    for run in runs_of(text):
        between = "".join(token.kind for token in run.before)
        numbers = run.numbers(length)
        here = Strand(numbers[0] if len(numbers) == 1 else run.digits, numbers, _called(run.before))
        goes_on = set(between) <= _BETWEEN_CORRECTIONS and not _is_quantity(run, here, length)
        if _DENIAL.search(between):
            found = _without(found, run, here, length)
            denied = True
        elif goes_on and (denied or set(between) & set("cZp")):
            found[-1] = _corrected(found[-1], here, run.before, length)
            denied = False
        elif goes_on and _continues(run) and 0 < len(found[-1].digits) == length - len(here.digits):
            found[-1] = _strand(found[-1].digits + here.digits, length, found[-1].called)
        else:
            found.append(here)
            denied = False
    untouched = found[0].digits == known
    return [each for each in found[untouched:] if each.digits]


def _strand(digits: str, length: int, called: Called) -> Strand:
    return Strand(digits, (digits,) if len(digits) == length else (), called)


def _continues(run: Run) -> bool:
    """Whether the second part of a number follows, as in "and it ends with four five"."""
    return any(token.text in CONTINUES for token in run.before)


def _is_quantity(run: Run, here: Strand, length: int) -> bool:
    """Whether too few digits are followed by a word, as in "two lamps"."""
    return run.after == "w" and len(here.digits) < length and not here.numbers


def _called(before: tuple[Token, ...]) -> Called:
    called: Called = ""
    for token, following in zip_longest(before, before[1:]):
        if token.kind == "q":
            called = "order"
        elif token.kind == "Q" and (following is None or following.kind in "gecf" or len(token.text) > 8):
            called = "other"
    return called


def _without(found: list[Strand], run: Run, denied: Strand, length: int) -> list[Strand]:
    """Take back what was denied: a whole number, or with "not five, six" the end of one."""
    head, rest = run.split_at_comma()
    if rest and found[-1].digits.endswith(head):
        return [*found[:-1], _replaced(found[-1], rest, length)]
    kept = [
        each if not set(each.numbers) & set(denied.numbers) else Strand("", (), each.called) for each in found
    ]
    return [*kept[:1], *(each for each in kept[1:] if each.digits)] if len(kept) > 1 else kept


def _corrected(old: Strand, new: Strand, before: tuple[Token, ...], length: int) -> Strand:
    kinds = {token.kind for token in before}
    if new.numbers or not old.digits or kinds & set("Zq"):
        return Strand(new.digits, new.numbers, new.called or old.called)
    place = next((token.value for token in before if token.kind == "p"), None)
    if place is None:
        return _replaced(old, new.digits, length)
    if len(old.digits) + len(new.digits) == length and place < 0:
        return _strand(old.digits + new.digits, length, old.called)
    start = len(old.digits) - len(new.digits) if place < 0 else place
    if start < 0:
        return new
    changed = old.digits[:start] + new.digits + old.digits[start + len(new.digits) :]
    return _strand(changed, length, old.called)


def _replaced(old: Strand, digits: str, length: int) -> Strand:
    """Put digits in the place of the last ones: as many as make the number whole, at least one."""
    kept = length - len(digits)
    if not 0 <= kept < len(old.digits):
        again = old.digits.rfind(digits[0])
        kept = again if again >= 0 else len(old.digits) - 1
    return _strand(old.digits[:kept] + digits, length, old.called)
