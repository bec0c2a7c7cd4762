"""The dispatcher's HTTP side: webhooks of the LiveKit server, health, metrics."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from livekit.api import TokenVerifier, WebhookReceiver
from livekit.protocol.webhook import WebhookEvent

from callpool.dispatcher import WEBHOOK_PATH
from callpool.dispatcher.figures import Figures
from callpool.setting_groups import LiveKit
from callpool.telemetry.metrics import page

BODY_BYTES = 256 * 1024
"""The largest event, of a participant with many tracks, has a tenth of this."""
BODY_S = 10.0
CHANGES = frozenset(
    {
        "room_started",
        "room_finished",
        "participant_joined",
        "participant_left",
        "participant_connection_aborted",
    }
)
"""Events after which a room may need something. Tracks, egress and ingress are nobody who calls."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Change:
    """Something happened in a room."""

    room: str
    sid: str
    over: bool
    """The room is no more."""


class Webhooks:
    """Takes events whose signature is right, and tells of the changes among them."""

    def __init__(self, settings: LiveKit, heard: Callable[[Change], None]) -> None:
        self._receiver = WebhookReceiver(TokenVerifier(settings.api_key, settings.api_secret.reveal()))
        self._heard = heard

    async def take(self, request: web.Request) -> web.Response:
        """200; 401 for what the server did not sign, 408, 413."""
        try:
            async with asyncio.timeout(BODY_S):
                body = await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="the body did not arrive") from None
        event = self._event(body, request.headers.get("Authorization", ""))
        if event.event in CHANGES and event.room.name:
            self._heard(Change(event.room.name, event.room.sid, event.event == "room_finished"))
        return web.Response(text="ok")

    def _event(self, body: bytes, authorization: str) -> WebhookEvent:
        try:
            return self._receiver.receive(body.decode(), authorization.removeprefix("Bearer "))
        except Exception as error:  # the SDK raises bare Exceptions here, the JWT library others
            logger.warning(
                "webhook refused", extra={"action": "webhook_refused", "error": type(error).__name__}
            )
            raise web.HTTPUnauthorized(text="not signed by the LiveKit server") from None


def application(webhooks: Webhooks, figures: Figures, not_ready: Callable[[], str]) -> web.Application:
    """`not_ready`: why the dispatcher cannot do its work; empty when it can."""

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_: web.Request) -> web.Response:
        reason = not_ready()
        return web.json_response({"status": reason or "ready"}, status=503 if reason else 200)

    async def metrics(request: web.Request) -> web.Response:
        body, content_type = page(figures.registry, request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    app = web.Application(client_max_size=BODY_BYTES)
    app.router.add_post(WEBHOOK_PATH, webhooks.take)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app
