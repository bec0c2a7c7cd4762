"""The web process: builds its parts, listens, stops on SIGINT and SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web

from callpool.listening import listen
from callpool.profiles import Profiles
from callpool.settings import Settings
from callpool.stopping import stop_event
from callpool.store.calls import Calls
from callpool.telemetry.logs import set_up_logs
from callpool.telemetry.tracing import Tracing
from callpool.web import inspector
from callpool.web.caller_page import BUNDLE, CallerPage
from callpool.web.calls import BODY_BYTES, CallsApi
from callpool.web.origins import Origins
from callpool.web.rate import Rate
from callpool.web.refusal import as_json

LOOPBACK = "127.0.0.1"
SHUTDOWN_S = 2.0
"""How long open requests may take to finish, seconds."""

logger = logging.getLogger(__name__)


def application(
    settings: Settings, *, bundle: Path = BUNDLE, clock: Callable[[], float] = time.monotonic
) -> web.Application:
    """The API and the page. Raises SettingError when calls could not be started with these settings."""
    settings.livekit.check_key_pair()
    origins = Origins.of(settings.web)
    tracing = Tracing.of(settings, "web")
    calls = CallsApi(
        settings,
        origins,
        Rate(settings.web.calls_per_minute, clock),
        Profiles.read(settings).names,
        tracing,
    )
    page = CallerPage(settings.caller_livekit_url, bundle)

    app = web.Application(client_max_size=BODY_BYTES, middlewares=[as_json])
    app.on_response_prepare.append(origins.share)
    app.on_response_prepare.append(page.protect)
    app.router.add_post("/api/calls", calls.start)
    app.router.add_options("/api/calls", calls.preflight)
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/", page.index)
    app.router.add_get("/assets/{name}", page.asset)

    async def close_tracing(_: web.Application) -> None:
        await asyncio.to_thread(tracing.close)

    app.on_cleanup.append(close_tracing)
    return app


async def serve(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM. Raises CallpoolError when it cannot listen."""
    set_up_logs(settings, "web")
    stop = stop_event()
    async with Calls(settings.store_url) as calls, AsyncExitStack() as serving:
        for name, app, host, port in (
            ("WEB", application(settings), settings.web.host, settings.web.port),
            ("INSPECTOR", inspector.application(settings, calls), LOOPBACK, settings.inspector.port),
        ):
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
            await runner.setup()
            serving.push_async_callback(runner.cleanup)
            url = await listen(runner, name, host, port)
            logger.info("listening", extra={"action": "listening", "part": name.lower(), "url": url})
        await stop.wait()
    return 0


async def _healthz(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})
