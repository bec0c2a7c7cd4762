"""Plays the shop's scenarios in text, as `callpool eval` does."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import callpool_agents
from callpool import settings
from callpool.evaluation.reading import read_paths
from callpool.evaluation.report import Outcome
from callpool.evaluation.scenario import Scenario
from callpool.evaluation.suite import SCENARIOS, play_in_text
from callpool.evaluation.thinking import thinking


@cache
def shipped() -> dict[str, Scenario]:
    """The scenarios that ship, by name."""
    folder = Path(callpool_agents.__file__).parent / SCENARIOS
    scenarios = read_paths([folder])
    by_name = {scenario.name: scenario for scenario in scenarios}
    assert len(by_name) == len(scenarios), "two scenarios have one name"
    return by_name


async def play(name: str) -> Outcome:
    """One of them, over the stand-in for the language model."""
    async with thinking(settings.load({}), None) as ready:
        return await play_in_text(ready, shipped()[name], 1)
