"""What a scenario expects in the business's database, asked for without being able to change it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from callpool.evaluation.scenario import Plain, RowCheck
from callpool.store.engine import create_engine

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")


async def check_rows(url: str, checks: Sequence[RowCheck]) -> list[str]:
    """What is wrong with the rows; empty when all are as expected. `url`: an SQLAlchemy URL."""
    if not checks:
        return []
    engine = create_engine(url)
    try:
        return [wrong for check in checks if (wrong := await _check(engine, check))]
    finally:
        await engine.dispose()


async def _check(engine: AsyncEngine, check: RowCheck) -> str:
    try:
        rows = await _read(engine, check.sql)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error)
        return f"rows: {check.sql}: cannot be asked: {' '.join(reason.split())}"
    if equal(check.equals, rows):
        return ""
    return f"rows: {check.sql}: expected {_short(check.equals)}, found {_short(_shown(rows))}"


async def _read(engine: AsyncEngine, sql: str) -> list[Mapping[str, Any]]:
    async with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            await connection.execute(text("PRAGMA query_only = ON"))
        else:
            await connection.execute(text("SET TRANSACTION READ ONLY"))
        result = await connection.exec_driver_sql(sql)
        rows: list[Mapping[str, Any]] = (
            [dict(row) for row in result.mappings()] if result.returns_rows else []
        )
        await connection.rollback()
        return rows


def equal(wanted: Plain, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a result is the one wanted: a value, one row, one column, or a list of rows.

    Rows are lists of values or mappings of (some of) their columns; numbers are compared as numbers.
    """
    table = [list(row.values()) for row in rows]
    if isinstance(wanted, dict):
        return len(rows) == 1 and _has(wanted, rows[0])
    if not isinstance(wanted, list):
        if not table:
            return wanted is None
        return len(table) == 1 and len(table[0]) == 1 and _same(wanted, table[0][0])
    if any(isinstance(entry, list | dict) for entry in wanted):
        return len(wanted) == len(rows) and all(
            _has(entry, row) if isinstance(entry, dict) else _all_same(entry, list(row.values()))
            for entry, row in zip(wanted, rows, strict=True)
        )
    as_column = all(len(row) == 1 for row in table) and _all_same(wanted, [row[0] for row in table])
    return as_column or (len(table) == 1 and _all_same(wanted, table[0]))


def _has(wanted: Mapping[str, Plain], row: Mapping[str, Any]) -> bool:
    return all(name in row and _same(value, row[name]) for name, value in wanted.items())


def _all_same(wanted: Plain, values: Sequence[Any]) -> bool:
    entries = wanted if isinstance(wanted, list) else [wanted]
    return len(entries) == len(values) and all(map(_same, entries, values))


def _same(wanted: Plain, value: Any) -> bool:
    if wanted is None or value is None:
        return wanted is None and value is None
    if (number := _number(wanted)) is not None:
        return number == _number(value)
    return str(wanted).strip() == str(value).strip()


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return Decimal(int(value))
    if not _NUMBER.fullmatch(str(value).strip()):
        return None
    try:
        return Decimal(str(value).strip())
    except InvalidOperation:
        return None


def _shown(rows: Sequence[Mapping[str, Any]]) -> object:
    values = [list(row.values()) for row in rows]
    match values:
        case []:
            return "no row"
        case [[value]]:
            return value
        case [row]:
            return row
    return [row[0] for row in values] if all(len(row) == 1 for row in values) else values


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 300 else f"{shown[:300]}…"
