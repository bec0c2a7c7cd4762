"""ElevenLabs' voice, by the real plugin against a fake of its wire protocol, and Cartesia's after it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from fake_elevenlabs import KEY, FakeElevenLabs
from livekit.agents import APIConnectOptions, tts
from livekit.agents.utils import http_context
from loopback import serving
from test_fallback_speech import NotedVoice, spoken

from callpool import settings
from callpool.fallback.speech import SpeechChain
from callpool.local import cartesia
from callpool.local.behaviour import Behaviour
from callpool.pipeline import Pipeline, build_pipeline
from callpool.profiles import Profiles

pytest.importorskip("livekit.plugins.elevenlabs", reason="the extra `elevenlabs` is not installed")

TEXT = "Your order left our warehouse on Monday. It will be with you tomorrow at noon."
ONCE = APIConnectOptions(max_retry=0, timeout=2.0)


@dataclass
class Voices:
    pipeline: Pipeline
    elevenlabs: FakeElevenLabs
    cartesia: NotedVoice

    @property
    def tts(self) -> tts.TTS:  # type: ignore[type-arg]
        return self.pipeline.tts


@asynccontextmanager
async def voices(fake: FakeElevenLabs, key: str = KEY) -> AsyncIterator[Voices]:
    """The voices of the profile `quality`, on loopback."""
    noted = NotedVoice()
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(fake.running())
        server = await stack.enter_async_context(serving(cartesia.routes(noted, Behaviour())))  # type: ignore[arg-type]
        # Closed before the servers: after a change of language the plugin keeps its old connection open.
        await stack.enter_async_context(http_context.open())
        made = settings.load(
            {
                "DEEPGRAM_API_KEY": "a",
                "DEEPGRAM_BASE_URL": "http://127.0.0.1:1",
                "OPENAI_API_KEY": "b",
                "CARTESIA_API_KEY": "c",
                "CARTESIA_BASE_URL": str(server.make_url("")).rstrip("/"),
                "ELEVEN_API_KEY": key,
                "ELEVEN_BASE_URL": fake.base_url,
                "CALLPOOL_ELEVENLABS_VOICE": "anna",
            }
        )
        profile = Profiles.read(made).usable("quality")
        assert [member.provider for member in profile.tts] == ["elevenlabs", "cartesia"]
        pipeline = build_pipeline(made, None, None, "en", profile=profile)  # type: ignore[arg-type]
        assert isinstance(pipeline.tts, SpeechChain)
        yield Voices(pipeline, fake, noted)
        await pipeline.tts.aclose()
        for voice in pipeline.voices:
            await voice.tts.aclose()


async def test_it_speaks_with_the_key_the_model_and_the_voice_of_the_settings() -> None:
    """And with the language of the call; the fallback is not asked."""
    async with voices(FakeElevenLabs()) as call:
        heard = await spoken(call.tts, TEXT)
    [connection] = call.elevenlabs.connections
    assert connection.voice == "anna"
    assert connection.query["model_id"] == "eleven_turbo_v2_5"
    assert connection.query["language_code"] == "en"
    assert call.elevenlabs.words == TEXT.split()
    assert heard.seconds == pytest.approx(0.06 * len(TEXT), abs=0.5)
    assert heard.words == TEXT.split()
    assert call.cartesia.words == []


async def test_it_begins_with_the_first_words_of_an_answer() -> None:
    """Not with the first whole sentence."""
    async with voices(FakeElevenLabs()) as call:
        await spoken(call.tts, TEXT)
    assert call.elevenlabs.texts[0].split() == TEXT.split()[:4]


async def test_a_change_of_language_makes_a_connection_in_it() -> None:
    """From the next answer on."""
    async with voices(FakeElevenLabs()) as call:
        await spoken(call.tts, "Hello, how can I help you?")
        call.pipeline.set_language("de-CH")
        await spoken(call.tts, "Wie kann ich Ihnen helfen?")
    languages = [each.query["language_code"] for each in call.elevenlabs.connections]
    assert languages == ["en", "de"]


async def test_cartesia_speaks_when_the_key_is_refused() -> None:
    """All of the answer."""
    async with voices(FakeElevenLabs(), key="an old one") as call:
        await spoken(call.tts, TEXT)
    assert call.elevenlabs.connections == []
    assert call.cartesia.words == TEXT.split()


async def test_cartesia_speaks_when_there_is_no_sound() -> None:
    """After a short wait."""
    async with voices(FakeElevenLabs(silent=True)) as call:
        await spoken(call.tts, TEXT)
    assert call.cartesia.words == TEXT.split()


@pytest.mark.parametrize("words", [6, 9])
async def test_cartesia_finishes_a_sentence_that_breaks_off(words: int) -> None:
    """No word is lost. The last one may be said twice: the plugin never tells its time."""
    async with voices(FakeElevenLabs(breaks_after_words=words)) as call:
        await spoken(call.tts, TEXT)
    assert call.cartesia.words in (TEXT.split()[words:], TEXT.split()[words - 1 :])


async def test_a_whole_text_is_spoken_too() -> None:
    """As the greeting is."""
    async with voices(FakeElevenLabs()) as call:
        seconds = 0.0
        async with call.tts.synthesize(TEXT, conn_options=ONCE) as stream:
            async for audio in stream:
                seconds += audio.frame.duration
    assert seconds == pytest.approx(0.06 * len(TEXT), abs=0.5)
