"""The web process: builds its parts, listens, stops on SIGINT and SIGTERM."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from callpool.errors import CallpoolError
from callpool.settings import Settings
from callpool.telemetry.logs import set_up_logs
from callpool.web import tokens
from callpool.web.caller_page import BUNDLE, CallerPage
from callpool.web.calls import BODY_BYTES, CallsApi
from callpool.web.origins import Origins
from callpool.web.rate import Rate
from callpool.web.refusal import as_json

SHUTDOWN_S = 2.0
"""How long open requests may take to finish, seconds."""

logger = logging.getLogger(__name__)


def application(
    settings: Settings, *, bundle: Path = BUNDLE, clock: Callable[[], float] = time.monotonic
) -> web.Application:
    """The API and the page. Raises SettingError when calls could not be started with these settings."""
    tokens.check(settings)
    origins = Origins.of(settings.web)
    calls = CallsApi(settings, origins, Rate(settings.web.calls_per_minute, clock))
    page = CallerPage(settings.caller_livekit_url, bundle)

    app = web.Application(client_max_size=BODY_BYTES, middlewares=[as_json])
    app.on_response_prepare.append(origins.share)
    app.on_response_prepare.append(page.protect)
    app.router.add_post("/api/calls", calls.start)
    app.router.add_options("/api/calls", calls.preflight)
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/", page.index)
    app.router.add_get("/assets/{name}", page.asset)
    return app


async def serve(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM. Raises CallpoolError when it cannot listen."""
    set_up_logs()
    runner = web.AppRunner(application(settings), access_log=None, shutdown_timeout=SHUTDOWN_S)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await runner.setup()
    try:
        await _listen(runner, settings.web.host, settings.web.port)
        logger.info("listening", extra={"action": "listening", "url": _address(runner)})
        await stop.wait()
    finally:
        await runner.cleanup()
    return 0


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except socket.gaierror as error:
        raise CallpoolError(f"CALLPOOL_WEB_HOST is {host!r}: expected an address of this machine") from error
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                reason = f"CALLPOOL_WEB_PORT is {port}: another program uses this port on {host}"
                raise CallpoolError(f"{reason}; expected a free one (0: any)") from error
            case errno.EACCES:
                reason = f"CALLPOOL_WEB_PORT is {port}: this user may not open it"
                raise CallpoolError(f"{reason}; expected one above 1023") from error
            case errno.EADDRNOTAVAIL:
                reason = f"CALLPOOL_WEB_HOST is {host!r}: expected an address of this machine"
                raise CallpoolError(reason) from error
        raise


def _address(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _healthz(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})
