"""Language models in a chain: the real plugin against servers that fail."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import httpx2 as httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from chatting import completing, history, model_of, text_of
from livekit.agents import APIConnectOptions, APIError, function_tool
from livekit.agents.llm import ChatChunk
from livekit.plugins import openai
from loopback import serving
from openai import AsyncClient

from callpool import completeness, settings
from callpool.fallback.answer import AnswerChain
from callpool.fallback.standing import Standing
from callpool.language_models import LanguageModels
from callpool.local.behaviour import Behaviour, Fault, FaultKind, Latency, Said, Script
from callpool.local.openai import RETRY_AFTER_S
from callpool.profiles import Profiles

ANSWER = "Your order is on its way and arrives tomorrow at noon. Can I do anything else for you?"
HEDGE_S = 0.3
PATIENCE_S = 2.5


def saying(text: str, fault: FaultKind | None = None) -> Behaviour:
    faults = [Fault(fault, 1.0, "openai")] if fault else []
    return Behaviour(latency=Latency(ttft=0.01), script=Script(says=[Said(text)]), faults=faults)


@asynccontextmanager
async def chained(*behaviours: Behaviour) -> AsyncIterator[AnswerChain]:
    async with contextlib.AsyncExitStack() as stack:
        servers: list[TestServer] = [await stack.enter_async_context(completing(each)) for each in behaviours]
        chain = AnswerChain([model_of(server) for server in servers], hedge_s=HEDGE_S, patience_s=PATIENCE_S)
        yield chain
        await chain.aclose()


async def answer(chain: AnswerChain, tools: Sequence[object] = ()) -> list[ChatChunk]:
    options = APIConnectOptions(max_retry=1, retry_interval=0.05, timeout=5.0)
    asked = history(("user", "Where is my order?"))
    async with chain.chat(chat_ctx=asked, tools=list(tools), conn_options=options) as stream:  # type: ignore[arg-type]
        return [chunk async for chunk in stream]


@pytest.mark.parametrize("fault", ["429", "500", "hang", "garbage", "drop", "slow"])
async def test_a_single_model_is_asked_again(fault: FaultKind) -> None:
    """Whatever went wrong the first time: the caller hears the whole answer, and each word once."""
    behaviour = saying(ANSWER, fault)
    async with chained(behaviour) as chain:
        behaviour.random.random = fails_once()  # type: ignore[method-assign]
        chain._patience_s = 6.0
        assert text_of(await answer(chain)) == ANSWER


def fails_once() -> Callable[[], float]:
    """A die that strikes at the first throw only."""
    throws = iter([0.0])
    return lambda: next(throws, 1.0)


async def test_retry_after_is_honoured() -> None:
    """A model that asks to be left alone for a second is left alone for that long, and no longer."""
    behaviour = saying(ANSWER, "429")
    async with chained(behaviour) as chain:
        behaviour.random.random = fails_once()  # type: ignore[method-assign]
        started_s = time.monotonic()
        assert text_of(await answer(chain)) == ANSWER
        took_s = time.monotonic() - started_s
    assert RETRY_AFTER_S <= took_s < RETRY_AFTER_S + 1


async def test_a_retry_after_beyond_patience_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller is told at once instead, also at their next words."""
    monkeypatch.setattr("callpool.local.openai.RETRY_AFTER_S", 30)
    asked = 0
    behaviour = saying(ANSWER, "429")
    throw = behaviour.random.random

    def counted() -> float:
        nonlocal asked
        asked += 1
        return throw()

    async with chained(behaviour) as chain:
        behaviour.random.random = counted  # type: ignore[method-assign]
        started_s = time.monotonic()
        for _ in range(2):
            with pytest.raises(APIError):
                await answer(chain)
        assert time.monotonic() - started_s < 1
    assert asked == 1


