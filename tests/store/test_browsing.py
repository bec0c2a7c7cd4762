"""The list of calls for staff, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from noon import NOON, a_call, a_job, after, claimed
from sqlalchemy import ClauseElement, Executable, Select, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles

from callpool import ending
from callpool.cost import CostItem
from callpool.store import browsing
from callpool.store.browsing import PAGE, Line, Place, Search
from callpool.store.calls import Calls
from callpool.store.record import Event, LatencyMs, StageEntry, Turn
from callpool.store.tables import calls as calls_table


async def listed(
    calls: Calls, search: Search, place: Place | None = None
) -> tuple[Sequence[Line], Place | None]:
    return await calls.reading(lambda connection: browsing.page(connection, search, place))


async def filled(calls: Calls, count: int) -> None:
    """So many calls, one a minute; every tenth failed, every fifth in German, three of them at one moment."""
    rows: list[dict[str, Any]] = []
    for number in range(count):
        final = ending.JOB_FAILED if number % 10 == 3 else ending.GOODBYE
        rows.append(
            {
                "call_id": f"c_{number:05}",
                "room": f"room-{number}",
                "agent_name": "callpool",
                "caller_kind": "phone" if number % 2 else "browser",
                "language": "de" if number % 5 == 0 else "en",
                "started_at": NOON + timedelta(minutes=number - number % 3),
                "ended_at": NOON + timedelta(minutes=number + 4),
                "result": final.result,
                "reason": final.reason,
            }
        )

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(insert(calls_table), rows)
        await connection.commit()

    await calls.reading(work)


async def test_every_call_is_on_one_page(calls: Calls) -> None:
    """Newest first, none twice and none left out, also of those that began at one moment."""
    await filled(calls, 2 * PAGE + 7)
    seen: list[Line] = []
    place: Place | None = None
    for expected in (PAGE, PAGE, 7):
        lines, place = await listed(calls, Search(), place)
        assert len(lines) == expected
        seen += lines
    assert place is None
    assert [line.call_id for line in seen] == [f"c_{n:05}" for n in reversed(range(2 * PAGE + 7))]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (Search(result="failed"), {3, 13, 23}),
        (Search(reason="job_failed", caller_kind="phone"), {3, 13, 23}),
        (Search(language="de"), {0, 5, 10, 15, 20, 25}),
        (Search(since=after(26 * 60)), {27, 28, 29}),
        (Search(until=after(2 * 60)), {0, 1, 2}),
        (Search(named="c_00007"), {7}),
        (Search(named="room-8"), {8}),
        (Search(named="room"), set()),
        (Search(agent_name="other"), set()),
        (Search(live=True), set()),
        (Search(stage="closing"), set()),
    ],
)
async def test_calls_are_narrowed_down(calls: Calls, search: Search, expected: set[int]) -> None:
    """By what staff look for."""
    await filled(calls, 30)
    lines, _ = await listed(calls, search)
    assert {int(line.call_id.removeprefix("c_")) for line in lines} == expected


async def test_a_line_sums_its_call_up(calls: Calls) -> None:
    """Turns of the caller's, the longest wait, what went wrong and what it cost; of this call alone."""
    for call_id in ("c_1", "c_2"):
        await calls.begin(a_call(call_id))
        await claimed(calls, call_id, a_job())
    await calls.stage_entered("c_1", StageEntry("closing", NOON))
    await calls.record_turn("c_1", Turn(0, "closing", agent_text="Hello."))
    for n, total in ((1, 700.0), (2, 1900.0)):
        await calls.record_turn("c_1", Turn(n, "closing", latency_ms=LatencyMs(total=total)))
    await calls.record_event("c_1", Event(after(5), "barge_in", 1))
    await calls.record_event("c_1", Event(after(6), "provider_error", 1, "openai llm 429"))
    items = [CostItem("closing", "openai", "gpt", "input_tokens", 1, 0.25, 0.25)]
    await calls.record_cost("c_1", "AJ_1", items)

    lines, _ = await listed(calls, Search(live=True, stage="closing", failing=True))

    (line,) = lines
    assert (line.turns, line.worst_ms, line.barge_ins, line.failures, line.jobs) == (2, 1900.0, 1, 1, 1)
    assert line.usd == 0.25
    other = next(line for line in (await listed(calls, Search()))[0] if line.call_id == "c_2")
    assert (other.turns, other.worst_ms, other.usd) == (0, None, None)


@pytest.mark.parametrize(
    "search",
    [
        Search(),
        Search(result="failed"),
        Search(reason="job_failed"),
        Search(live=True),
        Search(language="de"),
        Search(stage="closing"),
        Search(failing=True),
        Search(since=after(60), until=after(600)),
        Search(named="c_00007"),
    ],
    ids=str,
)
async def test_a_page_is_found_by_an_index(calls: Calls, search: Search) -> None:
    """The calls are not read from one end to the other, and nothing is sorted that could be many."""
    await filled(calls, 10_000)
    plan = await calls.reading(lambda connection: plan_of(connection, search))
    assert not [line for line in plan if "SCAN calls" in line and "USING" not in line], plan
    assert not [line for line in plan if "Seq Scan on calls" in line], plan
    if not search.named:
        assert not [line for line in plan if "TEMP B-TREE FOR ORDER BY" in line], plan


class Explain(Executable, ClauseElement):
    """The plan of a statement."""

    inherit_cache = False

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement


@compiles(Explain)
def _explained(element: Explain, compiler: Any, **options: Any) -> str:
    words = "EXPLAIN QUERY PLAN" if compiler.dialect.name == "sqlite" else "EXPLAIN"
    return f"{words} {compiler.process(element.statement, **options)}"


async def plan_of(connection: AsyncConnection, search: Search) -> list[str]:
    """How the database goes about it, a line a step."""
    if connection.dialect.name != "sqlite":
        await connection.execute(text("ANALYZE"))
    asked = browsing.query(search, Place(after(9000 * 60), "c_09000"))
    return [str(row[-1]) for row in await connection.execute(Explain(asked))]
