"""The API that starts calls, over real HTTP."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import json
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import TCPSite

from callpool.errors import CallpoolError, SettingError
from callpool.secrets import Secret
from callpool.setting_groups import LiveKit, Turns, Web, Worker
from callpool.settings import Settings
from callpool.telemetry.logs import is_ours
from callpool.web import calls
from callpool.web.server import application, serve

SECRET = "a-secret-that-is-long-enough-for-hmac-256"
SETTINGS = Settings(
    livekit=LiveKit(url="ws://127.0.0.1:7000", api_key="key", api_secret=Secret(SECRET)),
    worker=Worker(agent_name="front-desk"),
    turns=Turns(return_s=20.0),
)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

Web_ = Callable[..., Any]


class Clock:
    """Time that moves when told to, seconds."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def web() -> AsyncIterator[Web_]:
    """Opens a client for given web settings."""
    async with AsyncExitStack() as stack:

        async def client(
            clock: Clock | None = None,
            bundle: Path = Path("nowhere"),
            settings: Settings = SETTINGS,
            **web: Any,
        ) -> TestClient[Any, Any]:
            settings = dataclasses.replace(settings, web=Web(**web))
            app = application(settings, bundle=bundle, clock=clock or Clock())
            return await stack.enter_async_context(TestClient(TestServer(app)))

        yield client


def claims(token: str) -> dict[str, Any]:
    """What a token says, its signature checked."""
    return jwt.decode(token, SECRET, algorithms=["HS256"], options={"require": ["exp", "nbf"]})


async def error_of(answer: ClientResponse) -> str:
    """The one line of a refusal."""
    document = await answer.json()
    assert list(document) == ["error"]
    assert "\n" not in document["error"]
    return str(document["error"])


async def test_a_call_comes_with_everything_that_joining_takes(web: Web_) -> None:
    """The answer has the four fields of the contract, and a room and an id of its own each time."""
    client = await web()
    answers = [await client.post("/api/calls") for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 201]
    first, second = [await answer.json() for answer in answers]
    assert set(first) == {"call_id", "room", "livekit_url", "token"}
    assert first["livekit_url"] == "ws://127.0.0.1:7000"
    assert first["call_id"] in first["room"]
    assert {first["call_id"], first["room"]}.isdisjoint({second["call_id"], second["room"]})
    assert len(first["call_id"].removeprefix("c_")) >= 16


async def test_a_token_opens_one_room_to_one_microphone(web: Web_) -> None:
    """Whatever the token does not need to allow, it does not allow."""
    document = await (await (await web()).post("/api/calls")).json()
    token = claims(document["token"])
    assert token["iss"] == "key"
    assert token["sub"].startswith("caller-")
    assert token["video"] == {
        "roomJoin": True,
        "room": document["room"],
        "canPublish": True,
        "canPublishSources": ["microphone"],
        "canSubscribe": True,
        "canPublishData": False,
        "canUpdateOwnMetadata": False,
        "hidden": False,
    }


async def test_a_token_lasts_as_long_as_the_setting_says(web: Web_) -> None:
    """CALLPOOL_WEB_TOKEN_TTL_S counts from now."""
    document = await (await (await web(token_ttl_s=45)).post("/api/calls")).json()
    token = claims(document["token"])
    assert token["exp"] - token["nbf"] == 45


async def test_a_token_carries_the_dispatch_of_the_agent(web: Web_) -> None:
    """Creating the room dispatches the agent with what the caller said; it outlives a lost connection."""
    client = await web()
    answer = await client.post(
        "/api/calls",
        json={"language": "de-CH", "profile": "local"},
        headers={"traceparent": TRACEPARENT, "X-Callpool-Caller": "synthetic"},
    )
    document = await answer.json()
    room = claims(document["token"])["roomConfig"]
    assert room["departureTimeout"] >= 30
    (dispatch,) = room["agents"]
    assert dispatch["agentName"] == "front-desk"
    assert json.loads(dispatch["metadata"]) == {
        "call_id": document["call_id"],
        "language": "de-CH",
        "profile": "local",
        "traceparent": TRACEPARENT,
        "caller": {"kind": "synthetic"},
    }


async def test_what_is_not_said_stays_open(web: Web_) -> None:
    """Without a body the call is a browser's, in the default language; a broken traceparent is dropped."""
    answer = await (await web()).post("/api/calls", headers={"traceparent": "00-zz"})
    (dispatch,) = claims((await answer.json())["token"])["roomConfig"]["agents"]
    metadata = json.loads(dispatch["metadata"])
    assert (metadata["language"], metadata["profile"], metadata["traceparent"]) == (None, None, None)
    assert metadata["caller"] == {"kind": "browser"}


