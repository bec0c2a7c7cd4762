"""`callpool dispatcher`: builds its parts, listens, stops on SIGINT and SIGTERM."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from callpool.dispatcher import WEBHOOK_PATH
from callpool.dispatcher.control import Dispatcher
from callpool.dispatcher.figures import Figures
from callpool.dispatcher.livekit_rooms import LiveKitRooms
from callpool.dispatcher.webhooks import Webhooks, application
from callpool.errors import CallpoolError
from callpool.listening import listen
from callpool.settings import Settings
from callpool.stopping import stop_event
from callpool.store.calls import Calls
from callpool.store.registry import StoreRegistry
from callpool.telemetry.logs import set_up_logs
from callpool.telemetry.otlp_metrics import push_metrics
from callpool.telemetry.tracing import Tracing

SHUTDOWN_S = 2.0
"""How long open requests may take to finish, seconds."""

logger = logging.getLogger(__name__)


async def run(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM. Raises CallpoolError when it cannot listen or use the store."""
    exported = set_up_logs(settings, "dispatcher")
    settings.livekit.check_key_pair()
    stop = stop_event()
    async with Calls(settings.store_url) as calls:
        await calls.open()
    figures = Figures()
    if exported is not None:
        exported.tell_dropped(lambda count: figures.drop("logs", count))
    async with LiveKitRooms(settings.livekit) as rooms, StoreRegistry(settings.store_url) as registry:
        tracing = Tracing.of(settings, "dispatcher", lambda count: figures.drop("traces", count))
        dispatcher = Dispatcher(rooms, registry, settings.worker.agent_name, figures, tracing=tracing)
        webhooks = Webhooks(settings.livekit, dispatcher.hear)
        app = application(webhooks, figures, dispatcher.not_ready)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        working = asyncio.create_task(dispatcher.run(), name="dispatcher")
        pushing = asyncio.create_task(
            push_metrics(
                settings, "dispatcher", figures.registry, lambda count: figures.drop("metrics", count)
            ),
            name="push-metrics",
        )
        stopping = asyncio.create_task(stop.wait(), name="signals")
        try:
            url = await listen(runner, "DISPATCHER", settings.dispatcher.host, settings.dispatcher.port)
            logger.info("listening", extra={"action": "listening", "webhooks": f"{url}{WEBHOOK_PATH}"})
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
                raise CallpoolError("the dispatcher stopped by itself")
        finally:
            working.cancel()
            stopping.cancel()
            pushing.cancel()
            await asyncio.gather(working, stopping, pushing, return_exceptions=True)
            await asyncio.to_thread(tracing.close)
            await runner.cleanup()
    return 0
