"""Who may tell the dispatcher something, and what it tells others."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web
from google.protobuf.json_format import MessageToJson
from livekit import api
from livekit.protocol.models import Room
from livekit.protocol.webhook import WebhookEvent

from callpool.dispatcher.figures import Figures
from callpool.dispatcher.webhooks import BODY_BYTES, WEBHOOK_PATH, Change, Webhooks, application
from callpool.secrets import Secret
from callpool.setting_groups import LiveKit

KEY, SECRET = "APIkey", "a-secret-of-thirty-two-characters-or-more"
heard: list[Change] = []
reason: list[str] = []


@pytest.fixture
async def url() -> AsyncIterator[str]:
    heard.clear()
    reason.clear()
    webhooks = Webhooks(LiveKit(api_key=KEY, api_secret=Secret(SECRET)), heard.append)
    figures = Figures()
    figures.watch(lambda: 3.0, lambda: 1.5)
    runner = web.AppRunner(application(webhooks, figures, lambda: "".join(reason)))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def event(name: str, room: str = "call-1") -> str:
    return MessageToJson(WebhookEvent(event=name, room=Room(name=room, sid="RM_1")))


def signature(body: str, *, secret: str = SECRET, ttl_s: float = 60) -> str:
    digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
    token = api.AccessToken(KEY, secret).with_ttl(timedelta(seconds=ttl_s)).with_sha256(digest)
    return token.to_jwt()


async def post(url: str, body: str | bytes, authorization: str | None) -> int:
    headers = {"Authorization": authorization} if authorization is not None else {}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}{WEBHOOK_PATH}", data=body, headers=headers) as response,
    ):
        return response.status


@pytest.mark.parametrize("name", ["participant_joined", "participant_left", "room_started"])
async def test_a_signed_change_is_heard(url: str, name: str) -> None:
    """With its room."""
    body = event(name)
    assert await post(url, body, signature(body)) == 200
    assert heard == [Change("call-1", "RM_1", over=False)]


async def test_a_room_that_is_over_is_heard_to_be(url: str) -> None:
    """It need not be looked at."""
    body = event("room_finished")
    assert await post(url, body, f"Bearer {signature(body)}") == 200
    assert heard == [Change("call-1", "RM_1", over=True)]


async def test_what_changes_nothing_for_callers_is_passed_over(url: str) -> None:
    """Tracks come and go with every call."""
    body = event("track_published")
    assert await post(url, body, signature(body)) == 200
    assert heard == []


async def test_an_event_of_a_later_server_is_passed_over(url: str) -> None:
    """Unknown names and fields are no errors: the server would send them again and again."""
    body = '{"event": "participant_waved", "novelty": {"a": 1}, "room": {"name": "call-1", "b": 2}}'
    assert await post(url, body, signature(body)) == 200
    assert heard == []


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "nonsense",
        signature(event("room_started"), secret="another-secret-of-thirty-two-characters"),
        signature(event("room_started", room="call-2")),
        signature(event("room_started"), ttl_s=-3600),
        api.AccessToken(KEY, SECRET).to_jwt(),
    ],
    ids=["none", "empty", "nonsense", "other key", "other body", "expired", "unsigned body"],
)
async def test_what_the_server_did_not_sign_is_refused(url: str, authorization: str | None) -> None:
    """And changes nothing."""
    assert await post(url, event("room_started"), authorization) == 401
    assert heard == []


async def test_bytes_that_are_no_event_are_refused(url: str) -> None:
    """Neither text nor JSON."""
    assert await post(url, b"\xff\xfe", "x") == 401
    assert await post(url, "not JSON", signature("not JSON")) == 401


async def test_a_body_that_is_too_long_is_refused(url: str) -> None:
    """Before its signature is looked at."""
    body = "x" * (BODY_BYTES + 1)
    assert await post(url, body, signature(body)) == 413


async def test_health_readiness_and_metrics(url: str) -> None:
    """Not ready says why; metrics have the names that alerts rely on."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/healthz") as response:
            assert response.status == 200
        async with session.get(f"{url}/readyz") as response:
            assert response.status == 200
        reason.append("the store does not answer")
        async with session.get(f"{url}/readyz") as response:
            assert response.status == 503
            assert (await response.json())["status"] == "the store does not answer"
        async with session.get(f"{url}/metrics") as response:
            text = await response.text()
    assert "callpool_waiting_callers 3.0" in text
    assert "callpool_oldest_wait_seconds 1.5" in text
    assert "callpool_dispatches_total" in text
    assert "callpool_ghosts_removed_total" in text
