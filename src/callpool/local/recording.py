"""A whole recording: from WAV or raw samples to words."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass

import av
import numpy as np

from callpool.errors import CallpoolError
from callpool.local.behaviour import Script
from callpool.local.hearing import Hearing
from callpool.local.listen_query import HIGHEST_RATE_HZ, LEAST_RATE_HZ
from callpool.local.utterance import Ended, Segment, Utterances
from callpool.local.voice_activity import RATE_HZ, Resampler, Samples, VoiceActivity
from callpool.local.word_times import Word, spread

ENDPOINT_S = 0.6
"""Silence between two pieces. There is no hurry, and longer pieces are understood better."""


class RecordingError(CallpoolError):
    """A recording is neither WAV of a usable rate nor raw samples of a known one."""


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
        return _read_wav(body)
    if encoding != "linear16" or sample_rate_hz is None:
        raise RecordingError("a recording is unreadable: expected WAV, or linear16 with a sample rate")
    resampler = Resampler(sample_rate_hz)
    return np.concatenate([resampler.push(body), resampler.flush()])


def _read_wav(body: bytes) -> Samples:
    resampler = av.AudioResampler("s16", "mono", RATE_HZ)
    pieces: list[av.AudioFrame] = []
    try:
        with av.open(io.BytesIO(body), mode="r", format="wav") as file:
            for frame in file.decode(audio=0):
                # A header may claim any rate: from 1 Hz, a small body becomes hours of samples.
                if not LEAST_RATE_HZ <= frame.sample_rate <= HIGHEST_RATE_HZ:
                    raise RecordingError(
                        f"a recording has {frame.sample_rate} Hz: "
                        f"expected a rate from {LEAST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz"
                    )
                pieces += resampler.resample(frame)
            pieces += resampler.resample(None)
    except (av.FFmpegError, IndexError) as error:
        raise RecordingError(f"a recording is unreadable: expected WAV ({error})") from error
    return np.concatenate([np.zeros(0, np.int16), *(piece.to_ndarray()[0] for piece in pieces)])


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
        words += spread(text.split(), segment.voiced_from / RATE_HZ, segment.voiced_until / RATE_HZ)
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
