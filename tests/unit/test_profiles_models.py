"""The models of a call, made from a profile."""

from __future__ import annotations

import asyncio
import sys
from subprocess import run

import pytest
from livekit.agents import tts
from livekit.plugins import cartesia, deepgram, openai

from callpool import settings
from callpool.fallback.answer import AnswerChain
from callpool.fallback.speech import SpeechChain
from callpool.language_models import LanguageModels
from callpool.pipeline import Pipeline, build_pipeline
from callpool.profiles import Profiles

KEYS = {"DEEPGRAM_API_KEY": "a", "OPENAI_API_KEY": "b", "CARTESIA_API_KEY": "c"}


def pipeline(env: dict[str, str], profile: str = "balanced", language: str = "en", **wanted: str) -> Pipeline:
    made = settings.load(env)
    return build_pipeline(made, None, None, language, profile=Profiles.read(made).usable(profile), **wanted)  # type: ignore[arg-type]


def language_models(env: dict[str, str]) -> tuple[Profiles, LanguageModels]:
    made = settings.load(env)
    profiles = Profiles.read(made)
    return profiles, LanguageModels(made, profiles)


def test_the_models_of_a_profile_are_a_chain_and_so_is_a_single_one() -> None:
    """One that breaks off is asked again."""
    profiles, models = language_models(KEYS)
    assert isinstance(models.for_profile(profiles.usable("balanced")), AnswerChain)
    only = models.for_profile(profiles.usable("fast"))
    assert isinstance(only, AnswerChain)
    assert [model.model for model in only.members] == ["gpt-4.1-mini"]


def test_stages_with_one_profile_share_its_models() -> None:
    """A connection that was opened for one stage serves the next."""
    profiles, models = language_models(KEYS)
    first, again = (models.for_profile(profiles.usable("quality")) for _ in range(2))
    assert first is again


def test_the_models_of_a_provider_share_their_connections() -> None:
    """So that one request opens the way for all of them."""
    profiles, models = language_models(KEYS | {"GROQ_API_KEY": "g"})
    chain = models.for_profile(profiles.usable("quality"))
    assert isinstance(chain, AnswerChain)
    large, small = chain.members
    assert isinstance(large, openai.LLM)
    assert isinstance(small, openai.LLM)
    assert large._client is small._client
    fast = models.for_profile(profiles.usable("fast"))
    assert isinstance(fast, AnswerChain)
    groq = fast.members[0]
    assert isinstance(groq, openai.LLM)
    assert groq._client is not large._client
    assert str(groq._client.base_url) == "https://api.groq.com/openai/v1/"


def test_models_can_be_made_before_there_is_a_loop() -> None:
    """A process makes them while it warms up."""
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    language_models(KEYS)


def test_a_pipeline_has_chains_of_what_the_profile_names() -> None:
    """With fallbacks and without."""
    made = pipeline(KEYS)
    assert len(made.stt.members) > 1
    assert isinstance(made.tts, SpeechChain)
    assert len(made.tts.members) > 1
    own = {"DEEPGRAM_BASE_URL": "http://127.0.0.1:9000", "CARTESIA_BASE_URL": "http://127.0.0.1:9000"}
    single = pipeline(KEYS | own)
    assert isinstance(single.tts, SpeechChain)
    assert [type(one) for one in (*single.stt.members, *single.tts.members)] == [deepgram.STT, cartesia.TTS]


def test_a_change_of_language_reaches_every_member() -> None:
    """The fallbacks would otherwise answer in the language that the call began with."""
    made = pipeline(KEYS | {"ELEVEN_API_KEY": "e", "CALLPOOL_CARTESIA_VOICES": "de=anna"}, "quality")
    made.set_language("de-CH", listen_to="multi")
    first, second = (ears.stt for ears in made.ears)
    assert isinstance(first, deepgram.STT)
    assert isinstance(second, cartesia.STT)
    assert first._opts.language == "multi"
    assert second._language == "de"
    eleven, sonic, aura = (voice.tts for voice in made.voices)
    assert eleven._opts.language == "de"  # type: ignore[attr-defined]
    assert isinstance(sonic, cartesia.TTS)
    assert sonic._opts.language is not None
    assert sonic._opts.language.language == "de"
    assert sonic._opts.voice == "anna"
    assert aura.model == "aura-2-viktoria-de"


def test_a_language_without_a_voice_of_its_own_keeps_the_one_there_is() -> None:
    """Sonic speaks it with the same voice; Aura has only the English one."""
    made = pipeline(KEYS | {"CALLPOOL_CARTESIA_VOICE": "kate"}, language="fr")
    sonic, aura = (voice.tts for voice in made.voices)
    assert isinstance(sonic, cartesia.TTS)
    assert sonic._opts.voice == "kate"
    assert aura.model == "aura-2-thalia-en"


def test_it_listens_for_what_it_is_told_from_the_beginning() -> None:
    """`multi` follows a caller whose language is not known yet."""
    ears = pipeline(KEYS, listen_to="multi").ears[0].stt
    assert isinstance(ears, deepgram.STT)
    assert ears._opts.language == "multi"


def test_voices_of_all_members_have_one_rate() -> None:
    """Nothing is converted on the way to the caller."""
    made = pipeline(KEYS | {"ELEVEN_API_KEY": "e"}, "quality")
    assert {voice.tts.sample_rate for voice in made.voices} == {24000}
    assert isinstance(made.tts, tts.TTS)


def test_elevenlabs_is_not_imported_unless_it_is_used() -> None:
    """It is an extra that most installations lack."""
    code = (
        "import sys\n"
        "from callpool import settings, pipeline\n"
        "made = settings.load({'DEEPGRAM_API_KEY': 'a', 'OPENAI_API_KEY': 'b', 'CARTESIA_API_KEY': 'c'})\n"
        "from callpool.profiles import Profiles\n"
        "profile = Profiles.read(made).usable('quality')\n"
        "pipeline.build_pipeline(made, None, None, 'en', profile=profile)\n"
        "sys.exit('livekit.plugins.elevenlabs' in sys.modules)\n"
    )
    assert run([sys.executable, "-c", code], check=False).returncode == 0
