"""The caller's language: found in their first words, and followed when they speak another one.

Speech to text that listens for several languages reports the one of each sentence; where it listens for one,
the words tell. A name, a number or a short answer changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    ConversationItemAddedEvent,
    UserInputTranscribedEvent,
)
from livekit.agents.language import LanguageCode
from livekit.agents.llm import ChatMessage

from callpool.call import Call
from callpool.errors import CallpoolError
from callpool.identification import Identification

SEVERAL = "multi"
"""What Deepgram calls listening for all the languages that it knows at the same time."""
CALM_S = 0.8
"""How long the agent has spoken without a word from the caller when the ears are changed, seconds. They
connect anew then and lose what is being said; who was only pausing talks over the agent before that."""
DOUBTFUL = 0.6
"""Words that speech to text trusts less than this (0 to 1) may be those of another language."""
DOUBTFUL_WORDS = 3
"""When there are so many: one or two are doubtful in any language."""

OWN_NAMES = {
    "englisch": "en",
    "inglés": "en",
    "ingles": "en",
    "deutsch": "de",
    "alemán": "de",
    "aleman": "de",
    "spanisch": "es",
    "español": "es",
    "espanol": "es",
    "castellano": "es",
}
"""What the languages are called in each other. The SDK knows their English names."""

logger = logging.getLogger(__name__)


class UnspokenLanguage(CallpoolError):
    """A language that the service does not speak. The text names those that it does."""

    def __init__(self, language: str, codes: tuple[str, ...]) -> None:
        *most, last = [name_of(code) for code in codes]
        spoken = f"{', '.join(most)} and {last}" if most else last
        super().__init__(f"{language!r} is not spoken here: only {spoken}.")


class Speech(Protocol):
    """The ears and the voice of a call."""

    def speak_in(self, language: str) -> None:
        """Speak `language` from the next sentence on."""

    def listen_in(self, language: str, listen_to: str) -> None:
        """Listen to `listen_to`: `language`, or `SEVERAL`. Words that are being said may be lost."""


@runtime_checkable
class Instructed(Protocol):
    """An agent whose instructions follow the call."""

    async def renew_instructions(self) -> None: ...


def name_of(code: str) -> str:
    """What a language is called in English."""
    return (LanguageCode(code).to_language_name() or code).title()


class Languages:
    """The language of one call."""

    def __init__(
        self,
        call: Call,
        identification: Identification,
        *,
        on_change: Callable[[str], None] = lambda code: None,
    ) -> None:
        """`on_change` is told each new language's code."""
        self._call = call
        self._identification = identification
        self._codes = identification.codes
        self._on_change = on_change
        self._found = call.chose_language
        self._session: AgentSession[Any] | None = None
        self._speech: Speech | None = None
        self.ears = self._wanted_ears = SEVERAL if len(self._codes) > 1 and not self._found else call.language
        """What speech to text listens for: a language, or `SEVERAL` until the caller's is found."""
        self._renewals: set[asyncio.Task[None]] = set()
        self._calm: asyncio.TimerHandle | None = None

    def follow(self, session: AgentSession[Any], speech: Speech | None = None) -> None:
        """Listen to a session from now on. Without `speech` it is one in text."""
        self._session = session
        self._speech = speech
        session.on("user_input_transcribed", self._on_transcript)
        session.on("conversation_item_added", self._on_item)
        session.on("agent_state_changed", self._on_agent_state)

    async def heard(self, text: str) -> None:
        """Take a sentence that no speech to text heard, before it is answered."""
        if self._take(text):
            await self._renew_instructions()

    async def switch(self, language: str) -> str:
        """Go on in a language that was asked for by name or code. Gives its name. Raises UnspokenLanguage."""
        asked = language.strip().lower()
        code = OWN_NAMES.get(asked) or LanguageCode(asked).language
        if code not in self._codes:
            raise UnspokenLanguage(language, self._codes)
        self._settle(code)
        await self._renew_instructions()
        return name_of(code)

    def _on_transcript(self, event: UserInputTranscribedEvent) -> None:
        reported = event.language.language if event.language and self.ears == SEVERAL else ""
        if event.is_final and self._take(event.transcript, "" if reported == SEVERAL else reported):
            # The SDK may have asked the model by the time this runs; it asks anew when it finds at the end of
            # the turn that the instructions are not those any more.
            renewal = asyncio.create_task(self._renew_instructions(), name="renew-instructions")
            self._renewals.add(renewal)
            renewal.add_done_callback(self._renewals.discard)

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        match event.item:
            case ChatMessage(role="user", transcript_confidence=float(confidence)) as said:
                words = (said.text_content or "").split()
                if confidence < DOUBTFUL and len(words) >= DOUBTFUL_WORDS and len(self._codes) > 1:
                    self._wanted_ears = SEVERAL

    def _on_agent_state(self, event: AgentStateChangedEvent) -> None:
        if self._calm is not None:
            self._calm.cancel()
            self._calm = None
        if event.new_state == "speaking" and self.ears != self._wanted_ears:
            self._calm = asyncio.get_running_loop().call_later(CALM_S, self._change_ears)

    def _change_ears(self) -> None:
        assert self._session is not None
        if self._speech is None or self._session.user_state == "speaking":
            return
        self.ears = self._wanted_ears
        self._speech.listen_in(LanguageCode(self._call.language).language, self.ears)
        logger.info("speech to text listens for", extra={"action": "listen_in", "language": self.ears})

    def _take(self, text: str, reported: str = "") -> bool:
        """Whether the words change the language of the call."""
        code = self._identification.tell(text, reported=reported, first=not self._found)
        return code is not None and self._settle(code)

    def _settle(self, code: str) -> bool:
        self._found = True
        before = self._call.language
        if LanguageCode(before).language == code:
            self._wanted_ears = before
            return False
        self._wanted_ears = code
        self._call.language = code
        if self._speech is not None:
            self._speech.speak_in(code)
        self._on_change(code)
        logger.info(
            "the caller's language", extra={"action": "language_changed", "before": before, "language": code}
        )
        return True

    async def _renew_instructions(self) -> None:
        if self._session is not None and isinstance(agent := self._session.current_agent, Instructed):
            await agent.renew_instructions()
