"""Deepgram's protocol: /v1/listen as a WebSocket and as a request with a recording."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from typing import NoReturn

from aiohttp import WSCloseCode, WSMsgType, web

from callpool.local.behaviour import SLOW_S, Behaviour, FaultKind
from callpool.local.breaking import abort, hang
from callpool.local.deepgram_wire import Message, Report, schema_error
from callpool.local.ear import Bookmark, Ear, EngineEar, ScriptEar
from callpool.local.hearing import Hearing, ModelInfo
from callpool.local.listen_query import ListenQuery, QueryError
from callpool.local.outbox import Outbox
from callpool.local.recording import RecordingError, Transcript, read_recording, transcribe
from callpool.local.voice_activity import Resampler

logger = logging.getLogger(__name__)

IDLE_S = 10.0
"""A connection without audio or KeepAlive for so long is closed."""

DROP_AFTER_S = 1.0
"""Audio after which the fault `drop` cuts a connection."""

MOST_BYTES = 64 * 1024 * 1024
"""The largest recording taken: half an hour at 16 kHz."""

SCRIPT = ModelInfo("script", "1", "script")
GARBAGE = "<html><body>502 Bad Gateway</body></html>"

_FAULT_BODIES = {
    "429": ("TOO_MANY_REQUESTS", "Too many requests. Please try again later."),
    "500": ("INTERNAL_SERVER_ERROR", "Internal server error."),
}


def routes(hearing: Hearing, behaviour: Behaviour) -> list[web.RouteDef]:
    """The protocol's routes.

    `hearing` must be loaded before the first request; with fixed latencies it is not used.
    """
    listen = Listen(hearing, behaviour)
    return [
        web.get("/v1/listen", listen.live),
        web.post("/v1/listen", listen.recorded),
        web.get("/v1/projects", projects),
    ]


async def projects(request: web.Request) -> web.Response:
    """The projects of a key: the cheapest way to learn whether a key is accepted."""
    _authorize(request)
    return web.json_response({"projects": [{"project_id": str(uuid.UUID(int=0)), "name": "local"}]})


class Listen:
    """Answers /v1/listen with the engine, or with a script where latencies are fixed."""

    def __init__(self, hearing: Hearing, behaviour: Behaviour) -> None:
        self._hearing = hearing
        self._behaviour = behaviour
        self._bookmarks: dict[str, Bookmark] = {}

    async def live(self, request: web.Request) -> web.StreamResponse:
        """A stream of audio in, messages out."""
        report = self._report(request)
        socket = web.WebSocketResponse(max_msg_size=MOST_BYTES)
        if not socket.can_prepare(request).ok:
            _refuse(400, "Bad Request", "Bad Request: expected a WebSocket upgrade", report.request_id)
        query = report.query
        if query.encoding is None or query.sample_rate_hz is None:
            _bad("a stream needs `encoding=linear16` and `sample_rate`", report.request_id)
        fault = self._fault(report.request_id)
        socket.headers["dg-request-id"] = report.request_id
        await socket.prepare(request)
        if fault == "hang":
            async for _ in socket:
                pass
            return socket
        logger.info(
            "a stream begins",
            extra={"action": "listen", "provider": "deepgram", "request": report.request_id},
        )

        async def send(message: Message) -> None:
            await socket.send_str(GARBAGE if fault == "garbage" else json.dumps(message))

        outbox = Outbox(send, delay_s=SLOW_S if fault == "slow" else 0.0)
        ear = self._ear(report, outbox, Resampler(query.sample_rate_hz))
        writer = asyncio.create_task(outbox.run(), name=f"deepgram-send-{report.request_id}")
        try:
            await self._converse(request, socket, report, ear, outbox, writer, fault)
        finally:
            ear.abandon()
            writer.cancel()
        return socket

    async def _converse(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        report: Report,
        ear: Ear,
        outbox: Outbox,
        writer: asyncio.Task[None],
        fault: FaultKind | None,
    ) -> None:
        code, reason = WSCloseCode.OK, b""
        while True:
            try:
                async with asyncio.timeout(IDLE_S):
                    message = await socket.receive()
            except TimeoutError:
                code = WSCloseCode.INTERNAL_ERROR
                reason = b"NET-0001: no audio and no text message came within the time-out window"
                break
            if writer.done():
                break
            if message.type == WSMsgType.BINARY and message.data:
                report.hash(message.data)
                ear.hear(message.data)
                if fault == "drop" and ear.duration_s >= DROP_AFTER_S:
                    abort(request)
                    return
                continue
            if message.type == WSMsgType.BINARY:
                ear.close()
                break
            if message.type != WSMsgType.TEXT:
                return
            kind = _kind(message.data)
            match kind:
                case "KeepAlive":
                    pass
                case "Finalize":
                    ear.finalize()
                case "CloseStream":
                    ear.close()
                    break
                case QueryError():
                    outbox.put(schema_error(message.data, str(kind)))
                    code = WSCloseCode.POLICY_VIOLATION
                    reason = b"DATA-0000: the payload cannot be decoded as a message"
                    break
        outbox.close()
        try:
            await writer
        except ConnectionError:
            return
        except Exception:
            logger.exception(
                "a stream fails", extra={"action": "listen_failed", "request": report.request_id}
            )
            code, reason = WSCloseCode.INTERNAL_ERROR, b"NET-0000: transcription failed"
        await socket.close(code=code, message=reason)

    async def recorded(self, request: web.Request) -> web.StreamResponse:
        """A recording in, its transcript out."""
        report = self._report(request)
        match fault := self._fault(report.request_id):
            case "hang":
                await hang(request)
            case "slow":
                await asyncio.sleep(SLOW_S)
            case _:
                pass
        body = await _body(request, report)
        if fault == "garbage":
            return web.Response(text=GARBAGE, content_type="text/html")
        if fault == "drop":
            abort(request)
        report.hash(body)
        try:
            samples = await asyncio.to_thread(
                read_recording, body, report.query.encoding, report.query.sample_rate_hz
            )
        except RecordingError:
            _bad("failed to process audio: corrupt or unsupported data", report.request_id)
        latency = self._behaviour.latency
        transcript = await transcribe(samples, self._hearing if latency is None else self._behaviour.script)
        if latency is not None:
            await asyncio.sleep(latency.stt_final)
        return web.json_response(_recorded(report, transcript), headers={"dg-request-id": report.request_id})

    def _report(self, request: web.Request) -> Report:
        _authorize(request)
        try:
            query = ListenQuery.parse(request.query)
        except QueryError as error:
            _bad(str(error), str(uuid.uuid4()))
        return Report(query, self._hearing.info if self._behaviour.latency is None else SCRIPT)

    def _fault(self, request_id: str) -> FaultKind | None:
        fault = self._behaviour.fault("deepgram")
        if fault in ("429", "500"):
            _refuse(int(fault), *_FAULT_BODIES[fault], request_id)
        return fault

    def _ear(self, report: Report, outbox: Outbox, resampler: Resampler) -> Ear:
        latency, script = self._behaviour.latency, self._behaviour.script
        if latency is None:
            return EngineEar(report, outbox, resampler, self._hearing)
        # A client that changes its options connects anew, in the middle of what the script has it hear.
        tag = report.query.tag
        bookmark = self._bookmarks.setdefault(tag, Bookmark()) if tag else Bookmark()
        return ScriptEar(report, outbox, resampler, script.hears, latency.stt_final, bookmark)


def _authorize(request: web.Request) -> None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "token" or not key.strip():
        _refuse(401, "INVALID_AUTH", "Invalid credentials.", str(uuid.uuid4()))


def _bad(message: str, request_id: str) -> NoReturn:
    _refuse(400, "Bad Request", f"Bad Request: {message}", request_id)


_REFUSALS: dict[int, type[web.HTTPError]] = {
    400: web.HTTPBadRequest,
    401: web.HTTPUnauthorized,
    429: web.HTTPTooManyRequests,
    500: web.HTTPInternalServerError,
}


def _refuse(status: int, err_code: str, err_msg: str, request_id: str) -> NoReturn:
    raise _REFUSALS[status](
        text=json.dumps({"err_code": err_code, "err_msg": err_msg, "request_id": request_id}),
        content_type="application/json",
        headers={"dg-request-id": request_id, "dg-error": err_msg},
    )


def _kind(text: str) -> str | QueryError:
    expected = "expected one of `CloseStream`, `KeepAlive`, `Finalize`"
    try:
        document = json.loads(text)
        kind = document["type"]
    except json.JSONDecodeError as error:
        return QueryError(f"{error.msg} at line {error.lineno} column {error.colno}")
    except ValueError:
        return QueryError("number out of range")
    except RecursionError:
        return QueryError("recursion limit exceeded")
    except (TypeError, KeyError):
        return QueryError("missing field `type`")
    if kind not in ("CloseStream", "KeepAlive", "Finalize"):
        return QueryError(f"unknown variant `{kind}`, {expected}")
    return str(kind)


async def _body(request: web.Request, report: Report) -> bytes:
    if request.content_type == "application/json":
        _bad("fetching a recording by URL is not possible here: send its bytes", report.request_id)
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > MOST_BYTES:
            raise web.HTTPRequestEntityTooLarge(
                MOST_BYTES,
                len(body),
                text=json.dumps(
                    {
                        "err_code": "Payload Too Large",
                        "err_msg": f"the recording has more than {MOST_BYTES} bytes",
                        "request_id": report.request_id,
                    }
                ),
                content_type="application/json",
            )
    if not body:
        _bad("failed to process audio: corrupt or unsupported data", report.request_id)
    return bytes(body)


def _recorded(report: Report, transcript: Transcript) -> Message:
    channel: Message = {
        "alternatives": [report.alternative(transcript.words, transcript.confidence, transcript.language)]
    }
    if report.query.detect_language:
        channel |= {"detected_language": transcript.language, "language_confidence": transcript.confidence}
    return {
        "metadata": report.metadata(transcript.duration_s),
        "results": {"channels": [channel]},
    }
