"""Changes: read back first, made after a yes, and made once."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from livekit.agents import ToolError
from visit import Visit, facts, rows, visiting

from callpool_tools.business import Business
from callpool_tools.records import Order

CHANGES: dict[str, dict[str, Any]] = {
    "place_order": {"item": "desk lamp", "quantity": 2},
    "reorder": {"order_number": "67890", "quantity": 2},
    "change_address": {"order_number": "67890", "address": "8 New Street, Franklin"},
    "cancel_order": {"order_number": "67890"},
    "open_ticket": {"summary": "The grinder is loud"},
}
EVERYTHING = ("orders", "tickets", "writes")


@pytest.fixture
async def mary(visit: Visit) -> Visit:
    """A verified caller, whose order has not been sent yet."""
    visit.verified_for("67890", "Mary Johnson")
    return visit


async def everything(url: str) -> list[list[dict[str, Any]]]:
    return [await rows(url, f"SELECT * FROM {table} ORDER BY 1, 2") for table in EVERYTHING]


@pytest.mark.parametrize("tool", CHANGES)
async def test_nothing_changes_before_the_yes(mary: Visit, business_url: str, tool: str) -> None:
    """The first call only says what is to be read back."""
    before = await everything(business_url)
    mary.caller_says("Please do it.")
    asked = await mary.use(tool, **CHANGES[tool])
    assert re.search(rf"Ask the caller to confirm: .*Call {tool} again .* only after .* yes", asked)
    assert mary.case.pending is not None
    assert await everything(business_url) == before


@pytest.mark.parametrize("tool", CHANGES)
async def test_the_model_cannot_say_yes_for_the_caller(mary: Visit, business_url: str, tool: str) -> None:
    """A second call in the same turn of the caller is read back again, however often."""
    before = await everything(business_url)
    mary.caller_says("Please do it.")
    for _ in range(3):
        assert "Ask the caller to confirm" in await mary.use(tool, **CHANGES[tool])
        mary.agent_says("Shall I?")
    assert await everything(business_url) == before


@pytest.mark.parametrize("tool", CHANGES)
async def test_a_change_is_made_once_however_often_it_is_tried(
    mary: Visit, business_url: str, tool: str
) -> None:
    """Repeated after the answer, and all at one time: the results are the same."""
    first = await mary.use_after_yes(tool, **CHANGES[tool])
    after = await everything(business_url)
    again = await asyncio.gather(*(mary.use(tool, **CHANGES[tool]) for _ in range(3)))
    assert {first, *again} == {first}
    assert await everything(business_url) == after
    assert len(after[-1]) == 1


@pytest.mark.parametrize("tool", CHANGES)
async def test_many_at_one_time_make_one_change(mary: Visit, business_url: str, tool: str) -> None:
    """As when a model calls a tool twice in one answer."""
    mary.caller_says("Please do it.")
    mary.agent_says(await mary.use(tool, **CHANGES[tool]))
    mary.caller_says("Yes.")
    results = await asyncio.gather(*(mary.use(tool, **CHANGES[tool]) for _ in range(3)))
    assert len(set(results)) == 1
    assert len(await rows(business_url, "SELECT * FROM writes")) == 1


async def test_a_job_that_takes_the_call_over_finds_what_was_done(mary: Visit, business_url: str) -> None:
    """Another process, with the state and the words of a checkpoint from before the change."""
    placed = await mary.use_after_yes("place_order", **CHANGES["place_order"])
    other = Business(business_url)
    async with visiting(other, call_id=mary.call.call_id) as resumed:
        resumed.session.userdata.state = mary.case
        resumed.caller_says("Please, place_order.")
        resumed.agent_says("Shall I go ahead?")
        resumed.caller_says("Yes, please.")
        assert await resumed.use("place_order", **CHANGES["place_order"]) == placed
    await other.aclose()
    assert len(await rows(business_url, "SELECT * FROM orders")) == 7


async def test_the_same_again_is_a_new_order_with_a_yes_of_its_own(mary: Visit, business_url: str) -> None:
    """Asked for once more, later: read back as a further one, and placed after another yes."""
    first = facts(await mary.use_after_yes("place_order", **CHANGES["place_order"]))
    mary.agent_says("It is placed.")
    mary.caller_says("And the same again, please.")
    asked = await mary.use("place_order", **CHANGES["place_order"])
    assert "once more" in asked
    assert len(await rows(business_url, "SELECT * FROM orders")) == 7
    mary.agent_says(asked)
    mary.caller_says("Yes.")
    second = facts(await mary.use("place_order", **CHANGES["place_order"]))
    assert first["new_order_number"] != second["new_order_number"]
    assert len(await rows(business_url, "SELECT * FROM orders")) == 8


async def test_other_arguments_are_read_back_anew(mary: Visit, business_url: str) -> None:
    """A mind that is changed in the middle: the yes was to something else."""
    mary.caller_says("Two desk lamps, please.")
    mary.agent_says(await mary.use("place_order", item="desk lamp", quantity=2))
    mary.caller_says("Make it three.")
    asked = await mary.use("place_order", item="desk lamp", quantity=3)
    assert "102 dollars" in asked
    mary.agent_says(asked)
    mary.caller_says("Yes.")
    await mary.use("place_order", item="desk lamp", quantity=3)
    placed = await rows(
        business_url, "SELECT quantity FROM orders WHERE item = 'desk lamp' ORDER BY quantity"
    )
    assert [row["quantity"] for row in placed] == [2, 3]


@pytest.mark.parametrize(
    "no",
    [
        "No.",
        "No, thanks, leave it",
        "Please forget it.",
        "Nein, danke.",
        "Doch nicht.",
        "No, gracias.",
        "Uh, no.",
        "oh no please",
        "Thank you, no.",
        "Ähm, nein.",
        "Ay, no.",
    ],
)
async def test_a_no_is_not_taken_for_a_yes(mary: Visit, business_url: str, no: str) -> None:
    """Even when the model goes on and calls the tool."""
    mary.caller_says("Cancel my order.")
    mary.agent_says(await mary.use("cancel_order", order_number="67890"))
    mary.caller_says(no)
    assert "Ask the caller to confirm" in await mary.use("cancel_order", order_number="67890")
    order = await mary.business.order("67890")
    assert order is not None
    assert order.status == "processing"


async def test_words_that_came_before_the_question_are_no_yes(mary: Visit) -> None:
    """The caller spoke on before anything was read back."""
    mary.caller_says("Cancel my order.")
    await mary.use("cancel_order", order_number="67890")
    mary.caller_says("Please, quickly.")
    assert "Ask the caller to confirm" in await mary.use("cancel_order", order_number="67890")


async def test_a_question_of_long_ago_is_asked_again(mary: Visit) -> None:
    """A yes is good for what was read back just now."""
    mary.caller_says("Cancel my order.")
    mary.agent_says(await mary.use("cancel_order", order_number="67890"))
    for words in ("Hm.", "What is the weather?", "I see.", "Yes."):
        mary.caller_says(words)
        mary.agent_says("Shall I?")
    assert "Ask the caller to confirm" in await mary.use("cancel_order", order_number="67890")


async def test_a_new_order_goes_to_the_customer_at_the_price_of_the_shop(
    mary: Visit, business_url: str
) -> None:
    """The customer of the verified order, its address, and the total computed here."""
    mary.caller_says("Three of the espresso cups.")
    asked = await mary.use("place_order", item="the espresso cup", quantity=3)
    assert "espresso cups, quantity 3, for 24 dollars and 75 cents in all, sent to 7 Hill Road" in asked
    mary.agent_says(asked)
    mary.caller_says("Yes.")
    placed = facts(await mary.use("place_order", item="espresso cups", quantity=3))
    number = placed.pop("new_order_number")
    assert placed == {"status": "placed", "item": "espresso cups", "total": "24 dollars and 75 cents"}
    (order,) = await rows(business_url, f"SELECT * FROM orders WHERE order_number = '{number}'")
    assert (order["customer_name"], order["address"]) == ("Mary Johnson", "7 Hill Road, Franklin")
    assert (order["item"], order["quantity"], order["status"]) == ("espresso cups", 3, "processing")
    assert float(order["unit_price_usd"]) == 8.25


async def test_the_new_order_can_be_asked_about_at_once(mary: Visit) -> None:
    """Whoever placed it need not prove that it is theirs."""
    placed = facts(await mary.use_after_yes("place_order", **CHANGES["place_order"]))
    found = facts(await mary.use("lookup_order", order_number=placed["new_order_number"]))
    assert found["item"] == "desk lamp"


async def test_reordering_takes_item_and_address_from_the_earlier_order(mary: Visit) -> None:
    """And the quantity from the caller."""
    placed = facts(await mary.use_after_yes("reorder", order_number="67890", quantity=4))
    order = await mary.business.order(placed["new_order_number"])
    assert order is not None
    assert (order.item, order.quantity, order.address) == ("coffee grinder", 4, "7 Hill Road, Franklin")
    assert placed["total"] == "198 dollars"


async def test_an_address_is_changed_as_it_was_said(mary: Visit) -> None:
    """Spaces and the full stop at its end apart."""
    await mary.use_after_yes("change_address", order_number="67890", address=" 8 New  Street, Franklin. ")
    order = await mary.business.order("67890")
    assert order is not None
    assert order.address == "8 New Street, Franklin"


async def test_an_order_is_cancelled(mary: Visit) -> None:
    """And the caller is told so."""
    assert facts(await mary.use_after_yes("cancel_order", order_number="67890")) == {
        "order_number": "67890",
        "status": "cancelled",
    }
    order = await mary.business.order("67890")
    assert order is not None
    assert order.status == "cancelled"


async def test_a_ticket_holds_what_a_person_needs(mary: Visit, business_url: str) -> None:
    """Who, which order, in which language, and what about."""
    opened = facts(await mary.use_after_yes("open_ticket", summary="The grinder is loud."))
    (ticket,) = await rows(business_url, "SELECT * FROM tickets")
    assert opened == {"status": "open", "ticket_number": str(ticket["id"])}
    assert (ticket["call_id"], ticket["order_number"]) == ("c_1", "67890")
    assert (ticket["customer_name"], bool(ticket["verified"])) == ("Mary Johnson", True)
    assert (ticket["summary"], ticket["language"]) == ("The grinder is loud", "en")


async def test_whoever_is_not_verified_may_open_a_ticket_too(visit: Visit, business_url: str) -> None:
    """It tells nothing, and the person who reads it sees that it is not verified."""
    visit.case.order_number = "99999"
    await visit.use_after_yes("open_ticket", summary="I cannot find my number")
    (ticket,) = await rows(business_url, "SELECT * FROM tickets")
    assert (ticket["order_number"], bool(ticket["verified"])) == ("99999", False)


@pytest.mark.parametrize(
    ("number", "tool", "status"),
    [
        ("12345", "cancel_order", "shipped"),
        ("24680", "cancel_order", "delivered"),
        ("24680", "change_address", "delivered"),
        ("44556", "change_address", "cancelled"),
    ],
)
async def test_what_is_too_late_is_refused_with_a_way_out(
    visit: Visit, number: str, tool: str, status: str
) -> None:
    """Before anything is read back."""
    visit.verified_for(number)
    more = {"address": "8 New Street, Franklin"} if tool == "change_address" else {}
    with pytest.raises(ToolError, match=rf"is {status} already, so .*Offer the caller to open a ticket"):
        await visit.use(tool, order_number=number, **more)
    assert visit.case.pending is None


async def test_what_is_cancelled_cannot_be_cancelled(visit: Visit) -> None:
    """Neither is there anything to open a ticket about."""
    visit.verified_for("44556", "Ana Garcia")
    with pytest.raises(ToolError, match=r"is cancelled already. Ask the caller what else"):
        await visit.use("cancel_order", order_number="44556")


async def test_a_result_that_never_reached_the_model_is_given_later(mary: Visit, business_url: str) -> None:
    """The caller spoke while the tool ran; the model asks again, and nothing is done twice."""
    mary.caller_says("Two desk lamps, please.")
    mary.agent_says(await mary.use("place_order", **CHANGES["place_order"]))
    mary.caller_says("Yes.")
    placed = await mary.use("place_order", **CHANGES["place_order"])
    del mary.session.history.items[-2:]
    mary.caller_says("Hello? Are you there?")
    assert await mary.use("place_order", **CHANGES["place_order"]) == placed
    assert len(await rows(business_url, "SELECT * FROM orders")) == 7


async def test_what_became_too_late_meanwhile_is_refused(mary: Visit, business_url: str) -> None:
    """The parcel was sent between the question and the yes."""
    mary.caller_says("Cancel my order.")
    mary.agent_says(await mary.use("cancel_order", order_number="67890"))
    mary.caller_says("Yes.")
    await rows(business_url, "UPDATE orders SET status = 'shipped' WHERE order_number = '67890'")
    with pytest.raises(ToolError, match="shipped"):
        await mary.use("cancel_order", order_number="67890")
    assert await rows(business_url, "SELECT * FROM writes") == []


@pytest.mark.parametrize("quantity", [0, -1, 100, 10**12])
@pytest.mark.parametrize("tool", ["place_order", "reorder"])
async def test_absurd_quantities_are_refused(mary: Visit, tool: str, quantity: int) -> None:
    """The model is told which are not."""
    with pytest.raises(ToolError, match=r"between 1 and 99.*Ask the caller"):
        await mary.use(tool, **(CHANGES[tool] | {"quantity": quantity}))


@pytest.mark.parametrize("item", ["", "a submarine", "'; DROP TABLE orders; --", "lamp or jacket"])
async def test_what_the_shop_does_not_sell_is_refused(mary: Visit, item: str) -> None:
    """The model is told what it sells."""
    with pytest.raises(ToolError, match=r"coffee grinder.*wireless headphones.*Ask the caller"):
        await mary.use("place_order", item=item, quantity=1)


@pytest.mark.parametrize("address", ["", "here", "12345 6", "x " * 200])
async def test_what_is_no_address_is_refused(mary: Visit, address: str) -> None:
    """The model is told what an address has."""
    with pytest.raises(ToolError, match=r"street.*Ask the caller"):
        await mary.use("change_address", order_number="67890", address=address)


async def test_hostile_words_are_only_words(mary: Visit, business_url: str) -> None:
    """They are kept as they are, and nothing else happens."""
    words = "8 Robert'); DROP TABLE orders; -- Street, Franklin"
    await mary.use_after_yes("change_address", order_number="67890", address=words)
    orders = await rows(business_url, "SELECT address FROM orders WHERE order_number = '67890'")
    assert orders == [{"address": words}]


@pytest.mark.parametrize("summary", ["", "   .", "x" * 501])
async def test_a_ticket_needs_a_summary_of_some_length(visit: Visit, summary: str) -> None:
    """The model is told to ask for it."""
    with pytest.raises(ToolError, match="Ask the caller what the problem is"):
        await visit.use("open_ticket", summary=summary)


async def test_what_is_read_back_is_in_the_language_of_the_call(business: Business) -> None:
    """A German caller hears German."""
    async with visiting(business, language="de") as visit:
        visit.verified_for("67890", "Mary Johnson")
        visit.caller_says("Zwei Lampen, bitte.")
        asked = await visit.use("place_order", item="desk lamp", quantity=2)
    assert "eine neue Bestellung: desk lamp, Anzahl 2, für zusammen 68 Dollar" in asked


@pytest.mark.parametrize("yes", ["Yes, no problem.", "Sure, no rush!", "Yes, number 5, that is right."])
async def test_a_polite_no_is_a_yes(mary: Visit, yes: str) -> None:
    """Nobody is asked again who agrees."""
    mary.caller_says("Cancel my order.")
    mary.agent_says(await mary.use("cancel_order", order_number="67890"))
    mary.caller_says(yes)
    assert facts(await mary.use("cancel_order", order_number="67890"))["status"] == "cancelled"


async def test_a_verified_caller_cannot_leave_a_note_in_another_name(visit: Visit, business_url: str) -> None:
    """Whoever reads that a caller was verified reads the name that they proved."""
    await visit.use("verify_caller", order_number="12345", name="James Miller")
    visit.case.name = "Mary Johnson"
    await visit.use_after_yes("open_ticket", summary="send it to my new address")
    (ticket,) = await rows(business_url, "SELECT * FROM tickets")
    assert (ticket["customer_name"], ticket["verified"]) == ("James Miller", True)
    await visit.use("transfer_call", reason="my order")
    (transfer,) = await rows(business_url, "SELECT * FROM transfers")
    assert "Caller: James Miller, verified." in transfer["summary"]


@pytest.mark.parametrize("unkeepable", ["\0", "\ud800"])
async def test_what_no_database_keeps_is_left_out(visit: Visit, business_url: str, unkeepable: str) -> None:
    """The ticket and the transfer are not lost because of it."""
    await visit.use_after_yes("open_ticket", summary=f"it is{unkeepable} loud")
    visit.case.wish = f"my{unkeepable} parcel"
    await visit.use("transfer_call", reason=f"my{unkeepable} bill")
    (ticket,) = await rows(business_url, "SELECT * FROM tickets")
    (transfer,) = await rows(business_url, "SELECT * FROM transfers")
    assert (ticket["summary"], transfer["reason"]) == ("it is loud", "my bill")


async def test_a_cancellation_beside_another_is_no_refusal(
    mary: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one was done when this one looked: it tells what came of it."""
    mary.caller_says("Cancel my order.")
    mary.agent_says(await mary.use("cancel_order", order_number="67890"))
    mary.caller_says("Yes.")
    look_up = mary.business.order

    async def after_the_other(number: str) -> Order | None:
        monkeypatch.setattr(mary.business, "order", look_up)
        await mary.use("cancel_order", order_number="67890")
        return await look_up(number)

    monkeypatch.setattr(mary.business, "order", after_the_other)
    assert facts(await mary.use("cancel_order", order_number="67890"))["status"] == "cancelled"
