"""The OpenAI protocol, spoken by the unmodified plugin."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from chatting import answer, history, text_of, thinking
from livekit.agents import Agent, AgentSession, ToolError, function_tool
from livekit.agents.llm import ChatChunk


@function_tool
async def book_table(party_size: int, day: str) -> str:
    """Book a table in the restaurant."""
    return f"Your table for {party_size} is booked for {day}."


@function_tool
async def set_thermostat(celsius: float, room: Literal["kitchen", "living_room"]) -> dict[str, Any]:
    """Set the temperature of a room.

    Args:
        celsius: The temperature in degrees.
        room: Which room.
    """
    return {"room": room, "celsius": celsius, "reached_in_minutes": 12}


def calls_of(chunks: Sequence[ChatChunk]) -> list[tuple[str, Any]]:
    found = [call for chunk in chunks if chunk.delta for call in chunk.delta.tool_calls]
    return [(call.name, json.loads(call.arguments)) for call in found]


async def test_the_plugin_gets_words_one_by_one_and_the_usage() -> None:
    """A greeting streams in several pieces; the last chunk has the token counts."""
    async with thinking() as llm:
        chunks = await answer(llm, history(("user", "Hello there.")))
    assert text_of(chunks) == "Hello. How can I help you?"
    assert sum(bool(chunk.delta and chunk.delta.content) for chunk in chunks) == 6
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.completion_tokens == 7  # 26 characters, 4 a token


async def test_the_plugin_gets_calls_of_tools_that_the_stand_in_has_never_seen() -> None:
    """Two tools in one sentence come as two calls with arguments of the right types."""
    async with thinking() as llm:
        chunks = await answer(
            llm,
            history(("user", "Book a table for five on Thursday and make the kitchen 21 degrees.")),
            [book_table, set_thermostat],
        )
    assert calls_of(chunks) == [
        ("book_table", {"party_size": 5, "day": "Thursday"}),
        ("set_thermostat", {"celsius": 21, "room": "kitchen"}),
    ]


async def test_the_plugin_gets_a_question_for_what_is_missing() -> None:
    """No call is made before the room is known."""
    async with thinking() as llm:
        chunks = await answer(llm, history(("user", "Make it 19 degrees.")), [set_thermostat])
    assert calls_of(chunks) == []
    assert text_of(chunks) == "Which room: kitchen or living room?"


async def test_the_plugin_can_forbid_parallel_calls_and_tools() -> None:
    """`parallel_tool_calls` and `tool_choice` reach the stand-in."""
    context = history(("user", "Book a table for five on Thursday and make the kitchen 21 degrees."))
    tools = [book_table, set_thermostat]
    async with thinking() as llm:
        assert len(calls_of(await answer(llm, context, tools, parallel_tool_calls=False))) == 1
        assert calls_of(await answer(llm, context, tools, tool_choice="none")) == []
        chosen: Any = {"type": "function", "function": {"name": "set_thermostat"}}
        named = await answer(llm, context, tools, tool_choice=chosen)
        assert calls_of(named) == [("set_thermostat", {"celsius": 21, "room": "kitchen"})]


async def test_a_conversation_through_a_session() -> None:
    """Question, answer, call, result, error and goodbye through AgentSession, as in a call."""
    ended: list[bool] = []

    @function_tool
    async def lookup_order(order_number: str) -> str:
        """Look up an order.

        Args:
            order_number: The five digits of the order number.
        """
        if order_number != "12345":
            raise ToolError(f"There is no order {order_number}. Ask the caller to read it out again.")
        return json.dumps({"item": "wireless headphones", "status": "shipped", "eta": "2026-12-02"})

    @function_tool
    async def end_call() -> str:
        """End the call after a goodbye. Don't generate other text with it."""
        ended.append(True)
        return "Say goodbye to the caller."

    agent = Agent(instructions="# Front desk\n\nYou help callers.", tools=[lookup_order, end_call])
    async with thinking() as llm, AgentSession(llm=llm) as session:
        await session.start(agent)

        async def says(text: str) -> str:
            result = await session.run(user_input=text)
            spoken = [event.item for event in result.events if event.type == "message"]
            return spoken[-1].text_content or ""

        assert await says("I am waiting for an order.") == "What is the order number?"
        heard = await says("Nine eight seven six five.")
        assert heard == "There is no order 9 8 7 6 5. Please read it out again."
        heard = await says("Oh, one two three four five.")
        assert heard == "The item is wireless headphones. The status is shipped. The eta is December 2nd."
        assert await says("That is all, goodbye.") == "Goodbye, and thank you for calling."
        assert ended == [True]
