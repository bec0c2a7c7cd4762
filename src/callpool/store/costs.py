"""`callpool cost`: what calls have cost, summed up by stage, provider or another key."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from callpool.columns import columns
from callpool.errors import SettingError
from callpool.settings import Settings
from callpool.store.calls import Calls
from callpool.store.record import utc_text
from callpool.store.report import missing_records, records_url
from callpool.store.tables import calls, cost_items

_DURATION = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

KEYS = ("stage", "provider", "model", "unit", "agent", "day")
"""What costs are summed up by. `day`: the one on which the call began, UTC."""


@dataclass(frozen=True)
class Sum:
    """What the calls of a time have cost under one value of a key."""

    key: str
    calls: int
    usd: float
    quantity: float | None = None
    """Of one unit; None where several are summed up."""
    unpriced: int = 0
    """Items that no price is known for, which are in no sum."""


async def report_costs(
    settings: Settings, *, since: str, until: str | None, by: str, as_json: bool, now: datetime | None = None
) -> int:
    """Print the sums. Gives the exit code. `since`, `until`: see `moment`. Raises SettingError."""
    now = now or datetime.now(UTC)
    begin = moment("--since", since, now)
    end = moment("--until", until, now) if until else now
    if begin >= end:
        raise SettingError("--since", since, f"a time before {utc_text(end)}")
    url = records_url(settings)
    if missing := missing_records(url):
        click.echo(missing, err=True)
        return 1
    async with Calls(url) as store:
        await store.open()
        sums, count, total_usd = await store.reading(lambda one: _sums(one, begin, end, by))
    if as_json:
        document = {
            "since": utc_text(begin),
            "until": utc_text(end),
            "by": by,
            "calls": count,
            "total_usd": total_usd,
            "mean_usd": total_usd / count if count else None,
            "sums": [vars(one) for one in sums],
        }
        click.echo(json.dumps(document, indent=2))
        return 0
    click.echo("\n".join(_table(sums, by, count, total_usd)))
    return 0


def moment(name: str, text: str, now: datetime) -> datetime:
    """A time: `7d` ago (s, m, h, d, w), or an ISO date or time, in UTC where it says nothing else.

    Raises SettingError.
    """
    wrong = SettingError(name, text, "a duration such as 90m, 24h, 7d or 2w, or a date such as 2026-11-01")
    try:
        if ago := _DURATION.fullmatch(text.strip()):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        given = datetime.fromisoformat(text.strip())
        return given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong from None


async def _sums(
    connection: AsyncConnection, begin: datetime, end: datetime, by: str
) -> tuple[Sequence[Sum], int, float]:
    here = (calls.c.started_at >= begin, calls.c.started_at < end)
    count = (await connection.execute(select(func.count()).select_from(calls).where(*here))).scalar_one()
    key = _key(connection, by)
    query = (
        select(
            key,
            func.count(cost_items.c.call_id.distinct()),
            func.coalesce(func.sum(cost_items.c.usd), 0.0),
            func.sum(cost_items.c.quantity),
            func.count() - func.count(cost_items.c.usd),
        )
        .select_from(calls.join(cost_items))
        .where(*here)
        .group_by(key)
        .order_by(func.coalesce(func.sum(cost_items.c.usd), 0.0).desc(), key)
    )
    sums = [
        Sum(str(row[0]), row[1], float(row[2]), float(row[3]) if by == "unit" else None, row[4])
        for row in await connection.execute(query)
    ]
    return sums, count, sum(one.usd for one in sums)


def _key(connection: AsyncConnection, by: str) -> ColumnElement[Any]:
    match by:
        case "model":
            return cost_items.c.provider + "/" + cost_items.c.model
        case "agent":
            return calls.c.agent_name
        case "day" if connection.dialect.name == "sqlite":
            return func.date(calls.c.started_at)
        case "day":
            return func.to_char(func.timezone("UTC", calls.c.started_at), "YYYY-MM-DD")
    return cost_items.c[by]


def _table(sums: Sequence[Sum], by: str, count: int, total_usd: float) -> list[str]:
    if not sums:
        return [f"{count} calls, none of which has used anything that is known"]
    with_quantity = by == "unit"
    rows: list[tuple[str, ...]] = [
        (by.upper(), "CALLS", "USD", "SHARE", *(["QUANTITY"] if with_quantity else []), "")
    ]
    for one in sums:
        share = f"{one.usd / total_usd:.1%}" if total_usd else "-"
        quantity = [f"{one.quantity:,.1f}"] if with_quantity else []
        note = "some of it without a known price" if one.unpriced else ""
        rows.append((one.key, str(one.calls), f"{one.usd:.4f}", share, *quantity, note))
    mean = f", {total_usd / count:.4f} USD each" if count else ""
    return [*columns(rows), "", f"{count} calls, {total_usd:.4f} USD{mean}"]
