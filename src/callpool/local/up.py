"""`callpool up`: everything on this machine, started together, watched, and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Coroutine, Mapping
from pathlib import Path

from callpool.dispatcher import WEBHOOK_PATH
from callpool.errors import CallpoolError
from callpool.local import livekit_server
from callpool.local.console import Console
from callpool.local.data_directory import SERVER_FILE, DataDirectory, Keys, write_private
from callpool.local.engines import notice
from callpool.local.plan import Addresses, child_environment, services
from callpool.local.ports import outward_address
from callpool.local.signals import StopSignals
from callpool.local.supervisor import ChildFailed, Service, Supervisor
from callpool.settings import Settings

NAMES = ("up", "livekit", "providers", "worker", "dispatcher", "web")
READY_S = 120.0
"""How long the first answers may take, seconds: a cold disk reads two speech models."""


async def up(settings: Settings, *, host: str | None, config: Path | None) -> int:
    """Run until a signal. Raises CallpoolError when something keeps it from starting or from going on."""
    home = DataDirectory.claim(settings.local.data_dir)
    console = Console(sys.stderr, NAMES)
    try:
        return await _Up(settings, home, console, host, config).run()
    finally:
        home.release()
        console.close()


class _Up:
    """One run."""

    def __init__(
        self, settings: Settings, home: DataDirectory, console: Console, host: str | None, config: Path | None
    ) -> None:
        self._settings = settings
        self._home = home
        self._console = console
        self._say = console.of("up")
        self._host = host
        self._config = config.resolve() if config else None
        self._supervisors: dict[str, Supervisor] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._pids: dict[str, int] = {"up": os.getpid()}
        self._document: Mapping[str, object] | None = None

    async def run(self) -> int:
        signals = StopSignals(again=self._kill)
        serving = asyncio.create_task(self._serve(), name="serve")
        stopping = asyncio.create_task(signals.first.wait(), name="stop")
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
            self._say("stopping")
            return 0
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            await self._stop()
            stopping.cancel()
            signals.close()

    async def _serve(self) -> None:
        """Start everything, say that it is ready, go on until something fails that must not."""
        began = time.monotonic()
        if self._home.was_stale:
            self._say("the callpool up before this one did not end tidily; its up.json is replaced")
        addresses = Addresses.choose(self._settings, self._host, self._say)
        keys = self._home.livekit_keys(self._settings)
        env = child_environment(self._settings, addresses, keys, self._home.path, os.environ)
        plan = services(self._settings, addresses, env, self._config, await self._server(addresses, keys))
        self._warn(addresses)
        if words := notice(self._settings):
            self._say(words)

        for name in ("livekit", "providers", "web"):
            if name in plan:
                self._start(plan[name])
        try:
            async with asyncio.timeout(READY_S):
                if "livekit" in plan:
                    await self._until_answers("livekit")
                self._start(plan["worker"])
                self._start(plan["dispatcher"])
                for name in plan:
                    await self._until_answers(name)
        except TimeoutError:
            silent = [name for name, kept in self._supervisors.items() if not kept.answers.is_set()]
            raise ChildFailed(f"no answer within {READY_S:g} s from {', '.join(silent)}") from None

        self._document = _document(self._settings, addresses, keys)
        self._publish()
        self._say(f"everything answers after {time.monotonic() - began:.1f} s; Ctrl-C stops it")
        _print(f'ready: open {addresses.web} in a browser, or run: callpool call "Hello"')
        await self._until_failure(asyncio.Event().wait())

    async def _server(self, addresses: Addresses, keys: Keys) -> tuple[Path, Path] | None:
        if not addresses.livekit_health:
            return None
        program = await livekit_server.find(self._settings, self._console.of("livekit"))
        file = self._home.path / SERVER_FILE
        text = livekit_server.configuration(
            ip=addresses.ip,
            node_ip=outward_address(addresses.ip),
            port=addresses.livekit_port,
            udp_port=addresses.livekit_udp_port,
            api_key=keys.api_key,
            secret=keys.secret.reveal(),
            webhook=f"{addresses.dispatcher}{WEBHOOK_PATH}",
        )
        write_private(file, text)
        return program, file

    def _warn(self, addresses: Addresses) -> None:
        for variable in self._settings.unknown:
            self._say(f"{variable} is set, but no setting has this name")
        if self._host is None:
            return
        shown = outward_address(addresses.web_ip)
        self._say(f"everyone who reaches {shown} can start calls and speak with the agent")
        self._say(
            "a browser gives a page a microphone only over HTTPS or from localhost. From another machine, run"
        )
        tunnels = f"-L {addresses.web_port}:{shown}:{addresses.web_port}"
        self._say(f"    ssh -N {tunnels} {shown}    and open http://localhost:{addresses.web_port} there,")
        self._say("or put a reverse proxy with a certificate before the page and before the LiveKit server")
        self._say("(CALLPOOL_PUBLIC_LIVEKIT_URL=wss://… is the address that callers get)")

    def _start(self, service: Service) -> None:
        name = service.program.name
        kept = Supervisor(service, self._console.of(name), self._say, self._started)
        self._supervisors[name] = kept
        self._keepers[name] = asyncio.create_task(kept.keep(), name=f"keep-{name}")

    def _started(self, name: str, pid: int) -> None:
        self._pids[name] = pid
        self._publish_again()

    def _publish(self) -> None:
        if self._document is not None:
            self._home.publish({**self._document, "pids": self._pids})

    def _publish_again(self) -> None:
        """A part was started anew. A full disk is no reason to stop the others."""
        try:
            self._publish()
        except CallpoolError as error:
            self._say(str(error))

    async def _until_answers(self, name: str) -> None:
        await self._until_failure(self._supervisors[name].answers.wait())

    async def _until_failure(self, waiting: Coroutine[object, object, object]) -> None:
        """Wait for something, or for the first keeper that gives up, whose error is raised."""
        task = asyncio.create_task(waiting)
        try:
            await asyncio.wait({task, *self._keepers.values()}, return_when=asyncio.FIRST_COMPLETED)
            for keeper in self._keepers.values():
                if keeper.done():
                    keeper.result()
        finally:
            task.cancel()

    async def _stop(self) -> None:
        for name in ("web", "dispatcher", "worker", "providers", "livekit"):
            if name in self._supervisors:
                await self._supervisors[name].stop()
        for keeper in self._keepers.values():
            keeper.cancel()
        await asyncio.gather(*self._keepers.values(), return_exceptions=True)

    def _kill(self) -> None:
        self._say("stopping at once")
        for kept in self._supervisors.values():
            kept.kill()


def _document(settings: Settings, addresses: Addresses, keys: Keys) -> dict[str, object]:
    return {
        "livekit_url": addresses.livekit_url,
        "api_key": keys.api_key,
        "api_secret_file": str(keys.secret_file),
        "web": addresses.web,
        "worker": addresses.worker,
        "providers": addresses.providers or None,
        "dispatcher": addresses.dispatcher,
        "inspector": addresses.inspector,
        "store": settings.store_url,
    }


def _print(line: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads standard output; the service goes on
        print(line, flush=True)  # noqa: T201
