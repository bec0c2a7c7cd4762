"""Rows that a scenario expects."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from callpool.evaluation.rows import check_rows, equal
from callpool.evaluation.scenario import Plain, RowCheck

ONE = [{"n": 89}]
PAIR = [{"item": "lamp", "n": 2}]
COLUMN = [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    ("wanted", "rows", "same"),
    [
        (89, ONE, True),
        ("89.00", ONE, True),
        (89.0, ONE, True),
        (90, ONE, False),
        ("lamp", [{"item": "lamp"}], True),
        ("Lamp", [{"item": "lamp"}], False),
        (None, [], True),
        ([], [], True),
        (None, [{"n": None}], True),
        (1, [], False),
        (["lamp", 2], PAIR, True),
        ([2, "lamp"], PAIR, False),
        ({"n": 2}, PAIR, True),
        ({"m": 2}, PAIR, False),
        ([["lamp", "2"]], PAIR, True),
        ([{"item": "lamp"}], PAIR, True),
        ([{"item": "lamp"}, {"item": "lamp"}], PAIR, False),
        ([1, 2], COLUMN, True),
        ([2, 1], COLUMN, False),
        ([1], COLUMN, False),
        ([[1], [2]], COLUMN, True),
        (1, COLUMN, False),
        (True, [{"n": 1}], True),
    ],
)
def test_a_result_is_compared_by_its_shape(wanted: Plain, rows: list[Mapping[str, Any]], same: bool) -> None:
    """A value, a row, a column, or rows; numbers as numbers."""
    assert equal(wanted, rows) == same


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = tmp_path / "business.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE orders (number TEXT, price NUMERIC)")
        connection.execute("INSERT INTO orders VALUES ('12345', 89)")
    return f"sqlite+aiosqlite:///{path}"


async def test_a_wrong_row_is_told_with_what_was_found(database: str) -> None:
    """The query, what was expected, and what was there instead."""
    assert await check_rows(database, [RowCheck("SELECT price FROM orders", "89.00")]) == []
    (failure,) = await check_rows(database, [RowCheck("SELECT price FROM orders", 90)])
    assert failure == "rows: SELECT price FROM orders: expected 90, found 89"


async def test_a_query_that_cannot_be_asked_is_a_failure_of_one_line(database: str) -> None:
    """A scenario with a misspelt table fails; it does not stop the others."""
    (failure,) = await check_rows(database, [RowCheck("SELECT * FROM nowhere", 1)])
    assert failure == "rows: SELECT * FROM nowhere: cannot be asked: no such table: nowhere"


@pytest.mark.parametrize("sql", ["DELETE FROM orders", "UPDATE orders SET price = 1", "DROP TABLE orders"])
async def test_a_check_changes_nothing(database: str, sql: str) -> None:
    """The database is asked, and cannot be written to."""
    (failure,) = await check_rows(database, [RowCheck(sql, [])])
    assert "readonly" in failure
    assert await check_rows(database, [RowCheck("SELECT count(*), price FROM orders", [1, 89])]) == []
