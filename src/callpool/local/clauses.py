"""Cuts text that arrives in pieces into sentences and clauses that can be spoken at once."""

from __future__ import annotations

import re

from livekit import blingfire

SHORT_SENTENCE = 40
"""Characters: a first sentence up to this length is spoken whole, since a cut would save too little time."""
FIRST_CLAUSE = 10
"""Characters that the first clause needs at least, to be spoken before the rest of its sentence."""
LONG_SENTENCE = 160
"""Characters: past this, a later sentence is cut too, so that a slow machine does not fall silent."""
LONG_CLAUSE = 60
"""Characters that a clause of a long sentence needs at least."""

_CLAUSE_END = re.compile(r"[,;:][\"'”’)\]]*(?=\s)|(?<=\s)[–—-](?=\s)")
_ANY_WORD = "The"
"""Set behind white space, it shows whether a sentence can end there: after `Mr. ` it cannot."""


class Clauses:
    """Text of one context: `push` gives what can be spoken already, `rest` what was still waiting."""

    def __init__(self) -> None:
        self._text = ""
        self._first = True

    @property
    def waiting(self) -> bool:
        """Whether there is text that no call has given out yet."""
        return bool(self._text.strip())

    def push(self, text: str) -> list[str]:
        """Add text verbatim. A sentence counts as complete once white space follows it."""
        self._text += text
        ready = []
        while end := self._cut():
            piece, self._text = self._text[:end].strip(), self._text[end:].lstrip()
            if piece:
                ready.append(piece)
                self._first = False
        return ready

    def rest(self) -> list[str]:
        """Take all that is left, complete or not."""
        ready = [*self.push("\n"), self._text.strip()]
        self._text = ""
        self._first = self._first and not any(ready)
        return [piece for piece in ready if piece]

    def _cut(self) -> int:
        """Where the first piece that can be spoken ends; 0: nowhere yet."""
        sentence = self._sentence_end()
        short, least = (SHORT_SENTENCE, FIRST_CLAUSE) if self._first else (LONG_SENTENCE, LONG_CLAUSE)
        if 0 < sentence <= short or (not sentence and not self._first and len(self._text) <= short):
            return sentence
        clause = _CLAUSE_END.search(self._text, least - 1)
        return clause.end() if clause and (not sentence or clause.end() < sentence) else sentence

    def _sentence_end(self) -> int:
        line, newline, _ = self._text.partition("\n")
        so_far = line + _ANY_WORD if line[-1:].isspace() else line
        _, ends = blingfire.text_to_sentences_with_offsets(so_far)
        if len(ends) > 1:
            return ends[0][1]
        return len(line) + len(newline) if newline else 0
