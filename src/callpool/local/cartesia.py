"""The Cartesia protocol: `/tts/websocket` with its contexts, and `/tts/bytes`.

Any key and any voice id will do. The voice speaks English whatever `language` says; speed, emotion and volume
are ignored. Word times are estimates (see `word_times`); phoneme times are never sent.

Faults are asked for once a request: at the handshake of a WebSocket, for its first context; then for each
further context, since clients keep connections. There `429` and `500` are error messages, not HTTP answers.
"""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterator

from aiohttp import web

from callpool.local.behaviour import Behaviour, FaultKind
from callpool.local.breaking import abort, hang
from callpool.local.cartesia_contexts import Connection, first_audio_after_s, sleep_until
from callpool.local.cartesia_wire import FAULTS, GARBAGE, Generation, Refusal, json_object, new_id, version_of
from callpool.local.clauses import Clauses
from callpool.local.speaking import Buzz, Speaking, Voice


def routes(speaking: Speaking, behaviour: Behaviour) -> list[web.RouteDef]:
    """The routes. Unless a latency is fixed, `speaking` has to be loaded before the first request."""
    speak = Speak(Buzz() if behaviour.latency else speaking, behaviour)
    return [web.get("/tts/websocket", speak.live), web.post("/tts/bytes", speak.whole)]


class Speak:
    """Answers both paths, with the voice or, where a latency is fixed, with its stand-in."""

    def __init__(self, voice: Voice, behaviour: Behaviour) -> None:
        self._voice = voice
        self._behaviour = behaviour

    async def live(self, request: web.Request) -> web.StreamResponse:
        """/tts/websocket"""
        try:
            _authorize(request)
            fault = await _fault_of(request, self._behaviour)
        except Refusal as refusal:
            return refusal.response(version_of(request))
        ws = web.WebSocketResponse()
        ws.headers["X-Request-Id"] = new_id()
        await ws.prepare(request)
        await Connection(request, ws, self._voice, self._behaviour, fault).serve()
        return ws

    async def whole(self, request: web.Request) -> web.StreamResponse:
        """/tts/bytes"""
        arrived_s = asyncio.get_running_loop().time()
        try:
            _authorize(request)
            fault = await _fault_of(request, self._behaviour)
            wanted = Generation.parse(json_object(await request.read()), ("raw", "wav"))
            if not wanted.transcript.strip():
                raise Refusal(400, "Invalid transcript", "transcript must not be empty.")
        except Refusal as refusal:
            return refusal.response(version_of(request))
        if fault == "garbage":
            return web.Response(text=GARBAGE)
        not_before_s = arrived_s + first_audio_after_s(self._behaviour, fault)
        response = web.StreamResponse(headers={"X-Request-Id": new_id()})
        response.content_type = "audio/wav" if wanted.container == "wav" else "audio/pcm"
        async for data in self._pieces(wanted):
            await sleep_until(not_before_s)
            if not response.prepared:
                await response.prepare(request)
            if fault == "drop":
                await response.write(data[: len(data) // 2])
                abort(request)
                break
            await response.write(data)
        return response

    async def _pieces(self, wanted: Generation) -> AsyncIterator[bytes]:
        """Sentence by sentence; a WAV file, which begins with its length, in one piece."""
        if wanted.container == "wav":
            yield _wav(b"".join([pcm async for pcm in self._sentences(wanted)]), wanted.sample_rate_hz)
        else:
            async for pcm in self._sentences(wanted):
                yield pcm

    async def _sentences(self, wanted: Generation) -> AsyncIterator[bytes]:
        clauses = Clauses()
        for text in [*clauses.push(wanted.transcript), *clauses.rest()]:
            speech = await self._voice.say(text, wanted.sample_rate_hz)
            if len(speech.samples):
                yield speech.samples.astype("<i2").tobytes()


async def _fault_of(request: web.Request, behaviour: Behaviour) -> FaultKind | None:
    fault = behaviour.fault("cartesia")
    if fault in FAULTS:
        raise Refusal(*FAULTS[fault])
    if fault == "hang":
        await hang(request)
    return fault


def _authorize(request: web.Request) -> None:
    bearer = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    query = request.query.get("api_key") or request.query.get("access_token")
    if not (request.headers.get("X-API-Key") or bearer or query):
        raise Refusal(401, "Unauthorized", "An API key is missing: send it as the header X-API-Key.")
    if not version_of(request):
        raise Refusal(400, "Missing version", "Send Cartesia-Version as a header, or cartesia_version.")


def _wav(pcm: bytes, rate_hz: int) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(pcm)
    return out.getvalue()
