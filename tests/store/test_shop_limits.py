"""What every tool keeps to: never dead air, five seconds at most, and words when it fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from livekit.agents import AgentSession, RunContext, ToolError
from livekit.agents.llm import FunctionCall
from livekit.agents.voice.speech_handle import SpeechHandle
from visit import Visit, rows, visiting

from callpool.call import Call
from callpool.service_phrases import words
from callpool_tools import running
from callpool_tools.business import Business
from callpool_tools.running import bounded

Say = Callable[[str], None]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What sessions say by themselves."""
    said: list[str] = []
    monkeypatch.setattr(AgentSession, "say", lambda session, text, **_: said.append(text))
    return said


def context(visit: Visit) -> RunContext[Call]:
    called = FunctionCall(call_id="1", name="wait", arguments="{}")
    return RunContext(session=visit.session, speech_handle=SpeechHandle.create(), function_call=called)


async def test_a_slow_tool_is_filled_with_words(business: Business, said: list[str]) -> None:
    """In the language of the call, once."""
    async with visiting(business, language="de") as visit:
        spoken = asyncio.Event()

        @bounded
        async def wait(ctx: RunContext[Call]) -> str:
            async with asyncio.timeout(running.LIMIT_S):
                while not said:
                    await asyncio.sleep(0.01)
            spoken.set()
            return "done"

        started = asyncio.get_running_loop().time()
        assert await wait(context(visit)) == "done"
        assert asyncio.get_running_loop().time() - started >= running.FILLER_AFTER_S
    assert said == [words("filler", "de")]


async def test_a_fast_tool_is_not(visit: Visit, said: list[str]) -> None:
    """Most are faster than a caller notices."""
    visit.verified_for("12345")
    await visit.use("lookup_order", order_number="12345")
    assert said == []


async def test_a_tool_that_hangs_is_given_up(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    """With words that say what to do next."""
    monkeypatch.setattr(running, "LIMIT_S", 0.05)

    @bounded
    async def wait(ctx: RunContext[Call]) -> str:
        await asyncio.Event().wait()
        return "never"

    with pytest.raises(ToolError, match=r"wait took too long. Apologize .* call wait once more"):
        await wait(context(visit))
    assert visit.case.failed_tools == 1


def test_a_tool_has_five_seconds() -> None:
    """And a caller waits 700 ms in silence."""
    assert (running.LIMIT_S, running.FILLER_AFTER_S) == (5.0, 0.7)


async def test_a_write_that_hangs_is_tried_again_and_made_once(
    visit: Visit, business_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tool gives up, the write goes on; the next try finds what came of it."""
    visit.verified_for("67890", "Mary Johnson")
    visit.caller_says("Cancel it.")
    visit.agent_says(await visit.use("cancel_order", order_number="67890"))
    visit.caller_says("Yes.")
    go_on = asyncio.Event()
    once = Business._once

    async def slow_once(*given: Any) -> Any:
        await go_on.wait()
        return await once(*given)

    monkeypatch.setattr(Business, "_once", slow_once)
    monkeypatch.setattr(running, "LIMIT_S", 0.2)
    with pytest.raises(ToolError, match="call cancel_order once more with the same arguments"):
        await visit.use("cancel_order", order_number="67890")
    monkeypatch.setattr(running, "LIMIT_S", 5.0)
    go_on.set()
    assert "cancelled" in await visit.use("cancel_order", order_number="67890")
    assert len(await rows(business_url, "SELECT * FROM writes")) == 1


async def test_a_broken_database_is_not_the_callers_concern(
    visit: Visit, business_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The model hears what to do, the log what broke; the second time, a person is offered."""
    visit.verified_for("12345")
    await rows(business_url, "ALTER TABLE orders RENAME TO lost")
    with caplog.at_level(logging.ERROR), pytest.raises(ToolError) as first:
        await visit.use("lookup_order", order_number="12345")
    assert first.value.message == (
        "lookup_order is out of order. Apologize to the caller. "
        "Then call lookup_order once more with the same arguments: nothing is done twice."
    )
    assert [record.__dict__["action"] for record in caplog.records] == ["tool_failed"]
    with pytest.raises(ToolError, match="Offer the caller a person"):
        await visit.use("delivery_status", order_number="12345")
    assert visit.case.failed_tools == 2


async def test_a_refusal_is_no_failure(visit: Visit) -> None:
    """A tool that says no has worked."""
    visit.verified_for("12345")
    with pytest.raises(ToolError, match="shipped"):
        await visit.use("cancel_order", order_number="12345")
    assert visit.case.failed_tools == 0


async def test_a_call_that_ends_cancels_the_tool(visit: Visit) -> None:
    """Cancelling is not a failure, and goes on to whoever cancelled."""
    begun = asyncio.Event()

    @bounded
    async def wait(ctx: RunContext[Call]) -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(wait(context(visit)))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert visit.case.failed_tools == 0
