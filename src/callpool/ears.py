"""The speech to text of a call: a plugin, and what a change of language means to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from livekit.agents import stt
from livekit.plugins import cartesia, deepgram

from callpool.call import base_language
from callpool.profiles import Member
from callpool.settings import Settings


@dataclass(frozen=True)
class Ears:
    """One speech to text."""

    stt: stt.STT[Any]

    def set_language(self, language: str, listen_to: str) -> None:
        """Understand `listen_to` from now on: a language, or `multi` where the model can follow several."""
        match self.stt:
            case deepgram.STT() as deepgram_stt:
                deepgram_stt.update_options(language=listen_to)
            case cartesia.STT() as cartesia_stt:
                cartesia_stt.update_options(language=base_language(language))
            case _:
                raise TypeError(f"{self.stt.label} has no languages that are known here")


def make_ears(settings: Settings, member: Member, language: str, listen_to: str, tag: str = "") -> Ears:
    """The plugin of a profile's member, on the configured base URL."""
    match member.provider:
        case "deepgram":
            return Ears(
                deepgram.STT(
                    api_key=settings.deepgram.key,
                    base_url=f"{settings.deepgram.base_url.rstrip('/')}/v1/listen",
                    model=member.model,
                    language=listen_to,
                    tags=[tag] if tag else [],
                )
            )
        case "cartesia":
            return Ears(
                cartesia.STT(
                    api_key=settings.cartesia.key,
                    base_url=settings.cartesia.base_url.rstrip("/"),
                    model=member.model,
                    # It follows one language at a time.
                    language=base_language(language),
                )
            )
    raise ValueError(f"{member} is no speech to text")
