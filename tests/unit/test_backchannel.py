"""Which words are a listener's, and what becomes of them while the agent speaks, and when it does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livekit.agents import APIConnectionError
from livekit.agents.language import LanguageCode
from livekit.agents.stt import SpeechData, SpeechEvent, SpeechEventType

from callpool.backchannel import Backchannels, without_backchannels
from fake_session import FakeSession, FakeSpeech

FINAL, INTERIM = SpeechEventType.FINAL_TRANSCRIPT, SpeechEventType.INTERIM_TRANSCRIPT


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Yes, true."),
        ("en", "Mhm."),
        ("en", "Mm-hmm, okay."),
        ("en", "Uh-huh"),
        ("en", "Uh huh, yeah, right."),
        ("en", "Aha!"),
        ("en", "I see. That's right."),
        ("en-US", "O.K."),
        ("de", "Ja, genau."),
        ("de-CH", "Mhm, alles klar."),
        ("de", "Natürlich!"),
        ("es", "Sí, vale."),
        ("es", "¡Claro que sí!"),
        ("fr", "Okay, mhm."),
    ],
)
def test_what_a_listener_says(language: str, text: str) -> None:
    """In their language, however it is spelled; sounds and "okay" in every language."""
    assert Backchannels.load().only(text, language)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "No."),
        ("en", "Stop."),
        ("en", "Yes, but not today."),
        ("en", "Okay, one two three."),
        ("en", "Goodbye."),
        ("en", "I see a problem."),
        ("en", "See I"),
        ("en", "Genau."),
        ("de", "Nein, ja."),
        ("de", "Vale."),
        ("es", "No."),
        ("en", ""),
        ("en", " ... "),
    ],
)
def test_what_is_more_than_that(language: str, text: str) -> None:
    """One word that is not listed is enough, and other languages' words are not listed."""
    assert not Backchannels.load().only(text, language)


def test_a_short_guess_may_become_a_listeners_word() -> None:
    """The first guess at "uh-huh" is any short word; two words that no listener says are an interruption."""
    words = Backchannels.load()
    assert words.may_become("Wow, um", "en")
    assert words.may_become("Three.", "en")
    assert not words.may_become("Wait, stop", "en")
    assert not words.may_become("okay but the price", "en")


def heard(text: str, kind: SpeechEventType = FINAL) -> SpeechEvent:
    return SpeechEvent(kind, alternatives=[SpeechData(LanguageCode("en"), text)])


class Ears:
    """Speech to text that hears what a test says, through the filter, in a fake session."""

    def __init__(self, session: FakeSession) -> None:
        self.session = session
        self._events: asyncio.Queue[SpeechEvent | Exception] = asyncio.Queue()
        as_session: Any = session
        self._out = without_backchannels(self._heard(), as_session)
        self._next: asyncio.Task[SpeechEvent] | None = None

    async def _heard(self) -> AsyncIterator[SpeechEvent]:
        while True:
            event = await self._events.get()
            if isinstance(event, Exception):
                raise event
            yield event

    async def begin(self) -> Ears:
        """Until the first event is asked for, nobody listens to the session."""
        self._next = asyncio.ensure_future(anext(aiter(self._out)))
        await settle()
        return self

    async def hear(self, text: str, kind: SpeechEventType = FINAL) -> None:
        self._events.put_nowait(heard(text, kind))
        await settle()

    def fail(self) -> None:
        self._events.put_nowait(APIConnectionError())

    async def passed(self) -> list[str]:
        """What went on to the agent since this was asked last."""
        texts = []
        await settle()
        while self._next is not None and self._next.done():
            texts.append(self._next.result().alternatives[0].text)
            self._next = asyncio.ensure_future(anext(aiter(self._out)))
            await settle()
        return texts

    async def end(self) -> None:
        """Raises what ended the stream."""
        assert self._next is not None
        await self._next


