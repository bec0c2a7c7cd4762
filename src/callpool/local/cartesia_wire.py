"""Cartesia on the wire: what a request asks for, and how one is refused."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from callpool.local.behaviour import FaultKind

BUFFER_DELAY_MS = 3000
"""How long an unfinished sentence may wait for its end, unless the client says otherwise."""
RATES_HZ = range(4000, 192_001)
STRUCTURED_ERRORS = "2026-03-01"
"""The `Cartesia-Version` from which errors are objects; before, they are `Title: message`."""
GARBAGE = "\ufffd<<not JSON>>{"
FAULTS: dict[FaultKind | None, tuple[int, str, str]] = {
    "429": (429, "Too many concurrent requests", "An injected fault."),
    "500": (500, "Internal server error", "An injected fault."),
}
"""The injected faults that are an answer: status, title, message."""
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class Refusal(Exception):
    """A request that the real service would refuse: HTTP status, title, message."""

    def __init__(self, status: int, title: str, message: str) -> None:
        super().__init__(f"{title}: {message}")
        self.status = status
        self.title = title
        self.message = message

    def response(self, version: str) -> web.Response:
        if version < STRUCTURED_ERRORS:
            return web.Response(status=self.status, text=str(self))
        body = {"error_code": None, "title": self.title, "message": self.message, "request_id": new_id()}
        return web.json_response(body, status=self.status)

    def event(self, version: str, context_id: str | None) -> dict[str, object]:
        event: dict[str, object] = {"type": "error", "done": True, "status_code": self.status}
        if version < STRUCTURED_ERRORS:
            event["error"] = str(self)
        else:
            event |= {"error_code": None, "title": self.title, "message": self.message}
        return event | {"request_id": new_id(), "context_id": context_id}


@dataclass(frozen=True)
class Generation:
    """What a request asks for: text, and how to deliver its audio."""

    context_id: str
    transcript: str
    container: str
    sample_rate_hz: int
    more_follows: bool
    flush: bool
    timestamps: bool
    buffer_delay_s: float

    @classmethod
    def parse(cls, body: dict[str, Any], containers: tuple[str, ...]) -> Generation:
        """Raises Refusal (400) for what the protocol does not allow."""
        transcript = body.get("transcript")
        if not isinstance(transcript, str):
            raise Refusal(400, "Invalid transcript", "transcript must be a string.")
        if _SURROGATE.search(transcript):
            raise Refusal(400, "Invalid transcript", "transcript must be Unicode text.")
        if not isinstance(body.get("model_id"), str) or not body["model_id"]:
            raise Refusal(400, "Invalid model", "model_id must be the id of a model.")
        voice = body.get("voice")
        if not isinstance(voice, dict) or not (voice.get("id") or voice.get("embedding")):
            raise Refusal(400, "Invalid voice", 'voice must be an object such as {"mode": "id", "id": "…"}.')
        form = body.get("output_format")
        if not isinstance(form, dict) or form.get("container") not in containers:
            raise Refusal(
                400, "Invalid output format", f"output_format.container must be {' or '.join(containers)}."
            )
        if form.get("encoding") != "pcm_s16le":
            raise Refusal(
                400,
                "Invalid output format",
                f"output_format.encoding {form.get('encoding')!r} is not available; valid: pcm_s16le.",
            )
        rate_hz = form.get("sample_rate")
        if type(rate_hz) is not int or rate_hz not in RATES_HZ:
            raise Refusal(
                400,
                "Invalid output format",
                f"output_format.sample_rate must be from {RATES_HZ[0]} to {RATES_HZ[-1]}.",
            )
        delay_ms = body.get("max_buffer_delay_ms", BUFFER_DELAY_MS)
        if type(delay_ms) not in (int, float) or not 0 <= delay_ms <= 5000:
            raise Refusal(400, "Invalid request", "max_buffer_delay_ms must be from 0 to 5000.")
        return cls(
            context_id=str(body.get("context_id") or new_id()),
            transcript=transcript,
            container=form["container"],
            sample_rate_hz=rate_hz,
            more_follows=body.get("continue") is True,
            flush=body.get("flush") is True,
            timestamps=body.get("add_timestamps") is True,
            buffer_delay_s=delay_ms / 1000,
        )


def json_object(text: str | bytes) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise Refusal(400, "Invalid request", "The body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise Refusal(400, "Invalid request", "The body must be a JSON object.")
    return body


def new_id() -> str:
    return str(uuid.uuid4())


def version_of(request: web.Request) -> str:
    """The asked `Cartesia-Version`; empty: none. As with the real service, the query goes first."""
    return request.query.get("cartesia_version", "") or request.headers.get("Cartesia-Version", "")
