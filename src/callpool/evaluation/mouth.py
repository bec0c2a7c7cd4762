"""Where the agent's words go in text mode: to a caller who may cut them off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from livekit.agents.voice.io import TextOutput

CHARACTERS_PER_S = 15.0
"""How fast an agent speaks: what the voices that ship do, on the average of a sentence."""


async def word_by_word(text: str) -> AsyncIterator[str]:
    """A fixed text in the portions in which a language model gives one, so that it can be cut off."""
    for index, word in enumerate(text.split()):
        yield f" {word}" if index else word


class Mouth(TextOutput):
    """Takes the agent's words without delay, up to the moment at which the caller begins to talk."""

    def __init__(self) -> None:
        super().__init__(label="callpool evaluation", next_in_chain=None)
        self.reached = asyncio.Event()
        """Set when the agent has said as much as the caller lets it say."""
        self.first_words_at: float | None = None
        """`time.perf_counter()` of the first words since `begin_answer`."""
        self._go_on = asyncio.Event()
        self._left: float | None = None

    def begin_answer(self, cut_after_s: float | None) -> None:
        """A new answer begins; it stalls after this much speech. None: it is heard to its end."""
        self.reached.clear()
        self.first_words_at = None
        self._left = None if cut_after_s is None else cut_after_s * CHARACTERS_PER_S
        self._go_on.clear()

    def go_on(self) -> None:
        """Let the agent say the rest."""
        self._left = None
        self._go_on.set()

    async def capture_text(self, text: str) -> None:
        if self.first_words_at is None and text.strip():
            self.first_words_at = time.perf_counter()
        if self._left is None:
            return
        self._left -= len(text)
        if self._left <= 0:
            self.reached.set()
            await self._go_on.wait()

    def flush(self) -> None:
        """The end of a portion means nothing here."""
