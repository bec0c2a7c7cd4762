"""The local providers, with faults that a test switches on and off while calls go on.

`POST /faults` takes {"openai": {"kind": "hang", "times": 1}, …}: the next requests of a provider that fail,
and how; a provider that is not named answers again. `POST /cut` takes a provider's name, and cuts its
connections.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass, field

from aiohttp import web

from callpool import settings
from callpool.local.behaviour import Behaviour, FaultKind
from callpool.local.breaking import abort
from callpool.local.providers import Providers, roster_folder
from callpool.local.standin import StandIn
from callpool.provider_settings import Provider
from callpool.telemetry.logs import set_up_logs

PATHS = {"/v1/listen": "deepgram", "/tts/websocket": "cartesia", "/v1/chat/completions": "openai"}


@dataclass
class Faults:
    """What is to go wrong next."""

    wanted: dict[str, tuple[FaultKind, int]] = field(default_factory=dict)
    open: list[tuple[web.Request, str]] = field(default_factory=list)
    struck: dict[str, int] = field(default_factory=dict)

    def next(self, provider: str) -> FaultKind | None:
        kind, times = self.wanted.get(provider, (None, 0))
        if kind is None or times <= 0:
            return None
        self.wanted[provider] = (kind, times - 1)
        self.struck[provider] = self.struck.get(provider, 0) + 1
        return kind

    async def set(self, request: web.Request) -> web.Response:
        self.wanted = {
            name: (fault["kind"], int(fault["times"])) for name, fault in (await request.json()).items()
        }
        struck, self.struck = self.struck, {}
        return web.json_response(struck)

    async def cut(self, request: web.Request) -> web.Response:
        provider = await request.text()
        for one in [one for one, name in self.open if name == provider]:
            abort(one)
        return web.Response()

    @web.middleware
    async def follow(self, request: web.Request, handler):  # type: ignore[no-untyped-def]
        entry = (request, PATHS.get(request.path, ""))
        self.open.append(entry)
        try:
            return await handler(request)
        finally:
            self.open = [other for other in self.open if other[0] is not request]


@dataclass(frozen=True)
class Switched(Behaviour):
    """Behaves as the faults say."""

    switch: Faults = field(default_factory=Faults)

    def fault(self, provider: Provider) -> FaultKind | None:
        return self.switch.next(provider)


async def main(port: int) -> None:
    set_up_logs(settings.load(), "providers")
    faults = Faults()
    roster = os.environ.get("CALLPOOL_ROSTER", "callpool_agents.roster")
    providers = Providers(Switched(switch=faults), StandIn.load([roster_folder(roster)]))
    app = providers.app()
    app.middlewares.append(faults.follow)
    app.add_routes([web.post("/faults", faults.set), web.post("/cut", faults.cut)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await providers.load()
    print("local providers ready", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        providers.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
