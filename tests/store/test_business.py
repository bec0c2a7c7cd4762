"""The business's database: how it comes into being, and that each change is made once."""

from __future__ import annotations

import asyncio
import csv
import subprocess
import sys
from decimal import Decimal
from importlib import resources

import pytest
from visit import rows

from callpool.errors import StoreError
from callpool_tools.business import Business, Intent, Result
from callpool_tools.ledger import Ledger
from callpool_tools.records import CANCELLABLE, Purchase, Transfer

PREPARE = """
import asyncio, sys
from callpool_tools.business import Business
asyncio.run(Business.prepare(sys.argv[1]))
"""


async def test_orders_are_those_of_the_file(business: Business, business_url: str) -> None:
    """Column by column, under the file's own names."""
    with resources.files("callpool_tools").joinpath("data/orders.csv").open() as file:
        expected = [dict(row) for row in csv.DictReader(file)]
    found = await rows(business_url, "SELECT * FROM orders")
    assert list(found[0]) == list(expected[0])
    by_number = {row["order_number"]: row for row in found}
    for row in expected:
        order = by_number[row["order_number"]]
        assert Decimal(str(order.pop("unit_price_usd"))) == Decimal(row.pop("unit_price_usd"))
        assert {name: str(value) for name, value in order.items()} == row


async def test_prices_are_exact(business: Business) -> None:
    """Six cups at 8.25 are 49.50: decimals with cents, whatever the database keeps them as."""
    order = await business.order("11223")
    assert order is not None
    assert (order.unit_price_usd, order.total_usd) == (Decimal("8.25"), Decimal("49.50"))
    prices = await business.prices()
    assert len(prices) == 6
    assert str(prices["coffee grinder"]) == "49.50"


async def test_the_directory_lists_operator_25(business: Business) -> None:
    """Billing, as it happens."""
    assert {each.agent_id: each.department for each in await business.colleagues()}["25"] == "billing"


async def test_preparing_again_leaves_what_was_changed(business: Business, business_url: str) -> None:
    """New tables are filled, old ones are not."""
    await rows(business_url, "UPDATE orders SET status = 'delivered' WHERE order_number = '12345'")
    await rows(business_url, "DELETE FROM orders WHERE order_number = '44556'")
    await Business.prepare(business_url)
    order = await business.order("12345")
    assert order is not None
    assert order.status == "delivered"
    assert await business.order("44556") is None


async def test_a_missing_table_is_added(business: Business, business_url: str) -> None:
    """As for a database that an older version made."""
    await rows(business_url, "DROP TABLE transfers")
    await Business.prepare(business_url)
    assert await rows(business_url, "SELECT * FROM transfers") == []


def test_several_processes_prepare_at_once(business_url: str) -> None:
    """One of them founds the shop, the others wait and find it."""
    processes = [
        subprocess.Popen([sys.executable, "-c", PREPARE, business_url], stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    complaints = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, complaints
    assert len(asyncio.run(rows(business_url, "SELECT * FROM orders"))) == 6


def test_the_constructor_connects_to_nothing() -> None:
    """A warm process may make one before there is a database."""
    Business("postgresql+asyncpg://nobody@127.0.0.1:1/none")


async def test_a_database_that_is_away_is_said_in_one_line() -> None:
    """Without a password in it."""
    business = Business("postgresql+asyncpg://nobody:hush@127.0.0.1:1/none")
    with pytest.raises(StoreError, match="cannot be used") as error:
        await business.order("12345")
    assert "hush" not in str(error.value)
    await business.aclose()


async def place(ledger: Ledger) -> Result:
    return {"number": await ledger.place_order("12345", Purchase("desk lamp", 2, Decimal("34.00")))}


async def test_one_intent_is_carried_out_once_however_many_try(business: Business, business_url: str) -> None:
    """All are told the same, and there is one order more."""
    results = await asyncio.gather(*(business.once(Intent("c_1", "lamps"), 2, place) for _ in range(5)))
    assert len({result["number"] for result in results}) == 1
    assert len(await rows(business_url, "SELECT * FROM orders")) == 7
    made = await business.made(Intent("c_1", "lamps"))
    assert made is not None
    assert (made.result, made.caller_turns) == (results[0], 2)


async def test_another_intent_or_call_is_another_change(business: Business, business_url: str) -> None:
    """The key is the call and the intent together."""
    for intent in (Intent("c_1", "lamps"), Intent("c_1", "more lamps"), Intent("c_2", "lamps")):
        await business.once(intent, 2, place)
    assert len(await rows(business_url, "SELECT * FROM orders")) == 9


async def test_a_change_that_fails_leaves_nothing(business: Business, business_url: str) -> None:
    """Neither the order nor the note that it was placed: the next try begins anew."""

    async def place_and_fail(ledger: Ledger) -> Result:
        await place(ledger)
        raise ValueError("not to be")

    with pytest.raises(ValueError, match="not to be"):
        await business.once(Intent("c_1", "lamps"), 2, place_and_fail)
    assert len(await rows(business_url, "SELECT * FROM orders")) == 6
    assert await business.made(Intent("c_1", "lamps")) is None
    await business.once(Intent("c_1", "lamps"), 2, place)
    assert len(await rows(business_url, "SELECT * FROM orders")) == 7


async def test_a_change_whose_caller_hangs_up_is_made_whole(business: Business, business_url: str) -> None:
    """Whoever waits may be cancelled; the write is not, and closing waits for it."""
    begun = asyncio.Event()
    go_on = asyncio.Event()

    async def place_slowly(ledger: Ledger) -> Result:
        begun.set()
        await go_on.wait()
        return await place(ledger)

    waiting = asyncio.create_task(business.once(Intent("c_1", "lamps"), 2, place_slowly))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go_on.set()
    await business.aclose()
    assert len(await rows(business_url, "SELECT * FROM orders")) == 7
    assert len(await rows(business_url, "SELECT * FROM writes WHERE result <> ''")) == 1


async def test_of_two_who_cancel_one_order_one_is_told(business: Business) -> None:
    """The condition is part of the statement: an order is cancelled once."""

    async def cancel(ledger: Ledger) -> Result:
        return {"cancelled": str(await ledger.cancel_order("67890", CANCELLABLE))}

    results = await asyncio.gather(*(business.once(Intent(f"c_{n}", "cancel"), 1, cancel) for n in range(3)))
    assert sorted(result["cancelled"] for result in results) == ["False", "False", "True"]


async def test_a_call_is_transferred_once(business: Business, business_url: str) -> None:
    """Who asks for somebody else meanwhile gets them: the last word counts."""

    def transfer(agent_id: str) -> Transfer:
        return Transfer("c_1", agent_id, "my bill", "a summary", "en", False, "my bill, please", "12345")

    await asyncio.gather(*(business.note_transfer(transfer("21")) for _ in range(3)))
    await business.note_transfer(transfer("25"))
    assert [row["agent_id"] for row in await rows(business_url, "SELECT * FROM transfers")] == ["25"]
