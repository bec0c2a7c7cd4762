"""`callpool doctor`: every check, side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import aiohttp
import click

from callpool import __version__
from callpool.doctor import configuration, keys, machine, servers
from callpool.doctor.finding import TIMEOUT_S, Finding, examined, failed, told
from callpool.errors import CallpoolError
from callpool.provider_settings import PROVIDERS
from callpool.running import Running
from callpool.settings import Settings


async def run(settings: Settings, *, as_json: bool) -> int:
    """Examine everything and print it. Gives 1 when something failed."""
    findings = await examine(settings)
    click.echo(told(findings, as_json=as_json))
    return 1 if failed(findings) else 0


async def examine(settings: Settings) -> list[Finding]:
    """All findings, in a fixed order. A running `callpool up` is examined with the settings that it has."""
    findings = configuration.configuration(settings)
    findings.append(await examined("roster", configuration.roster(settings)))
    try:
        running = Running.find(settings.local.data_dir)
        used = running.applied(settings) if running else settings
        findings.append(configuration.up(settings, running))
    except CallpoolError as error:
        running, used = None, settings
        findings.append(Finding("callpool up", False, str(error)))
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    agent = {"User-Agent": f"callpool-doctor/{__version__}"}
    async with aiohttp.ClientSession(timeout=timeout, headers=agent) as http:
        checks: list[tuple[str, Awaitable[Finding]]] = []
        if running is not None:
            checks += [
                (name, configuration.answers(http, name, url + path))
                for name, url, path in (
                    ("web", running.web, "/healthz"),
                    ("worker", running.worker, "/readyz"),
                    ("local providers", running.providers, "/healthz"),
                )
                if url
            ]
        checks += [(provider, keys.key(http, used, provider, running)) for provider in PROVIDERS]
        checks += [
            ("livekit", servers.livekit(http, used, running)),
            ("clock", servers.clock(http, used, running)),
            ("store", servers.store(used)),
            ("local engines", machine.engines(http, used, running)),
        ]
        findings += await asyncio.gather(*(examined(name, check) for name, check in checks))
    return findings if running else findings + await machine.ports(settings)
