"""A call that reaches its budget, over the real server: what the caller hears, and what the record says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from callpool import ending, settings
from callpool.settings import Settings
from processes import any_ports, started
from telephone import telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(180)]

MINUTE_USD = 0.12
SOFT_USD, HARD_USD = 0.01, 0.02
"""Reached after 5 and 10 s by time alone."""


@pytest.fixture
def thrifty(tmp_path: Path, livekit_program: Path) -> Iterator[Settings]:
    env = any_ports(
        CALLPOOL_LIVEKIT_SERVER=str(livekit_program),
        CALLPOOL_INFRASTRUCTURE_USD_PER_MINUTE=str(MINUTE_USD),
        CALLPOOL_BUDGET_SOFT_USD=str(SOFT_USD),
        CALLPOOL_BUDGET_HARD_USD=str(HARD_USD),
    )
    with started(tmp_path, env) as up:
        up.ready()
        yield settings.load({"CALLPOOL_DATA_DIR": str(up.data_dir)})


async def test_a_call_that_costs_too_much_is_ended_politely(thrifty: Settings) -> None:
    """Nobody has to say anything for that: time is money as well."""
    async with telephone_of(thrifty) as telephone:
        call = await telephone.dial()
        assert "help" in await call.greeting()
        words = await call.answer(time.monotonic())
        assert "end this call" in words
        record = await telephone.ended(call.invitation.call_id)
    assert record.ending == ending.BUDGET_SPENT
    assert [(event.kind, event.detail) for event in record.events] == [
        ("budget", f"soft {SOFT_USD:g} USD"),
        ("budget", f"hard {HARD_USD:g} USD"),
    ]
    assert record.cost.total_usd is not None
    goodbye_usd = MINUTE_USD / 60 * 15
    assert HARD_USD <= record.cost.total_usd < HARD_USD + goodbye_usd
