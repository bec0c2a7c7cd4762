"""How long staff wait for the inspector: its answers, and its pages in a real browser, over a full store.

The store is filled with calls of six turns and one of sixty; it must be empty before. Without --store-url it
is a SQLite file that is thrown away.

    python benchmarks/inspector.py --calls 10000
    python benchmarks/inspector.py --store-url postgresql://callpool@127.0.0.1/callpool --json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from playwright.async_api import Page, async_playwright
from sqlalchemy import Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from callpool.settings import Settings, load
from callpool.store import tables
from callpool.store.calls import Calls
from callpool.store.schema import upgrade_command
from callpool.web.inspector import application

TURNS, LONG_TURNS = 6, 60
CHUNK = 500
"""Calls that are written at once."""
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
STAGES = ("greeting", "data_collection", "verification", "problem_solving", "problem_solving", "closing")
LONG = "c_long"


@dataclass(frozen=True)
class Figure:
    """How long something took, milliseconds."""

    what: str
    ms_p50: float
    ms_p95: float


async def fill(calls: Calls, count: int) -> None:
    """Calls that began a minute apart; every tenth has failed, every seventh had a failing provider."""
    for first in range(0, count, CHUNK):
        numbers = range(first, min(first + CHUNK, count))
        await write(calls, [(number, f"c_{number:06}", TURNS) for number in numbers])
    await write(calls, [(count, LONG, LONG_TURNS)])


async def write(calls: Calls, chunk: Sequence[tuple[int, str, int]]) -> None:
    rows: dict[Table, list[dict[str, Any]]] = {}

    def add(table: Table, **values: Any) -> None:
        rows.setdefault(table, []).append(values)

    for number, call_id, turns in chunk:
        at = BEGAN + timedelta(minutes=number)
        failed = number % 10 == 3
        add(
            tables.calls,
            call_id=call_id,
            room=f"call-{call_id}",
            agent_name="callpool",
            caller_kind="phone" if number % 2 else "browser",
            language="de" if number % 5 == 0 else "en",
            started_at=at,
            ended_at=at + timedelta(minutes=4),
            result="failed" if failed else "completed",
            reason="provider_failed" if failed else "goodbye",
        )
        job_id = f"AJ_{call_id}"
        add(tables.jobs, call_id=call_id, job_id=job_id, worker="w", host="h", pid=1, started_at=at)
        for unit, usd in (("audio_s", 0.01), ("input_tokens", 0.02), ("characters", 0.03)):
            used = {"provider": "p", "model": "m", "unit": unit, "quantity": 10.0, "usd": usd}
            add(tables.cost_items, call_id=call_id, job_id=job_id, stage="greeting", **used)
        if number % 7 == 0:
            add(
                tables.events,
                call_id=call_id,
                at=at,
                kind="provider_error",
                turn_n=1,
                detail="openai llm 429",
            )
        for n in range(turns):
            stage = STAGES[n * len(STAGES) // turns]
            started_at = at + timedelta(seconds=4 * n)
            if n == 0 or stage != STAGES[(n - 1) * len(STAGES) // turns]:
                add(tables.stages, call_id=call_id, stage=stage, entered_at=started_at, skipped=False)
            add(tables.turns, call_id=call_id, n=n, stage=stage, started_at=started_at, **TURN)
            add(tables.tool_uses, call_id=call_id, turn_n=n, name="look_up", ok=True, ms=18.0)

    async def work(connection: AsyncConnection) -> None:
        for table in tables.metadata.sorted_tables:
            if table in rows:
                await connection.execute(insert(table), rows[table])
        await connection.commit()

    await calls.reading(work)


TURN = {
    "caller_text": "Where is my order, please?",
    "agent_text": "It was shipped yesterday and arrives on the first of December.",
    "interrupted": False,
    "end_of_turn_ms": 300.0,
    "stt_final_ms": 200.0,
    "llm_first_token_ms": 250.0,
    "tts_first_audio_ms": 100.0,
    "total_ms": 850.0,
    "playout_ms": 2400.0,
    "cost_usd": 0.002,
    "spoken_ms": 1300.0,
}


async def timed(what: str, times: int, work: Callable[[], Awaitable[object]]) -> Figure:
    """Once to warm up, then so many times."""
    took_ms: list[float] = []
    for _ in range(times + 1):
        began = time.perf_counter()
        await work()
        took_ms.append(1000 * (time.perf_counter() - began))
    cuts = statistics.quantiles(took_ms[1:], n=20)
    return Figure(what, round(cuts[9], 1), round(cuts[18], 1))


async def answers(server: TestServer, times: int, pages: int) -> Sequence[Figure]:
    async with ClientSession(server.make_url("/")) as http:

        async def ask(path: str) -> Any:
            async with http.get(path) as answer:
                assert answer.status == 200, await answer.text()
                return await answer.json()

        deep = ""
        for _ in range(pages):
            deep = (await ask(f"/api/calls?after={deep}"))["next"]
        asked = {
            "list": "/api/calls",
            f"list, page {pages + 1}": f"/api/calls?after={deep}",
            "list, failed": "/api/calls?result=failed",
            "list, a provider failed": "/api/calls?failing=true",
            "list, German": "/api/calls?language=de",
            "list, one day": "/api/calls?since=2026-01-03&until=2026-01-04",
            f"call of {LONG_TURNS} turns": f"/api/calls/{LONG}",
        }
        return [await timed(what, times, lambda path=path: ask(path)) for what, path in asked.items()]  # type: ignore[misc]


async def pages(server: TestServer, times: int) -> Sequence[Figure]:
    """From the navigation to the picture; a new page each time."""
    url = str(server.make_url("/")).rstrip("/")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )

        async def show(page: Page, address: str, there: str) -> None:
            await page.goto(address, wait_until="commit")
            await page.wait_for_selector(there)

        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        shown = [
            await timed("page: list", times, lambda: show(page, url, "[data-testid=calls] tr:nth-child(50)")),
            await timed(
                f"page: call of {LONG_TURNS} turns",
                times,
                lambda: show(page, f"{url}/calls/{LONG}", f"svg [data-turn='{LONG_TURNS - 1}']"),
            ),
        ]
        await browser.close()
        return shown


async def measure(settings: Settings, count: int, times: int) -> Sequence[Figure]:
    await upgrade_command(settings)
    async with AsyncExitStack() as stack:
        calls = await stack.enter_async_context(Calls(settings.store_url))
        await calls.open()
        await fill(calls, count)
        server = TestServer(application(settings, calls), host="127.0.0.1")
        await stack.enter_async_context(server)
        return [*await answers(server, times, min(100, count // 60)), *await pages(server, times)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=40, help="How often each is asked for.")
    parser.add_argument("--store-url", help="An empty store.")
    parser.add_argument("--json", action="store_true", help="Print one JSON document.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = load({"CALLPOOL_STORE_URL": arguments.store_url or f"sqlite:///{folder}/callpool.db"})
        figures = asyncio.run(measure(settings, arguments.calls, arguments.times))
    if arguments.json:
        print(json.dumps([asdict(figure) for figure in figures]))
        return
    for line in lines(figures):
        print(line)


def lines(figures: Sequence[Figure]) -> Iterator[str]:
    yield f"{'milliseconds':32}{'p50':>8}{'p95':>8}"
    for figure in figures:
        yield f"{figure.what:32}{figure.ms_p50:>8}{figure.ms_p95:>8}"


if __name__ == "__main__":
    main()
