"""The text to speech of a call: a plugin, and what a change of language means to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from livekit.agents import tts
from livekit.plugins import cartesia, deepgram

from callpool.call import base_language
from callpool.first_words import FirstWordsTokenizer
from callpool.profiles import Member
from callpool.settings import Settings

AURA_VOICES = {"en": "thalia-en", "de": "viktoria-de", "es": "celeste-es"}
"""Deepgram's voices speak one language each. Any other language gets the English one."""


@dataclass(frozen=True)
class Voice:
    """One text to speech."""

    tts: tts.TTS[Any]
    set_language: Callable[[str], None]
    """Speak a language (`de`, `de-CH`) from the next answer on."""


def make_voice(settings: Settings, member: Member, language: str) -> Voice:
    """The plugin of a profile's member, on the configured base URL."""
    match member.provider:
        case "cartesia":
            return _cartesia(settings, member, language)
        case "deepgram":
            return _deepgram(settings, member, language)
        case "elevenlabs":
            return _elevenlabs(settings, member, language)
    raise ValueError(f"{member} is no text to speech")


def _cartesia(settings: Settings, member: Member, language: str) -> Voice:
    by_language = dict(pair.split("=", 1) for pair in settings.cartesia.voices)

    def voice_of(code: str) -> str:
        return by_language.get(base_language(code), settings.cartesia.voice)

    plugin = cartesia.TTS(
        api_key=settings.cartesia.key,
        base_url=settings.cartesia.base_url.rstrip("/"),
        model=member.model,
        voice=voice_of(language),
        language=language,
        tokenizer=FirstWordsTokenizer(),
    )
    return Voice(plugin, lambda code: plugin.update_options(language=code, voice=voice_of(code)))


def _deepgram(settings: Settings, member: Member, language: str) -> Voice:
    def model_of(code: str) -> str:
        return f"{member.model}-{AURA_VOICES.get(base_language(code), AURA_VOICES['en'])}"

    plugin = deepgram.TTS(
        api_key=settings.deepgram.key,
        base_url=f"{settings.deepgram.base_url.rstrip('/')}/v1/speak",
        model=model_of(language),
    )
    return Voice(plugin, lambda code: plugin.update_options(model=model_of(code)))


def _elevenlabs(settings: Settings, member: Member, language: str) -> Voice:
    # An optional extra, which the worker imports before any caller waits (see `callpool.profiles.plugins`).
    from livekit.plugins import elevenlabs

    plugin = elevenlabs.TTS(
        api_key=settings.elevenlabs.key,
        base_url=settings.elevenlabs.base_url.rstrip("/"),
        model=member.model,
        voice_id=settings.elevenlabs.voice,
        encoding="pcm_24000",
        language=base_language(language),
        word_tokenizer=FirstWordsTokenizer(),
        preferred_alignment="original",
    )
    return Voice(plugin, lambda code: plugin.update_options(language=base_language(code)))


def voice_name(settings: Settings, members: Sequence[Member]) -> str:
    """What tells the voice of a call from others: its clips are no other's."""
    members_and_voices = [*map(str, members), settings.cartesia.voice, *settings.cartesia.voices]
    return " ".join([*members_and_voices, settings.elevenlabs.voice])
