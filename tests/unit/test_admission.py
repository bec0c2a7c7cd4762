"""Which jobs a worker takes."""

import pytest

from callpool.admission import FULL_LOAD, Admission


class Room:
    name = "call-1"


class Request:
    """What the SDK hands to the worker, as far as admission looks at it."""

    room = Room()

    def __init__(self, job_id: str, fails: bool = False) -> None:
        self.id = job_id
        self.fails = fails
        self.answer = ""

    async def accept(self, *, name: str) -> None:
        if self.fails:
            raise TimeoutError
        self.answer = "accepted"

    async def reject(self, *, terminate: bool) -> None:
        self.answer = "terminated" if terminate else "passed on"


async def decide(admission: Admission, job_id: str) -> str:
    request = Request(job_id)
    await admission.decide(request)  # type: ignore[arg-type]
    return request.answer


async def test_every_slot_can_be_filled_and_no_more() -> None:
    """The job beyond capacity is passed on to another worker, not ended."""
    admission = Admission(capacity=2)
    assert [await decide(admission, name) for name in "abc"] == ["accepted", "accepted", "passed on"]


async def test_a_job_that_is_over_makes_room() -> None:
    """Capacity counts what runs."""
    admission = Admission(capacity=1)
    await decide(admission, "a")
    admission.release("a")
    assert await decide(admission, "b") == "accepted"


async def test_load_stays_below_what_the_server_takes_for_full() -> None:
    """At 0.7 the server would ask no more, and the last slot would stay empty."""
    admission = Admission(capacity=2)
    assert admission.load == 0
    await decide(admission, "a")
    assert admission.load == pytest.approx(FULL_LOAD / 2)
    await decide(admission, "b")
    assert admission.load == pytest.approx(FULL_LOAD)
    assert admission.load < 0.7


async def test_a_job_that_never_came_takes_no_slot() -> None:
    """The server may not assign what was accepted."""
    admission = Admission(capacity=1)
    with pytest.raises(TimeoutError):
        await admission.decide(Request("a", fails=True))  # type: ignore[arg-type]
    assert admission.running == 0
