"""How far into a text a voice has come."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

S_PER_CHARACTER = 0.075
"""How fast a voice is taken to speak when it does not say so, seconds: 13 characters a second, which is slow,
since a word twice is better than none."""

PAUSE_S = 0.4
"""The silence after a sentence, which is no sign that the next one was begun, seconds."""
SENTENCE_ENDS = (".", "!", "?", ":", ";")

_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class TimedWord:
    """A piece of text, blanks included, and when it is spoken: seconds since the voice began."""

    text: str
    start_s: float
    end_s: float

    def is_heard_by(self, audio_s: float) -> bool:
        """Whether the larger half of it was spoken within that many seconds of audio."""
        return (self.start_s + self.end_s) / 2 <= audio_s


def spoken_end(text: str, timed: Sequence[TimedWord], audio_s: float) -> int:
    """Where the part of `text` ends that was spoken in `audio_s` seconds of audio.

    `timed` are the times that the voice gave, of the first words or of all. The words after them are taken to
    be spoken at the same pace. A word with a time of which the larger half was heard counts as spoken.
    """
    words = list(_WORD.finditer(text))
    known = len("".join(word.text for word in timed).split())
    heard = len("".join(word.text for word in timed if word.is_heard_by(audio_s)).split())
    if heard == known:
        heard += _untimed(words[known:], timed, audio_s)
    return words[min(heard, len(words)) - 1].end() if heard and words else 0


def _untimed(words: Sequence[re.Match[str]], timed: Sequence[TimedWord], audio_s: float) -> int:
    """How many of the words whose times are not known were heard. In doubt fewer: none may be lost."""
    at_s = timed[-1].end_s if timed else 0.0
    characters = sum(len(word.text) for word in timed)
    pace_s = at_s / characters if at_s and characters else S_PER_CHARACTER
    if timed and timed[-1].text.rstrip().endswith(SENTENCE_ENDS):
        at_s += PAUSE_S
    for number, word in enumerate(words):
        takes_s = (len(word[0]) + 1) * pace_s
        if at_s + takes_s * 0.8 > audio_s:
            return number
        at_s += takes_s
    return len(words)
