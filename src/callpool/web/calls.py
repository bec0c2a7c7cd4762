"""`POST /api/calls`: from a caller's wish to a call that they can join."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from dataclasses import asdict, dataclass, replace
from typing import cast, get_args

from aiohttp import web
from opentelemetry.trace import SpanKind

from callpool.call import LANGUAGE
from callpool.settings import Settings
from callpool.telemetry.trace_context import TRACEPARENT, TraceContext, traceparent_of
from callpool.telemetry.tracing import Tracing
from callpool.web import tokens
from callpool.web.origins import Origins
from callpool.web.rate import Rate
from callpool.web.refusal import refusal, shown
from callpool.web.tokens import CallerKind, Wish

BODY_BYTES = 4096
BODY_S = 10.0
"""How long a body may take to arrive, seconds."""
CALLER_HEADER = "X-Callpool-Caller"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Field:
    """One field of the body: text of a certain form, or null."""

    form: re.Pattern[str]
    expected: str


FIELDS = {
    "language": Field(LANGUAGE, "a language such as en or de-CH"),
    "profile": Field(
        re.compile(r"[A-Za-z0-9_.-]{1,64}"),
        "the name of a profile: 1 to 64 letters, digits, dots, dashes or underscores",
    ),
}


@dataclass(frozen=True)
class CallsApi:
    """Starts calls."""

    settings: Settings
    origins: Origins
    rate: Rate
    profiles: tuple[str, ...]
    """The names of profiles that a call may ask for."""
    tracing: Tracing

    async def start(self, request: web.Request) -> web.Response:
        """201 with the ticket; 400 for a body that cannot be used, 403 for a foreign page, 413, 429."""
        self.origins.judge(request)
        wish = await _wish(request)
        if wish.profile is not None and wish.profile not in self.profiles:
            expected = f"one of {', '.join(self.profiles)}"
            raise refusal(web.HTTPBadRequest, f"profile is {shown(wish.profile)}: expected {expected}")
        if wait_s := self.rate.admit(request.remote or ""):
            logger.warning("too many calls from one address", extra={"action": "call_refused"})
            reason = f"too many calls from this address: at most {self.rate.per_minute} a minute"
            raise refusal(web.HTTPTooManyRequests, reason, **{"Retry-After": str(wait_s)})
        call_id = tokens.new_call_id()
        context = TraceContext.of_call(wish.traceparent, call_id)
        with self.tracing.span(context, "callpool.start_call", SpanKind.SERVER, call_id=call_id) as span:
            span.set_attribute("callpool.caller.kind", wish.kind)
            traced = replace(wish, traceparent=traceparent_of(span) or wish.traceparent)
            ticket = tokens.issue(self.settings, traced, call_id)
        logger.info(
            "call offered",
            extra={"action": "call_offered", "call_id": ticket.call_id, "caller_kind": wish.kind},
        )
        return web.json_response(asdict(ticket), status=201)

    async def preflight(self, request: web.Request) -> web.Response:
        """What a browser asks before a page of another origin may post."""
        self.origins.judge(request)
        return web.Response(status=204)


async def _wish(request: web.Request) -> Wish:
    kind = request.headers.get(CALLER_HEADER, "browser")
    if kind not in get_args(CallerKind):
        expected = " or ".join(get_args(CallerKind))
        raise refusal(web.HTTPBadRequest, f"{CALLER_HEADER} is {shown(kind)}: expected {expected}")
    traceparent = request.headers.get("traceparent", "")
    fields = _fields(await _body(request))
    return Wish(
        language=fields.get("language"),
        profile=fields.get("profile"),
        # The W3C recommendation has a malformed traceparent ignored, not refused.
        traceparent=traceparent if TRACEPARENT.fullmatch(traceparent) else None,
        kind=cast(CallerKind, kind),
    )


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except TimeoutError:
        raise refusal(web.HTTPRequestTimeout, f"the body did not arrive within {BODY_S:g} s") from None


def _fields(body: bytes) -> dict[str, str | None]:
    if not body.strip():
        return {}
    names = " or ".join(FIELDS)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise refusal(
            web.HTTPBadRequest, f"the body is no JSON object: expected one with {names}, or no body"
        )
    for name, value in document.items():
        if name not in FIELDS:
            raise refusal(web.HTTPBadRequest, f"{shown(name)} is no field of a call: expected {names}")
        if value is not None and not (isinstance(value, str) and FIELDS[name].form.fullmatch(value)):
            raise refusal(web.HTTPBadRequest, f"{name} is {shown(value)}: expected {FIELDS[name].expected}")
    return document
