"""Where there is a voice: audio of any rate to 16 kHz, each 32 ms of it judged by Silero and by its level.

Silero alone notices the end of a voice 60 to 150 ms late, and a level alone takes noise for a voice; together
they find the last voiced sample within 8 ms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
from livekit.local_inference import VAD, VAD_WINDOW_SAMPLES
from numpy.typing import NDArray

RATE_HZ = 16_000
WINDOW = VAD_WINDOW_SAMPLES
"""Samples that are judged at once: 32 ms."""

FRAME = WINDOW // 4
"""Samples over which a level is measured: 8 ms."""

SPEECH_PROBABILITY = 0.35
FLOOR_DBFS = -50.0
"""A level below this is no voice, whatever Silero thinks."""

BELOW_PEAK_DB = 35.0
"""Nor is a level this far below the loudest of late: a voice fades into the room's noise."""

PEAK_DECAY_DB = 0.3
"""How much the loudest level of late is lowered in each window (about 9 dB a second)."""

Samples = NDArray[np.int16]
"""Mono audio at 16 kHz."""


class Resampler:
    """Signed 16-bit mono audio at `rate_hz` to 16 kHz, in pieces, about a millisecond late."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._odd = b""
        self._inner = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)

    def push(self, pcm: bytes) -> Samples:
        """Take little-endian samples; half a sample at the end waits for its other half."""
        pcm = self._odd + pcm
        whole = len(pcm) // 2 * 2
        self._odd = pcm[whole:]
        samples = np.frombuffer(pcm[:whole], "<i2")
        if self._rate_hz == RATE_HZ or not len(samples):
            return samples.astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = self._rate_hz
        return _joined(self._inner.resample(frame))

    def flush(self) -> Samples:
        """Give what was held back for the filter."""
        return np.zeros(0, np.int16) if self._rate_hz == RATE_HZ else _joined(self._inner.resample(None))


def _joined(frames: list[av.AudioFrame]) -> Samples:
    parts = [frame.to_ndarray().reshape(-1) for frame in frames]
    return np.concatenate(parts).astype(np.int16) if parts else np.zeros(0, np.int16)


@dataclass(frozen=True)
class Window:
    """32 ms of a stream. Positions count samples from the start of the stream."""

    start: int
    samples: Samples
    probability: float
    """How sure Silero is that someone speaks, 0 to 1."""
    level_dbfs: float
    voiced_until: int | None
    """The position after the last voiced 8 ms in it; None without a voice."""

    @property
    def end(self) -> int:
        return self.start + len(self.samples)


class VoiceActivity:
    """Cuts one stream into windows and judges them: some 50 µs a window, so that the event loop may do it."""

    def __init__(self) -> None:
        self._vad = VAD()
        self._held = np.zeros(0, np.int16)
        self._position = 0
        self._peak_dbfs = FLOOR_DBFS

    def push(self, samples: Samples) -> Iterator[Window]:
        """Give the windows that `samples` (at 16 kHz) completes."""
        audio = np.concatenate([self._held, samples])
        whole = len(audio) // WINDOW * WINDOW
        self._held = audio[whole:]
        for start in range(0, whole, WINDOW):
            yield self._judge(audio[start : start + WINDOW])

    def flush(self) -> Iterator[Window]:
        """Complete the last window with silence."""
        if len(self._held):
            yield from self.push(np.zeros(WINDOW - len(self._held), np.int16))

    def _judge(self, samples: Samples) -> Window:
        start = self._position
        self._position += WINDOW
        probability = self._vad.predict(np.ascontiguousarray(samples))
        frames = samples.reshape(-1, FRAME).astype(np.float64)
        levels = 20 * np.log10(np.sqrt((frames**2).mean(axis=1)) / 32768 + 1e-9)
        loudest = float(levels.max())
        self._peak_dbfs = max(self._peak_dbfs - PEAK_DECAY_DB, FLOOR_DBFS)
        voiced_until = None
        if probability >= SPEECH_PROBABILITY:
            self._peak_dbfs = max(self._peak_dbfs, loudest)
            loud = np.flatnonzero(levels > max(FLOOR_DBFS, self._peak_dbfs - BELOW_PEAK_DB))
            if len(loud):
                voiced_until = start + (int(loud[-1]) + 1) * FRAME
        return Window(start, samples, probability, loudest, voiced_until)
