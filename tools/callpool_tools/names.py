"""Names, compared by their sound: what the ears make of a name is spelled in many ways, and cut anywhere.

"James Miller" arrives as "Jane Smiller", "Thomas Weber" as "Thomas Vaber", "Ana Garcia" as "Hanagar Sia". So
word boundaries do not count, nor does spelling, and in each of the two names one vowel and one consonant may
be similar ones: m for n, d for t. A sound that is missing or too many makes another name: "Mark" is not
"Mary", and neither is "Maria".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import permutations

from rapidfuzz.distance import Hamming

MOST_PARTS = 4
"""The parts of a heard name at most. Longer is no name, or several at once."""

LONG_NAME = 4
"""Sounds of a name in which both a vowel and a consonant may be near ones; in a shorter one, either."""

_VOWELS = "aeiou"

_SPELLINGS = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"ower", "oler"),  # the ears make "mower" of "Miller"
        (r"sch|sh", "s"),
        (r"ph", "f"),
        (r"ow|ou", "au"),
        (r"ea", "e"),
        (r"ck|q", "k"),
        (r"c(?=[eiy])", "s"),
        (r"c", "k"),
        (r"g(?=[eiy])", "j"),
        (r"x", "ks"),
        (r"z", "s"),
        (r"w", "v"),
        (r"y", "i"),
        (r"h", ""),
        (r"(?<=[bdfgklmnprstv])e(?=s|$)", ""),
        (r"(.)\1+", r"\1"),
    )
)
"""What letters sound like, roughly, in English, German and Spanish."""

_KINDS = str.maketrans("aeioubpdtgkmnfvrl", "aaaaabbddggmmffrr")
"""Similar sounds to one for all of them."""


def sounds_like(heard: str, name: str) -> bool:
    """Whether a heard name may be the customer's: first and last name, in either order."""
    own = [_sound(part) for part in _parts(name)]
    if len(own) < 2:
        return False
    return any(_fits(sounds, own) for sounds in _readings(_parts(heard)))


def _parts(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.findall(r"[a-z]+", plain)


def _readings(parts: list[str]) -> Iterator[str]:
    """The sounds of a name whose parts may come in any order, with one too many: "Miller, James Miller"."""
    if not 0 < len(parts) <= MOST_PARTS:
        return
    for count in {len(parts), 2 if len(parts) == 3 else len(parts)}:
        for some in permutations(parts, count):
            yield _sound("".join(some))
            yield "".join(map(_sound, some))  # a mute e ends a word


def _sound(letters: str) -> str:
    for pattern, sound in _SPELLINGS:
        letters = pattern.sub(sound, letters)
    return letters


def _fits(heard: str, own: list[str]) -> bool:
    if heard.translate(_KINDS) != "".join(own).translate(_KINDS):
        return False
    at = 0
    for part in own:
        if not _near(part, heard[at : at + len(part)]):
            return False
        at += len(part)
    return True


def _near(own: str, heard: str) -> bool:
    """Whether of as many sounds, each of its own kind, few enough are others than the name has."""
    others = [own[edit.src_pos] in _VOWELS for edit in Hamming.editops(own, heard)]
    vowels, consonants = others.count(True), others.count(False)
    return max(vowels, consonants) <= 1 and (len(own) >= LONG_NAME or vowels + consonants <= 1)
