"""Speech starts with the first words of an answer rather than with its first whole sentence."""

from __future__ import annotations

import re

from livekit.agents import tokenize
from livekit.agents.tokenize.tokenizer import SentenceStream

FIRST_WORDS = 4
"""Words after which the beginning of an answer goes to the voice even without punctuation. Fewer words make
the voice start with a fragment that it cannot intonate; measured in docs/benchmarks.md."""

_CLAUSE_END = re.compile(
    r"(?:[,;:!?…–—]|(?<!\b[A-Z])(?<!\b[A-Z][a-z])(?<!\bMrs)\.)"  # the stop of "Dr.", "J." ends nothing
    r"[\"'”’)]*\s"
)


class FirstWordsTokenizer(tokenize.SentenceTokenizer):
    """Cuts an answer after its first clause (or its first FIRST_WORDS words), then sentence by sentence.

    The SDK's default waits for a whole sentence before the voice is given anything. A `WordTokenizer` would
    be the other choice, but the Cartesia plugin 1.8.9 breaks on its stream, for want of `closed`.
    """

    def __init__(self) -> None:
        # As they were written: a sentence whose line breaks were made blanks is not found in the text again.
        self._sentences = tokenize.blingfire.SentenceTokenizer(min_sentence_len=12, retain_format=True)

    def tokenize(self, text: str, *, language: str | None = None) -> list[str]:
        return self._sentences.tokenize(text, language=language)

    def stream(self, *, language: str | None = None) -> SentenceStream:
        return _FirstWordsStream(self._sentences, language)


class _FirstWordsStream(SentenceStream):
    # `_event_ch`, `_do_close` and `_check_not_closed` are how a stream of the SDK gives and ends; there is no
    # public way. test_first_words.py fails when they move.
    def __init__(self, sentences: tokenize.SentenceTokenizer, language: str | None) -> None:
        super().__init__()
        self._sentences = sentences
        self._language = language
        self._text = ""
        self._spoke = False

    def push_text(self, text: str) -> None:
        self._check_not_closed()
        self._text += text
        if not self._spoke:
            self._cut_first_words()
        if self._spoke:
            self._cut_sentences()

    def flush(self) -> None:
        self._check_not_closed()
        self._emit(self._text)
        self._text = ""
        self._spoke = False

    def end_input(self) -> None:
        self.flush()
        self._do_close()

    async def aclose(self) -> None:
        self._do_close()

    def _cut_first_words(self) -> None:
        match = _CLAUSE_END.search(self._text)
        end = match.end() if match else None
        words = [word.end() for word in re.finditer(r"\S+\s+", self._text)]
        if len(words) >= FIRST_WORDS:
            end = min(end or len(self._text), words[FIRST_WORDS - 1])
        if end is not None:
            self._emit(self._text[:end])
            self._text = self._text[end:]

    def _cut_sentences(self) -> None:
        # The last sentence may still grow, so it stays.
        for sentence in self._sentences.tokenize(self._text, language=self._language)[:-1]:
            at = self._text.find(sentence)
            if at < 0:
                return
            self._emit(sentence)
            self._text = self._text[at + len(sentence) :]

    def _emit(self, text: str) -> None:
        if text.strip():
            self._spoke = True
            self._event_ch.send_nowait(tokenize.TokenData(token=text.strip()))
