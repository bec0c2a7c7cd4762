"""What a caller hears when the language model fails: words instead of silence, and in the end a farewell."""

from __future__ import annotations

import logging
from collections.abc import Callable

from livekit.agents import AgentSession, ConversationItemAddedEvent, ErrorEvent
from livekit.agents.llm import ChatMessage, LLMError
from livekit.agents.voice import SpeechHandle

from callpool.call import Call

logger = logging.getLogger(__name__)

APOLOGY = "I am sorry, something went wrong on our side. Could you say that again?"
FAREWELL = "I am sorry, I cannot help you at the moment. Please call again later. Goodbye."
TRIES = 2
"""Apologies in a row before the farewell. The SDK counts failures too, but only as long as nobody speaks."""


class Apology:
    """Speaks when an answer could not be had, and calls `give_up` once the farewell was spoken."""

    def __init__(self, session: AgentSession[Call], give_up: Callable[[], None]) -> None:
        self._session = session
        self._give_up = give_up
        self._failures = 0
        self._speaking: SpeechHandle | None = None
        session.on("error", self._on_error)
        session.on("conversation_item_added", self._on_item)

    def _on_error(self, event: ErrorEvent) -> None:
        if not isinstance(event.error, LLMError) or event.error.recoverable:
            return
        if self._speaking is not None and not self._speaking.done():
            return  # speculative answers to the same words fail one after the other
        self._failures += 1
        last = self._failures > TRIES
        logger.warning("apologized", extra={"action": "apology", "failures": self._failures, "last": last})
        self._speaking = self._session.say(FAREWELL if last else APOLOGY, allow_interruptions=not last)
        if last:
            self._speaking.add_done_callback(lambda _: self._give_up())

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        match event.item:
            case ChatMessage(role="assistant") as message if message.text_content not in (APOLOGY, FAREWELL):
                self._failures = 0
