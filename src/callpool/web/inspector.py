"""The call inspector: what staff see of calls. A server of its own, on this machine alone.

Nobody logs in yet, so it listens on loopback and answers to loopback names only: a page whose name was made
to point at this machine (DNS rebinding) gets nothing. From elsewhere: `ssh -L`, or `kubectl port-forward`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from callpool.errors import StoreError
from callpool.settings import Settings
from callpool.store import browsing
from callpool.store.browsing import Line, Place, Search
from callpool.store.calls import Calls
from callpool.store.engine import create_engine, sqlite_path
from callpool.store.record import utc_text
from callpool.web.caller_page import BUNDLE, NOT_BUILT
from callpool.web.origins import is_loopback
from callpool.web.refusal import as_json, refusal, shown

ASSETS = {
    "inspector.js": "text/javascript; charset=utf-8",
    "inspector.css": "text/css; charset=utf-8",
}
TEXTS = ("result", "reason", "caller_kind", "language", "agent_name", "stage", "named")
TRUTHS = ("live", "failing")
TIMES = ("since", "until")
LONGEST = 200
"""Characters of a value."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "callpool",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def application(settings: Settings, calls: Calls) -> web.Application:
    """The inspector's API, over a store that is opened when it is first asked for."""
    file = sqlite_path(create_engine(settings.store_url))
    inspector = Inspector(calls, settings.telemetry.trace_url, file)
    app = web.Application(middlewares=[as_json, _at_home])
    app.on_response_prepare.append(_protect)
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/", _page)
    app.router.add_get("/calls/{call_id}", _page)
    app.router.add_get("/assets/{name}", _asset)
    app.router.add_get("/api/calls", inspector.list)
    app.router.add_get("/api/calls/{call_id}", inspector.show)
    return app


class Inspector:
    """Answers questions about calls."""

    def __init__(self, calls: Calls, trace_url: str, file: Path | None = None) -> None:
        """`trace_url`: the page of a trace, with `{trace_id}`; empty: no links. `file`: the store's, where it
        is one."""
        self._calls = calls
        self._trace_url = trace_url
        self._file = file

    async def list(self, request: web.Request) -> web.Response:
        """A page of calls, newest first. 400: a filter cannot be used; 503: the store is away."""
        search, place = search_of(request), place_of(request)
        if self._is_empty():
            return web.json_response({"calls": [], "next": None})
        try:
            lines, following = await self._calls.reading(
                lambda connection: browsing.page(connection, search, place)
            )
        except StoreError as error:
            raise _away(error) from error
        document = {
            "calls": [_document(line) for line in lines],
            "next": None if following is None else _token(following),
        }
        return web.json_response(document)

    async def show(self, request: web.Request) -> web.Response:
        """The record of a call, and where its trace is; 404 for one that nobody knows."""
        call_id = request.match_info["call_id"]
        try:
            record = None if self._is_empty() else await self._calls.get(call_id)
        except StoreError as error:
            raise _away(error) from error
        if record is None:
            raise refusal(web.HTTPNotFound, f"no call has the id or the room {shown(call_id)}")
        document = record.to_json()
        document["trace_url"] = (
            self._trace_url.replace("{trace_id}", record.trace_id)
            if self._trace_url and record.trace_id
            else None
        )
        response = web.Response(
            text=json.dumps(document, ensure_ascii=False), content_type="application/json"
        )
        response.enable_compression()
        return response

    def _is_empty(self) -> bool:
        """Whether nobody has made the store's file yet. To look for calls must not."""
        return self._file is not None and not self._file.exists()


def search_of(request: web.Request) -> Search:
    """The filters in a query string. Raises the refusal (400) of one that cannot be used."""
    known = (*TEXTS, *TRUTHS, *TIMES, "after")
    for name in request.query:
        if name not in known:
            raise refusal(web.HTTPBadRequest, f"{shown(name)} is no filter: expected {', '.join(known)}")
    values: dict[str, Any] = {name: _text(request, name) for name in TEXTS}
    values |= {name: _truth(request, name) for name in TRUTHS}
    values |= {name: _time(request, name) for name in TIMES}
    return Search(**values)


def place_of(request: web.Request) -> Place | None:
    """Where the page before ended."""
    token = request.query.get("after", "")
    if not token:
        return None
    try:
        moment, _, call_id = base64.urlsafe_b64decode(token.encode()).decode().partition(" ")
        started_at = datetime.fromisoformat(moment)
        if started_at.tzinfo is None or not call_id:
            raise ValueError
    except (ValueError, binascii.Error):
        expected = "what `next` of the page before says"
        raise refusal(web.HTTPBadRequest, f"after is {shown(token)}: expected {expected}") from None
    return Place(started_at, call_id)


def _token(place: Place) -> str:
    return base64.urlsafe_b64encode(f"{place.started_at.isoformat()} {place.call_id}".encode()).decode()


def _text(request: web.Request, name: str) -> str:
    value = request.query.get(name, "").strip()
    if len(value) > LONGEST or not value.isprintable():
        raise refusal(web.HTTPBadRequest, f"{name} is {shown(value)}: expected at most {LONGEST} characters")
    return value


def _truth(request: web.Request, name: str) -> bool:
    value = request.query.get(name, "")
    if value not in ("", "true", "false"):
        raise refusal(web.HTTPBadRequest, f"{name} is {shown(value)}: expected true or false")
    return value == "true"


def _time(request: web.Request, name: str) -> datetime | None:
    value = request.query.get(name, "").strip()
    if not value:
        return None
    try:
        given = datetime.fromisoformat(value)
    except ValueError:
        expected = "a date or a time such as 2026-11-01T12:00:00Z"
        raise refusal(web.HTTPBadRequest, f"{name} is {shown(value)}: expected {expected}") from None
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given


def _document(line: Line) -> dict[str, object]:
    return {
        key: utc_text(value) if isinstance(value, datetime) else value for key, value in asdict(line).items()
    }


def _away(error: StoreError) -> web.HTTPException:
    return refusal(web.HTTPServiceUnavailable, str(error), **{"Retry-After": "5"})


@web.middleware
async def _at_home(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer to loopback names alone, and to no page of another origin."""
    try:
        name = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        name = ""
    if not is_loopback(name):
        raise refusal(web.HTTPForbidden, f"Host is {shown(request.host)}: expected a loopback name")
    sender = request.headers.get("Origin")
    if sender is not None and urlsplit(sender).netloc != request.host:
        raise refusal(web.HTTPForbidden, f"Origin is {shown(sender)}: expected this server's own page")
    return await handler(request)


async def _page(_request: web.Request) -> web.StreamResponse:
    """The page for all of them: what it shows, it asks for."""
    path = BUNDLE / "inspector.html"
    if not path.is_file():
        return web.Response(status=503, text=NOT_BUILT, content_type="text/html")
    return web.FileResponse(path)


async def _asset(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    path = BUNDLE / name
    if name not in ASSETS or not path.is_file():
        raise web.HTTPNotFound
    return web.FileResponse(path, headers={"Content-Type": ASSETS[name]})


async def _protect(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


async def _healthz(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})
