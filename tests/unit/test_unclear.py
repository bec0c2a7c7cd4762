"""The tool by which a model says that it does not follow, in the SDK's own session in text mode."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from livekit.agents import Agent, AgentSession
from livekit.agents.llm import ToolContext

from callpool.call import Call
from callpool.service_phrases import Key, words
from callpool_tools.unclear import unclear_tool
from scripted_model import Says, ScriptedModel

UNCLEAR = (Says(tool="unclear"), Says("Pardon?"))
CLEAR = (Says("It is on its way."),)


@pytest.fixture
async def session() -> AsyncIterator[AgentSession[Call]]:
    """One whose call is in German."""
    call = Call("c", "call-c", "callpool", language="de")
    async with AgentSession[Call](userdata=call) as session:
        yield session


async def advice(session: AgentSession[Call], *turns: tuple[Says, ...]) -> list[str]:
    """What the tool told the model in each turn; nothing in those that it understood."""
    model = ScriptedModel(*(answer for turn in turns for answer in turn))
    await session.start(Agent(instructions="", llm=model, tools=[unclear_tool()]))
    told = []
    for _ in turns:
        result = await session.run(user_input="Blim blam.")
        outputs = [event.item.output for event in result.events if event.type == "function_call_output"]
        told.append(outputs[0] if outputs else "")
    return told


def says(text: str, key: Key) -> bool:
    return words(key, "de") in text


async def test_again_then_differently_then_a_person(session: AgentSession[Call]) -> None:
    """In the language of the call; the third time it names the tool that leads to a person."""
    first, second, third = await advice(session, UNCLEAR, UNCLEAR, UNCLEAR)
    assert says(first, "unclear")
    assert says(second, "rephrase")
    assert says(third, "offer_person")
    assert "transfer_call" in third


async def test_a_turn_that_was_understood_begins_anew(session: AgentSession[Call]) -> None:
    """Only misses in a row lead on."""
    told = await advice(session, UNCLEAR, UNCLEAR, CLEAR, UNCLEAR)
    assert told[2] == ""
    assert says(told[3], "unclear")


def test_it_takes_nothing() -> None:
    """A model that did not follow has nothing to hand over."""
    (schema,) = ToolContext([unclear_tool()]).parse_function_tools("openai", strict=True)
    assert schema["function"]["name"] == "unclear"
    assert schema["function"]["parameters"]["properties"] == {}
