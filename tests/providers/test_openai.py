"""The OpenAI protocol, spoken by the unmodified plugin and, where that has no word for it, by hand."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from livekit.agents import (
    Agent,
    AgentSession,
    APIConnectionError,
    APIConnectOptions,
    APIStatusError,
    APITimeoutError,
    ToolError,
    function_tool,
)
from livekit.agents.llm import ChatChunk, ChatContext, FunctionTool
from livekit.plugins import openai as plugin

import callpool_agents
from callpool.local import openai
from callpool.local.behaviour import SLOW_S, Behaviour, Fault, FaultKind, Latency, Said, Script, ToolUse
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


@asynccontextmanager
async def serving(behaviour: Behaviour | None = None, word_delay_s: float = 0.0) -> AsyncIterator[TestServer]:
    app = web.Application()
    app.add_routes(openai.routes(StandIn.load([AGENTS]), behaviour or Behaviour(), word_delay_s))
    async with TestServer(app, host="127.0.0.1") as server:
        yield server


@asynccontextmanager
async def calling(behaviour: Behaviour | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    """A plain client, pointed at a server of its own."""
    async with (
        serving(behaviour) as server,
        aiohttp.ClientSession(server.make_url("/"), headers=KEY) as session,
    ):
        yield session


def model_of(server: TestServer) -> plugin.LLM:
    """The plugin, pointed at the server by base URL and nothing else."""
    return plugin.LLM(base_url=str(server.make_url("/v1")), api_key="any", model="gpt-4.1-mini")


@asynccontextmanager
async def thinking(behaviour: Behaviour | None = None) -> AsyncIterator[plugin.LLM]:
    async with serving(behaviour) as server, model_of(server) as llm:
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


def calls_of(chunks: Sequence[ChatChunk]) -> list[tuple[str, Any]]:
    found = [call for chunk in chunks if chunk.delta for call in chunk.delta.tool_calls]
    return [(call.name, json.loads(call.arguments)) for call in found]


async def events(response: aiohttp.ClientResponse) -> list[str]:
    """The data of the events of a stream."""
    lines = (await response.text()).split("\n\n")
    assert lines.pop() == ""
    assert all(line.startswith("data: ") for line in lines)
    return [line.removeprefix("data: ") for line in lines]


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


async def test_a_stream_on_the_wire() -> None:
    """Role first, then words, then the reason, then the usage without choices, then the end mark."""
    body = {**HELLO, "stream": True, "stream_options": {"include_usage": True}}
    async with calling() as client, client.post(COMPLETIONS, json=body) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert response.headers["x-request-id"].startswith("req_")
        data = await events(response)
    assert data.pop() == "[DONE]"
    chunks = [json.loads(each) for each in data]
    assert {(chunk["id"], chunk["object"], chunk["model"]) for chunk in chunks} == {
        (chunks[0]["id"], "chat.completion.chunk", "gpt-4.1-mini")
    }
    assert chunks[0]["id"].startswith("chatcmpl-")
    assert abs(chunks[0]["created"] - time.time()) < 10
    deltas = [chunk["choices"][0] for chunk in chunks[:-1]]
    assert deltas[0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert "".join(each["delta"].get("content", "") for each in deltas) == "Hello. How can I help you?"
    assert [each["finish_reason"] for each in deltas] == [None] * (len(deltas) - 1) + ["stop"]
    assert deltas[-1]["delta"] == {}
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 7


async def test_a_call_on_the_wire() -> None:
    """The first piece of a call has index, id and name; the arguments follow in pieces."""
    async with calling() as client, client.post(COMPLETIONS, json={**WISH, "stream": True}) as response:
        data = await events(response)
    choices = [json.loads(each)["choices"][0] for each in data[:-1]]
    assert "usage" not in json.loads(data[0])
    assert choices[0]["delta"] == {"role": "assistant", "content": None, "refusal": None}
    pieces = [choice["delta"]["tool_calls"][0] for choice in choices[1:-1]]
    assert pieces[0]["id"].startswith("call_")
    assert pieces[0]["type"] == "function"
    assert pieces[0]["function"] == {"name": "book_table", "arguments": ""}
    assert len(pieces) > 2
    assert all(piece["index"] == 0 for piece in pieces)
    assert all(set(piece) == {"index", "function"} for piece in pieces[1:])
    arguments = "".join(piece["function"]["arguments"] for piece in pieces)
    assert json.loads(arguments) == {"party_size": 2, "day": "Sunday"}
    assert choices[-1]["finish_reason"] == "tool_calls"


async def test_an_answer_in_one_piece() -> None:
    """Without `stream` the whole message comes at once, with usage."""
    async with calling() as client:
        async with client.post(COMPLETIONS, json=HELLO) as response:
            whole = await response.json()
        async with client.post(COMPLETIONS, json=WISH) as response:
            called = await response.json()
    assert whole["object"] == "chat.completion"
    assert whole["choices"][0]["message"]["content"] == "Hello. How can I help you?"
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert whole["usage"]["total_tokens"] > 7
    message = called["choices"][0]["message"]
    assert message["content"] is None
    assert json.loads(message["tool_calls"][0]["function"]["arguments"])["party_size"] == 2
    assert called["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
async def test_a_limit_cuts_the_answer(limit: str) -> None:
    """The words that fit are there, and the reason says why no more."""
    async with (
        calling() as client,
        client.post(COMPLETIONS, json={**HELLO, limit: 3}) as response,
    ):
        choice = (await response.json())["choices"][0]
    assert choice["message"]["content"] == "Hello. How"
    assert choice["finish_reason"] == "length"


async def test_models() -> None:
    """One model, by list and by name; another name is not found."""
    async with calling() as client:
        async with client.get("/v1/models") as response:
            listed = await response.json()
        assert [card["id"] for card in listed["data"]] == ["local-standin"]
        assert listed["object"] == "list"
        async with client.get("/v1/models/local-standin") as response:
            assert (await response.json())["object"] == "model"
        async with client.get("/v1/models/gpt-9") as response:
            assert response.status == 404
            assert (await response.json())["error"]["code"] == "model_not_found"


TOOL_RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "x"}
CALL = {
    "role": "assistant",
    "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}


@pytest.mark.parametrize(
    ("change", "param", "code", "message"),
    [
        ({"model": None}, None, None, "you must provide a model parameter"),
        ({"messages": None}, "messages", "missing_required_parameter", "Missing required parameter"),
        ({"messages": []}, "messages", "empty_array", "Invalid 'messages': empty array."),
        ({"messages": "hi"}, "messages", "invalid_type", "but got a string instead."),
        ({"messages": [{"content": "a"}]}, "messages[0].role", "missing_required_parameter", "Missing"),
        ({"messages": [{"role": "boss", "content": "hi"}]}, "messages[0].role", "invalid_value", "'boss'"),
        ({"messages": [{"role": "user"}]}, "messages.[0].content", None, "got null"),
        ({"messages": [TOOL_RESULT]}, "messages.[0].role", None, "must be a response to a preceeding"),
        ({"messages": [CALL]}, "messages", None, "did not have response messages: call_1"),
        ({"colour": "red"}, "colour", "unknown_parameter", "Unknown parameter: 'colour'."),
        ({"tools": [{"function": {}}]}, "tools[0].type", "missing_required_parameter", "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter", "Missing"),
        ({"tool_choice": "auto"}, "tool_choice", None, "only allowed when 'tools' are specified"),
        ({"tools": [TABLE], "tool_choice": "always"}, "tool_choice", "invalid_value", "'always'"),
        (
            {"tools": [TABLE], "tool_choice": {"type": "function", "function": {"name": "fly"}}},
            "tool_choice", None, "Tool choice 'fly' not found",
        ),
        ({"parallel_tool_calls": True}, "parallel_tool_calls", None, "only allowed when 'tools'"),
        ({"stream_options": {"include_usage": True}}, "stream_options", None, "only allowed when 'stream'"),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value", "Expected a value >= 1"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, None, "invalid_parameter_combination", "same time"),
        ({"response_format": {"type": "json_object"}}, "response_format", None, "not supported"),
    ],
)  # fmt: skip
async def test_a_request_that_cannot_be_answered_is_refused(
    change: dict[str, object], param: str | None, code: str | None, message: str
) -> None:
    """Status 400 and the body with message, type, param and code."""
    async with calling() as client, client.post(COMPLETIONS, json={**HELLO, **change}) as response:
        assert response.status == 400
        error = (await response.json())["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert (error["param"], error["code"]) == (param, code)
    assert message in error["message"]


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff"])
async def test_bad_json_is_refused(body: bytes) -> None:
    """What is no JSON object gets status 400."""
    async with calling() as client, client.post(COMPLETIONS, data=body) as response:
        assert response.status == 400
        assert "could not parse the JSON body" in (await response.json())["error"]["message"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "any"}, {"Authorization": "Bearer "}])
async def test_a_key_is_required(headers: dict[str, str]) -> None:
    """Status 401 on every path, the model list included."""
    async with serving() as server, aiohttp.ClientSession(server.make_url("/")) as client:
        for method, path in (("POST", COMPLETIONS), ("GET", "/v1/models")):
            async with client.request(method, path, json=HELLO, headers=headers) as response:
                assert response.status == 401
                assert "API key" in (await response.json())["error"]["message"]


async def test_a_wrong_path_and_a_wrong_method() -> None:
    """404 and 405, both with the error body."""
    async with calling() as client:
        async with client.post("/v1/chat/completion", json=HELLO) as response:
            assert response.status == 404
            message = (await response.json())["error"]["message"]
            assert message == "Invalid URL (POST /v1/chat/completion)"
        async with client.get(COMPLETIONS) as response:
            assert response.status == 405
            assert (await response.json())["error"]["code"] == "method_not_supported"


SCRIPTED = Behaviour(
    latency=Latency(ttft=0.3),
    script=Script(
        says=(
            Said("One moment."),
            Said("Found it.", (ToolUse("book_table", {"party_size": 1, "day": "now"}),)),
            Said("The last one."),
        )
    ),
)


async def test_a_fixed_latency_is_kept_and_the_script_is_followed() -> None:
    """The first word comes that long after the request; the n-th caller message gets the n-th answer."""
    lines: list[tuple[Literal["system", "user", "assistant"], str]] = [("user", "a")]
    first_s: list[float] = []
    async with thinking(SCRIPTED) as llm:
        await answer(llm, history(*lines))  # opens the connection
        for expected in ("One moment.", "Found it.", "The last one.", "The last one."):
            started_s = time.perf_counter()
            stream = llm.chat(chat_ctx=history(*lines), conn_options=ONCE)
            chunks = []
            async with stream:
                async for chunk in stream:
                    if not chunks:
                        first_s.append(time.perf_counter() - started_s)
                    chunks.append(chunk)
            assert text_of(chunks) == expected
            lines += [("assistant", expected), ("user", "b")]
    assert 0.3 <= min(first_s) < 0.6, first_s


async def test_a_scripted_call_is_followed_by_its_words() -> None:
    """With tools offered the entry calls, and says its text once the result is there."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": each} for each in ("a", "b")]
    body = {"model": "m", "messages": messages, "tools": [TABLE]}
    async with calling(SCRIPTED) as client:
        async with client.post(COMPLETIONS, json=body) as response:
            message = (await response.json())["choices"][0]["message"]
        assert message["content"] is None
        assert message["tool_calls"][0]["function"]["name"] == "book_table"
        result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "ok"}
        messages += [message, result]
        async with client.post(COMPLETIONS, json=body) as response:
            assert (await response.json())["choices"][0]["message"]["content"] == "Found it."


