"""The shop's scenarios come true."""

from __future__ import annotations

import pytest
from playing import play, shipped


def test_enough_scenarios_ship() -> None:
    """The product has at least 25."""
    assert len(shipped()) >= 25


@pytest.mark.parametrize("name", shipped())
async def test_a_scenario_that_ships_comes_true(name: str) -> None:
    """With the agents, tools, prompts and rules as they are."""
    outcome = await play(name)
    assert not outcome.failures, "\n".join(outcome.failures)
