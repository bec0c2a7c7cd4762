"""A call to the shop in text: the real stages, tools and database, over the stand-in for a language model."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer
from livekit.agents import AgentSession, RunResult
from livekit.plugins import openai

import callpool_agents
from callpool.call import Call
from callpool.hand_off import Conversation
from callpool.identification import Identification
from callpool.language import Languages
from callpool.local.behaviour import Behaviour
from callpool.local.openai import routes
from callpool.local.standin import StandIn
from callpool_agents.roster import LANGUAGES, ROSTER
from callpool_tools.case import Case

AGENTS = Path(callpool_agents.__file__).parent

Used = tuple[str, dict[str, object]]


@dataclass
class Answer:
    """What came of one sentence of the caller's."""

    words: str
    tools: list[Used]
    stage: str

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.tools]

    def arguments(self, tool: str) -> dict[str, object]:
        """What a tool was called with, without what was left open. Raises KeyError."""
        given = dict(self.tools)[tool]
        return {name: value for name, value in given.items() if value is not None}


@dataclass
class ShopCall:
    """A call that is on. `say` holds it."""

    session: AgentSession[Call]
    call: Call
    conversation: Conversation
    heard: list[Answer] = field(default_factory=list)

    @property
    def case(self) -> Case:
        assert isinstance(self.call.state, Case)
        return self.call.state

    async def say(self, *sentences: str) -> Answer:
        """Say something, and give the answer to the last of it."""
        for sentence in sentences:
            result: RunResult[None] = await self.session.run(user_input=sentence)
            words: list[str] = []
            tools: list[Used] = []
            for event in result.events:
                if event.type == "message" and event.item.role == "assistant":
                    words.append(event.item.text_content or "")
                elif event.type == "function_call":
                    tools.append((event.item.name, json.loads(event.item.arguments)))
            self.heard.append(Answer(" ".join(words), tools, self.call.stage))
        return self.heard[-1]


class Shop:
    """Takes calls, one at a time, over one database and one model."""

    def __init__(self, model: openai.LLM, database: str) -> None:
        self._model = model
        self._database = database

    @asynccontextmanager
    async def call(self, language: str = "en") -> AsyncIterator[ShopCall]:
        """A call in a language, in its first stage."""
        business = ROSTER.open_business(self._database)
        call = Call(call_id="c_1", room="call-1", agent_name="callpool", language=language)
        call.state = ROSTER.new_state()
        languages = Languages(call, Identification(LANGUAGES))
        conversation = Conversation(call, ROSTER, business, languages=languages)
        session = AgentSession[Call](llm=self._model, userdata=call)
        languages.follow(session)
        try:
            await session.start(conversation.begin(), record=False)
            session.history.add_message(role="assistant", content=conversation.greeting())
            yield ShopCall(session, call, conversation)
        finally:
            await session.aclose()
            await ROSTER.close_business(business)


@asynccontextmanager
async def open_shop(folder: Path) -> AsyncIterator[Shop]:
    """A shop with the sample orders, in a database in the folder."""
    database = f"sqlite+aiosqlite:///{folder / 'shop.db'}"
    await ROSTER.prepare(database)
    app = web.Application()
    app.add_routes(routes(StandIn.load([AGENTS]), Behaviour(), word_delay_s=0.0))
    async with TestServer(app) as server:
        yield Shop(
            openai.LLM(base_url=str(server.make_url("/v1")), api_key="local", model="local-standin"), database
        )
