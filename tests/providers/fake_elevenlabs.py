"""A fake of ElevenLabs' wire protocol: text in and sound out over one WebSocket with several contexts.

It speaks as much of `text-to-speech/{voice}/multi-stream-input` as the plugin uses: the key's header, the
query, the first packet of a context, text, flush and close_context; audio with the times of characters, and
`isFinal`. The sound is a hum as long as the text.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web
from loopback import serving

from callpool.local.speaking import Buzz

RATE_HZ = 24000
KEY = "a key of ElevenLabs"


@dataclass
class Connection:
    """What a client asked for when it connected."""

    voice: str
    query: dict[str, str]


@dataclass
class FakeElevenLabs:
    """`breaks_after_words`: it hangs up when it has said so many; None: never. `silent`: it never answers."""

    breaks_after_words: int | None = None
    silent: bool = False
    connections: list[Connection] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    base_url: str = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[FakeElevenLabs]:
        path = "/v1/text-to-speech/{voice}/multi-stream-input"
        async with serving([web.get(path, self._converse)]) as server:
            self.base_url = str(server.make_url("/v1"))
            yield self

    @property
    def words(self) -> list[str]:
        return "".join(self.texts).split()

    async def _converse(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("xi-api-key") != KEY:
            raise web.HTTPUnauthorized(text='{"detail":{"status":"invalid_api_key"}}')
        self.connections.append(Connection(request.match_info["voice"], dict(request.query)))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        spoken_ms: dict[str, float] = {}
        with contextlib.suppress(ConnectionError):
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    break
                packet: dict[str, Any] = json.loads(message.data)
                context = packet["context_id"]
                if packet.get("close_context"):
                    await socket.send_json({"contextId": context, "isFinal": True})
                elif self.silent or not packet["text"].strip():
                    continue
                elif not await self._speak(socket, context, packet["text"], spoken_ms):
                    assert request.transport
                    request.transport.abort()
        return socket

    async def _speak(
        self, socket: web.WebSocketResponse, context: str, text: str, spoken_ms: dict[str, float]
    ) -> bool:
        """Say a text, or as much of it as this server manages. False: it breaks off."""
        already = len(self.words)
        self.texts.append(text)
        left = None if self.breaks_after_words is None else self.breaks_after_words - already
        breaks = left is not None and left < len(text.split())
        if breaks:
            assert left is not None
            text = " ".join(text.split()[:left])
        speech = await Buzz().say(text, RATE_HZ)
        begins, each = spoken_ms.get(context, 0.0), speech.duration_s * 1000 / max(len(text), 1)
        spoken_ms[context] = begins + speech.duration_s * 1000
        alignment = {
            "chars": list(text),
            "charStartTimesMs": [round(begins + at * each) for at in range(len(text))],
            "charDurationsMs": [round(each)] * len(text),
        }
        if text:
            await socket.send_json(
                {
                    "contextId": context,
                    "audio": base64.b64encode(speech.samples.astype("<i2").tobytes()).decode(),
                    "alignment": alignment,
                    "normalizedAlignment": None,
                }
            )
        return not breaks
