"""How fast the models of a profile answer, and how many scenarios they pass: measured now."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from livekit.agents import APIError, llm, tts
from livekit.agents.llm import ChatContext
from livekit.agents.types import APIConnectOptions
from livekit.agents.utils import http_context

from callpool.errors import CallpoolError
from callpool.language_models import LanguageModels
from callpool.profiles import Profile, Profiles
from callpool.settings import Settings
from callpool.voices import make_voice

TRIES = 5
"""Of which the middle one counts. One more goes before, which opens the connection."""
QUESTION = "Where is my order?"
SENTENCE = "Your order is on its way and will arrive tomorrow."
ONE_TRY = APIConnectOptions(max_retry=0, timeout=10.0)


@dataclass(frozen=True)
class Measured:
    """What came of using a profile."""

    first_token_ms: float | None
    """From the request to the first word of the first language model, the median of some tries."""
    first_audio_ms: float | None
    """From a whole sentence to the first sound of the first voice, the median of some tries."""
    passed: int | None = None
    scenarios: int | None = None
    """How many of the roster's scenarios there are. None: they could not be played."""
    notes: tuple[str, ...] = ()
    """What kept something from being measured."""

    def cells(self) -> list[str]:
        """For people: first token, first audio, scenarios."""
        return [
            "-" if self.first_token_ms is None else f"{self.first_token_ms:.0f} ms",
            "-" if self.first_audio_ms is None else f"{self.first_audio_ms:.0f} ms",
            "-" if self.scenarios is None else f"{self.passed}/{self.scenarios}",
        ]

    def document(self) -> dict[str, object]:
        """For programs."""
        return {
            "first_token_ms": None if self.first_token_ms is None else round(self.first_token_ms, 1),
            "first_audio_ms": None if self.first_audio_ms is None else round(self.first_audio_ms, 1),
            "scenarios_passed": self.passed,
            "scenarios": self.scenarios,
            "notes": list(self.notes),
        }


async def measure_all(settings: Settings, profiles: Profiles) -> dict[str, Measured]:
    """Use every profile that can be used. What is the same in two of them is measured once."""
    async with http_context.open():
        models = LanguageModels(settings, profiles)
        once = Once()
        try:
            return {
                name: await _measure(settings, profiles.usable(name), models, once)
                for name in profiles.names
                if not profiles.obstacle(name)
            }
        finally:
            await models.aclose()


class Once:
    """Remembers what was measured."""

    def __init__(self) -> None:
        self._known: dict[object, Any] = {}

    async def get(self, key: object, measure: Callable[[], Awaitable[Any]]) -> Any:
        if key not in self._known:
            self._known[key] = await measure()
        return self._known[key]


async def _measure(settings: Settings, profile: Profile, models: LanguageModels, once: Once) -> Measured:
    notes: list[str] = []
    first_llm, first_tts = profile.llm[0], profile.tts[0]
    model = models.for_profile(replace(profile, llm=(first_llm,)))
    voice = make_voice(settings, first_tts, settings.worker.languages[0]).tts

    async def median_ms(what: str, attempt: Callable[[], Awaitable[float]]) -> tuple[float | None, str]:
        try:
            await attempt()
            return statistics.median([await attempt() for _ in range(TRIES)]) * 1000, ""
        except (APIError, TimeoutError) as error:
            return None, f"{what} failed: {' '.join(str(error).split())}"

    token_ms, why = await once.get(first_llm, lambda: median_ms(str(first_llm), lambda: first_token_s(model)))
    notes += [why] * bool(why)
    audio_ms, why = await once.get(first_tts, lambda: median_ms(str(first_tts), lambda: first_audio_s(voice)))
    notes += [why] * bool(why)
    await voice.aclose()
    played, why = await once.get(profile.llm, lambda: _play_scenarios(settings, profile.name))
    notes += [why] * bool(why)
    passed, scenarios = played or (None, None)
    return Measured(token_ms, audio_ms, passed, scenarios, tuple(notes))


async def first_token_s(model: llm.LLM[Any]) -> float:
    """From the request to the first word, seconds. Raises APIError, or TimeoutError when there is none."""
    asked = ChatContext.empty()
    asked.add_message(role="user", content=QUESTION)
    started = time.perf_counter()
    async with model.chat(chat_ctx=asked, conn_options=ONE_TRY) as stream:
        async for chunk in stream:
            if chunk.delta and chunk.delta.content:
                return time.perf_counter() - started
    raise TimeoutError("the answer had no words")


async def first_audio_s(voice: tts.TTS[Any]) -> float:
    """From a sentence to the first sound of it, seconds. Raises APIError, or TimeoutError for no sound."""
    async with voice.stream(conn_options=ONE_TRY) as stream:
        started = time.perf_counter()
        stream.push_text(SENTENCE)
        stream.end_input()
        first: float | None = None
        async for _ in stream:  # to its end, so that the next try finds the connection free
            first = first or time.perf_counter() - started
    if first is None:
        raise TimeoutError("there was no sound")
    return first


async def _play_scenarios(settings: Settings, profile: str) -> tuple[tuple[int, int] | None, str]:
    # The whole of `callpool eval`, which no other command and no call needs.
    from callpool.evaluation.suite import SCENARIOS, run_folder
    from callpool.local.providers import roster_folder

    folder = roster_folder(settings.worker.roster) / SCENARIOS
    if not folder.is_dir():
        return None, f"{settings.worker.roster} has no scenarios"
    sdk = logging.getLogger("livekit")
    level = sdk.level
    sdk.setLevel(logging.CRITICAL)  # what a tool refuses is part of the play
    try:
        report = await run_folder(settings, folder, profile)
    except CallpoolError as error:
        return None, f"the scenarios could not be played: {error}"
    finally:
        sdk.setLevel(level)
    return (report.passed, len(report.outcomes)), ""
