"""Three tries to prove that an order is one's own, and then a person."""

from __future__ import annotations

import asyncio

import pytest
from livekit.agents import ToolError
from visit import Visit, rows


async def test_number_and_name_together_verify(visit: Visit) -> None:
    """The digits as they were read out, the name as the ears have it."""
    agent = await visit.use("verify_caller", order_number="1 2 3 4 5", name="Jane Smiller")
    assert agent.id == "problem_solving"
    assert visit.case.is_verified
    assert (visit.case.order_number, visit.case.name) == ("12345", "James Miller")
    assert visit.case.failed_verifications == 0


async def test_a_second_order_is_verified_beside_the_first(visit: Visit) -> None:
    """One caller may ask about two."""
    await visit.use("verify_caller", order_number="12345", name="James Miller")
    await visit.use("verify_caller", order_number="67890", name="Mary Johnson")
    assert visit.case.verified == ["12345", "67890"]


@pytest.mark.parametrize(
    ("number", "name"),
    [("12345", "Mary Johnson"), ("12345", "Miller"), ("99999", "James Miller")],
)
async def test_the_refusal_says_the_same_whatever_is_wrong(visit: Visit, number: str, name: str) -> None:
    """A wrong name for an order that exists, and any name for one that does not."""
    with pytest.raises(ToolError) as error:
        await visit.use("verify_caller", order_number=number, name=name)
    assert error.value.message == (
        "This order number and this name do not belong together. "
        "Ask the caller for the order number and for their first and last name again."
    )
    assert visit.case.verified == []


async def test_a_number_that_was_not_understood_is_no_try(visit: Visit) -> None:
    """It is asked for again, and nothing was compared."""
    with pytest.raises(ToolError, match="5 digits"):
        await visit.use("verify_caller", order_number="1 2 3", name="James Miller")
    assert visit.case.failed_verifications == 0


async def test_no_name_is_no_try(visit: Visit) -> None:
    """A model that calls too early is told what to ask for."""
    with pytest.raises(ToolError, match="Ask the caller for their first and last name"):
        await visit.use("verify_caller", order_number="12345", name=" ")
    assert visit.case.failed_verifications == 0


async def test_after_three_tries_a_person_takes_over(visit: Visit, business_url: str) -> None:
    """With a line in the table for them; whatever the numbers and names were."""
    visit.case.wish = "Where is my parcel?"
    visit.caller_says("It is Peter Miller.")
    for number in ("12345", "67890"):
        with pytest.raises(ToolError):
            await visit.use("verify_caller", order_number=number, name="Peter Miller")
        assert await rows(business_url, "SELECT * FROM transfers") == []
    agent = await visit.use("verify_caller", order_number="13579", name="Peter Miller")
    assert agent.id == "human_transfer"
    (transfer,) = await rows(business_url, "SELECT * FROM transfers")
    assert transfer["reason"] == "could not be verified in 3 tries"
    assert not transfer["verified"]
    assert transfer["last_request"] == "Where is my parcel?"
    assert "Failed verifications: 3. Said last: It is Peter Miller." in transfer["summary"]


async def test_a_right_name_comes_too_late_after_three_tries(visit: Visit) -> None:
    """Also when the hand-off to a person was interrupted."""
    visit.case.failed_verifications = 3
    agent = await visit.use("verify_caller", order_number="12345", name="James Miller")
    assert agent.id == "human_transfer"
    assert not visit.case.verified


async def test_a_success_does_not_give_tries_back(visit: Visit) -> None:
    """The tries are those of a call, not of an order."""
    for _ in range(2):
        with pytest.raises(ToolError):
            await visit.use("verify_caller", order_number="67890", name="James Miller")
    await visit.use("verify_caller", order_number="12345", name="James Miller")
    assert (
        await visit.use("verify_caller", order_number="67890", name="James Miller")
    ).id == "human_transfer"


async def test_guesses_made_at_one_time_are_three_tries_too(visit: Visit) -> None:
    """A model that is talked into trying everybody in one answer gets no further."""
    names = ("John Smith", "Jane Doe", "Paul Brown", "Anna Clark", "David Wilson", "James Miller")
    await asyncio.gather(
        *(visit.use("verify_caller", order_number="12345", name=name) for name in names),
        return_exceptions=True,
    )
    assert visit.case.verified == []
    assert visit.case.failed_verifications == 3


async def test_several_names_at_once_are_no_name(visit: Visit) -> None:
    """Nobody is called like six people."""
    everybody = "James Miller Mary Johnson Peter Brown Susan Clark Thomas Weber Ana Garcia"
    with pytest.raises(ToolError, match="do not belong together"):
        await visit.use("verify_caller", order_number="12345", name=everybody)


async def test_a_database_that_is_away_costs_no_try(visit: Visit, business_url: str) -> None:
    """The caller has not failed, the tool has."""
    await rows(business_url, "ALTER TABLE orders RENAME TO lost")
    with pytest.raises(ToolError, match="out of order"):
        await visit.use("verify_caller", order_number="12345", name="James Miller")
    assert visit.case.failed_verifications == 0
    assert visit.case.failed_tools == 1


async def test_who_fails_for_another_order_is_not_handed_on_as_verified(
    visit: Visit, business_url: str
) -> None:
    """The person is told of the order that the caller tried to get at."""
    visit.verified_for("12345")
    for _ in range(2):
        with pytest.raises(ToolError):
            await visit.use("verify_caller", order_number="67890", name="James Miller")
    await visit.use("verify_caller", order_number="67890", name="James Miller")
    (transfer,) = await rows(business_url, "SELECT * FROM transfers")
    assert (transfer["order_number"], transfer["verified"]) == ("67890", False)
