"""What a listener says meanwhile: "mhm", "okay" and their like do not stop the agent."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import unicodedata
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from functools import cache
from importlib import resources

import yaml
from livekit.agents import AgentSession, AgentStateChangedEvent, UserStateChangedEvent, utils
from livekit.agents.llm import ChatMessage
from livekit.agents.stt import SpeechEvent, SpeechEventType
from livekit.agents.voice import SpeechHandle

from callpool.barge_in import Overlap
from callpool.call import Call, base_language

logger = logging.getLogger(__name__)

ANY = "any"
"""The entry of the table for what people say in every language."""
ANSWER_S = 1.5
"""A "yes" that comes this shortly before the end of a question answers it, seconds."""
QUESTION_CHARACTERS = 60
"""How far from the end a question may stand: "Shall I go on? Just say yes." asks, too."""
LEAST_FOREIGN = 2
"""An interim transcript with fewer words that no listener says may yet become a listener's: the first guess
at "uh-huh" is any short word."""

HUM = re.compile(r"[hm]+|(u+[hm]+)+|(a+h+)+a*|o+h*|hu+h*|ha+")
"""Sounds that everybody spells in another way: mhm, hmm, uh, uhhuh, um, ah, aha, oh, huh."""

_WORDS = (SpeechEventType.INTERIM_TRANSCRIPT, SpeechEventType.PREFLIGHT_TRANSCRIPT)

Phrase = tuple[str, ...]


class Backchannels:
    """The words of a listener, by language."""

    def __init__(self, table: Mapping[str, Mapping[str, Iterable[str]]]) -> None:
        self._answers: dict[str, frozenset[Phrase]] = {}
        self._all: dict[str, frozenset[Phrase]] = {}
        for language in table:
            of = [table[language], *([table[ANY]] if ANY in table else [])]
            answers = {phrase for one in of for phrase in _phrases(one.get("answers", ()))}
            sounds = {phrase for one in of for phrase in _phrases(one.get("sounds", ()))}
            self._answers[language] = frozenset(answers)
            self._all[language] = frozenset(answers | sounds)

    @classmethod
    @cache
    def load(cls) -> Backchannels:
        """Those that ship. Read once a process, while it warms up."""
        return cls(yaml.safe_load(resources.files(__package__).joinpath("backchannels.yaml").read_text()))

    def only(self, text: str, language: str) -> bool:
        """Whether a transcript holds nothing but what a listener says."""
        spoken = bare(text)
        return bool(spoken) and _made_of(spoken, self._of(self._all, language))

    def may_become(self, text: str, language: str) -> bool:
        """Whether a transcript may still turn out to be no more than that."""
        known = {word for phrase in self._of(self._all, language) for word in phrase}
        foreign = [word for word in bare(text) if word not in known and not HUM.fullmatch(word)]
        return len(foreign) < LEAST_FOREIGN

    def answers(self, text: str, language: str) -> bool:
        """Whether a listener's words would be an answer, too, if a question stood before them."""
        spoken, phrases = bare(text), self._of(self._answers, language)
        return any(spoken[at : at + len(one)] == one for one in phrases for at in range(len(spoken)))

    @staticmethod
    def _of(table: Mapping[str, frozenset[Phrase]], language: str) -> frozenset[Phrase]:
        return table.get(base_language(language)) or table.get(ANY) or frozenset()


def bare(text: str) -> Phrase:
    """The words of a text in small letters, without accents and what is not pronounced."""
    plain = unicodedata.normalize("NFD", text.casefold())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return tuple(re.sub(r"[^\w\s]|_", " ", re.sub(r"['’]", "", plain)).split())


def _phrases(texts: Iterable[str]) -> Iterable[Phrase]:
    return (bare(text) for text in texts)


def _made_of(spoken: Sequence[str], phrases: frozenset[Phrase]) -> bool:
    """Whether words can be cut into phrases and hums without a rest."""
    reached = {0}
    for start in range(len(spoken)):
        if start in reached:
            if HUM.fullmatch(spoken[start]):
                reached.add(start + 1)
            ends = (start + len(one) for one in phrases if tuple(spoken[start : start + len(one)]) == one)
            reached.update(ends)
    return len(spoken) in reached


async def without_backchannels(
    events: AsyncIterable[SpeechEvent], session: AgentSession[Call]
) -> AsyncIterator[SpeechEvent]:
    """What speech to text heard, less what a listener says while the agent speaks or thinks.

    The SDK then knows of a sound without words only, for which it does not end the agent's sentence. What
    follows a question is never left out.
    """
    passed: utils.aio.Chan[SpeechEvent] = utils.aio.Chan()
    listener = _Listener(session, passed)

    async def listen() -> None:
        try:
            async for event in events:
                listener.take(event)
        finally:
            passed.close()

    listening = asyncio.create_task(listen(), name="without backchannels")
    try:
        async for event in passed:
            yield event
        await listening
    finally:
        listener.close()
        await utils.aio.cancel_and_wait(listening)


class _Listener:
    """Decides what goes on to the agent, and lets its sentence go on at once after what does not."""

    def __init__(self, session: AgentSession[Call], passed: utils.aio.Chan[SpeechEvent]) -> None:
        self._session = session
        self._passed = passed
        self._words = Backchannels.load()
        self._overlap = Overlap(session)
        self._resumes = False
        """Whether the agent goes on as soon as the caller is silent."""
        session.on("user_state_changed", self._on_caller)
        session.on("agent_state_changed", self._on_agent)

    def close(self) -> None:
        self._overlap.close()
        self._session.off("user_state_changed", self._on_caller)
        self._session.off("agent_state_changed", self._on_agent)

    def take(self, event: SpeechEvent) -> None:
        """Pass an event on, or keep it back."""
        text = event.alternatives[0].text if event.alternatives else ""
        language = self._session.userdata.language
        if not text.strip() or not self._overlap.over_agent:
            self._passed.send_nowait(event)
        elif event.type in _WORDS and self._words.may_become(text, language):
            pass
        elif event.type == SpeechEventType.FINAL_TRANSCRIPT and self._words.only(text, language):
            logger.info("backchannel", extra={"action": "backchannel", "language": language})
            if self._words.answers(text, language):
                self._remember(event)
            self._resumes = True
            self._go_on()
        else:
            self._resumes = False
            self._passed.send_nowait(event)

    def _remember(self, event: SpeechEvent) -> None:
        """Pass the event on after all when the agent's speech proves to end in a question about now."""
        said_at = time.monotonic()

        def decide(speech: SpeechHandle) -> None:
            late = time.monotonic() - said_at <= ANSWER_S
            if late and not speech.interrupted and self._asked() and not self._passed.closed:
                self._passed.send_nowait(event)

        if (speech := self._session.current_speech) is not None:
            speech.add_done_callback(decide)

    def _asked(self) -> bool:
        """Whether a question was the last thing that was said."""
        for item in reversed(self._session.history.items):
            if isinstance(item, ChatMessage):
                return item.role == "assistant" and "?" in (item.text_content or "")[-QUESTION_CHARACTERS:]
        return False

    def _on_caller(self, event: UserStateChangedEvent) -> None:
        if event.new_state == "speaking":
            self._resumes = False
        else:
            self._go_on()

    def _on_agent(self, event: AgentStateChangedEvent) -> None:
        if event.new_state == "speaking":
            self._resumes = False

    def _go_on(self) -> None:
        """Go on at once. The SDK does so too, but leaves time for words that we know are not coming."""
        output = self._session.output.audio
        if self._resumes and self._overlap.paused and output and self._session.user_state != "speaking":
            self._resumes = False
            output.resume()
