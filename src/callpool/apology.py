"""What a caller hears when a provider fails: words instead of silence, and in the end a farewell."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from livekit import rtc
from livekit.agents import (
    AgentSession,
    ConversationItemAddedEvent,
    ErrorEvent,
    UserStateChangedEvent,
    UserTranscriptionTimeoutEvent,
)
from livekit.agents.llm import ChatMessage, LLMError
from livekit.agents.tts import TTSError
from livekit.agents.voice import SpeechHandle

from callpool.barge_in import Overlap
from callpool.call import Call
from callpool.clips import Clips, played
from callpool.history import caller_turns
from callpool.service_phrases import Key, words_for
from callpool.understanding import offer

logger = logging.getLogger(__name__)

TRIES = 3
"""Apologies in a row before the farewell …"""
OUTAGE_S = 30.0
"""… which is said no sooner than this after the first failure, seconds: most of what breaks is back then."""
UNHEARD = 3
"""Times in a row that a caller is asked to speak again, or offered a person, before the farewell."""
LEAST_SPEECH_S = 0.8
"""What is shorter may be a cough: no words are missed in it, seconds."""


class Apology:
    """Speaks when an answer could not be had, and calls `give_up` once the farewell was spoken.

    A voice that fails is apologized for by clips that it made before. Where there are none the call is given
    up in silence, after as long a time.
    """

    def __init__(
        self,
        session: AgentSession[Call],
        give_up: Callable[[], None],
        *,
        clips: Clips | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._give_up = give_up
        self._clips = clips
        self._clock = clock
        self._has_told = False
        """Whether the caller knows that what they said last was not heard."""
        self._failures = 0
        self._failing_since_s = 0.0
        self._has_voice = False
        self._speaking: SpeechHandle | None = None
        self._spoken: list[str] = []
        self._overlap = Overlap(session)
        session.on("error", self._on_error)
        session.on("user_state_changed", self._on_caller)
        session.on("user_transcription_timeout", self._on_unheard)
        session.on("conversation_item_added", self._on_item)

    def own_up(self, speech_s: float) -> None:
        """Speech to text fails, and the caller has spoken for so long, seconds: they were not unclear."""
        if speech_s >= LEAST_SPEECH_S and self._may_answer():
            self._has_told = True
            self._apologize()

    def _on_error(self, event: ErrorEvent) -> None:
        match event.error:
            case LLMError(recoverable=False):
                self._apologize()
            case TTSError(recoverable=False):
                self._apologize(is_mute=not self._has_voice)

    def _on_unheard(self, event: UserTranscriptionTimeoutEvent) -> None:
        """The caller spoke and no words came of it."""
        if event.speech_duration < LEAST_SPEECH_S or self._has_told or not self._may_answer():
            return
        call = self._session.userdata
        misses = call.understanding.miss_sound(caller_turns(self._session))
        self._say("farewell" if misses > UNHEARD else offer(misses))

    def _may_answer(self) -> bool:
        """A murmur while the agent speaks wants no answer, and who goes on speaking is not talked over."""
        listening = self._session.agent_state == "listening" and self._session.user_state != "speaking"
        return listening and not self._overlap.began_over and not self._is_speaking()

    def _on_caller(self, event: UserStateChangedEvent) -> None:
        if event.new_state == "speaking":
            self._has_told = False

    def _apologize(self, *, is_mute: bool = False) -> None:
        """`is_mute`: no voice was ever heard, so that only a clip can be."""
        if self._is_speaking():
            return  # speculative answers to the same words fail one after the other
        if not self._failures:
            self._failing_since_s = self._clock()
        self._failures += 1
        over = self._failures > TRIES and self._clock() - self._failing_since_s >= OUTAGE_S
        key: Key = "farewell" if over else "apology"
        if not is_mute or self._clip(key) is not None:
            self._say(key)
        elif over:  # until then the greeting is tried again and again
            self._give_up()

    def _is_speaking(self) -> bool:
        return self._speaking is not None and not self._speaking.done()

    def _say(self, key: Key) -> None:
        last = key == "farewell"
        logger.warning("apologized", extra={"action": "apology", "failures": self._failures, "last": last})
        words = words_for(self._session, key)
        self._spoken.append(words)
        if (clip := self._clip(key)) is not None:
            self._speaking = self._session.say(words, audio=played(clip), allow_interruptions=not last)
        else:
            self._speaking = self._session.say(words, allow_interruptions=not last)
        if last:
            self._speaking.add_done_callback(lambda _: self._give_up())

    def _clip(self, key: Key) -> rtc.AudioFrame | None:
        return None if self._clips is None else self._clips.get(key, self._session.userdata.language)

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        match event.item:
            case ChatMessage(role="assistant") as message if message.text_content:
                self._has_voice = True
                # One that was talked over is kept as far as it was spoken.
                if not any(words.startswith(message.text_content) for words in self._spoken):
                    self._failures = 0
