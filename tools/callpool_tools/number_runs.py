"""From tokens to runs: numbers with nothing between them but pauses, and what they may mean together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from callpool_tools.number_talk import BEFORE_DIGITS
from callpool_tools.number_tokens import Token, tokens_of


@dataclass(frozen=True)
class Atom:
    """What was said as one: `5`, `double five`, `forty-five`, `twelve thousand three hundred`."""

    digits: str
    start: int
    end: int
    """Indices of tokens."""
    sound: bool = False
    """A word that only sounds like a digit."""
    sigh: bool = False
    """An "oh": inside a number a zero, before and after one perhaps not."""


@dataclass(frozen=True)
class Run:
    """Atoms with nothing between them but pauses."""

    atoms: tuple[Atom, ...]
    gaps: tuple[int, ...]
    """How great the pause before each atom is, from 0 (none) to `_JOINT`; one for each atom."""
    before: tuple[Token, ...]
    """What was said since the run before."""
    after: str
    """The kind of the token that follows; empty at the end of the text."""

    @property
    def digits(self) -> str:
        """All digits, as they were said."""
        return _joined(_trimmed(self.atoms, sighs=False))

    def numbers(self, length: int) -> tuple[str, ...]:
        """The numbers of this length that the run holds: the whole of it, else parts between pauses."""
        whole = _joined(_trimmed(self.atoms))
        if len(whole) == length:
            return (whole,)
        if len(whole) == 2 * length and whole[:length] == whole[length:]:
            return (whole[:length],)
        for gap in range(_JOINT, 0, -1):
            for at_sounds in (False, True):
                parts = [_joined(_trimmed(part)) for part in self._parts(gap, at_sounds)]
                if fitting := tuple(dict.fromkeys(part for part in parts if len(part) == length)):
                    return fitting
        return self._with_edges(length)

    def split_at_comma(self) -> tuple[str, str]:
        """The digits before the first comma, and those after it."""
        at = next((at for at, gap in enumerate(self.gaps) if at and gap >= _COMMA), len(self.atoms))
        return _joined(self.atoms[:at]), _joined(self.atoms[at:])

    def _parts(self, least_gap: int, at_sounds: bool) -> Iterator[Sequence[Atom]]:
        part: list[Atom] = []
        for atom, gap in zip(self.atoms, self.gaps, strict=True):
            if gap >= least_gap or (atom.sound and at_sounds):
                yield part
                part = []
            if not (atom.sound and at_sounds):
                part.append(atom)
        yield part

    def _with_edges(self, length: int) -> tuple[str, ...]:
        """Count the doubtful words at the edges when that is what makes the number whole."""
        last = len(self.atoms) - 1
        first = 0
        while first < last and self.atoms[first].sound and not self._may_begin():
            first += 1
        while last > first and self.atoms[last].sound and self.after not in (*"", ",", ".", ""):
            last -= 1
        for atoms in (
            self.atoms[first : last + 1],
            _from_first(self.atoms[first : last + 1]),
            _to_last(self.atoms[first : last + 1]),
        ):
            if len(number := _joined(atoms)) == length:
                return (number,)
        return ()

    def _may_begin(self) -> bool:
        return not self.before or self.before[-1].kind in ",.g" or self.before[-1].text in BEFORE_DIGITS


_COMMA, _SENTENCE, _JOINT = 2, 3, 4
_GAPS = {",": _COMMA, ".": _SENTENCE, "a": _JOINT, "b": _JOINT, "y": _JOINT, "f": 1, "r": 1}
_HYPHEN = "-"

_TWO = r"(?:ubD|d[-y]?u|[dDt])"
_HUNDREDS = rf"(?:(?:(?:{_TWO}|[um])?h|H)(?:[ab]?(?:{_TWO}|[um]))?)"
_ATOM = re.compile(
    rf"(?P<thousands>(?:{_HUNDREDS}|{_TWO}|[umn])?k)"
    rf"(?:,?[ab]?(?:(?P<below>{_HUNDREDS})|(?P<read>u-?{_TWO}|[uzo]{{3}})|(?P<rest>{_TWO}|[umn])))?"
    rf"|(?P<cardinal>{_HUNDREDS}|{_TWO})|(?P<repeat>re?)(?P<repeated>[uzom])|(?P<single>[uzomnN])|(?P<sound>s)"
)


def runs_of(text: str) -> list[Run]:
    """The runs of a text, in order."""
    tokens = tokens_of(text)
    atoms = list(_atoms(tokens))
    groups: list[list[tuple[Atom, int]]] = []
    end = 0
    for atom in atoms:
        gap = _gap(tokens[end : atom.start])
        if groups and gap is not None:
            groups[-1].append((atom, gap))
        else:
            groups.append([(atom, 0)])
        end = atom.end
    runs: list[Run] = []
    said_until = 0
    for group in groups:
        kept = _beside_digits(group)
        digits = [atom for atom, _ in kept if not atom.sound]
        if len(digits) > 1 or (digits and not digits[0].sigh):
            first, last = kept[0][0], kept[-1][0]
            runs.append(
                Run(
                    tuple(atom for atom, _ in kept),
                    (0, *(gap for _, gap in kept[1:])),
                    tuple(tokens[said_until : first.start]),
                    tokens[last.end].kind if last.end < len(tokens) else "",
                )
            )
            said_until = last.end
    return runs


def _beside_digits(group: list[tuple[Atom, int]]) -> list[tuple[Atom, int]]:
    """Leave out words at the edges that only sound like digits, and do not touch one."""
    start, end = 0, len(group)
    while start + 1 < end and group[start][0].sound and group[start + 1][1] > _COMMA:
        start += 1
    while end - 1 > start and group[end - 1][0].sound and group[end - 1][1] > _COMMA:
        end -= 1
    return group[start:end]


def _gap(between: list[Token]) -> int | None:
    """How great a pause is; None for more than a pause."""
    kinds = [token.kind for token in between]
    if kinds == [_HYPHEN]:
        return 0
    if not all(kind in _GAPS or kind == _HYPHEN for kind in kinds):
        return None
    return max((_GAPS.get(kind, 0) for kind in kinds), default=1)


def _atoms(tokens: list[Token]) -> Iterator[Atom]:
    kinds = "".join(token.kind for token in tokens)
    for match in _ATOM.finditer(kinds):
        span = {
            name: tokens[match.start(name) : match.end(name)]
            for name, part in match.groupdict().items()
            if part
        }
        match span:
            case {"thousands": thousands, **below}:
                digits = str(_cardinal(thousands)) + _below_thousand(below)
            case {"cardinal": cardinal}:
                digits = str(_cardinal(cardinal))
            case {"repeated": [digit], "repeat": [repeat, *_]}:
                digits = _read([digit]) * (repeat.value if len(_read([digit])) == 1 else 1)
            case _:
                digits = _read(tokens[match.start() : match.end()])
        yield Atom(digits, match.start(), match.end(), sound="sound" in span, sigh=match[0] == "o")


def _below_thousand(said: dict[str, list[Token]]) -> str:
    """The three digits after "thousand": a number, or "three forty-five", or "three four five"."""
    match said:
        case {"below": words} | {"rest": words}:
            return str(_cardinal(words)).zfill(3)
        case {"read": [first, second, third]} if third.kind in "zo" or second.kind in "uzo":
            return _read([first, second, third])
        case {"read": [first, *rest]}:
            return str(first.value) + str(_cardinal(rest)).zfill(2)
    return "000"


def _cardinal(words: Sequence[Token]) -> int:
    """What a number in words is worth. A final thousand is left to whoever adds what follows it."""
    value = 0
    for word in words:
        if word.kind == "h":
            value = (value or 1) * word.value
        elif word.kind == "k":
            value = value or 1
        else:
            value += word.value
    return value


def _read(words: Sequence[Token]) -> str:
    return "".join(word.text if word.kind in "mnN" else str(word.value) for word in words)


def _joined(atoms: Sequence[Atom]) -> str:
    return "".join(atom.digits for atom in atoms)


def _trimmed(atoms: Sequence[Atom], *, sighs: bool = True) -> Sequence[Atom]:
    """Without the doubtful words at the edges."""
    return _to_last(_from_first(atoms, sighs=sighs), sighs=sighs)


def _from_first(atoms: Sequence[Atom], *, sighs: bool = True) -> Sequence[Atom]:
    start = 0
    while start < len(atoms) and (atoms[start].sound or (sighs and atoms[start].sigh)):
        start += 1
    return atoms[start:]


def _to_last(atoms: Sequence[Atom], *, sighs: bool = True) -> Sequence[Atom]:
    end = len(atoms)
    while end and (atoms[end - 1].sound or (sighs and atoms[end - 1].sigh)):
        end -= 1
    return atoms[:end]
