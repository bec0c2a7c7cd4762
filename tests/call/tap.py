"""A tap on the wire between a worker and its providers: everything passes, and what was asked for is kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from aiohttp import ClientWebSocketResponse, WSMsgType, web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict

from callpool import settings
from callpool.caller.speech import Speech
from callpool.running import Running
from callpool.store.calls import Calls
from processes import started
from telephone import Telephone

T = TypeVar("T")

_OF_ONE_CONNECTION = ("host", "content-length", "transfer-encoding", "connection", "upgrade")


@dataclass
class Tap:
    """Stands before a provider's origin."""

    upstream: str
    http: aiohttp.ClientSession
    url: str = ""
    streams: list[dict[str, str]] = field(default_factory=list)
    """The query of each WebSocket."""
    documents: list[dict[str, Any]] = field(default_factory=list)
    """Each JSON object that a client sent, over HTTP or a WebSocket."""

    def told(self, name: str) -> list[Any]:
        """The values of a field in what was sent, each run of equal ones once."""
        return _runs([document[name] for document in self.documents if name in document])

    def asked(self, name: str) -> list[str]:
        """The values of a parameter in the queries of the WebSockets, in the same way."""
        return _runs([query[name] for query in self.streams if name in query])

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = CIMultiDict(
            (name, value)
            for name, value in request.headers.items()
            if name.lower() not in _OF_ONE_CONNECTION and not name.lower().startswith("sec-websocket")
        )
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request, headers)
        body = await request.read()
        if body:
            self._keep(body)
        url = f"{self.upstream}{request.path_qs}"
        async with self.http.request(request.method, url, data=body, headers=headers) as answer:
            response = web.StreamResponse(status=answer.status)
            response.content_type = answer.content_type
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            return response

    async def _socket(self, request: web.Request, headers: CIMultiDict[str]) -> web.WebSocketResponse:
        self.streams.append(dict(request.query))
        near = web.WebSocketResponse()
        await near.prepare(request)
        async with self.http.ws_connect(f"{self.upstream}{request.path_qs}", headers=headers) as far:
            up = asyncio.create_task(self._pump(near, far, keep=True), name="up")
            down = asyncio.create_task(self._pump(far, near, keep=False), name="down")
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            up.cancel()
            down.cancel()
        await near.close()
        return near

    async def _pump(
        self,
        source: web.WebSocketResponse | ClientWebSocketResponse,
        to: web.WebSocketResponse | ClientWebSocketResponse,
        *,
        keep: bool,
    ) -> None:
        with suppress(ConnectionError):  # one side has left: so does the other
            async for message in source:
                if message.type == WSMsgType.TEXT:
                    if keep:
                        self._keep(message.data)
                    await to.send_str(message.data)
                elif message.type == WSMsgType.BINARY:
                    await to.send_bytes(message.data)

    def _keep(self, text: str | bytes) -> None:
        document = json.loads(text)
        assert isinstance(document, dict)
        self.documents.append(document)


def _runs(values: Sequence[T]) -> list[T]:
    return [value for at, value in enumerate(values) if at == 0 or values[at - 1] != value]


@asynccontextmanager
async def tap(upstream: str) -> AsyncIterator[Tap]:
    """A tap on loopback before `upstream`."""
    async with aiohttp.ClientSession() as http:
        tap = Tap(upstream, http)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", tap.handle)
        async with TestServer(app) as server:
            tap.url = str(server.make_url("")).rstrip("/")
            yield tap


@asynccontextmanager
async def telephone_behind_taps(
    folder: Path, env: dict[str, str], *, engines: str
) -> AsyncIterator[Telephone]:
    """A telephone at a `callpool up` whose providers stand behind taps; its own ears and voice do not."""
    own_urls = {f"{name}_BASE_URL": engines for name in ("DEEPGRAM", "CARTESIA")}
    async with AsyncExitStack() as open_until_then:
        service = started(folder, env)
        up = await asyncio.to_thread(service.__enter__)
        # In a thread: the taps are served by this loop, also while the service stops.
        open_until_then.push_async_callback(asyncio.to_thread, service.__exit__, None, None, None)
        await asyncio.to_thread(up.ready)
        own = settings.load({"CALLPOOL_DATA_DIR": str(up.data_dir)} | own_urls)
        running = Running.find(up.data_dir)
        assert running is not None
        applied = running.applied(own)
        http = await open_until_then.enter_async_context(aiohttp.ClientSession())
        calls = await open_until_then.enter_async_context(Calls(applied.store_url))
        telephone = Telephone(applied, running, Speech(http, own.deepgram, own.cartesia), calls)
        await open_until_then.enter_async_context(telephone._dialled)
        yield telephone