def failing(kind: FaultKind) -> Behaviour:
    return Behaviour(faults=[Fault(kind, 1.0, "openai")])


@pytest.mark.parametrize(("kind", "status"), [("429", 429), ("500", 500)])
async def test_a_refusal_reaches_the_plugin(kind: FaultKind, status: int) -> None:
    """As a status error, after the retries that the client was allowed: none."""
    async with thinking(failing(kind)) as llm:
        with pytest.raises(APIStatusError) as refused:
            await answer(llm, history(("user", "Hello.")))
    assert refused.value.status_code == status


async def test_a_rate_limit_says_when_to_come_back() -> None:
    """The header and the body of a 429."""
    async with calling(failing("429")) as client, client.post(COMPLETIONS, json=HELLO) as response:
        assert response.headers["retry-after"] == "1"
        assert (await response.json())["error"]["code"] == "rate_limit_exceeded"


async def test_a_hanging_request_runs_into_the_clients_timeout() -> None:
    """Nothing is ever answered, and the server still stops at once."""
    async with thinking(failing("hang")) as llm:
        options = APIConnectOptions(max_retry=0, timeout=0.3)
        async with llm.chat(chat_ctx=history(("user", "Hello.")), conn_options=options) as stream:
            with pytest.raises(APITimeoutError):
                await anext(stream)


