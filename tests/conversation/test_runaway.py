"""A model that never comes to an end, over the OpenAI protocol: what a call spends on it, and its end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from livekit.agents import Agent, AgentSession, llm

from callpool import ending, settings
from callpool.budget import Budget
from callpool.call import Call
from callpool.language_models import LanguageModels
from callpool.metering import Meter
from callpool.prices import Prices
from callpool.profiles import Profiles
from callpool.service_phrases import words
from callpool.thrift import Thrift

HARD_USD = 0.10
MODEL = "gpt-4.1"
ANSWER_S = 0.05
PROMPT_TOKENS = 5_000
"""1 US cent at that model's price."""
LATE_S = 1.0
"""From the limit to the last thing that is paid for, seconds, on a busy machine."""


@dataclass
class Runaway:
    """A model in OpenAI's place. `words`: it talks on and on; else it asks for a tool again and again."""

    words: bool
    asked_s: list[float] = field(default_factory=list)
    talked_until_s: float = 0.0
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether it has been let go at least once."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked_s.append(time.monotonic())
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await asyncio.sleep(ANSWER_S)
        try:
            if self.words:
                await self._talk(response)
            else:
                await self._ask_for_the_tool(response)
        finally:
            self.over.set()
        return response

    async def _talk(self, response: web.StreamResponse) -> None:
        while True:
            await self._send(response, {"content": "and so on, and so forth, "})
            self.talked_until_s = time.monotonic()
            await asyncio.sleep(0.001)

    async def _ask_for_the_tool(self, response: web.StreamResponse) -> None:
        name = f"call_{len(self.asked_s)}"
        function = {"name": "look_again", "arguments": "{}"}
        await self._send(
            response, {"tool_calls": [{"index": 0, "id": name, "type": "function", "function": function}]}
        )
        await self._send(response, {}, finish_reason="tool_calls")
        used = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": 10, "total_tokens": PROMPT_TOKENS + 10}
        await self._write(response, {"choices": [], "usage": used})
        await response.write(b"data: [DONE]\n\n")

    async def _send(
        self, response: web.StreamResponse, delta: dict[str, Any], finish_reason: str | None = None
    ) -> None:
        choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish_reason}
        await self._write(response, {"choices": [choice]})

    async def _write(self, response: web.StreamResponse, chunk: dict[str, Any]) -> None:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 0, "model": MODEL}
        await response.write(f"data: {json.dumps(head | chunk)}\n\n".encode())


@llm.function_tool
async def look_again() -> str:
    """Look once more."""
    return "nothing yet"


@dataclass
class Spending:
    """A call with a budget, and when it reached it."""

    session: AgentSession[Call]
    thrift: Thrift
    reached_s: float = 0.0
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def spending(runaway: Runaway) -> AsyncIterator[Spending]:
    """As a job puts it together, without a room and a voice."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", runaway.answer)
    async with TestServer(app, host="127.0.0.1") as server:
        here = settings.load(
            {
                "OPENAI_API_KEY": "k",
                "OPENAI_BASE_URL": str(server.make_url("/v1")),
                "CALLPOOL_OPENAI_MODEL": MODEL,
                "CALLPOOL_BUDGET_HARD_USD": str(HARD_USD),
            }
        )
        profiles = Profiles.read(here)
        models = LanguageModels(here, profiles)
        call = Call(call_id="c_1", room="call-1", agent_name="callpool")
        meter = Meter(Prices.read(here), lambda: call.stage)
        for member, model in models.members.items():
            meter.listen(member, model)
        session = AgentSession[Call](
            llm=models.for_profile(profiles.of_call(None)), userdata=call, max_tool_steps=10_000
        )
        conversation: Any = None  # nobody is put through
        made = Spending(
            session, Thrift(session, conversation, meter, models, profiles, 0.0, lambda limit, usd: note())
        )

        def note() -> None:
            made.reached_s = time.monotonic()

        Budget(session, here.costs, made.thrift, end=lambda how: made.ended.set())
        await session.start(Agent(instructions="", tools=[look_again]), record=False)
        try:
            yield made
        finally:
            await session.aclose()
            await models.aclose()


@pytest.mark.parametrize("talks", [False, True], ids=["tools", "words"])
async def test_a_model_that_never_ends_is_stopped_by_the_budget(talks: bool) -> None:
    """Nothing is asked of it after the limit; the caller hears why the call is over."""
    runaway = Runaway(talks)
    async with spending(runaway) as spent:
        spent.session.generate_reply(user_input="Where is my order?")
        async with asyncio.timeout(30):
            await spent.ended.wait()
            await runaway.over.wait()
        last_s = runaway.talked_until_s if talks else runaway.asked_s[-1]
        assert last_s - spent.reached_s < LATE_S
        assert len(runaway.asked_s) == 1 if talks else len(runaway.asked_s) >= HARD_USD / 0.01
        assert spent.session.userdata.ending == ending.BUDGET_SPENT
        [goodbye] = [item for item in spent.session.history.items if item.type == "message"][-1:]
        assert goodbye.text_content == words("budget_spent", "en")
        assert HARD_USD <= spent.thrift.spent_usd() < 3 * HARD_USD
