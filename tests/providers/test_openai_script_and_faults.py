"""The OpenAI protocol: the script at fixed latencies, the pace of words, and injected faults."""

from __future__ import annotations

import json
import time
from typing import Any, Literal

import pytest
from chatting import (
    COMPLETIONS,
    HELLO,
    ONCE,
    TABLE,
    answer,
    calling,
    completing,
    events,
    history,
    model_of,
    text_of,
    thinking,
)
from livekit.agents import APIConnectionError, APIConnectOptions, APIStatusError, APITimeoutError

from callpool.local.behaviour import SLOW_S, Behaviour, Fault, FaultKind, Latency, Said, Script, ToolUse

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
    async with completing(word_delay_s=0.02) as server, model_of(server) as llm:
        await answer(llm, history(("user", "Hello.")))
        started_s = time.perf_counter()
        await answer(llm, history(("user", "Hello.")))
        took_s = time.perf_counter() - started_s
    assert 5 * 0.02 <= took_s < 2
