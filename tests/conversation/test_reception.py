"""Reception in text: the real agent, tools and plugin, over the stand-in for the language model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from livekit.agents import AgentSession
from livekit.plugins import openai

import callpool_agents
from callpool.call import Call
from callpool.local.behaviour import Behaviour
from callpool.local.openai import routes
from callpool.local.standin import StandIn
from callpool_agents.roster import ROSTER

RULES = Path(callpool_agents.__file__).parent


@pytest.fixture
def call() -> Call:
    return Call(call_id="c_1", room="call-1", agent_name="callpool")


@pytest.fixture
async def session(call: Call) -> AsyncIterator[AgentSession[Call]]:
    """A session without audio, over the stand-in."""
    app = web.Application()
    app.add_routes(routes(StandIn.load([RULES]), Behaviour()))
    async with TestServer(app) as server:
        model = openai.LLM(base_url=str(server.make_url("/v1")), api_key="local", model="local-standin")
        async with AgentSession[Call](llm=model, userdata=call) as session:
            stage = ROSTER.first_stage("callpool")
            await session.start(stage.agent(call, ROSTER.open_business()))
            yield session


async def test_an_order_is_looked_up_once_its_number_is_known(session: AgentSession[Call]) -> None:
    """The first answer asks for the number, the second one tells what the tool returned."""
    asked = await session.run(user_input="Good morning, when will my parcel get here?")
    asked.expect.next_event().is_message(role="assistant")
    asked.expect.no_more_events()

    told = await session.run(user_input="1 3 5 7 9")
    told.expect.next_event().is_function_call(name="lookup_order", arguments={"order_number": "13579"})
    told.expect.next_event().is_function_call_output(is_error=False)
    answer = told.expect.next_event().is_message(role="assistant").event().item.text_content
    assert answer is not None
    assert "rain jacket" in answer


async def test_an_unknown_number_is_asked_for_again(session: AgentSession[Call]) -> None:
    """The tool's error tells the agent what to do, and the agent does it."""
    told = await session.run(user_input="Please check order 99999 for me.")
    told.expect.next_event().is_function_call(name="lookup_order", arguments={"order_number": "99999"})
    told.expect.next_event().is_function_call_output(is_error=True)
    answer = told.expect.next_event().is_message(role="assistant").event().item.text_content
    assert answer is not None
    assert "9 9 9 9 9" in answer
    assert "again" in answer


async def test_a_number_given_at_once_is_not_asked_for(session: AgentSession[Call]) -> None:
    """Whoever says everything in one sentence gets the answer to it."""
    told = await session.run(user_input="Hi there, what is happening with order 2 4 6 8 0?")
    told.expect.next_event().is_function_call(name="lookup_order", arguments={"order_number": "24680"})
    told.expect.next_event().is_function_call_output(is_error=False)
    answer = told.expect.next_event().is_message(role="assistant").event().item.text_content
    assert answer is not None
    assert "desk lamp" in answer
    assert call_is_open(session)


def call_is_open(session: AgentSession[Call]) -> bool:
    return session.userdata.ending is None