async def test_a_dropped_stream_breaks_off_after_a_few_words() -> None:
    """Some words arrive, then the connection is gone."""
    async with (
        thinking(failing("drop")) as llm,
        llm.chat(chat_ctx=history(("user", "Hello.")), conn_options=ONCE) as stream,
    ):
        chunks = [await anext(stream) for _ in range(3)]
        with pytest.raises(APIConnectionError):
            await anext(stream)
    assert text_of(chunks) == "Hello. How can"


async def test_garbage_is_no_json() -> None:
    """The plugin reports a failed connection; by hand the broken event can be seen."""
    async with thinking(failing("garbage")) as llm:
        with pytest.raises(APIConnectionError):
            await answer(llm, history(("user", "Hello.")))
    body = {**HELLO, "stream": True}
    async with calling(failing("garbage")) as client, client.post(COMPLETIONS, json=body) as response:
        broken = (await events(response))[1]
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken)


async def test_a_slow_answer_comes_late_and_whole() -> None:
    """The first word waits, the rest is as ever."""
    async with calling(failing("slow")) as client:
        started_s = time.perf_counter()
        async with client.post(COMPLETIONS, json=HELLO) as response:
            assert (await response.json())["choices"][0]["message"]["content"]
        assert SLOW_S <= time.perf_counter() - started_s < 3 * SLOW_S


async def test_words_come_at_a_steady_pace() -> None:
    """A stream takes the delay for each word after the first, and not much more."""
    async with serving(word_delay_s=0.02) as server, model_of(server) as llm:
        await answer(llm, history(("user", "Hello.")))
        started_s = time.perf_counter()
        await answer(llm, history(("user", "Hello.")))
        took_s = time.perf_counter() - started_s
    assert 5 * 0.02 <= took_s < 2
