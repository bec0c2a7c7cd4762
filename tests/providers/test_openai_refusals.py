"""The OpenAI protocol: what is refused, and how."""

from __future__ import annotations

import aiohttp
import pytest
from chatting import COMPLETIONS, HELLO, TABLE, calling, completing

from callpool.local.standin import StandIn

TOOL_RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "x"}
CALL = {
    "role": "assistant",
    "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}
FLY = {"type": "function", "function": {"name": "fly"}}


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
            {"tools": [TABLE], "tool_choice": FLY},
            "tool_choice", None, "Tool choice 'fly' not found",
        ),
        ({"parallel_tool_calls": True}, "parallel_tool_calls", None, "only allowed when 'tools'"),
        ({"stream_options": {"include_usage": True}}, "stream_options", None, "only allowed when 'stream'"),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value", "Expected a value >= 1"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, None, "invalid_parameter_combination", "same time"),
        ({"response_format": {"type": "json_object"}}, "response_format", None, "not supported"),
        ({"response_format": "json_object"}, "response_format", "invalid_type", "but got a string instead."),
        ({"stream": True, "stream_options": []}, "stream_options", "invalid_type", "but got an array"),
        (
            {"tools": [{"type": "custom", "function": "x"}], "tool_choice": FLY},
            "tools[0].function", "invalid_type", "but got a string instead.",
        ),
        (
            {"tools": [{"type": "custom", "function": None}], "tool_choice": FLY},
            "tool_choice", None, "Tool choice 'fly' not found",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": 5}}]},
            "tools[0].function.name", "invalid_type", "but got an integer instead.",
        ),
        (
            {"messages": [{**CALL, "tool_calls": [{"id": "call_1", "function": "f"}]}, TOOL_RESULT]},
            "messages[0].tool_calls[0].function", "invalid_type", "but got a string instead.",
        ),
        (
            {"messages": [{**CALL, "tool_calls": [{"id": "call_1", "function": {"arguments": {}}}]}]},
            "messages[0].tool_calls[0].function.arguments", "invalid_type", "but got an object instead.",
        ),
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


@pytest.mark.parametrize(
    "body", [b"{", b"[1]", b"\xff", b"[" * 100_000], ids=["broken", "array", "binary", "deep"]
)
async def test_bad_json_is_refused(body: bytes) -> None:
    """What is no JSON object gets status 400."""
    async with calling() as client, client.post(COMPLETIONS, data=body) as response:
        assert response.status == 400
        assert "could not parse the JSON body" in (await response.json())["error"]["message"]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "any"}, {"Authorization": "Bearer "}])
async def test_a_key_is_required(headers: dict[str, str]) -> None:
    """Status 401 on every path, the model list included."""
    async with completing() as server, aiohttp.ClientSession(server.make_url("/")) as client:
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


async def test_a_body_that_is_too_large_is_refused() -> None:
    """413 with the error body, as every refusal."""
    async with calling() as client, client.post(COMPLETIONS, data=b" " * 2_000_000) as response:
        assert response.status == 413
        error = (await response.json())["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "too large" in error["message"]


async def test_what_nobody_foresaw_is_the_services_own_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """500 with the error body; the log has the reason."""

    def fail(*_: object) -> None:
        raise LookupError("a word is missing")

    monkeypatch.setattr(StandIn, "answer", fail)
    async with calling() as client, client.post(COMPLETIONS, json=HELLO) as response:
        assert response.status == 500
        assert response.headers["x-request-id"].startswith("req_")
        error = (await response.json())["error"]
    assert error["type"] == "server_error"
    assert "a word is missing" not in error["message"]
    assert "a word is missing" in caplog.text
