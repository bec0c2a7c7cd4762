"""The web process's application over a real LiveKit server, for tests of the page."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from callpool.secrets import Secret
from callpool.setting_groups import LiveKit, Web
from callpool.settings import Settings
from callpool.web import build
from callpool.web.server import application
from processes import LiveKitServer


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The page, built from the sources as they are."""
    try:
        build.build()
    except build.NoNode as error:
        pytest.skip(f"NO NODE.JS: {error}")
    return build.BUNDLE


@pytest.fixture
async def web(livekit: LiveKitServer, bundle: Path) -> AsyncIterator[Callable[..., Any]]:
    """Starts the web application over the LiveKit server, with given settings; gives its address."""
    async with AsyncExitStack() as stack:

        async def start(livekit_url: str = livekit.url, **web: Any) -> str:
            settings = Settings(
                livekit=LiveKit(url=livekit_url, api_key=livekit.key, api_secret=Secret(livekit.secret)),
                web=dataclasses.replace(Web(), **web),
            )
            server = await stack.enter_async_context(TestServer(application(settings, bundle=bundle)))
            return str(server.make_url("/"))

        yield start
