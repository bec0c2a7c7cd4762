"""The language of a call: found once, followed from there on, and changed by nothing small."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from livekit import rtc
from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    ConversationItemAddedEvent,
    UserInputTranscribedEvent,
)
from livekit.agents.language import LanguageCode
from livekit.agents.llm import ChatMessage
from livekit.agents.voice.events import AgentState

from callpool import language
from callpool.call import Call
from callpool.identification import Identification
from callpool.language import SEVERAL, Languages, UnspokenLanguage

IDENTIFICATION = Identification(("en", "de", "es"))


class Instructed:
    """An agent that knows the language of its instructions."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.language = call.language

    async def renew_instructions(self) -> None:
        self.language = self._call.language


class Session(rtc.EventEmitter[str]):
    """What `Languages` sees of a session, with sentences put in by hand."""

    def __init__(self, agent: Instructed) -> None:
        super().__init__()
        self.current_agent = agent
        self.user_state = "listening"

    async def hear(self, text: str, language: str = "", *, final: bool = True) -> None:
        """Speech to text reports a sentence, and the tasks that this starts have run."""
        self.emit(
            "user_input_transcribed",
            UserInputTranscribedEvent(
                transcript=text, is_final=final, language=LanguageCode(language) if language else None
            ),
        )
        await asyncio.sleep(0)

    def trust(self, text: str, confidence: float) -> None:
        """The sentence is added to the conversation, with what speech to text trusts it."""
        message = ChatMessage(role="user", content=[text], transcript_confidence=confidence)
        self.emit("conversation_item_added", ConversationItemAddedEvent(item=message))

    async def agent_speaks(self) -> None:
        """It begins to, and goes on for longer than the ears wait."""
        self._agent_state("speaking")
        for _ in range(3):  # the passes of the loop that a timer of no time takes
            await asyncio.sleep(0)
        self._agent_state("listening")

    async def agent_is_cut_short(self) -> None:
        """It begins to speak, and stops at once."""
        self._agent_state("speaking")
        self._agent_state("listening")
        for _ in range(3):
            await asyncio.sleep(0)

    def _agent_state(self, state: AgentState) -> None:
        self.emit("agent_state_changed", AgentStateChangedEvent(old_state="thinking", new_state=state))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "CALM_S", 0.0)


@dataclass
class Speech:
    """Remembers what it was told, in order."""

    told: list[tuple[str, ...]] = field(default_factory=list)

    def speak_in(self, language: str) -> None:
        self.told.append(("speak", language))

    def listen_in(self, language: str, listen_to: str) -> None:
        self.told.append(("listen", language, listen_to))


class Talk:
    """A call whose language is followed."""

    def __init__(self, language: str = "en", *, chosen: bool = False) -> None:
        self.call = Call(
            "c_1", room="call-1", agent_name="callpool", language=language, chose_language=chosen
        )
        self.changes: list[str] = []
        self.languages = Languages(self.call, IDENTIFICATION, on_change=self.changes.append)
        self.agent = Instructed(self.call)
        self.session = Session(self.agent)
        self.speech = Speech()
        self.languages.follow(cast("AgentSession[Any]", self.session), self.speech)


async def test_the_first_words_decide() -> None:
    """Voice, instructions and record change with them; the ears once the agent speaks."""
    talk = Talk()
    assert talk.languages.ears == SEVERAL
    await talk.session.hear("Guten Tag, wo ist meine Bestellung?", "de")
    assert talk.call.language == talk.agent.language == "de"
    assert talk.changes == ["de"]
    assert talk.speech.told == [("speak", "de")]
    await talk.session.agent_speaks()
    assert talk.speech.told == [("speak", "de"), ("listen", "de", "de")]
    assert talk.languages.ears == "de"


async def test_words_under_way_are_not_lost_to_a_change_of_ears() -> None:
    """A connection that is made anew forgets what was half said: it waits for a caller who listens."""
    talk = Talk()
    await talk.session.hear("Hallo.", "de")
    talk.session.user_state = "speaking"
    await talk.session.agent_speaks()
    assert talk.languages.ears == SEVERAL
    talk.session.user_state = "listening"
    await talk.session.agent_is_cut_short()
    assert talk.languages.ears == SEVERAL
    await talk.session.agent_speaks()
    assert talk.languages.ears == "de"


async def test_a_caller_who_speaks_the_service_s_language_changes_nothing_but_the_ears() -> None:
    """They hear one language better than several."""
    talk = Talk()
    await talk.session.hear("Hello, where is my order?", "en")
    await talk.session.agent_speaks()
    await talk.session.agent_speaks()
    assert talk.changes == []
    assert talk.speech.told == [("listen", "en", "en")]


