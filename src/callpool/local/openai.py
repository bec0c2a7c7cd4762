"""The OpenAI protocol: `/v1/chat/completions`, streamed and whole, and `/v1/models`.

Behind it answers the stand-in of `local.standin`, or the script when latencies are fixed. Any key will
do, and any model name: it is echoed, since a worker sends the name of the model that it was configured
for. `n`, `seed`, `temperature`, `stop` and the like are accepted and change nothing; a
`response_format` other than text is refused. Tokens are estimated (see `openai_wire.tokens`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from callpool.local.behaviour import SLOW_S, Behaviour, FaultKind, Said, Script
from callpool.local.breaking import abort, hang
from callpool.local.openai_completion import Completion
from callpool.local.openai_wire import CompletionRequest, Json, Refused, new_id
from callpool.local.standin import StandIn
from callpool.local.standin.sayings import Say

logger = logging.getLogger(__name__)

MODEL = "local-standin"
WORD_DELAY_S = 0.01
"""Between two chunks of a stream, seconds: about the pace of a fast hosted model."""
RETRY_AFTER_S = 1
"""What an injected 429 asks for, seconds."""
WORDS_BEFORE_DROP = 3
GARBAGE = 'data: {"id":"chatcmpl-\ufffd","choices":[{"delta"\n\n'

_RATE_LIMITED = Refused(
    429,
    f"Rate limit reached for {MODEL}. This is an injected fault.",
    None,
    "rate_limit_exceeded",
    "requests",
)
_SERVER_ERROR = Refused(
    500,
    "The server had an error while processing your request. This is an injected fault.",
    kind="server_error",
)
_UNFORESEEN = Refused(500, "The server had an error while processing your request.", kind="server_error")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes(model: StandIn, behaviour: Behaviour, word_delay_s: float = WORD_DELAY_S) -> list[web.RouteDef]:
    """The routes under `/v1`, with one for all other paths there, which answers as the API does."""
    if behaviour.latency is None:
        logger.warning(
            "The local language model is a deterministic stand-in, not a language model: "
            "set OPENAI_API_KEY or OPENAI_BASE_URL for a real one.",
            extra={"action": "standin_loaded"},
        )
    service = _Service(model, behaviour, word_delay_s)
    return [
        web.post("/v1/chat/completions", _answering(service.complete)),
        web.get("/v1/models", _answering(service.models)),
        web.get("/v1/models/{model}", _answering(service.model)),
        web.route("*", "/v1/chat/completions", _answering(service.wrong_method)),
        web.route("*", "/v1/{path:.*}", _answering(service.wrong_path)),
    ]


def _answering(handler: Handler) -> Handler:
    """Check the key, and turn a refusal, or what nobody foresaw, into its error body."""

    async def answer(request: web.Request) -> web.StreamResponse:
        headers = {"x-request-id": new_id("req_", 32), "openai-version": "2020-10-01"}
        try:
            _check_key(request)
            return await handler(request)
        except Refused as refused:
            if refused.status == 429:
                headers |= {"retry-after": str(RETRY_AFTER_S), "retry-after-ms": str(RETRY_AFTER_S * 1000)}
            return web.json_response(refused.body, status=refused.status, headers=headers)
        except (ConnectionError, web.HTTPException):
            raise
        except Exception:
            logger.exception(
                "a request fails", extra={"action": "llm_failed", "request": headers["x-request-id"]}
            )
            return web.json_response(_UNFORESEEN.body, status=_UNFORESEEN.status, headers=headers)

    return answer


def _check_key(request: web.Request) -> None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Refused(
            401,
            "You didn't provide an API key. You need to provide your API key in an Authorization header "
            "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
        )


async def _body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise Refused(413, f"The body of your request is too large: {error.text}") from error


class _Service:
    def __init__(self, model: StandIn, behaviour: Behaviour, word_delay_s: float) -> None:
        self._model = model
        self._behaviour = behaviour
        self._word_delay_s = word_delay_s
        self._created = int(time.time())

    async def models(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"object": "list", "data": [self._card()]})

    async def model(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["model"]
        if name != MODEL:
            raise Refused(404, f"The model '{name}' does not exist", "model", "model_not_found")
        return web.json_response(self._card())

    def _card(self) -> Json:
        return {"id": MODEL, "object": "model", "created": self._created, "owned_by": "callpool"}

    async def wrong_method(self, request: web.Request) -> web.StreamResponse:
        raise Refused(405, f"Not allowed to {request.method} on {request.path}.", code="method_not_supported")

    async def wrong_path(self, request: web.Request) -> web.StreamResponse:
        raise Refused(404, f"Invalid URL ({request.method} {request.path})")

    async def complete(self, request: web.Request) -> web.StreamResponse:
        started_s = asyncio.get_running_loop().time()
        asked = CompletionRequest.read(await _body(request))
        fault = self._behaviour.fault("openai")
        if fault:
            logger.info("injecting a fault", extra={"action": "fault_injected", "kind": fault})
        match fault:
            case "429":
                raise _RATE_LIMITED
            case "500":
                raise _SERVER_ERROR
            case "hang":
                await hang(request)
        said = self._answer(asked)
        completion = Completion.of(asked, said)
        await self._wait_for_first_token(started_s, fault)
        logger.debug(
            "answered",
            extra={
                "action": "llm_answered",
                "tools": len(said.tools),
                "stream": asked.stream,
                "fault": fault,
            },
        )
        if asked.stream:
            return await self._stream(request, completion, fault)
        if fault == "drop":
            abort(request)
        if fault == "garbage":
            return web.Response(text=GARBAGE, content_type="application/json")
        return web.json_response(completion.whole(), headers={"x-request-id": new_id("req_", 32)})

    def _answer(self, asked: CompletionRequest) -> Said:
        if self._behaviour.latency is None:
            return self._model.answer(asked.question)
        return scripted(self._behaviour.script, asked)

    async def _wait_for_first_token(self, started_s: float, fault: FaultKind | None) -> None:
        due_s = started_s + (self._behaviour.latency.ttft if self._behaviour.latency else 0.0)
        if fault == "slow":
            due_s += SLOW_S
        await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))

    async def _stream(
        self, request: web.Request, completion: Completion, fault: FaultKind | None
    ) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-cache",
                "x-request-id": new_id("req_", 32),
            }
        )
        # All of it before the first byte: an answer that has begun can no longer become an error.
        chunks = [
            (
                json.dumps(chunk, separators=(",", ":")),
                any(each["finish_reason"] for each in chunk["choices"]),
            )
            for chunk in completion.chunks()
        ]
        try:
            await response.prepare(request)
            for number, (data, finishing) in enumerate(chunks):
                if number > 1:
                    await asyncio.sleep(self._word_delay_s)
                if fault == "drop" and (finishing or number > WORDS_BEFORE_DROP):
                    abort(request)
                    return response
                if fault == "garbage" and number == 1:
                    await response.write(GARBAGE.encode())
                    continue
                await response.write(f"data: {data}\n\n".encode())
            await response.write(b"data: [DONE]\n\n")
            await response.write_eof()
        except ConnectionResetError:
            # A caller who interrupts makes the worker hang up on the answer: nothing went wrong.
            logger.debug("the client left", extra={"action": "client_left"})
        return response


def scripted(script: Script, asked: CompletionRequest) -> Said:
    """What the script says to a conversation with so many caller messages."""
    said = script.says[min(max(asked.caller_messages, 1), len(script.says)) - 1]
    if not said.tools:
        return said
    if asked.after_tool or not asked.question.tools or asked.question.choice == "none":
        return Said(said.text or Say().done)
    return Said(tools=said.tools)
