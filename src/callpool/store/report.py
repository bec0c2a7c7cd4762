"""`callpool calls list|show`: call records for people (a table) and for programs (JSON)."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import click

from callpool.checks import store_url
from callpool.columns import columns
from callpool.cost import Cost
from callpool.errors import SettingError
from callpool.running import Running
from callpool.settings import Settings
from callpool.store.calls import Calls
from callpool.store.engine import create_engine, sqlite_path
from callpool.store.record import CallRecord, Turn, utc_text

WIDEST = 110
"""Columns; a wider terminal is not used."""

NOT_KNOWN = "-"


async def list_calls(settings: Settings, *, limit: int, as_json: bool) -> int:
    """Print the newest calls, newest first. Gives the exit code."""
    url = records_url(settings)
    if missing := missing_records(url):
        if as_json:
            click.echo("[]")
            return 0
        click.echo(missing, err=True)
        return 1
    async with Calls(url) as store:
        await store.open()
        records = await store.list(limit)
    if as_json:
        click.echo(json.dumps([record.to_json() for record in records], indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_table(records)) if records else "no calls yet")
    return 0


async def show_call(settings: Settings, call: str, *, as_json: bool) -> int:
    """Print one call, found by its id or its room. Gives the exit code."""
    url = records_url(settings)
    if missing := missing_records(url):
        click.echo(missing, err=True)
        return 1
    name = call.encode(errors="replace").decode()  # a shell passes on bytes that are no text
    async with Calls(url) as store:
        await store.open()
        record = await store.get(name)
    if record is None:
        click.echo(f"callpool: no call has the id or the room {call!r} (see callpool calls list)", err=True)
        return 1
    if as_json:
        click.echo(json.dumps(record.to_json(), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_page(record)))
    return 0


def records_url(settings: Settings) -> str:
    """The store to read: the one that was asked for, else that of `callpool up`, else the default file."""
    if "store.url" not in settings.given:
        try:
            running = Running.find(settings.local.data_dir)
        except SettingError:
            running = None
        if running is not None and store_url(running.store) is None:
            return replace(settings, store=replace(settings.store, url=running.store)).store_url
    return settings.store_url


def missing_records(url: str) -> str | None:
    """What to tell a person when there is no file yet: looking for calls must not create it."""
    path = sqlite_path(create_engine(url))
    if path is None or path.exists():
        return None
    return f"callpool: there are no call records at {path} (CALLPOOL_STORE_URL names another store)"


def _table(records: Sequence[CallRecord]) -> list[str]:
    rows = [("CALL", "STARTED (UTC)", "LENGTH", "CALLER", "TURNS", "ENDING", "ROOM")]
    rows += [
        (
            _plain(record.call_id),
            _moment(record.started_at),
            _length(record),
            record.caller.kind,
            str(sum(turn.n > 0 for turn in record.turns)),
            _ending(record),
            _plain(record.room),
        )
        for record in records
    ]
    return columns(rows)


def _page(record: CallRecord) -> list[str]:
    head = [
        ("call", record.call_id),
        ("room", record.room),
        ("agent", record.agent_name),
        ("caller", f"{record.caller.kind} {record.caller.identity}".rstrip()),
        ("language", record.language or NOT_KNOWN),
        ("started", f"{_moment(record.started_at)} UTC"),
        ("length", _length(record)),
        ("ending", _ending(record)),
    ]
    if record.cost.total_usd is not None:
        head.append(("cost", _usd(record.cost.total_usd)))
    if record.cost.unpriced:
        head.append(("no price", ", ".join(record.cost.unpriced)))
    if record.trace_id:
        head.append(("trace", record.trace_id))
    lines = columns([(name, _plain(value)) for name, value in head])

    lines += ["", *columns([("STAGE", "ENTERED (UTC)", "PROFILE", ""), *_stage_rows(record)])]
    lines += [
        "",
        *columns(
            [("JOB", "WORKER", "HOST", "PID", "STARTED (UTC)", "ENDED (UTC)", "HOW"), *_job_rows(record)]
        ),
    ]
    if record.cost.items:
        lines += ["", *_cost(record.cost)]
    for turn in record.turns:
        lines += ["", *_turn(turn)]
    return lines


def _cost(cost: Cost) -> list[str]:
    rows: list[tuple[str, ...]] = [("STAGE", "MODEL", "QUANTITY", "UNIT", "USD EACH", "USD")]
    for item in cost.items:
        each = NOT_KNOWN if item.unit_price_usd is None else f"{item.unit_price_usd:.10f}".rstrip("0")
        usd = NOT_KNOWN if item.usd is None else f"{item.usd:.6f}"
        quantity = f"{item.quantity:,.2f}".rstrip("0").rstrip(".")
        rows.append((item.stage, f"{item.provider}/{item.model}", quantity, item.unit, each.rstrip("."), usd))
    sums = [
        f"by {key}: " + ", ".join(f"{_plain(name)} {_usd(usd)}" for name, usd in cost.by(key).items())
        for key in ("stage", "provider")
    ]
    return [*columns([tuple(map(_plain, row)) for row in rows]), *sums]


def _usd(usd: float) -> str:
    return f"{usd:.4f} USD"


def _stage_rows(record: CallRecord) -> list[tuple[str, ...]]:
    return [
        (x.stage, _moment(x.entered_at), x.profile or NOT_KNOWN, "skipped" if x.skipped else "")
        for x in record.stages
    ]


def _job_rows(record: CallRecord) -> list[tuple[str, ...]]:
    return [
        (
            x.job_id,
            x.worker,
            x.host,
            str(x.pid),
            _moment(x.started_at),
            _moment(x.ended_at) if x.ended_at else NOT_KNOWN,
            x.how or NOT_KNOWN,
        )
        for x in record.jobs
    ]


def _turn(turn: Turn) -> list[str]:
    times = [f"{name} {ms:.0f} ms" for name, ms in vars(turn.latency_ms).items() if ms is not None]
    cost = [] if turn.cost_usd is None else [_usd(turn.cost_usd)]
    facts = [turn.stage, *times, *(["interrupted"] if turn.interrupted else []), *cost]
    lines = [f"turn {turn.n}: {', '.join(facts)}"]
    if turn.caller_text is not None:
        lines += _said("caller", turn.caller_text)
    for tool in turn.tools:
        took = "" if tool.ms is None else f", {tool.ms:.0f} ms"
        lines.append(f"  tool    {_plain(tool.name)}: {'ok' if tool.ok else 'failed'}{took}")
    if turn.agent_text is not None:
        lines += _said("agent", turn.agent_text)
    return lines


def _said(who: str, text: str) -> list[str]:
    width = min(shutil.get_terminal_size().columns, WIDEST)
    return textwrap.wrap(_plain(text), width, initial_indent=f"  {who:<8}", subsequent_indent=" " * 10) or [
        f"  {who}"
    ]


def _moment(moment: datetime) -> str:
    return utc_text(moment)[:19].replace("T", " ")


def _length(record: CallRecord) -> str:
    if record.ended_at is None:
        return NOT_KNOWN
    seconds = max(0, round((record.ended_at - record.started_at).total_seconds()))
    return f"{seconds // 60}:{seconds % 60:02}"


def _ending(record: CallRecord) -> str:
    if record.ending is None:
        return NOT_KNOWN
    return f"{record.ending.result} ({record.ending.reason})"


def _plain(text: str) -> str:
    # What a caller or a model said must not steer the terminal.
    return "".join(letter if letter.isprintable() else " " for letter in text)
