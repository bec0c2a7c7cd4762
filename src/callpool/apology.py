"""What a caller hears when a provider fails: words instead of silence, and in the end a farewell."""

from __future__ import annotations

import logging
from collections.abc import Callable

from livekit.agents import (
    AgentSession,
    ConversationItemAddedEvent,
    ErrorEvent,
    UserTranscriptionTimeoutEvent,
)
from livekit.agents.llm import ChatMessage, LLMError
from livekit.agents.stt import STTError
from livekit.agents.tts import TTSError
from livekit.agents.voice import SpeechHandle

from callpool.barge_in import Overlap
from callpool.call import Call
from callpool.history import caller_turns
from callpool.service_phrases import Key, words_for
from callpool.understanding import offer

logger = logging.getLogger(__name__)

TRIES = 2
"""Apologies in a row before the farewell. The SDK counts failures too, but only as long as nobody speaks."""
UNHEARD = 3
"""Times in a row that a caller is asked to speak again, or offered a person, before the farewell."""
DEAF = 2
"""Failures of speech to text in a row before the farewell, each after several attempts: about 7 s."""
LEAST_SPEECH_S = 0.8
"""What is shorter may be a cough: no words are missed in it, seconds."""


class Apology:
    """Speaks when an answer could not be had, and calls `give_up` once the farewell was spoken.

    Without a voice there is nothing to say: a call whose first words fail is given up at once. Later on the
    SDK does so, after several failures in a row.
    """

    def __init__(self, session: AgentSession[Call], give_up: Callable[[], None]) -> None:
        self._session = session
        self._give_up = give_up
        self._failures = 0
        self._deaf = 0
        self._has_voice = False
        self._speaking: SpeechHandle | None = None
        self._spoken: list[str] = []
        self._overlap = Overlap(session)
        session.on("error", self._on_error)
        session.on("user_transcription_timeout", self._on_unheard)
        session.on("conversation_item_added", self._on_item)

    def _on_error(self, event: ErrorEvent) -> None:
        match event.error:
            case LLMError(recoverable=False):
                self._apologize()
            case STTError(recoverable=False):
                self._deaf += 1
                if self._deaf == DEAF:
                    self._say("farewell")
            case TTSError(recoverable=False) if not self._has_voice:
                self._give_up()

    def _on_unheard(self, event: UserTranscriptionTimeoutEvent) -> None:
        """The caller spoke and no words came of it. A murmur while the agent speaks wants no answer."""
        listening = self._session.agent_state == "listening" and not self._overlap.began_over
        if event.speech_duration < LEAST_SPEECH_S or not listening or self._is_speaking():
            return
        call = self._session.userdata
        misses = call.understanding.miss_sound(caller_turns(self._session))
        self._say("farewell" if misses > UNHEARD else offer(misses))

    def _apologize(self) -> None:
        if self._is_speaking():
            return  # speculative answers to the same words fail one after the other
        self._failures += 1
        self._say("farewell" if self._failures > TRIES else "apology")

    def _is_speaking(self) -> bool:
        return self._speaking is not None and not self._speaking.done()

    def _say(self, key: Key) -> None:
        last = key == "farewell"
        logger.warning("apologized", extra={"action": "apology", "failures": self._failures, "last": last})
        words = words_for(self._session, key)
        self._spoken.append(words)
        self._speaking = self._session.say(words, allow_interruptions=not last)
        if last:
            self._speaking.add_done_callback(lambda _: self._give_up())

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        match event.item:
            case ChatMessage(role="user"):
                self._deaf = 0
            case ChatMessage(role="assistant") as message if message.text_content:
                self._has_voice = True
                # One that was talked over is kept as far as it was spoken.
                if not any(words.startswith(message.text_content) for words in self._spoken):
                    self._failures = 0
