"""A client of the OpenAI protocol: the unmodified plugin and, where that has no word for it, by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import aiohttp
from aiohttp.test_utils import TestServer
from livekit.agents import APIConnectOptions
from livekit.agents.llm import ChatChunk, ChatContext, FunctionTool
from livekit.plugins import openai as plugin
from loopback import serving

import callpool_agents
from callpool.local import openai
from callpool.local.behaviour import Behaviour
from callpool.local.standin import StandIn

KEY = {"Authorization": "Bearer any"}
ONCE = APIConnectOptions(max_retry=0, timeout=2.0)
AGENTS = Path(callpool_agents.__file__).parent
COMPLETIONS = "/v1/chat/completions"
HELLO = {"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": "Hello."}]}
TABLE = {
    "type": "function",
    "function": {
        "name": "book_table",
        "description": "Book a table.",
        "parameters": {
            "type": "object",
            "properties": {"party_size": {"type": "integer"}, "day": {"type": "string"}},
            "required": ["party_size", "day"],
        },
    },
}
WISH = {
    "model": "m",
    "messages": [{"role": "user", "content": "A table for two on Sunday."}],
    "tools": [TABLE],
}


def completing(
    behaviour: Behaviour | None = None, word_delay_s: float = 0.0
) -> AbstractAsyncContextManager[TestServer]:
    return serving(openai.routes(StandIn.load([AGENTS]), behaviour or Behaviour(), word_delay_s))


@asynccontextmanager
async def calling(behaviour: Behaviour | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    """A plain client, pointed at a server of its own."""
    async with (
        completing(behaviour) as server,
        aiohttp.ClientSession(server.make_url("/"), headers=KEY) as session,
    ):
        yield session


def model_of(server: TestServer) -> plugin.LLM:
    """The plugin, pointed at the server by base URL and nothing else."""
    return plugin.LLM(base_url=str(server.make_url("/v1")), api_key="any", model="gpt-4.1-mini")


@asynccontextmanager
async def thinking(behaviour: Behaviour | None = None) -> AsyncIterator[plugin.LLM]:
    async with completing(behaviour) as server, model_of(server) as llm:
        yield llm


def history(*lines: tuple[Literal["system", "user", "assistant"], str]) -> ChatContext:
    context = ChatContext.empty()
    for role, text in lines:
        context.add_message(role=role, content=text)
    return context


async def answer(
    llm: plugin.LLM, context: ChatContext, tools: Sequence[FunctionTool[Any, Any]] = (), **options: Any
) -> list[ChatChunk]:
    async with llm.chat(chat_ctx=context, tools=list(tools), conn_options=ONCE, **options) as stream:
        return [chunk async for chunk in stream]


def text_of(chunks: Sequence[ChatChunk]) -> str:
    return "".join(chunk.delta.content or "" for chunk in chunks if chunk.delta)


async def events(response: aiohttp.ClientResponse) -> list[str]:
    """The data of the events of a stream."""
    lines = (await response.text()).split("\n\n")
    assert lines.pop() == ""
    assert all(line.startswith("data: ") for line in lines)
    return [line.removeprefix("data: ") for line in lines]
