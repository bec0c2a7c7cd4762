"""The turns of a call record: what each write adds, and what never gets there."""

from __future__ import annotations

import asyncio

import pytest
from noon import a_call
from sqlalchemy import select

from callpool.errors import StoreError
from callpool.settings import Settings
from callpool.store.calls import Calls
from callpool.store.record import LatencyMs, ToolUse, Turn
from callpool.store.tables import turns


async def test_a_turn_written_again_keeps_what_is_known(calls: Calls) -> None:
    """Latencies and an interruption arrive later; they add to the turn and take nothing away."""
    await calls.begin(a_call())
    await calls.record_turn(
        "c_1", Turn(1, "reception", "Hello?", "Good day, how are you?", tools=(ToolUse("a", True),))
    )
    await calls.record_turn("c_1", Turn(1, "reception", latency_ms=LatencyMs(stt_final=200)))
    await calls.record_turn(
        "c_1", Turn(1, "reception", agent_text="Good day", interrupted=True, latency_ms=LatencyMs(total=800))
    )

    record = await calls.get("c_1")

    assert record is not None
    assert record.turns == (
        Turn(
            1,
            "reception",
            "Hello?",
            "Good day",
            True,
            (ToolUse("a", True),),
            LatencyMs(stt_final=200, total=800),
        ),
    )


async def test_tools_of_a_turn_written_again_are_replaced(calls: Calls) -> None:
    """The second list of tools is the whole list, not an addition."""
    await calls.begin(a_call())
    await calls.record_turn("c_1", Turn(1, "reception", tools=(ToolUse("a", True),)))
    await calls.record_turn("c_1", Turn(1, "reception", tools=(ToolUse("a", True), ToolUse("b", False, 9.0))))

    record = await calls.get("c_1")

    assert record is not None
    assert record.turns[0].tools == (ToolUse("a", True), ToolUse("b", False, 9.0))


async def test_turns_are_read_in_the_order_of_their_numbers(calls: Calls) -> None:
    """A turn that was written late still stands in its place."""
    await calls.begin(a_call())
    for n in (2, 0, 10, 1):
        await calls.record_turn("c_1", Turn(n, "reception"))

    record = await calls.get("c_1")

    assert record is not None
    assert [turn.n for turn in record.turns] == [0, 1, 2, 10]


async def test_writes_happen_in_the_order_in_which_they_were_asked_for(calls: Calls) -> None:
    """Of many writes to the same turn under way at once, the last one stands."""
    await calls.begin(a_call())
    async with asyncio.TaskGroup() as group:
        for word in ("one", "two", "three", "four", "five", "six", "seven", "last"):
            group.create_task(calls.record_turn("c_1", Turn(1, "reception", agent_text=f"say {word}")))

    record = await calls.get("c_1")

    assert record is not None
    assert record.turns[0].agent_text == "say last"


async def test_numbers_and_addresses_do_not_reach_the_database(calls: Calls) -> None:
    """Texts are masked before they are written, not when they are read."""
    await calls.begin(a_call())
    await calls.record_turn(
        "c_1", Turn(1, "reception", "It is one two three four five.", "12345, for james@example.com?")
    )

    async with calls._engine.connect() as connection:
        row = (await connection.execute(select(turns.c.caller_text, turns.c.agent_text))).one()

    assert tuple(row) == ("It is * * * * *.", "*****, for ***@***?")


async def test_texts_stay_plain_where_the_settings_say_so(settings: Settings) -> None:
    """With `plain_texts` the record holds what was said."""
    async with Calls(settings.store_url, plain_texts=True) as calls:
        await calls.open()
        await calls.begin(a_call())
        await calls.record_turn("c_1", Turn(1, "reception", "Order 12345."))
        record = await calls.get("c_1")

    assert record is not None
    assert record.turns[0].caller_text == "Order 12345."


async def test_a_turn_of_a_call_that_never_began_is_refused(calls: Calls) -> None:
    """The error names the call."""
    with pytest.raises(StoreError, match="call c_9 has no record"):
        await calls.record_turn("c_9", Turn(0, "reception"))
