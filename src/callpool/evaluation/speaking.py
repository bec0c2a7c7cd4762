"""Plays scenarios by voice, one call after the other, to a running service."""

from __future__ import annotations

import time
from collections.abc import Sequence

import aiohttp

from callpool import __version__
from callpool.caller.conversation import reach
from callpool.evaluation.audio_call import AudioCall, Line
from callpool.evaluation.checking import check
from callpool.evaluation.own_service import service_in_use
from callpool.evaluation.report import Outcome
from callpool.evaluation.rows import check_rows
from callpool.evaluation.scenario import Scenario
from callpool.settings import Settings
from callpool.store.calls import Calls

NO_ARGUMENTS = "Spoken: call records keep no arguments of tools, so `args` were not checked."


async def speak(settings: Settings, scenarios: Sequence[Scenario], profile: str | None) -> list[Outcome]:
    """Play scenarios by voice. Raises CallpoolError."""
    outcomes = []
    async with (
        service_in_use(settings, profile) as service,
        aiohttp.ClientSession(headers={"User-Agent": f"callpool-eval/{__version__}"}) as http,
        Calls(service.settings.store_url) as calls,
    ):
        await reach(http, service.running.web)
        line = Line(service.settings, service.running.web, http, calls)
        for scenario in scenarios:
            service.renew()
            began_at = time.perf_counter()
            call = await AudioCall(line, scenario).hold()
            failures = [
                *check(scenario, call),
                *await check_rows(service.settings.business_url, scenario.rows),
            ]
            notes = [service.note] if service.note else []
            notes += [NO_ARGUMENTS] if _has_arguments(scenario) else []
            outcomes.append(
                Outcome(
                    scenario, call, tuple(failures), (time.perf_counter() - began_at) * 1000, tuple(notes)
                )
            )
    return outcomes


def _has_arguments(scenario: Scenario) -> bool:
    return any(tool.args for turn in scenario.turns for tool in turn.expect.tools or ())
