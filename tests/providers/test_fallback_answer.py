"""Language models in a chain: the real plugin against servers that fail."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from chatting import completing, history, model_of, text_of
from livekit.agents import APIConnectionError, APIConnectOptions, APIError, function_tool
from livekit.agents.llm import ChatChunk
from loopback import serving

from callpool.fallback import answering
from callpool.fallback.answer import AnswerChain
from callpool.local.behaviour import Behaviour, Fault, FaultKind, Latency, Said, Script

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


async def test_a_single_model_is_not_wrapped() -> None:
    """A chain of one would cost time and gain nothing."""
    async with completing(saying(ANSWER)) as server, model_of(server) as model:
        assert answering([model]) is model


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
        with pytest.raises(APIConnectionError, match="all LLMs failed"):
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
