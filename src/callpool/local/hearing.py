"""The engine that hears: Moonshine's small English model, on the CPU, in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import re
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from callpool.errors import CallpoolError
from callpool.local.voice_activity import RATE_HZ, Samples

TAIL = RATE_HZ * 15 // 100
"""Samples of silence that are put behind each piece: 150 ms."""


class EngineError(CallpoolError):
    """A speech engine is not installed or does not load."""


@dataclass(frozen=True)
class ModelInfo:
    """What the protocol tells about the model."""

    name: str
    version: str
    arch: str


class Hearing:
    """Speech to text for all connections, one piece at a time. It hears English only.

    Measured on an idle machine: 0.04 s of one core for a second of speech, and 120 MB (PSS).
    """

    def __init__(self) -> None:
        self._model: Any = None
        self._thread = ThreadPoolExecutor(1, "hearing")
        self._runs: list[Future[str]] = []

    def load(self) -> None:
        """Load the model; blocks for about a second. Raises EngineError when it is not installed."""
        try:
            from moonshine_voice import ModelArch, Transcriber, get_model_path
        except ImportError as error:
            raise EngineError(
                "the local speech-to-text is not installed: expected `pip install callpool[local]`"
            ) from error
        # On two cores the model is hardly faster than on one, and far slower beside other busy processes.
        os.environ.setdefault("MOONSHINE_ORT_SINGLE_THREAD", "1")
        # Our own segments go in: the model's voice detection would cut them again.
        options = {"vad_threshold": "0", "return_audio_data": "false", "identify_speakers": "false"}
        self._model = Transcriber(get_model_path("tiny-en"), ModelArch.TINY, options=options)
        self._run(np.zeros(RATE_HZ // 2, np.int16))

    @property
    def info(self) -> ModelInfo:
        """The model's name, version and kind."""
        return ModelInfo("moonshine-tiny-en", version("moonshine-voice"), "moonshine")

    @property
    def busy(self) -> bool:
        """Whether something is being transcribed or waits for it."""
        return any(not run.done() for run in self._runs)

    def transcribe(self, samples: Samples) -> asyncio.Future[str]:
        """Start to transcribe `samples`; what waits in line is withdrawn by cancelling the future."""
        if self._model is None:
            raise RuntimeError("Hearing.load() comes first")
        # The thread's own futures: a cancelled one of asyncio's is done while the thread still works.
        self._runs = [run for run in self._runs if not run.done()]
        self._runs.append(self._thread.submit(self._run, samples))
        return asyncio.wrap_future(self._runs[-1])

    def close(self) -> None:
        """Let go of the thread; what waits in line is dropped."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _run(self, samples: Samples) -> str:
        # Audio that stops in a word makes the model repeat itself.
        samples = np.concatenate([samples, np.zeros(TAIL, np.int16)])
        audio = (samples.astype(np.float32) / 32768).tolist()
        transcript = self._model.transcribe_without_streaming(audio, RATE_HZ)
        return clean(" ".join(line.text for line in transcript.lines))


def clean(text: str) -> str:
    """Take away the quotation marks that the small model puts around clauses; apostrophes stay."""
    bare = re.sub(r"[\"“”]|(?<!\w)'|'(?!\w)", "", text)
    return " ".join(bare.split())
