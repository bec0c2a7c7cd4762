"""`callpool cost`: what calls have cost, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from noon import NOON, a_call, a_job, claimed

from callpool.cost import CostItem
from callpool.errors import SettingError
from callpool.settings import Settings, load
from callpool.store.calls import Calls
from callpool.store.costs import moment, report_costs

NOW = NOON + timedelta(days=3)


def item(stage: str, model: str, usd: float | None, unit: str = "input_tokens") -> CostItem:
    provider, _, name = model.partition("/")
    return CostItem(stage, provider, name, unit, 100.0, usd, None if usd is None else usd / 100)


@pytest.fixture
async def spent(calls: Calls) -> None:
    """Three calls within the week, one of them resumed, and one from the month before."""
    for call_id, days, used in (
        ("c_1", 0, [item("greeting", "openai/gpt", 0.10), item("greeting", "cartesia/sonic", 0.20)]),
        ("c_2", 1, [item("closing", "openai/gpt", 0.30), item("closing", "acme/ear", None, "audio_s")]),
        ("c_3", 1, []),
        ("c_old", -30, [item("greeting", "openai/gpt", 5.0)]),
    ):
        await calls.begin(a_call(call_id, started_at=NOON + timedelta(days=days)))
        await claimed(calls, call_id, a_job())
        await calls.record_cost(call_id, "AJ_1", used)
    await calls.record_cost("c_1", "AJ_2", [item("greeting", "openai/gpt", 0.05)])


async def summed(settings: Settings, capsys: pytest.CaptureFixture[str], by: str, since: str = "7d") -> Any:
    capsys.readouterr()
    assert await report_costs(settings, since=since, until=None, by=by, as_json=True, now=NOW) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("stage", {"greeting": (1, 0.35), "closing": (1, 0.30)}),
        ("provider", {"openai": (2, 0.45), "cartesia": (1, 0.20), "acme": (1, 0.0)}),
        ("model", {"openai/gpt": (2, 0.45), "cartesia/sonic": (1, 0.20), "acme/ear": (1, 0.0)}),
        ("unit", {"input_tokens": (2, 0.65), "audio_s": (1, 0.0)}),
        ("agent", {"callpool": (2, 0.65)}),
        ("day", {"2026-11-22": (1, 0.35), "2026-11-23": (1, 0.30)}),
    ],
)
async def test_costs_are_summed_up(
    settings: Settings,
    spent: None,
    capsys: pytest.CaptureFixture[str],
    by: str,
    expected: dict[str, tuple[int, float]],
) -> None:
    """Of the calls that began in the time, all their jobs together; the dearest first."""
    document = await summed(settings, capsys, by)
    found = {one["key"]: (one["calls"], pytest.approx(one["usd"])) for one in document["sums"]}
    assert expected == found
    assert (document["calls"], document["total_usd"]) == (3, pytest.approx(0.65))
    dearest = [one["usd"] for one in document["sums"]]
    assert dearest == sorted(dearest, reverse=True)


async def test_what_has_no_price_is_named(
    settings: Settings, spent: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sum that leaves something out says so, to programs and to people."""
    document = await summed(settings, capsys, "provider")
    assert {one["key"]: one["unpriced"] for one in document["sums"]} == {
        "openai": 0,
        "cartesia": 0,
        "acme": 1,
    }
    assert await report_costs(settings, since="7d", until=None, by="provider", as_json=False, now=NOW) == 0
    lines = capsys.readouterr().out.splitlines()
    assert next(line for line in lines if line.startswith("acme")).endswith("without a known price")
    assert lines[-1] == "3 calls, 0.6500 USD, 0.2167 USD each"


async def test_a_longer_time_has_more_calls(
    settings: Settings, spent: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also by its date."""
    for since in ("6w", "2026-10-01"):
        assert (await summed(settings, capsys, "stage", since))["total_usd"] == pytest.approx(5.65)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("2w", NOW - timedelta(weeks=2)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T12:00:00+01:00", datetime(2026, 11, 1, 11, tzinfo=UTC)),
    ],
)
def test_a_time_is_a_duration_or_a_date(text: str, expected: datetime) -> None:
    """A date without a zone is UTC, as all times here."""
    assert moment("--since", text, NOW) == expected


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "7 days", "yesterday", "999999w", "2026-13-01"])
def test_nonsense_is_refused_in_a_line(text: str) -> None:
    """With what would be valid."""
    with pytest.raises(SettingError, match="a duration such as"):
        moment("--since", text, NOW)


async def test_a_time_that_ends_before_it_begins_is_refused() -> None:
    """Rather than summed up to nothing."""
    with pytest.raises(SettingError, match="--since"):
        await report_costs(load({}), since="1d", until="2d", by="stage", as_json=False, now=NOW)
