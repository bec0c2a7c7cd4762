"""`callpool eval`: plays scenario files to the agents and says which of them came true."""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from callpool.errors import CallpoolError, SettingError
from callpool.evaluation.checking import check
from callpool.evaluation.judging import judge as judge_call
from callpool.evaluation.reading import read_paths
from callpool.evaluation.report import Outcome, Report
from callpool.evaluation.rows import check_rows
from callpool.evaluation.scenario import Scenario
from callpool.evaluation.speaking import speak
from callpool.evaluation.text_call import Service, TextCall
from callpool.evaluation.thinking import Thinking, thinking
from callpool.local.providers import roster_folder
from callpool.pipeline import build_llm
from callpool.settings import Settings
from callpool.stages import Roster, load_roster

SCENARIOS = "scenarios"
"""The folder beside a roster's module that holds its scenarios."""
STAND_IN = "local stand-in"


async def run(
    settings: Settings,
    *,
    paths: Sequence[Path],
    audio: bool,
    profile: str | None,
    junit: Path | None,
    as_json: bool,
    only: str | None,
    judge: bool,
) -> int:
    """Play scenarios and print what came of them. Gives 1 when one failed.

    `paths`: files and folders; none: the roster's own. `only`: a word of the names to be played. Raises
    CallpoolError for what keeps them from being played, SettingError for files that say something else.
    """
    if junit is not None and not junit.parent.is_dir():
        raise SettingError("--junit", str(junit), "a file in a folder that exists")
    logging.getLogger("livekit").setLevel(logging.CRITICAL)  # what a tool refuses is part of the play
    scenarios = _chosen(read_paths(paths or [_own_folder(settings)]), only)
    report = await play(settings, scenarios, audio=audio, profile=profile, judge=judge)
    if junit is not None:
        await asyncio.to_thread(junit.write_bytes, report.junit())
    if as_json:
        click.echo(json.dumps(report.document(), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(report.lines()))
    return 0 if not report.failed else 1


async def run_folder(settings: Settings, folder: Path, profile: str | None = None) -> Report:
    """Play the scenarios of a folder in text. Raises CallpoolError."""
    return await play(settings, read_paths([folder]), profile=profile)


async def play(
    settings: Settings,
    scenarios: Sequence[Scenario],
    *,
    audio: bool = False,
    profile: str | None = None,
    judge: bool = False,
) -> Report:
    """Play scenarios one after the other. Raises CallpoolError."""
    _check_languages(settings, scenarios)
    began_at = time.perf_counter()
    model = STAND_IN if settings.is_local("openai") else settings.openai.model
    if audio:
        outcomes = await speak(settings, scenarios, profile)
    else:
        async with thinking(settings, profile) as ready:
            outcomes = [
                await play_in_text(ready, scenario, number) for number, scenario in enumerate(scenarios, 1)
            ]
    outcomes = [await _judged(settings, outcome, judge) for outcome in outcomes]
    mode = "audio" if audio else "text"
    return Report(mode, model, tuple(outcomes), time.perf_counter() - began_at)


async def _judged(settings: Settings, outcome: Outcome, wanted: bool) -> Outcome:
    """The same, with what a language model says to its criteria."""
    if not outcome.scenario.judged:
        return outcome
    if not wanted or settings.is_local("openai"):
        why = "no real language model is configured (set OPENAI_API_KEY)" if wanted else "give --judge"
        return replace(outcome, notes=(*outcome.notes, f"NOT JUDGED: {outcome.scenario.name}: {why}"))
    failures = await judge_call(outcome.scenario, outcome.call, build_llm(settings))
    return replace(outcome, failures=(*outcome.failures, *failures))


async def play_in_text(ready: Thinking, scenario: Scenario, number: int) -> Outcome:
    """Play one scenario on a business of its own, which is gone afterwards."""
    began_at = time.perf_counter()
    roster = load_roster(ready.settings.worker.roster)
    with tempfile.TemporaryDirectory(prefix="callpool-eval-") as folder:
        url = f"sqlite+aiosqlite:///{Path(folder) / 'business.db'}"
        business = await _business(roster, url, ready.settings.worker.roster)
        try:
            service = Service(
                roster=roster,
                business=business,
                llm=ready.llm,
                settings=ready.settings,
                identification=ready.identification,
                profile=ready.profile,
                models=ready.models_of,
            )
            call = await TextCall(service, scenario, f"eval-{number}").hold()
        finally:
            await roster.close_business(business)
        failures = [*check(scenario, call), *await check_rows(url, scenario.rows)]
    return Outcome(scenario, call, tuple(failures), (time.perf_counter() - began_at) * 1000)


async def _business(roster: Roster[Any, Any], url: str, module: str) -> Any:
    """The roster's business, filled. Raises SettingError for a roster that cannot make it."""
    step = "prepare"
    try:
        await roster.prepare(url)
        step = "open_business"
        return roster.open_business(url)
    except CallpoolError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
        raise SettingError("CALLPOOL_ROSTER", module, f"a roster whose {step} works ({why})") from error


def _own_folder(settings: Settings) -> Path:
    folder = roster_folder(settings.worker.roster) / SCENARIOS
    if not folder.is_dir():
        raise SettingError(
            "PATH", "", f"scenario files, since {settings.worker.roster} has no folder {folder}"
        )
    return folder


def _chosen(scenarios: list[Scenario], only: str | None) -> list[Scenario]:
    if not only:
        return scenarios
    chosen = [
        entry for entry in scenarios if only.casefold() in f"{entry.name} {Path(entry.file).stem}".casefold()
    ]
    if not chosen:
        names = ", ".join(entry.name for entry in scenarios)
        raise SettingError("-k", only, f"a word in the name of a scenario: {names}")
    return chosen


def _check_languages(settings: Settings, scenarios: Sequence[Scenario]) -> None:
    languages = settings.worker.languages
    for entry in scenarios:
        if entry.language and entry.language[:2] not in languages:
            raise SettingError(f"{entry.file}: language", entry.language, f"one of {', '.join(languages)}")
