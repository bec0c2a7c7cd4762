"""How the API says no: a status and `{"error": "one line"}`."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

API_PREFIX = "/api/"
SHOWN_CHARACTERS = 60
"""How much of a wrong value an answer repeats."""

logger = logging.getLogger(__name__)


def refusal(kind: type[web.HTTPException], reason: str, **headers: str) -> web.HTTPException:
    """An exception to raise: aiohttp answers with the status of `kind` and the reason as JSON."""
    return kind(text=_document(reason), content_type="application/json", headers=headers)


def shown(value: object) -> str:
    """A wrong value, short enough for one line."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


@web.middleware
async def as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Give errors under /api/ the one shape that programs can rely on, those of aiohttp itself included."""
    if not request.path.startswith(API_PREFIX):
        return await handler(request)
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status >= 400 and error.content_type != "application/json":
            error.text = _document(error.text or error.reason)
            error.content_type = "application/json"
        raise
    except Exception:
        logger.exception("request failed", extra={"action": "request_failed", "path": request.path})
        return web.Response(
            status=500, text=_document("something went wrong here"), content_type="application/json"
        )


def _document(reason: str) -> str:
    return json.dumps({"error": reason}, ensure_ascii=False)
