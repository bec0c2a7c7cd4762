"""The groups of settings of the providers: who hears, thinks and speaks, with which key and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from callpool.checks import openai_base, origin, voices
from callpool.secrets import Secret
from callpool.setting_groups import setting

LOCAL_KEY = "local"
"""Sent to a provider that has a base URL and no key: self-hosted ones want a header, not a secret."""

DEEPGRAM_URL = "https://api.deepgram.com"
OPENAI_URL = "https://api.openai.com/v1"
CARTESIA_URL = "https://api.cartesia.ai"
GROQ_URL = "https://api.groq.com/openai/v1"
ELEVENLABS_URL = "https://api.elevenlabs.io/v1"
MODEL = "The model. When it is set, it stands in for those of every profile."

Provider = Literal["deepgram", "openai", "cartesia"]
PROVIDERS: tuple[Provider, ...] = get_args(Provider)


class Keyed:
    """A provider that is called with a key."""

    api_key: Secret

    @property
    def key(self) -> str:
        """What it is sent as its key."""
        return self.api_key.reveal() or LOCAL_KEY


@dataclass(frozen=True)
class Deepgram(Keyed):
    """Speech to text."""

    api_key: Secret = setting("DEEPGRAM_API_KEY", "Its key.", Secret(""))
    base_url: str = setting("DEEPGRAM_BASE_URL", "Its origin, without a path.", DEEPGRAM_URL, origin)
    model: str = setting("CALLPOOL_DEEPGRAM_MODEL", MODEL, "nova-3")


@dataclass(frozen=True)
class OpenAI(Keyed):
    """The language model, and every service that speaks OpenAI's protocol."""

    api_key: Secret = setting("OPENAI_API_KEY", "Its key.", Secret(""))
    base_url: str = setting("OPENAI_BASE_URL", "Its base URL, which ends in /v1.", OPENAI_URL, openai_base)
    model: str = setting("CALLPOOL_OPENAI_MODEL", MODEL, "gpt-4.1-mini")


@dataclass(frozen=True)
class Cartesia(Keyed):
    """Text to speech."""

    api_key: Secret = setting("CARTESIA_API_KEY", "Its key.", Secret(""))
    base_url: str = setting("CARTESIA_BASE_URL", "Its origin, without a path.", CARTESIA_URL, origin)
    model: str = setting("CALLPOOL_CARTESIA_MODEL", MODEL, "sonic-3")
    voice: str = setting("CALLPOOL_CARTESIA_VOICE", "The voice's id.", "f786b574-daa5-4673-aa0c-cbe3e8534c02")
    voices: tuple[str, ...] = setting(
        "CALLPOOL_CARTESIA_VOICES",
        "Voices of single languages in its place, such as de=ID, separated by commas.",
        (),
        voices,
    )


@dataclass(frozen=True)
class Groq(Keyed):
    """Fast language models, over OpenAI's protocol. Optional: profiles leave it out without a key."""

    api_key: Secret = setting("GROQ_API_KEY", "Its key.", Secret(""))
    base_url: str = setting("GROQ_BASE_URL", "Its base URL, which ends in /v1.", GROQ_URL, openai_base)
    model: str = setting("CALLPOOL_GROQ_MODEL", MODEL, "")


@dataclass(frozen=True)
class ElevenLabs(Keyed):
    """Text to speech. Optional: needs the extra `elevenlabs`; profiles leave it out without a key."""

    api_key: Secret = setting("ELEVEN_API_KEY", "Its key.", Secret(""))
    base_url: str = setting(
        "ELEVEN_BASE_URL", "Its base URL, which ends in /v1.", ELEVENLABS_URL, openai_base
    )
    model: str = setting("CALLPOOL_ELEVENLABS_MODEL", MODEL, "")
    voice: str = setting("CALLPOOL_ELEVENLABS_VOICE", "The voice's id.", "hpp4J3VqNfWAUOO0d1Us")
