"""Voices in a chain: the real plugin against servers that fail."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from livekit.agents import APIConnectOptions, APIError, tts
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit.agents.voice.io import TimedString
from livekit.plugins import cartesia as plugin
from loopback import serving

from callpool.fallback.speech import SpeechChain
from callpool.first_words import FirstWordsTokenizer
from callpool.local import cartesia, cartesia_contexts
from callpool.local.behaviour import Behaviour, Fault, FaultKind
from callpool.local.speaking import Buzz, Speech

TEXT = "Your order left our warehouse on Monday. It will be with you tomorrow at noon. Anything else?"
ATTEMPT = APIConnectOptions(max_retry=0, timeout=2.0)
HEDGE_S = 0.5
PATIENCE_S = 2.5


@pytest.fixture(autouse=True)
def _longer_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """`drop` cuts a connection after a first piece of audio: one with words in it."""
    monkeypatch.setattr(cartesia_contexts, "CHUNK_S", 0.5)


@dataclass
class NotedVoice:
    """A hum that remembers what it was asked to say."""

    texts: list[str] = field(default_factory=list)

    async def say(self, text: str, sample_rate_hz: int) -> Speech:
        self.texts.append(text)
        return await Buzz().say(text, sample_rate_hz)

    @property
    def words(self) -> list[str]:
        return " ".join(self.texts).split()


def fails_once() -> Callable[[], float]:
    """A die that strikes at the first throw only."""
    throws = iter([0.0])
    return lambda: next(throws, 1.0)


@asynccontextmanager
async def chained(
    *faults: FaultKind | None, rates_hz: Sequence[int] = (24000, 24000)
) -> AsyncIterator[tuple[SpeechChain, list[NotedVoice]]]:
    """A chain of plugins, each on a server of its own that has the fault."""
    voices = [NotedVoice() for _ in faults]
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        members: list[tts.TTS] = []  # type: ignore[type-arg]
        for voice, fault, rate_hz in zip(voices, faults, rates_hz, strict=False):
            behaviour = Behaviour(faults=[Fault(fault, 1.0)] if fault else [])
            if len(faults) == 1:
                behaviour.random.random = fails_once()  # type: ignore[method-assign]
            server = await stack.enter_async_context(serving(cartesia.routes(voice, behaviour)))  # type: ignore[arg-type]
            members.append(
                plugin.TTS(
                    base_url=str(server.make_url("")).rstrip("/"),
                    api_key="any",
                    http_session=session,
                    sample_rate=rate_hz,
                    tokenizer=FirstWordsTokenizer(),
                )
            )
        chain = SpeechChain(members, hedge_s=HEDGE_S, patience_s=PATIENCE_S)
        yield chain, voices
        await chain.aclose()
        for member in members:
            await member.aclose()


@dataclass
class Heard:
    seconds: float
    words: list[str]
    times_s: list[float]


async def spoken(chain: tts.TTS, text: str = TEXT) -> Heard:  # type: ignore[type-arg]
    """Say a text as a model gives it, word by word."""
    seconds = 0.0
    words: list[TimedString] = []
    async with chain.stream(conn_options=ATTEMPT) as stream:
        for word in text.split(" "):
            stream.push_text(f"{word} ")
        stream.end_input()
        async for audio in stream:
            seconds += audio.frame.duration
            words += audio.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT) or []
    return Heard(seconds, "".join(words).split(), [word.start_time for word in words])


async def whole_s() -> float:
    """How long the text is when nothing fails."""
    async with chained(None, None) as (chain, _):
        return (await spoken(chain)).seconds


@pytest.mark.parametrize("fault", ["429", "500", "hang", "garbage", "drop", "slow"])
async def test_a_single_voice_is_asked_again(fault: FaultKind) -> None:
    """Whatever went wrong the first time: all of the text is heard, and nothing of it twice."""
    async with chained(fault) as (chain, _):
        chain._patience_s = 6.0
        heard = await spoken(chain)
        assert heard.seconds == pytest.approx(await whole_s(), abs=0.5)
    assert heard.words[-1] == "else?"
    assert heard.times_s == sorted(heard.times_s)


@pytest.mark.parametrize("fault", ["429", "500", "garbage", "hang"])
async def test_the_next_voice_speaks_for_one_that_makes_no_sound(fault: FaultKind) -> None:
    """All of the text, and soon."""
    async with chained(fault, None) as (chain, voices):
        started = time.monotonic()
        heard = await spoken(chain)
        took_s = time.monotonic() - started
    assert voices[1].words == TEXT.split()
    assert heard.seconds == pytest.approx(await whole_s(), abs=0.1)
    assert took_s < HEDGE_S + 1.5


async def test_a_sentence_that_breaks_off_is_finished_by_the_next_voice() -> None:
    """From the first word on that was not heard: none is lost, none is said twice."""
    async with chained("drop", None) as (chain, voices):
        heard = await spoken(chain)
    said_by_second = voices[1].words
    assert 0 < len(said_by_second) < len(TEXT.split())
    assert TEXT.split()[-len(said_by_second) :] == said_by_second
    assert heard.seconds == pytest.approx(await whole_s(), abs=0.5)


async def test_the_times_of_words_go_on_where_the_first_voice_ended() -> None:
    """What was heard of an interrupted answer is found by them."""
    async with chained("drop", None) as (chain, _):
        heard = await spoken(chain)
    assert heard.times_s == sorted(heard.times_s)
    assert heard.words[-1] == "else?"


async def test_text_that_comes_after_the_failure_is_spoken_too() -> None:
    """The next voice takes over in the middle of an answer that is still being thought."""
    async with chained("drop", None) as (chain, voices), chain.stream(conn_options=ATTEMPT) as stream:
        stream.push_text("Your order left our warehouse on Monday. ")
        first = await stream.__anext__()
        stream.push_text("It will be with you tomorrow at noon.")
        stream.end_input()
        seconds = first.frame.duration + sum([audio.frame.duration async for audio in stream])
        assert " ".join(voices[1].words).endswith("It will be with you tomorrow at noon.")
        assert seconds > first.frame.duration


async def test_voices_of_two_rates_make_one_speech() -> None:
    """A telephone voice after a better one is converted to the rate of the chain."""
    async with chained("drop", None, rates_hz=(24000, 16000)) as (chain, _):
        assert chain.sample_rate == 24000
        heard = await spoken(chain)
    assert heard.seconds == pytest.approx(await whole_s(), abs=0.5)


async def test_a_whole_text_is_finished_by_the_next_voice() -> None:
    """The greeting is asked for in one piece, and is not cut short either."""
    async with chained("drop", None) as (chain, voices):
        seconds = 0.0
        async with chain.synthesize(TEXT, conn_options=ATTEMPT) as stream:
            async for audio in stream:
                seconds += audio.frame.duration
    assert TEXT.split()[-len(voices[1].words) :] == voices[1].words
    assert seconds == pytest.approx(await whole_s(), abs=0.5)


@pytest.mark.parametrize("whole", [True, False])
async def test_what_is_spoken_is_counted_once(whole: bool) -> None:
    """By the voice that spoke it: providers are paid for characters."""
    counted: list[tuple[str, int]] = []
    async with chained(None, None) as (chain, _):
        chain.on("metrics_collected", lambda each: counted.append((each.label, each.characters_count)))
        if whole:
            async with chain.synthesize(TEXT, conn_options=ATTEMPT) as stream:
                async for _ in stream:
                    pass
        else:
            await spoken(chain)
    assert [label for label, _ in counted] == ["livekit.plugins.cartesia.tts.TTS"]
    assert counted[0][1] == pytest.approx(len(TEXT), abs=1)


async def test_a_chain_without_a_voice_that_speaks_fails() -> None:
    """The session is told, and apologizes."""
    async with chained("500", "500") as (chain, _):
        with pytest.raises(APIError):
            await spoken(chain)


async def test_a_voice_that_waits_for_text_has_not_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that pauses longer than a voice waits keeps its voice."""
    options = APIConnectOptions(max_retry=0, timeout=0.3)
    async with chained(None, None) as (chain, voices), chain.stream(conn_options=options) as stream:
        first: tts.TTS = chain._tts_instances[0]  # type: ignore[type-arg]
        streams, make = asyncio.Semaphore(0), first.stream

        def counted(**options: Any) -> tts.SynthesizeStream:
            streams.release()
            return make(**options)

        monkeypatch.setattr(first, "stream", counted)
        stream.push_text("Your order left our warehouse on Monday. It will ")
        listening = asyncio.create_task(_all(stream))
        async with asyncio.timeout(5):
            await streams.acquire()
            await streams.acquire()  # after the first one was given up
        stream.push_text("be with you tomorrow.")
        stream.end_input()
        seconds = await listening
    assert " ".join(voices[0].words).endswith("on Monday. It will be with you tomorrow.")
    assert voices[1].words == []
    assert seconds > 3


async def _all(stream: tts.SynthesizeStream) -> float:
    return sum([audio.frame.duration async for audio in stream])
