"""The caller's words: sentences to sound and sound to words, through the providers' HTTP protocols."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import aiohttp

from callpool.caller.sound import RATE_HZ, Samples, from_pcm, to_wav
from callpool.errors import CallpoolError
from callpool.provider_settings import Cartesia, Deepgram

CARTESIA_VERSION = "2024-11-13"
TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=5)


class SpeechError(CallpoolError):
    """A provider could not turn words into sound, or sound into words."""


@dataclass(frozen=True)
class Speech:
    """The voice and the hearing of a caller. `http` is the caller's own session."""

    http: aiohttp.ClientSession
    deepgram: Deepgram
    cartesia: Cartesia
    language: str = "en"

    async def synthesize(self, text: str) -> Samples:
        """Say a sentence through Cartesia's `/tts/bytes`: 48 kHz mono. Raises SpeechError."""
        url = f"{self.cartesia.base_url.rstrip('/')}/tts/bytes"
        request = {
            "model_id": self.cartesia.model,
            "transcript": text,
            "voice": {"mode": "id", "id": self.cartesia.voice},
            "language": self.language,
            "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": RATE_HZ},
        }
        headers = {"X-API-Key": self.cartesia.key, "Cartesia-Version": CARTESIA_VERSION}
        samples = from_pcm(await self._post(url, headers, json=request), RATE_HZ)
        if not samples.any():
            raise SpeechError(f"{url} gave no sound for {text!r}: expected words that can be spoken")
        return samples

    async def transcribe(self, samples: Samples) -> str:
        """Hear a recording through Deepgram's `POST /v1/listen`. Raises SpeechError."""
        url = f"{self.deepgram.base_url.rstrip('/')}/v1/listen"
        headers = {"Authorization": f"Token {self.deepgram.key}", "Content-Type": "audio/wav"}
        query = {"model": self.deepgram.model, "language": self.language, "smart_format": "true"}
        body = await self._post(url, headers, params=query, data=to_wav(samples))
        try:
            answer = json.loads(body)
            return str(answer["results"]["channels"][0]["alternatives"][0]["transcript"]).strip()
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise SpeechError(
                f"{url} answered with something that is no transcript: {body[:80]!r}"
            ) from error

    async def _post(self, url: str, headers: dict[str, str], **content: Any) -> bytes:
        try:
            async with self.http.post(url, headers=headers, timeout=TIMEOUT, **content) as answer:
                body = await answer.read()
                if answer.status >= 300:
                    reason = " ".join(body[:200].decode(errors="replace").split())
                    raise SpeechError(f"{url} answered {answer.status}: {reason}")
                return body
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SpeechError(
                f"{url} cannot be reached ({why(error)}): run `make up` first, or set a key for the provider"
            ) from error


def why(error: aiohttp.ClientError | TimeoutError) -> str:
    """Why a server could not be reached, in a few words."""
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno:
        return os.strerror(error.os_error.errno).lower()
    return str(error) or "no answer in time"
