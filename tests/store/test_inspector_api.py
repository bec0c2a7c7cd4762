"""The inspector's API: what staff are told of calls, and who is told nothing."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from noon import NOON, a_call, a_job, after, claimed
from test_browsing import filled

from callpool import ending
from callpool.settings import Settings, load
from callpool.store.browsing import PAGE
from callpool.store.calls import Calls
from callpool.store.record import Turn
from callpool.web.inspector import application

TRACE_URL = "http://127.0.0.1:16686/trace/{trace_id}"
Client = TestClient[Any, Any]


@pytest.fixture
async def staff(settings: Settings, calls: Calls) -> AsyncIterator[Client]:
    async with TestClient(TestServer(application(settings, calls))) as client:
        yield client


async def told(client: Client, path: str, status: int = 200, **headers: str) -> Any:
    async with client.get(path, headers=headers) as answer:
        assert answer.status == status, await answer.text()
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in answer.headers
        return await answer.json()


async def test_calls_come_page_by_page(staff: Client, calls: Calls) -> None:
    """Each page says where the next one is."""
    await filled(calls, PAGE + 5)
    first = await told(staff, "/api/calls")
    second = await told(staff, f"/api/calls?after={first['next']}")
    assert (len(first["calls"]), len(second["calls"]), second["next"]) == (PAGE, 5, None)
    newest = first["calls"][0]
    assert newest["call_id"] == f"c_{PAGE + 4:05}"
    assert newest["started_at"].endswith("Z")
    assert "identity" not in str(first)


async def test_filters_are_in_the_address(staff: Client, calls: Calls) -> None:
    """So that a list can be sent to a colleague."""
    await filled(calls, 30)
    found = await told(staff, "/api/calls?result=failed&language=en&since=2026-11-22T12:05:00Z")
    assert [one["call_id"] for one in found["calls"]] == ["c_00023", "c_00013"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("since=yesterday", "since is 'yesterday': expected a date"),
        ("live=maybe", "live is 'maybe': expected true or false"),
        ("resutl=failed", "'resutl' is no filter: expected result,"),
        ("after=nonsense", "after is 'nonsense': expected what `next`"),
        ("named=" + "x" * 300, "expected at most 200 characters"),
    ],
)
async def test_a_filter_that_cannot_be_used_is_named(staff: Client, query: str, expected: str) -> None:
    """In one line, with what would be valid."""
    assert expected in (await told(staff, f"/api/calls?{query}", 400))["error"]


async def test_a_call_is_shown_with_its_trace(settings: Settings, calls: Calls) -> None:
    """Its record as it stands, also while it goes on, and the page of its trace where there is one."""
    loaded = load({"CALLPOOL_STORE_URL": settings.store.url, "CALLPOOL_TRACE_URL": TRACE_URL})
    call = a_call()
    call.trace_id = "ab" * 16
    await calls.begin(call)
    await claimed(calls, "c_1", a_job())
    await calls.record_turn("c_1", Turn(1, "greeting", "Where is it?", "On its way.", started_at=NOON))
    async with TestClient(TestServer(application(loaded, calls))) as staff:
        live = await told(staff, "/api/calls/c_1")
        assert live["trace_url"] == f"http://127.0.0.1:16686/trace/{'ab' * 16}"
        assert (live["ending"], live["turns"][0]["agent_text"]) == (None, "On its way.")
        await calls.end("c_1", ending.GOODBYE, after(60))
        assert (await told(staff, "/api/calls/room-1"))["ending"]["result"] == "completed"


async def test_a_call_that_nobody_knows_is_not_found(staff: Client) -> None:
    """Whatever its name is made of."""
    for name in ("c_nobody", "%3Cscript%3E", "..%2F..%2Fetc"):
        assert "no call has" in (await told(staff, f"/api/calls/{name}", 404))["error"]


@pytest.mark.parametrize(
    "headers",
    [{"Host": "calls.example"}, {"Host": "[::1"}, {"Origin": "https://evil.example"}, {"Origin": "null"}],
)
async def test_pages_of_others_are_told_nothing(staff: Client, headers: dict[str, str]) -> None:
    """Also those whose name was made to point at this machine."""
    for path in ("/api/calls", "/api/calls/c_1"):
        assert "calls" not in await told(staff, path, 403, **headers)


async def test_a_store_that_is_away_is_said() -> None:
    """In one line, and without a traceback."""
    nowhere = load({"CALLPOOL_STORE_URL": "postgresql://postgres@127.0.0.1:9/callpool"})
    async with (
        Calls(nowhere.store_url) as calls,
        TestClient(TestServer(application(nowhere, calls))) as staff,
    ):
        for path in ("/api/calls", "/api/calls/c_1"):
            assert "cannot be used" in (await told(staff, path, 503))["error"]


async def test_looking_makes_no_file(tmp_path: Path) -> None:
    """Before the first call there is nothing to see."""
    empty = load({"CALLPOOL_STORE_URL": f"sqlite:///{tmp_path}/callpool.db"})
    async with (
        Calls(empty.store_url) as calls,
        TestClient(TestServer(application(empty, calls))) as staff,
    ):
        assert await told(staff, "/api/calls") == {"calls": [], "next": None}
        await told(staff, "/api/calls/c_1", 404)
    assert not os.listdir(tmp_path)
