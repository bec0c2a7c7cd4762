"""A whole recording: from WAV or raw samples to words."""

from __future__ import annotations

import asyncio
import io
import wave
from dataclasses import dataclass

import numpy as np

from callpool.errors import CallpoolError
from callpool.local.behaviour import Script
from callpool.local.deepgram_wire import Word, spread
from callpool.local.hearing import Hearing
from callpool.local.utterance import Ended, Segment, Utterances
from callpool.local.voice_activity import RATE_HZ, Resampler, Samples, VoiceActivity

ENDPOINT_S = 0.6
"""Silence between two pieces. There is no hurry, and longer pieces are understood better."""


class RecordingError(CallpoolError):
    """A recording is neither WAV with PCM samples nor raw samples of a known rate."""


@dataclass(frozen=True)
class Transcript:
    """The words of a recording, with estimated times from its start."""

    words: tuple[Word, ...]
    language: str
    confidence: float
    duration_s: float


def read_recording(body: bytes, encoding: str | None, sample_rate_hz: int | None) -> Samples:
    """Decode to 16 kHz mono. A WAV header wins over `encoding`. Raises RecordingError."""
    if body[:4] == b"RIFF":
        pcm, rate_hz = _read_wav(body)
    elif encoding == "linear16" and sample_rate_hz is not None:
        pcm, rate_hz = body, sample_rate_hz
    else:
        raise RecordingError("a recording is unreadable: expected WAV, or linear16 with a sample rate")
    resampler = Resampler(rate_hz)
    return np.concatenate([resampler.push(pcm), resampler.flush()])


def _read_wav(body: bytes) -> tuple[bytes, int]:
    try:
        with wave.open(io.BytesIO(body)) as file:
            rate_hz, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            raw = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise RecordingError(f"a recording is unreadable: expected WAV with PCM samples ({error})") from error
    if width == 1:
        samples = (np.frombuffer(raw, np.uint8).astype(np.int16) - 128) * 256
    else:
        # The two highest bytes of each little-endian sample are what 16 bits can hold.
        whole = len(raw) // width * width
        samples = (
            np.frombuffer(raw[:whole], np.uint8).reshape(-1, width)[:, -2:].copy().view("<i2").reshape(-1)
        )
    whole = len(samples) // channels * channels
    mono = samples[:whole].reshape(-1, channels).mean(axis=1).astype("<i2")
    return mono.tobytes(), rate_hz


async def transcribe(samples: Samples, source: Hearing | Script) -> Transcript:
    """Find the words of `samples` (16 kHz); with a script, the n-th utterance has its n-th text."""
    segments = await asyncio.to_thread(_segments, samples)
    words: list[Word] = []
    language = "en"
    n = 0
    for ended in segments:
        segment = ended.segment
        if isinstance(source, Script):
            heard = source.hears[min(n, len(source.hears) - 1)]
            text, language = heard.text if ended.final else "", heard.language
            n += ended.final
        else:
            text = await source.transcribe(samples[segment.start : segment.end])
        words += spread(text, segment.voiced_from / RATE_HZ, segment.voiced_until / RATE_HZ)
    return Transcript(
        tuple(words), language, _confidence([ended.segment for ended in segments]), len(samples) / RATE_HZ
    )


def _segments(samples: Samples) -> list[Ended]:
    voice, utterances = VoiceActivity(), Utterances(ENDPOINT_S)
    events = [
        event
        for windows in (voice.push(samples), voice.flush())
        for window in windows
        for event in utterances.push(window)
    ]
    ended = [event for event in events if isinstance(event, Ended)]
    if last := utterances.end():
        ended.append(last)
    return ended


def _confidence(segments: list[Segment]) -> float:
    return float(np.mean([segment.confidence for segment in segments])) if segments else 0.0
