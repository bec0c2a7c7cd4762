"""LiveKit, the clock that its tokens depend on, and the store."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime

import aiohttp
from livekit import api

from callpool.caller.speech import why
from callpool.doctor.configuration import MAKE_UP
from callpool.doctor.finding import Finding
from callpool.errors import SettingError, StoreError
from callpool.running import Running
from callpool.settings import Settings
from callpool.store import schema
from callpool.store.engine import create_engine, shown, sqlite_path

SKEW_S = 60
"""What LiveKit forgives between its clock and that of whoever signed a token."""


async def livekit(http: aiohttp.ClientSession, settings: Settings, running: Running | None) -> Finding:
    """Whether the server answers and accepts the key pair."""
    server = settings.livekit
    if running is None and "livekit.url" not in settings.given and not server.api_key:
        return Finding("livekit", None, "no server is set", f"{MAKE_UP}, or set LIVEKIT_URL and its keys")
    try:
        server.check_key_pair()
    except SettingError as error:
        return Finding("livekit", False, f"{server.url} has no {error.name}", f"set {error.name}")
    client = api.LiveKitAPI(
        server.url, server.api_key, server.api_secret.reveal(), session=http, failover=False
    )
    try:
        rooms = (await client.room.list_rooms(api.ListRoomsRequest())).rooms
    except api.TwirpError as error:
        if error.status in (401, 403):
            return Finding(
                "livekit",
                False,
                f"{server.url} refuses the key pair of {server.api_key}",
                "set LIVEKIT_API_KEY and LIVEKIT_API_SECRET to a pair that the server has",
            )
        return Finding("livekit", False, f"{server.url} answers {error.status} ({error.message})")
    except aiohttp.ClientError as error:
        advice = MAKE_UP if running or "livekit.url" not in settings.given else "look at LIVEKIT_URL"
        return Finding("livekit", False, f"{server.url} cannot be reached ({why(error)})", advice)
    return Finding("livekit", True, f"{server.url} accepts the key pair; open rooms: {len(rooms)}")


async def clock(http: aiohttp.ClientSession, settings: Settings, running: Running | None) -> Finding:
    """How far this machine's clock is from LiveKit's, which refuses tokens from another time."""
    url = re.sub(r"^ws", "http", settings.livekit.url)
    if running is None and "livekit.url" not in settings.given:
        return Finding("clock", None, "no LiveKit server to compare it with")
    try:
        async with http.get(url) as answer:
            here_s = time.time()
            date = answer.headers.get("Date", "")
    except aiohttp.ClientError:
        return Finding("clock", None, f"could not be compared: {settings.livekit.url} cannot be reached")
    try:
        there_s = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return Finding("clock", None, f"could not be compared: {settings.livekit.url} does not tell the time")
    # The header has whole seconds, rounded down.
    skew_s = here_s - (there_s + 0.5)
    detail = f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} LiveKit's"
    if abs(skew_s) > SKEW_S:
        return Finding(
            "clock", False, detail, f"set it, on whichever machine is wrong: tokens bear {SKEW_S} s"
        )
    return Finding("clock", True, detail if abs(skew_s) >= 1.5 else "agrees with LiveKit's")


async def store(settings: Settings) -> Finding:
    """Whether the store can be opened and has the schema of this version. Nothing is written to it."""
    engine = create_engine(settings.store_url)
    try:
        path = sqlite_path(engine)
        if path is not None and not path.exists():
            return Finding(
                "store", True, f"{path} does not exist yet; the first process that needs it makes it"
            )
        found = await schema.version(engine)
        if found == schema.HEAD:
            return Finding("store", True, f"{shown(engine)} has the schema of this version ({found})")
        try:
            await schema.prepare(engine, migrate=False)
        except StoreError as error:
            # A SQLite file that is behind is migrated by the next process that opens it.
            return Finding("store", None if path is not None else False, str(error))
        return Finding("store", True, f"{shown(engine)} has just been migrated to {schema.HEAD}")
    finally:
        await engine.dispose()