async def test_callers_are_sent_to_the_public_address(web: Web_) -> None:
    """CALLPOOL_PUBLIC_LIVEKIT_URL wins, in the answer and in what the page may connect to."""
    livekit = dataclasses.replace(SETTINGS.livekit, public_url="wss://voice.example")
    client = await web(settings=dataclasses.replace(SETTINGS, livekit=livekit))
    answer = await client.post("/api/calls")
    assert (await answer.json())["livekit_url"] == "wss://voice.example"
    assert "connect-src 'self' wss://voice.example https" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"language=en", "no JSON object"),
        (b"[]", "no JSON object"),
        (b"\xff\xfe{", "no JSON object"),
        (b"[" * 4000, "no JSON object"),
        (b'{"colour": "red"}', "'colour' is no field of a call: expected language or profile"),
        (b'{"language": 5}', "language is 5: expected a language such as en or de-CH"),
        (b'{"language": "english please"}', "language is 'english please'"),
        (b'{"profile": "a b"}', "profile is 'a b': expected the name of a profile"),
        (b'{"profile": ["x"]}', "profile is ['x']"),
        (b'{"profile": "dear"}', "profile is 'dear': expected one of balanced, fast, quality"),
    ],
)
async def test_a_body_that_cannot_be_used_is_refused_by_name(web: Web_, body: bytes, words: str) -> None:
    """400 names the field, its value and what is valid."""
    answer = await (await web()).post("/api/calls", data=body)
    assert answer.status == 400
    assert words in await error_of(answer)


async def test_an_unknown_kind_of_caller_is_refused(web: Web_) -> None:
    """The header has two values."""
    answer = await (await web()).post("/api/calls", headers={"X-Callpool-Caller": "phone"})
    assert answer.status == 400
    assert "X-Callpool-Caller is 'phone': expected browser or synthetic" in await error_of(answer)


async def test_a_long_body_is_refused(web: Web_) -> None:
    """413 beyond 4 KB, whatever is in it."""
    answer = await (await web()).post("/api/calls", data=b" " * 4097)
    assert answer.status == 413
    assert "4096" in await error_of(answer)


async def test_a_body_that_does_not_come_is_not_waited_for(
    web: Web_, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a few slow clients hold every connection that the process may have."""
    monkeypatch.setattr(calls, "BODY_S", 0.05)
    client = await web()
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"POST /api/calls HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{")
    assert b" 408 " in await reader.readline()
    writer.close()


async def test_a_malformed_request_is_refused_and_not_logged(
    web: Web_, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever reaches the port could else fill the log with tracebacks."""
    monkeypatch.setattr(logging.getLogger("aiohttp.server"), "filters", [is_ours])
    client = await web()
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"POST /api/calls HTTP/1.1\r\nX: \x00\r\n\r\n")
    assert b" 400 " in await reader.readline()
    writer.close()
    assert "Error handling request" not in caplog.text


@pytest.mark.parametrize(
    "sender", ["http://evil.example", "null", "http://127.0.0.1:1", "https://", "http://[", ""]
)
async def test_a_foreign_page_cannot_start_a_call(web: Web_, sender: str) -> None:
    """An Origin that is neither this server's nor on the list gets 403, and no permission to read why."""
    client = await web(allowed_origins=("https://shop.example",))
    for answer in (
        await client.post("/api/calls", headers={"Origin": sender}),
        await client.options("/api/calls", headers={"Origin": sender}),
    ):
        assert answer.status == 403
        assert "Origin is" in await error_of(answer)
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_the_own_page_may_start_calls(web: Web_) -> None:
    """The same host and port in Origin and Host is the same origin."""
    client = await web()
    answer = await client.post("/api/calls", headers={"Origin": f"http://127.0.0.1:{client.port}"})
    assert answer.status == 201
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_listed_page_may_start_calls_and_read_the_answer(web: Web_) -> None:
    """An allowed origin passes the preflight and the call, refusals included."""
    client = await web(allowed_origins=("https://Shop.example/",), calls_per_minute=1)
    sender = {"Origin": "https://shop.example"}
    preflight = await client.options("/api/calls", headers=sender)
    assert preflight.status == 204
    assert "content-type" in preflight.headers["Access-Control-Allow-Headers"]
    answers = [await client.post("/api/calls", headers=sender) for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 429]
    for answer in (preflight, *answers):
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert "Origin" in answer.headers["Vary"]


async def test_a_name_that_was_bent_to_this_machine_is_refused(web: Web_) -> None:
    """On loopback, a foreign Host is DNS rebinding, even when Origin agrees with it."""
    client = await web()
    bent = {"Host": f"evil.example:{client.port}", "Origin": f"http://evil.example:{client.port}"}
    answer = await client.post("/api/calls", headers=bent)
    assert answer.status == 403
    assert "Host is" in await error_of(answer)


async def test_a_reverse_proxy_is_let_in_by_its_public_origin(web: Web_) -> None:
    """The host of an allowed origin is a host of ours."""
    client = await web(allowed_origins=("https://voice.example",))
    headers = {"Host": "voice.example", "Origin": "https://voice.example"}
    assert (await client.post("/api/calls", headers=headers)).status == 201


async def test_an_address_may_start_so_many_calls_a_minute(web: Web_) -> None:
    """One too many gets 429 and when to come back; then it is let in. Refused bodies do not count."""
    clock = Clock()
    client = await web(clock=clock, calls_per_minute=2)
    assert (await client.post("/api/calls", data=b"no")).status == 400
    assert (await client.post("/api/calls")).status == 201
    clock.now += 20.5
    assert (await client.post("/api/calls")).status == 201
    refused = await client.post("/api/calls")
    assert refused.status == 429
    assert refused.headers["Retry-After"] == "40"
    assert "at most 2 a minute" in await error_of(refused)
    clock.now += 40
    assert (await client.post("/api/calls")).status == 201
    assert (await client.post("/api/calls")).status == 429


