"""The local providers: one process that serves three protocols on loopback, over engines of this machine."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from aiohttp import web

from callpool import __version__
from callpool.errors import CallpoolError, SettingError
from callpool.listening import listen
from callpool.local import cartesia, deepgram, openai
from callpool.local.behaviour import Behaviour
from callpool.local.engines import missing_packages
from callpool.local.hearing import Hearing
from callpool.local.speaking import Speaking
from callpool.local.standin import StandIn
from callpool.settings import Settings
from callpool.stopping import stop_event
from callpool.telemetry.logs import set_up_logs

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
"""Never anything else: any key is accepted here."""
SHUTDOWN_S = 0.2
"""How long requests in progress may go on after a signal, seconds; aiohttp waits so twice."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Providers:
    """The three protocols and the engines behind them. Answers 503 until `load` has returned."""

    def __init__(self, behaviour: Behaviour, model: StandIn) -> None:
        self._behaviour = behaviour
        self._model = model
        self._hearing = Hearing()
        self._speaking = Speaking()
        self._ready = False

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._gate])
        app.add_routes(
            [
                web.get("/healthz", self._health),
                *deepgram.routes(self._hearing, self._behaviour),
                *openai.routes(self._model, self._behaviour),
                *cartesia.routes(self._speaking, self._behaviour),
            ]
        )
        return app

    async def load(self) -> None:
        """Load the engines, each in a thread. With a fixed latency a script replaces them."""
        if self._behaviour.latency is None:
            # Not a TaskGroup: a group of exceptions would hide the line that an error of ours has to say.
            await asyncio.gather(
                _load("speech to text", self._hearing.load),
                _load("text to speech", self._speaking.load),
            )
        self._ready = True

    def close(self) -> None:
        self._hearing.close()
        self._speaking.close()

    @web.middleware
    async def _gate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self._ready:
            return web.json_response({"status": "loading"}, status=503, headers={"Retry-After": "1"})
        try:
            return await handler(request)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as refusal:
            body = {"error": {"message": f"{request.method} {request.path}: {refusal.reason}"}}
            return web.json_response(body, status=refusal.status)

    async def _health(self, _request: web.Request) -> web.Response:
        scripted = self._behaviour.latency is not None
        engines = {
            "deepgram": "script" if scripted else self._hearing.info.name,
            "openai": "script" if scripted else "deterministic stand-in",
            "cartesia": "buzz" if scripted else self._speaking.name,
        }
        faults = [
            {"provider": fault.provider, "kind": fault.kind, "rate": fault.rate}
            for fault in self._behaviour.faults
        ]
        return web.json_response(
            {
                "status": "ok",
                "version": __version__,
                "engines": engines,
                "stand_in": True,
                "scripted": scripted,
                "faults": faults,
            }
        )


async def serve(settings: Settings, behaviour: Behaviour, rules: Sequence[Path]) -> int:
    """Serve until SIGINT or SIGTERM. `rules`: folders with the stand-in's rules; none: beside the roster.

    Listens first and loads then, so that whoever waits sees 503 rather than nothing. Raises CallpoolError
    when the engines are not installed or the port is in use, SettingError for a roster or rules that are not
    there.
    """
    if behaviour.latency is None:
        _check_installed()
        model = StandIn.load(rules or [roster_folder(settings.worker.roster)])
    else:
        model = StandIn()
    set_up_logs(settings, "providers")
    stopped = stop_event()
    providers = Providers(behaviour, model)
    runner = web.AppRunner(providers.app(), access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        url = await listen(runner, "PROVIDERS", HOST, settings.local.providers_port)
        logger.info("listening, not ready yet", extra={"action": "providers.listen", "url": url})
        if await _load_unless(stopped, providers):
            logger.info("local providers ready", extra={"action": "providers.ready", "url": url})
        await stopped.wait()
    finally:
        providers.close()
        await runner.cleanup()
    logger.info("local providers stopped", extra={"action": "providers.stopped"})
    return 0


def roster_folder(roster: str) -> Path:
    """The folder of the roster's module, found without importing it: rules lie beside the agents."""
    try:
        found = importlib.util.find_spec(roster)
    except (ImportError, ValueError):
        found = None
    if found is None or found.origin is None:
        raise SettingError("CALLPOOL_ROSTER", roster, "a module that can be imported")
    return Path(found.origin).parent


def _check_installed() -> None:
    missing = missing_packages()
    if missing:
        raise CallpoolError(
            f"the local speech engines are not installed (no {', '.join(missing)}): "
            "pip install 'callpool[local]'"
        )


async def _load_unless(stopped: asyncio.Event, providers: Providers) -> bool:
    """Whether all engines were loaded before a signal came."""
    loading = asyncio.create_task(providers.load(), name="load-engines")
    stopping = asyncio.create_task(stopped.wait(), name="wait-for-signal")
    try:
        await asyncio.wait({loading, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if loading.done():
            await loading
        return loading.done()
    finally:
        loading.cancel()
        stopping.cancel()


async def _load(what: str, load: Callable[[], object]) -> None:
    logger.info("loading engine", extra={"action": "providers.load", "engine": what})
    started_s = time.perf_counter()
    await asyncio.to_thread(load)
    logger.info(
        "engine loaded",
        extra={
            "action": "providers.loaded",
            "engine": what,
            "seconds": round(time.perf_counter() - started_s, 2),
        },
    )