@pytest.mark.parametrize("end", ["half", "page"])
async def test_an_answer_that_is_closed_before_its_end_is_asked_for_again(end: str) -> None:
    """A proxy closes the half of an answer, or its own error page, as if it were whole."""
    asked = 0

    async def complete(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        if asked == 1 and end == "page":
            return web.Response(text="<html>502 Bad Gateway</html>", content_type="text/html")
        words = ANSWER.split(" ") if asked > 1 else ANSWER.split(" ")[:5]
        chunks = [_chunk(word if not at else f" {word}") for at, word in enumerate(words)]
        return web.Response(
            body="".join([*chunks, "data: [DONE]\n\n"] if asked > 1 else chunks),
            content_type="text/event-stream",
        )

    made = settings.load({"OPENAI_API_KEY": "k", "CALLPOOL_PROFILE": "fast"})
    async with serving([web.post("/v1/chat/completions", complete)]) as server:
        group = dataclasses.replace(made.openai, base_url=str(server.make_url("/v1")))
        made = dataclasses.replace(made, openai=group)
        models = LanguageModels(made, Profiles.read(made))
        chain = models.for_profile(Profiles.read(made).usable("fast"))
        assert isinstance(chain, AnswerChain)
        assert text_of(await answer(chain)) == ANSWER
        await models.aclose()
    assert asked == 2


def _chunk(words: str) -> str:
    choice = {"index": 0, "delta": {"role": "assistant", "content": words}, "finish_reason": None}
    document = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return f"data: {json.dumps(document)}\n\n"


async def test_an_answer_that_stalls_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection stays open, and no more words come."""
    monkeypatch.setattr(completeness, "STALL_S", 0.3)
    asked = 0

    async def complete(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for at, word in enumerate(ANSWER.split(" ")):
            if at == 5 and asked == 1:
                await asyncio.sleep(5)
            await response.write(_chunk(word if not at else f" {word}").encode())
        await response.write(b"data: [DONE]\n\n")
        return response

    async with serving([web.post("/v1/chat/completions", complete)]) as server:
        client = AsyncClient(
            api_key="k",
            base_url=str(server.make_url("/v1")),
            max_retries=0,
            http_client=httpx.AsyncClient(event_hooks={"response": [completeness.watch]}),
        )
        chain = AnswerChain([openai.LLM(model="m", client=client)])
        assert text_of(await answer(chain)) == ANSWER
        await client.close()
    assert asked == 2


async def test_providers_that_fail_are_told_of() -> None:
    """The worker counts what they do."""
    told: list[tuple[str, str, str]] = []
    standing = Standing(lambda seen: told.append((seen.provider, seen.part, seen.kind)))
    async with completing(saying(ANSWER, "500")) as bad, completing(saying(ANSWER)) as good:
        chain = AnswerChain([model_of(bad), model_of(good)], ("one", "two"), standing)
        await answer(chain)
        await answer(chain)
        await chain.aclose()
    assert told == [("one", "llm", "5xx"), ("two", "llm", "ok"), ("two", "llm", "ok")]


@pytest.mark.parametrize("fault", ["429", "500", "hang", "garbage"])
async def test_the_next_model_answers_for_one_that_says_nothing(fault: FaultKind) -> None:
    """Whatever keeps the first one from its first word."""
    async with chained(saying(ANSWER, fault), saying(ANSWER)) as chain:
        assert text_of(await answer(chain)) == ANSWER


async def test_an_answer_that_breaks_off_is_finished_without_repeating_a_word() -> None:
    """The second model says the whole answer again; the caller hears each word once."""
    async with chained(saying(ANSWER, "drop"), saying(ANSWER)) as chain:
        assert text_of(await answer(chain)) == ANSWER


async def test_the_next_model_is_told_what_was_said() -> None:
    """It gets the words of the first one as its own, and the wish to go on."""
    asked: list[list[dict[str, str]]] = []

    async def complete(request: web.Request) -> web.StreamResponse:
        asked.append((await request.json())["messages"])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(
            b'data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":'
            b'[{"index":0,"delta":{"role":"assistant","content":" by noon."},"finish_reason":"stop"}]}\n\n'
            b"data: [DONE]\n\n"
        )
        return response

    async with (
        completing(saying(ANSWER, "drop")) as first,
        serving([web.post("/v1/chat/completions", complete)]) as second,
    ):
        chain = AnswerChain([model_of(first), model_of(second)], hedge_s=HEDGE_S, patience_s=PATIENCE_S)
        text = text_of(await answer(chain))
        await chain.aclose()
    [messages] = asked
    begun = messages[1]["content"]
    assert [message["role"] for message in messages] == ["user", "assistant", "system"]
    assert ANSWER.startswith(begun)
    assert begun
    assert text == f"{begun} by noon."


async def test_a_chain_without_a_model_that_answers_fails() -> None:
    """The session is told, and apologizes."""
    async with chained(saying(ANSWER, "500"), saying(ANSWER, "500")) as chain:
        with pytest.raises(APIError):
            await answer(chain)


async def test_an_answer_that_nobody_can_finish_is_not_begun_again() -> None:
    """When the last model breaks off, too, the words so far stand and the failure is told."""
    heard = ""

    async def listen(chain: AnswerChain) -> None:
        nonlocal heard
        async with chain.chat(chat_ctx=history(("user", "Where is my order?"))) as stream:
            async for chunk in stream:
                heard += text_of([chunk])

    async with chained(saying(ANSWER, "drop"), saying(ANSWER, "drop")) as chain:
        with pytest.raises(APIError):
            await listen(chain)
    assert ANSWER.startswith(heard)
    assert re.match(r"Your order \w+", heard)


async def test_a_tool_call_that_was_given_stands() -> None:
    """The answer ends with it: called twice, it might act twice."""

    @function_tool
    async def look_up(number: str) -> str:
        """Look up an order."""
        return number

    calling = (
        b'data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
        b'"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"call_1","type":"function","function":'
        b'{"name":"look_up","arguments":"{\\"number\\":\\"7\\"}"}}]},"finish_reason":null}]}\n\n'
        b'data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
        b'"delta":{},"finish_reason":"tool_calls"}]}\n\n'
    )

    async def complete(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(calling)
        assert request.transport
        request.transport.close()  # without the stream's end
        return response

    async with (
        serving([web.post("/v1/chat/completions", complete)]) as first,
        completing(saying(ANSWER)) as second,
    ):
        chain = AnswerChain([model_of(first), model_of(second)], hedge_s=HEDGE_S, patience_s=PATIENCE_S)
        chunks = await answer(chain, [look_up])
        await chain.aclose()
    calls = [call for chunk in chunks if chunk.delta for call in chunk.delta.tool_calls]
    assert [(call.name, call.arguments) for call in calls] == [("look_up", '{"number":"7"}')]
    assert text_of(chunks) == ""