async def test_errors_of_the_api_are_json(web: Web_) -> None:
    """An unknown path and a wrong method answer in the API's shape."""
    client = await web()
    for answer, status in ((await client.get("/api/calls"), 405), (await client.post("/api/nothing"), 404)):
        assert answer.status == status
        assert str(status) in await error_of(answer)


async def test_answers_are_not_kept_by_caches(web: Web_) -> None:
    """A token is for one caller."""
    assert (await (await web()).post("/api/calls")).headers["Cache-Control"] == "no-store"


async def test_health(web: Web_) -> None:
    """/healthz is 200 while the process serves."""
    answer = await (await web()).get("/healthz")
    assert (answer.status, await answer.json()) == (200, {"status": "ok"})


async def test_the_page_is_served_with_its_guards(web: Web_, tmp_path: Path) -> None:
    """The LiveKit address is filled in, escaped; scripts come from here alone, and nobody frames the page."""
    (tmp_path / "index.html").write_text('<meta content="{{ livekit_url }}">')
    (tmp_path / "page.js").write_text("1")
    (tmp_path / "stamp.txt").write_text("x")
    livekit = dataclasses.replace(SETTINGS.livekit, public_url='ws://voice.example/"x')
    client = await web(bundle=tmp_path, settings=dataclasses.replace(SETTINGS, livekit=livekit))
    page = await client.get("/")
    assert await page.text() == '<meta content="ws://voice.example/&quot;x">'
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Permissions-Policy"].startswith("microphone=(self)")
    assert page.headers["Referrer-Policy"] == "no-referrer"
    script = await client.get("/assets/page.js")
    assert (script.status, script.content_type) == (200, "text/javascript")
    for hidden in ("stamp.txt", "page.css", "..%2Findex.html"):
        assert (await client.get(f"/assets/{hidden}")).status == 404


async def test_a_page_that_was_not_built_says_so(web: Web_) -> None:
    """503 with the command to run, rather than an empty page."""
    answer = await (await web()).get("/")
    assert answer.status == 503
    assert "make page" in await answer.text()


@pytest.mark.parametrize(
    ("livekit", "name"),
    [
        (LiveKit(api_key="key"), "LIVEKIT_API_SECRET"),
        (LiveKit(api_secret=Secret(SECRET)), "LIVEKIT_API_KEY"),
    ],
)
def test_a_missing_key_is_refused_at_start(livekit: LiveKit, name: str) -> None:
    """The setting is named."""
    with pytest.raises(SettingError) as refused:
        application(Settings(livekit=livekit))
    assert refused.value.name == name


@pytest.mark.parametrize(
    "entry",
    [
        "*",
        "shop.example",
        "https://shop.example/path",
        "https://shop.example:443",
        "https://shop.example:0443",
        "http://shop.example:80/",
        "https://shop.example:",
        "https://u@shop.example",
        "https://shop.example?y",
        "https://shop.example#y",
        "https://sh\N{LATIN SMALL LETTER O WITH DIAERESIS}p.example",
    ],
)
def test_an_origin_that_no_browser_sends_is_refused_at_start(entry: str) -> None:
    """An entry that could never match is a mistake, not a wish."""
    with pytest.raises(SettingError) as refused:
        application(dataclasses.replace(SETTINGS, web=Web(allowed_origins=(entry,))))
    assert refused.value.name == "CALLPOOL_WEB_ALLOWED_ORIGINS"


@pytest.mark.parametrize(
    "entry",
    ["https://shop.example", "https://Shop.example/", "http://shop.example:443", "http://[::1]:8080"],
)
def test_an_origin_that_browsers_send_is_taken(entry: str) -> None:
    """With the port where it is not the usual one."""
    application(dataclasses.replace(SETTINGS, web=Web(allowed_origins=(entry,))))


async def test_whatever_keeps_it_from_listening_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as an IPv6 address on a machine without IPv6."""

    async def refuse(_site: TCPSite) -> None:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

    monkeypatch.setattr(TCPSite, "start", refuse)
    with pytest.raises(CallpoolError) as refused:
        await serve(dataclasses.replace(SETTINGS, web=Web(host="::1", port=8080)))
    assert "CALLPOOL_WEB_HOST is '::1' and CALLPOOL_WEB_PORT 8080" in str(refused.value)
    assert os.strerror(errno.EAFNOSUPPORT) in str(refused.value)


async def test_a_port_in_use_is_named(web: Web_) -> None:
    """One line with the setting, and exit code 1."""
    client = await web()
    with pytest.raises(CallpoolError) as refused:
        await serve(dataclasses.replace(SETTINGS, web=Web(port=client.port)))
    assert f"CALLPOOL_WEB_PORT is {client.port}" in str(refused.value)
    assert refused.value.exit_code == 1