async def test_interim_words_decide_nothing() -> None:
    """They are not said yet."""
    talk = Talk()
    await talk.session.hear("Guten Tag, wo ist meine", "de", final=False)
    assert talk.call.language == "en"


async def test_small_things_in_between_change_nothing() -> None:
    """A call in German stays German through names, numbers and short answers of any language."""
    talk = Talk()
    await talk.session.hear("Ich möchte meine Bestellung stornieren", "de")
    for sentence in ("Okay.", "No.", "yes please", "James Miller", "one two three four five", "María López"):
        await talk.session.hear(sentence, "en")
        await talk.session.hear(sentence, "es")
    assert talk.changes == ["de"]


async def test_a_later_switch_is_followed_by_the_words_alone() -> None:
    """Ears that listen for one language report it for everything, so their reports are not asked."""
    talk = Talk()
    await talk.session.hear("Ich möchte meine Bestellung stornieren", "de")
    await talk.session.agent_speaks()
    await talk.session.hear("Perdone, ¿podemos seguir en español?", "de")
    assert talk.changes == ["de", "es"]
    assert talk.agent.language == "es"
    await talk.session.agent_speaks()
    assert talk.languages.ears == "es"


async def test_ears_that_are_in_doubt_listen_for_all_languages_again() -> None:
    """Words of another language reach ears that listen for one as nonsense that they hardly trust."""
    talk = Talk()
    await talk.session.hear("Ich möchte meine Bestellung stornieren", "de")
    talk.session.trust("Ich möchte meine Bestellung stornieren", 0.95)
    await talk.session.agent_speaks()
    assert talk.languages.ears == "de"
    talk.session.trust("Mhm, ja.", 0.3)
    await talk.session.agent_speaks()
    assert talk.languages.ears == "de", "a mumble is no other language"
    talk.session.trust("Quere Ohren gar nicht", 0.3)
    await talk.session.agent_speaks()
    assert talk.speech.told[-1] == ("listen", "de", SEVERAL)
    await talk.session.hear("Quiero cancelar mi pedido", "es")
    await talk.session.agent_speaks()
    assert talk.speech.told[-2:] == [("speak", "es"), ("listen", "es", "es")]


async def test_a_language_that_was_asked_for_is_kept_until_a_whole_sentence_in_another() -> None:
    """What the caller chose on the page counts more than a hello."""
    talk = Talk("de-CH", chosen=True)
    assert talk.languages.ears == "de-CH"
    await talk.session.hear("Hello.", "de")
    assert talk.call.language == "de-CH"
    await talk.session.hear("Ich möchte meine Bestellung stornieren", "de")
    await talk.session.agent_speaks()
    assert talk.call.language == talk.languages.ears == "de-CH", "German is what was asked for"
    await talk.session.hear("I would like to speak English with you", "de")
    assert talk.call.language == "en"


async def test_a_text_decides_as_speech_does() -> None:
    """For conversations without speech to text."""
    talk = Talk()
    await talk.languages.heard("¿Dónde está mi pedido, por favor?")
    assert talk.call.language == talk.agent.language == "es"


@pytest.mark.parametrize("asked", ["de", "German", "german", "Deutsch", "alemán", " DE ", "de-AT"])
async def test_a_language_can_be_asked_for_by_any_of_its_names(asked: str) -> None:
    """In English, in its own language, in another that ships, or as a code."""
    talk = Talk()
    assert await talk.languages.switch(asked) == "German"
    assert talk.call.language == talk.agent.language == "de"


@pytest.mark.parametrize("asked", ["French", "fr", "Klingon", ""])
async def test_an_unspoken_language_is_refused_with_those_that_are_spoken(asked: str) -> None:
    """The call stays as it is."""
    talk = Talk()
    with pytest.raises(UnspokenLanguage, match="only English, German and Spanish"):
        await talk.languages.switch(asked)
    assert talk.call.language == "en"


async def test_what_was_asked_for_is_not_undone_by_the_sentence_that_asked() -> None:
    """ "Can we speak German?" is English, and the answer is German."""
    talk = Talk()
    await talk.session.hear("Could we please speak German instead?", "en")
    await talk.languages.switch("German")
    await talk.session.hear("Okay.", "en")
    assert talk.call.language == "de"


async def test_one_language_is_listened_for_where_one_is_spoken() -> None:
    """Nothing is followed then."""
    call = Call("c_1", room="call-1", agent_name="callpool")
    languages = Languages(call, Identification(("en",)))
    assert languages.ears == "en"
    with pytest.raises(UnspokenLanguage, match="only English"):
        await languages.switch("de")