async def settle() -> None:
    """Let everything run that can: nothing here waits for anything but the loop."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def session() -> FakeSession:
    return FakeSession()


@pytest.fixture
async def ears(session: FakeSession) -> Ears:
    return await Ears(session).begin()


def speaks(session: FakeSession) -> FakeSpeech:
    """The agent begins to speak."""
    speech = FakeSpeech(lasts=True)
    session.agent("speaking", speech)
    return speech


def pauses(session: FakeSession, speech: FakeSpeech) -> None:
    """The caller is heard over the agent, which pauses."""
    session.caller("speaking")
    session.agent("listening", speech)


async def test_a_murmur_over_the_agent_is_left_out_and_it_goes_on(session: FakeSession, ears: Ears) -> None:
    """At once, when the final transcript comes after the voice."""
    pauses(session, speaks(session))
    await ears.hear("Uh", INTERIM)
    session.caller("listening")
    assert session.output.audio.resumed == 0
    await ears.hear("Uh-huh.")
    assert session.output.audio.resumed == 1
    assert await ears.passed() == []


async def test_the_agent_does_not_go_on_into_the_callers_voice(session: FakeSession, ears: Ears) -> None:
    """A transcript that comes before the end of the voice: the agent waits for that."""
    pauses(session, speaks(session))
    await ears.hear("Okay.")
    assert session.output.audio.resumed == 0
    session.caller("listening")
    assert session.output.audio.resumed == 1


async def test_what_follows_a_murmur_keeps_the_agent_silent(session: FakeSession, ears: Ears) -> None:
    """The murmur was the beginning of something."""
    pauses(session, speaks(session))
    await ears.hear("Okay.")
    await ears.hear("okay but what does it cost", INTERIM)
    session.caller("listening")
    assert session.output.audio.resumed == 0
    assert await ears.passed() == ["okay but what does it cost"]


async def test_an_interruption_is_passed_on(session: FakeSession, ears: Ears) -> None:
    """From the interim transcript on that can be nothing else."""
    pauses(session, speaks(session))
    await ears.hear("Wait", INTERIM)
    await ears.hear("Wait please stop", INTERIM)
    await ears.hear("Wait, please stop.")
    assert await ears.passed() == ["Wait please stop", "Wait, please stop."]


@pytest.mark.parametrize("text", ["Yes.", "Okay.", "Mhm."])
async def test_the_same_words_after_a_question_are_an_answer(
    session: FakeSession, ears: Ears, text: str
) -> None:
    """The agent is silent: whatever is said is a turn."""
    speech = speaks(session)
    session.agent("listening")
    speech.end()
    session.caller("speaking")
    await ears.hear(text, INTERIM)
    session.caller("listening")
    await ears.hear(text)
    assert await ears.passed() == [text, text]


async def test_an_answer_that_began_before_the_agent_spoke_counts(session: FakeSession, ears: Ears) -> None:
    """The agent asks a silent caller whether they are there, just as they say yes to what came before."""
    session.caller("speaking")
    speaks(session)
    await ears.hear("Yes.")
    assert await ears.passed() == ["Yes."]


async def test_after_an_interruption_every_word_counts(session: FakeSession, ears: Ears) -> None:
    """The speech that stood is gone, and nothing goes on."""
    speech = speaks(session)
    pauses(session, speech)
    speech.interrupted = True
    await ears.hear("Okay.")
    assert await ears.passed() == ["Okay."]


async def test_a_murmur_while_the_agent_thinks_is_left_out(session: FakeSession, ears: Ears) -> None:
    """The caller has said what they want, and somebody works on it."""
    session.agent("thinking")
    session.caller("speaking")
    await ears.hear("Mhm.")
    assert await ears.passed() == []


async def test_a_yes_into_the_end_of_a_question_answers_it(session: FakeSession, ears: Ears) -> None:
    """Polite callers do not wait for the last syllable."""
    speech = speaks(session)
    pauses(session, speech)
    await ears.hear("Yes.")
    assert await ears.passed() == []
    session.add("assistant", "Shall I cancel the order?")
    session.agent("listening")
    speech.end()
    assert await ears.passed() == ["Yes."]


@pytest.mark.parametrize(
    ("said", "text"), [("I have cancelled the order.", "Yes."), ("Shall I cancel it?", "Uh-huh.")]
)
async def test_other_murmurs_at_the_end_answer_nothing(
    session: FakeSession, ears: Ears, said: str, text: str
) -> None:
    """There was no question, or no answer."""
    speech = speaks(session)
    pauses(session, speech)
    await ears.hear(text)
    session.add("assistant", said)
    session.agent("listening")
    speech.end()
    assert await ears.passed() == []


async def test_a_yes_long_before_the_question_is_none(
    session: FakeSession, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent's words went on after it: the caller could not know what they would be asked."""
    speech = speaks(session)
    pauses(session, speech)
    await ears.hear("Yes.")
    monkeypatch.setattr("callpool.backchannel.ANSWER_S", 0.0)
    session.add("assistant", "Shall I cancel the order?")
    session.agent("listening")
    speech.end()
    assert await ears.passed() == []


async def test_words_count_in_the_language_of_the_call(session: FakeSession, ears: Ears) -> None:
    """It may change in mid-call."""
    pauses(session, speaks(session))
    await ears.hear("Genau.")
    session.userdata.language = "de"
    await ears.hear("Genau.")
    assert await ears.passed() == ["Genau."]


async def test_a_failure_of_the_ears_comes_through(ears: Ears) -> None:
    """The SDK connects them anew."""
    ears.fail()
    with pytest.raises(APIConnectionError):
        await ears.end()
