"""Whom a call goes to, and what they are told."""

from __future__ import annotations

import pytest
from livekit.agents import ToolError
from visit import Visit, rows, visiting

from callpool_tools.business import Business


async def test_operator_25_is_told_about_the_bill(visit: Visit, business_url: str) -> None:
    """Both the person and the reason are kept, with what else that person needs."""
    visit.verified_for("12345")
    visit.case.wish = "a question about my bill"
    visit.caller_says("Hello.")
    visit.caller_says("Connect me to operator 25, I want to discuss my bill.")
    agent = await visit.use("transfer_call", agent_id="25", reason="I want to discuss my bill")
    assert agent.id == "human_transfer"
    (transfer,) = await rows(business_url, "SELECT * FROM transfers")
    assert transfer.pop("created_at")
    assert bool(transfer.pop("verified"))
    summary = transfer.pop("summary")
    assert transfer == {
        "call_id": "c_1",
        "agent_id": "25",
        "reason": "I want to discuss my bill",
        "language": "en",
        "last_request": "Connect me to operator 25, I want to discuss my bill.",
        "order_number": "12345",
    }
    for known in ("James Miller, verified", "Order: 12345", "a question about my bill", "Hello. /"):
        assert known in summary
    assert (visit.case.transfer_to, visit.case.transfer_reason) == ("25", "I want to discuss my bill")


@pytest.mark.parametrize(
    ("asked_for", "agent_id"),
    [
        ("25", "25"),
        ("operator 25", "25"),
        ("Operator twenty-five, please", "25"),
        ("twenty five", "25"),
        ("two five", "25"),
        ("billing", "25"),
        ("the billing department", "25"),
        ("Grace", "25"),
        ("Grace Porter", "25"),
        ("", ""),
        ("a real person", ""),
        ("an operator", ""),
        ("einen Mitarbeiter, bitte", ""),
        ("una persona", ""),
    ],
)
async def test_people_are_found_by_number_department_or_name(
    visit: Visit, business_url: str, asked_for: str, agent_id: str
) -> None:
    """However a model passes on what the caller said; who names nobody gets whoever is free."""
    await visit.use("transfer_call", agent_id=asked_for, reason="a question")
    assert [row["agent_id"] for row in await rows(business_url, "SELECT * FROM transfers")] == [agent_id]


@pytest.mark.parametrize(
    "asked_for", ["26", "2", "operator 99", "the president", "'; DROP TABLE directory; --"]
)
async def test_an_unknown_id_is_refused_with_those_that_are_known(
    visit: Visit, business_url: str, asked_for: str
) -> None:
    """So that the model can ask which of them."""
    with pytest.raises(ToolError, match=r"21 \(sales\).*25 \(billing\).*Ask the caller"):
        await visit.use("transfer_call", agent_id=asked_for, reason="a question")
    assert await rows(business_url, "SELECT * FROM transfers") == []


async def test_a_transfer_needs_neither_id_nor_reason(visit: Visit, business_url: str) -> None:
    """A caller may want a person and say no more: then their first request is the reason."""
    visit.case.wish = "my parcel is wet"
    await visit.use("transfer_call")
    (transfer,) = await rows(business_url, "SELECT * FROM transfers")
    assert (transfer["agent_id"], transfer["reason"]) == ("", "my parcel is wet")
    assert not transfer["verified"]


async def test_a_repeated_transfer_is_one(visit: Visit, business_url: str) -> None:
    """The hand-off may have been interrupted; who asks for somebody else then gets them."""
    await visit.use("transfer_call", agent_id="21", reason="a lamp")
    await visit.use("transfer_call", agent_id="25", reason="my bill")
    (transfer,) = await rows(business_url, "SELECT * FROM transfers")
    assert (transfer["agent_id"], transfer["reason"]) == ("25", "my bill")


async def test_the_person_learns_the_language(business: Business, business_url: str) -> None:
    """A German caller is not greeted in English."""
    async with visiting(business, language="de") as visit:
        await visit.use("transfer_call", reason="die Rechnung")
    (transfer,) = await rows(business_url, "SELECT * FROM transfers")
    assert transfer["language"] == "de"


async def test_a_transfer_that_does_not_come_about_leaves_no_row(visit: Visit, business_url: str) -> None:
    """The call goes on after it, and nobody is to wait for it."""
    visit.call.stage = "closing"
    with pytest.raises(ToolError, match="cannot go"):
        await visit.use("transfer_call", agent_id="25", reason="my bill")
    assert await rows(business_url, "SELECT * FROM transfers") == []


async def test_a_transfer_that_cannot_be_noted_moves_no_call(visit: Visit, business_url: str) -> None:
    """It is tried again, and comes about then."""
    await rows(business_url, "ALTER TABLE transfers RENAME TO gone")
    with pytest.raises(ToolError, match="out of order"):
        await visit.use("transfer_call", agent_id="25", reason="my bill")
    assert visit.call.stage == "desk"
    await rows(business_url, "ALTER TABLE gone RENAME TO transfers")
    assert (await visit.use("transfer_call", agent_id="25", reason="my bill")).id == "human_transfer"
