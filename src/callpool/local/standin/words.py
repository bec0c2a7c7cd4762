"""Words, stems, and what counts as the same word."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from callpool.local.standin import english

RECENT = 2048
"""Texts whose analysis is kept: each request brings the whole conversation, and only its end is new."""

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_SUFFIXES = ("ations", "ation", "ments", "ment", "ings", "ing", "ies", "ied", "ed", "es", "s", "ly")


def plain(text: str) -> str:
    """The text with straight apostrophes and without doubled spaces."""
    return re.sub(r"\s+", " ", text.replace("\u2019", "'").replace("\u2018", "'")).strip()


def split_name(name: str) -> list[str]:
    """The lower-case words of an identifier: `partySize`, `party_size` and `party-size` give party, size."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word.lower() for word in re.split(r"[\W_]+", spaced) if word]


def say_name(name: str) -> str:
    return " ".join(split_name(name))


@cache
def stem(word: str) -> str:
    """A light stem: shipping, shipped and shipment become one word, so do city and cities."""
    root = word.lower().partition("'")[0]
    for suffix in _SUFFIXES:
        if root.endswith(suffix) and len(root) - len(suffix) >= 3 and not root.endswith("ss"):
            root = root[: -len(suffix)]
            break
    while len(root) > 3 and root[-1] in "eyi":
        root = root[:-1]
    if len(root) > 3 and root[-1] == root[-2]:  # "off" is not "of"
        root = root[:-1]
    return root


@cache
def _canonical() -> dict[str, str]:
    names: dict[str, str] = {}
    for group in english.SYNONYMS:
        members = [stem(word) for word in group.split()]
        for member in members:
            names.setdefault(member, members[0])
    return names


def meaning(word: str) -> str:
    """The stem that stands for a word and its synonyms."""
    root = stem(word)
    return _canonical().get(root, root)


@lru_cache(RECENT)
def meanings(text: str) -> tuple[str, ...]:
    """What the telling words of a text mean, in order; words that tell nothing are left out."""
    found = (match[0] for match in _WORD.finditer(plain(text)))
    return tuple(meaning(word) for word in found if word.lower().partition("'")[0] not in english.STOP_WORDS)


@lru_cache(RECENT)
def stems(text: str) -> frozenset[str]:
    """The stems of all words of a text; "isn't" and "cannot" also count as a "not"."""
    words = [match[0].lower() for match in _WORD.finditer(plain(text))]
    negated = any(word.endswith("n't") or word == "cannot" for word in words)
    return frozenset(map(stem, words)) | (frozenset(["not"]) if negated else frozenset())
