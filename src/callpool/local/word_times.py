"""When each word of a text is spoken: estimates, since neither the voice nor the model that hears tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DIGIT = 4
"""Letters that a digit is as long as: it is spoken as a short word."""
PAUSE = 4
"""Letters that the pause after a punctuated word is as long as."""

_PAUSE_AFTER = ",;:.!?…–—"


@dataclass(frozen=True)
class Word:
    """A word as it is written and its estimated time, seconds."""

    text: str
    start_s: float
    end_s: float


def spread(
    words: Sequence[str], start_s: float, end_s: float, *, pause_at_end: bool = False
) -> tuple[Word, ...]:
    """Share out the time from `start_s` to `end_s` among `words`, by what there is to pronounce.

    The last word ends at `end_s`, or with `pause_at_end` as long before it as its punctuation is a pause.
    """
    spoken = [sum(DIGIT if sign.isdigit() else 1 for sign in word if sign.isalnum()) or 1 for word in words]
    pauses = [PAUSE if word[-1] in _PAUSE_AFTER else 0 for word in words]
    if pauses and not pause_at_end:
        pauses[-1] = 0
    share_s = (end_s - start_s) / max(sum(spoken) + sum(pauses), 1)
    estimated, at = [], 0
    for word, weight, pause in zip(words, spoken, pauses, strict=True):
        estimated.append(Word(word, start_s + at * share_s, start_s + (at + weight) * share_s))
        at += weight + pause
    return tuple(estimated)
