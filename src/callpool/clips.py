"""Sentences that are synthesized before they are needed: for when a provider fails, the voice included."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import secrets
import wave
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from livekit import rtc
from livekit.agents import APIError, tts
from livekit.agents.utils import http_context

from callpool import service_phrases
from callpool.call import base_language
from callpool.fallback import speaking
from callpool.profiles import Profiles
from callpool.service_phrases import Key
from callpool.settings import Settings
from callpool.voices import make_voice, voice_name

logger = logging.getLogger(__name__)

KEYS: tuple[Key, ...] = ("filler", "apology", "still_waiting", "farewell")
"""What there are clips of, the most urgent first."""

Clip = rtc.AudioFrame

_UNREADABLE = (OSError, EOFError, wave.Error, ValueError)
"""What a file raises that is no clip. ValueError: it has less sound than it says."""


class Clips:
    """The clips of one voice. Each is made once for a language: the calls of a worker share them."""

    def __init__(self, voice: tts.TTS[Any], name: str, folder: Path | None = None) -> None:
        """`name`: what tells this voice from others; `folder`: where a worker keeps clips (None: nowhere)."""
        self._voice = voice
        self._name = name
        self._folder = folder
        self._clips: dict[tuple[Key, str], Clip] = {}
        self._unreadable: set[Path] = set()

    def get(self, key: Key, language: str) -> Clip | None:
        """A clip in a language (`de`, `de-CH`), if there is one."""
        return self._clips.get((key, base_language(language)))

    def __contains__(self, language: str) -> bool:
        return all(self.get(key, language) is not None for key in KEYS)

    def load(self, language: str) -> None:
        """Read what other calls of the worker have made: milliseconds. What cannot be read is absent."""
        for key in KEYS:
            path = self._path(key, language)
            if self.get(key, language) is not None or path is None:
                continue
            try:
                self._clips[key, base_language(language)] = _read(path)
            except FileNotFoundError:
                continue
            except _UNREADABLE as error:
                if path not in self._unreadable:
                    self._unreadable.add(path)
                    _warn("a clip cannot be read", language, error)

    async def fetch(self, language: str) -> None:
        """As `load`, while the call goes on."""
        await asyncio.to_thread(self.load, language)

    async def make(self, language: Callable[[], str]) -> None:
        """Have those synthesized that are missing in the language that the voice speaks now.

        A voice that fails is logged, and asked another time; one that goes on in another language, too.
        """
        wanted = language()
        try:
            await self.fetch(wanted)
            for key in KEYS:
                if self.get(key, wanted) is None:
                    clip = await self._synthesize(key, wanted)
                    if language() != wanted:
                        return
                    await self._keep(key, wanted, clip)
        except APIError as error:
            _warn("a clip could not be made", wanted, error)

    async def _synthesize(self, key: Key, language: str) -> Clip:

        async with self._voice.synthesize(service_phrases.words(key, language)) as stream:
            return rtc.combine_audio_frames([audio.frame async for audio in stream])

    async def _keep(self, key: Key, language: str, clip: Clip) -> None:
        self._clips[key, base_language(language)] = clip
        if (path := self._path(key, language)) is not None:
            try:
                await asyncio.to_thread(_write, path, clip)
            except OSError as error:  # this call has its clip all the same
                _warn("a clip could not be kept", language, error)

    def _path(self, key: Key, language: str) -> Path | None:
        if self._folder is None:
            return None
        words = service_phrases.words(key, language)
        digest = hashlib.sha256(f"{self._name}\n{base_language(language)}\n{words}".encode()).hexdigest()
        return self._folder / f"{key}-{digest[:16]}.wav"


def _read(path: Path) -> Clip:
    with wave.open(str(path), "rb") as file:
        samples = file.getnframes()
        return rtc.AudioFrame(file.readframes(samples), file.getframerate(), file.getnchannels(), samples)


def _write(path: Path, clip: Clip) -> None:
    """Whole, or not at all: other jobs of the worker may read it, or write it, at the same time."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}-{secrets.token_hex(4)}")
    try:
        partial.write_bytes(clip.to_wav_bytes())
        partial.rename(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def _warn(what: str, language: str, error: Exception) -> None:
    logger.warning(what, extra={"action": "clip_failed", "language": language, "error": error})


async def prepare(settings: Settings, folder: Path) -> None:
    """Make the clips of a worker before its first call: in the language that calls begin in."""
    try:
        if await _prepare(settings, folder):
            logger.info("clips prepared", extra={"action": "clips_prepared"})
    except Exception:  # a worker serves its calls without
        logger.exception("clips could not be prepared", extra={"action": "clip_failed"})


async def _prepare(settings: Settings, folder: Path) -> bool:
    profile = Profiles.read(settings).of_call(None)
    language = settings.worker.languages[0]
    async with http_context.open():
        voices = [make_voice(settings, member, language).tts for member in profile.tts]
        async with speaking(voices, [member.provider for member in profile.tts]) as voice:
            clips = Clips(voice, voice_name(settings, profile.tts), folder)
            await clips.make(lambda: language)
        for each in voices:
            await each.aclose()
    return language in clips


async def played(clip: Clip) -> AsyncIterator[rtc.AudioFrame]:
    """A clip as a session takes audio."""
    yield clip
