"""The Deepgram protocol: what is refused, and how."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from listening import KEY, SCRIPTED, STREAM, connected, listening, until

from callpool.local import deepgram


async def refusal(server: TestServer, query: dict[str, str], headers: dict[str, str]) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session:
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        }
        async with session.get(
            server.make_url("/v1/listen"), params=query, headers=upgrade | headers
        ) as reply:
            return reply.status, await reply.json()


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer any"}, {"Authorization": "Token "}, {"X-API-Key": "any"}]
)
async def test_a_stream_needs_the_service_s_own_credential(headers: dict[str, str]) -> None:
    """Without `Authorization: Token KEY` the answer is the service's 401."""
    async with listening(SCRIPTED) as server:
        status, body = await refusal(server, STREAM, headers)
    assert status == 401
    assert body | {"err_code": "INVALID_AUTH", "err_msg": "Invalid credentials."} == body
    assert body["request_id"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"encoding": "opus"}, "opus"),
        ({"sample_rate": "0"}, "sample_rate"),
        ({"sample_rate": "fast"}, "sample_rate"),
        ({"channels": "2"}, "channels"),
        ({"endpointing": "soon"}, "endpointing"),
        ({"interim_results": "yes"}, "interim_results"),
        ({"utterance_end_ms": "1000"}, "interim_results"),
        ({"model": "nova-three!"}, "model"),
        ({"language": "en_US"}, "language"),
    ],
)
async def test_a_bad_query_is_refused_by_name(change: dict[str, str], named: str) -> None:
    """What cannot be used is a 400 that names it."""
    async with listening(SCRIPTED) as server:
        status, body = await refusal(server, STREAM | change, KEY)
    assert (status, body["err_code"]) == (400, "Bad Request")
    assert named in body["err_msg"]


async def test_a_stream_without_encoding_or_upgrade_is_refused() -> None:
    """Raw audio of unknown format and plain GET requests are 400."""
    async with listening(SCRIPTED) as server, aiohttp.ClientSession() as session:
        status, body = await refusal(server, {"model": "nova-3"}, KEY)
        async with session.get(server.make_url("/v1/listen"), params=STREAM, headers=KEY) as plain:
            assert plain.status == 400
            assert "WebSocket" in (await plain.json())["err_msg"]
    assert status == 400
    assert "encoding" in body["err_msg"]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"type": "Sing"}',
        '{"kind": "Finalize"}',
        "[]",
        '{"type": ["KeepAlive"]}',
        '{"type": ' + "1" * 5000 + "}",
        "[" * 100_000,
        '{"type": ' + "[" * 900 + "]" * 900 + "}",
    ],
    ids=["broken", "unknown", "missing", "array", "list", "number", "bottomless", "deep"],
)
async def test_a_text_message_that_makes_no_sense_ends_the_stream(text: str) -> None:
    """The service's error message comes, then close code 1008 with DATA-0000."""
    async with listening(SCRIPTED) as server, connected(server) as socket:
        await socket.send_str(text)
        [error] = await until(socket, lambda message: message["type"] == "Error")
        closing = await socket.receive(timeout=5)
    assert error["variant"] == "SchemaError"
    assert error["message"] == text
    assert closing.data == 1008
    assert closing.extra.startswith("DATA-0000")


async def test_a_silent_client_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without audio and KeepAlive a stream is closed with NET-0001."""
    monkeypatch.setattr(deepgram, "IDLE_S", 0.2)
    async with listening(SCRIPTED) as server, connected(server) as socket:
        closing = await socket.receive(timeout=5)
    assert closing.data == 1011
    assert closing.extra.startswith("NET-0001")


async def test_the_key_can_be_tried() -> None:
    """/v1/projects tells an accepted key from none."""
    async with listening(SCRIPTED) as server, aiohttp.ClientSession() as session:
        async with session.get(server.make_url("/v1/projects"), headers=KEY) as accepted:
            assert accepted.status == 200
        async with session.get(server.make_url("/v1/projects")) as refused:
            assert refused.status == 401
