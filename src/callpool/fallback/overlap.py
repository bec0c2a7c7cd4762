"""Two models, one answer: what the second one repeats of the first one's words is left out."""

from __future__ import annotations

import re

_WORD_START = re.compile(r"(?<!\S)\S")


class TextOverlap:
    """Takes text as it comes, and gives what goes on after `said`.

    A model that is asked to go on repeats the last words, or the whole answer, or nothing. As long as the
    text may still be a repetition it is held back; what turns out not to be one is given as it is.
    """

    def __init__(self, said: str) -> None:
        self._said = _plain(said)
        self._ends_open = bool(said) and not said[-1].isspace()
        self._starts = [match.start() for match in _WORD_START.finditer(self._said)]
        self._held: str | None = ""

    def push(self, text: str) -> str:
        """What can be said by now."""
        if self._held is None:
            return text
        self._held += text
        plain = _plain(self._held)
        for start in self._starts:
            repeated = self._said[start:]
            if plain.startswith(repeated) and len(plain) > len(repeated):
                if start == 0 or self._is_repetition(repeated, plain[len(repeated)]):
                    return self._release(len(repeated))
            elif repeated.startswith(plain):
                return ""
        return self._release(0)

    def rest(self) -> str:
        """What was held back when the text is over."""
        if not self._held:
            return ""
        repeated = any(self._said[start:] == _plain(self._held) for start in self._starts)
        return self._release(len(self._held) if repeated else 0)

    def _is_repetition(self, repeated: str, follows: str) -> bool:
        # A single word that merely begins like the next one ("is", "issued") repeats nothing.
        return " " in repeated or not (follows.isalnum() and repeated[-1].isalnum())

    def _release(self, count: int) -> str:
        goes_on, self._held = _without(self._held or "", count), None
        if not self._ends_open:
            return goes_on.lstrip() if self._said else goes_on
        return f" {goes_on}" if not count and goes_on[:1].isalnum() else goes_on


def _plain(text: str) -> str:
    return " ".join(text.split()).lower()


def _without(text: str, count: int) -> str:
    """`text` without the first `count` characters of its plain form."""
    for end in range(len(text) + 1):
        if len(_plain(text[:end])) >= count and not text[:end][-1:].isspace():
            return text[end:]
    return ""
