"""Sound as the caller handles it: 48 kHz mono 16-bit samples, and what counts as audible in them."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from callpool.errors import SettingError
from callpool.local.speaking import resample

RATE_HZ = 48000
WINDOW_S = 0.01
WINDOW_SAMPLES = RATE_HZ // 100
AUDIBLE_RMS = 180.0
"""A 10 ms window at or above it is audible: -45 dB of full scale, above room noise, below any speech."""

Samples: TypeAlias = NDArray[np.int16]
"""48 kHz mono."""


def levels(samples: Samples) -> NDArray[np.float64]:
    """The RMS of each 10 ms window; a last window that is not full counts as if silence followed."""
    missing = -len(samples) % WINDOW_SAMPLES
    windows = np.pad(samples, (0, missing)).reshape(-1, WINDOW_SAMPLES).astype(np.float64)
    means: NDArray[np.float64] = np.mean(windows * windows, axis=1)
    return np.sqrt(means)


def audible_span(samples: Samples) -> tuple[int, int] | None:
    """Where the voice is: the first sample of the first audible window and the end of the last one.

    None for a recording in which nothing is audible.
    """
    audible = np.flatnonzero(levels(samples) >= AUDIBLE_RMS)
    if not audible.size:
        return None
    return int(audible[0]) * WINDOW_SAMPLES, min(int(audible[-1] + 1) * WINDOW_SAMPLES, len(samples))


def from_pcm(data: bytes, rate_hz: int, channels: int = 1) -> Samples:
    """Make 48 kHz mono of interleaved 16-bit samples."""
    interleaved = np.frombuffer(data[: len(data) // (2 * channels) * 2 * channels], dtype="<i2")
    mono: Samples = interleaved.reshape(-1, channels).mean(axis=1).astype(np.int16)
    return resample(mono, rate_hz, RATE_HZ)


def read_wav(path: Path) -> Samples:
    """Read a recording of any rate. Raises SettingError for what is no 16-bit mono or stereo WAV file."""
    expected = "a WAV file with 16-bit samples, mono or stereo"
    try:
        with wave.open(str(path), "rb") as recording:
            width, channels, rate_hz = (
                recording.getsampwidth(),
                recording.getnchannels(),
                recording.getframerate(),
            )
            data = recording.readframes(recording.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        reason = str(error) or "it ends too early"
        raise SettingError("--wav", str(path), f"{expected} ({reason})") from error
    if width != 2 or channels not in (1, 2):
        raise SettingError("--wav", str(path), f"{expected} (it has {channels} channels of {8 * width} bits)")
    if not 4000 <= rate_hz <= 192000:
        raise SettingError("--wav", str(path), f"{expected}, at 4000 to 192000 Hz (it has {rate_hz} Hz)")
    samples = from_pcm(data, rate_hz, channels)
    if audible_span(samples) is None:
        raise SettingError("--wav", str(path), f"{expected}, with something audible in it")
    return samples


def to_wav(*sides: Samples) -> bytes:
    """A WAV file's bytes, with one channel for each side; the shorter side is filled up with silence."""
    length = max(len(side) for side in sides)
    channels = np.stack([np.pad(side, (0, length - len(side))) for side in sides], axis=1)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as recording:
        recording.setnchannels(len(sides))
        recording.setsampwidth(2)
        recording.setframerate(RATE_HZ)
        recording.writeframes(channels.astype("<i2").tobytes())
    return buffer.getvalue()
