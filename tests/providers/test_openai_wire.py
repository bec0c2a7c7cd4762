"""The OpenAI protocol on the wire: answers and models, seen by hand."""

from __future__ import annotations

import json
import time

import pytest
from chatting import COMPLETIONS, HELLO, WISH, calling, events


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


async def test_half_a_character_does_not_break_a_stream() -> None:
    """A lone surrogate, which UTF-8 cannot hold, comes back as it came: escaped."""
    body = {**HELLO, "model": "m\ud800", "stream": True}
    async with calling() as client, client.post(COMPLETIONS, data=json.dumps(body)) as response:
        data = await events(response)
    assert data.pop() == "[DONE]"
    assert {json.loads(each)["model"] for each in data} == {"m\ud800"}
