"""Which jobs a worker takes."""

from __future__ import annotations

import asyncio
import json

import pytest
from livekit.protocol import agent, models

from callpool.admission import FULL_LOAD, Admission
from callpool.pool import WORKER_ATTRIBUTE


class Request:
    """What the SDK hands to the worker, as far as admission looks at it."""

    def __init__(
        self, job_id: str, *, fails: bool = False, metadata: dict[str, object] | None = None
    ) -> None:
        self.id = job_id
        self.room = models.Room(name=f"call-{job_id}")
        self.job = agent.Job(id=job_id, room=self.room, metadata=json.dumps(metadata or {}))
        self.fails = fails
        self.answer = ""
        self.attributes: dict[str, str] = {}

    async def accept(self, *, name: str, attributes: dict[str, str]) -> None:
        if self.fails:
            raise TimeoutError
        self.answer = "accepted"
        self.attributes = attributes

    async def reject(self, *, terminate: bool) -> None:
        self.answer = "terminated" if terminate else "passed on"


async def decide(admission: Admission, job_id: str, **metadata: object) -> str:
    request = Request(job_id, metadata=metadata)
    await admission.decide(request)  # type: ignore[arg-type]
    return request.answer


@pytest.mark.parametrize("capacity", [1, 2, 4, 8])
async def test_every_place_can_be_filled_and_no_more(capacity: int) -> None:
    """The job beyond capacity is passed on to another worker, not ended."""
    admission = Admission(capacity)
    answers = [await decide(admission, str(number)) for number in range(capacity + 1)]
    assert answers == ["accepted"] * capacity + ["passed on"]
    assert admission.refused == {"capacity": 1}


@pytest.mark.parametrize("capacity", [1, 2, 4, 8])
async def test_requests_at_the_same_time_get_no_more_places_than_there_are(capacity: int) -> None:
    """One that is still being answered has its place already."""

    async def slowly() -> None:
        await asyncio.sleep(0.01)

    admission = Admission(capacity, settled=slowly)
    answers = await asyncio.gather(*(decide(admission, str(number)) for number in range(3 * capacity)))
    assert answers.count("accepted") == capacity


async def test_a_job_that_is_over_makes_room() -> None:
    """Capacity counts what runs."""
    admission = Admission(capacity=1)
    await decide(admission, "a")
    admission.release("a")
    assert await decide(admission, "b") == "accepted"


@pytest.mark.parametrize("capacity", [1, 2, 4, 8])
async def test_load_stays_below_what_the_server_takes_for_full(capacity: int) -> None:
    """At 0.7 the server would ask no more, and the last place would stay empty."""
    admission = Admission(capacity)
    for number in range(capacity):
        assert admission.load == pytest.approx(FULL_LOAD * number / capacity)
        await decide(admission, str(number))
    assert admission.load == pytest.approx(FULL_LOAD)
    assert admission.load < 0.7


async def test_a_job_that_never_came_takes_no_place() -> None:
    """The server may take an accepted job back."""
    admission = Admission(capacity=1)
    with pytest.raises(TimeoutError):
        await admission.decide(Request("a", fails=True))  # type: ignore[arg-type]
    assert admission.running == 0


async def test_nobody_overtakes_those_who_wait() -> None:
    """A new caller's own dispatch is refused while others wait for the places that are free."""

    async def others_wait(room: str, places: int) -> bool:
        return False

    admission = Admission(capacity=2, is_next=others_wait)
    assert await decide(admission, "a") == "passed on"
    assert admission.refused == {"others_wait": 1}
    assert admission.running == 0
    assert await decide(admission, "b", redispatched=True) == "accepted", "whom the dispatcher sends is next"


async def test_an_agent_carries_the_name_of_its_worker() -> None:
    """So that who looks into a room knows whose lease it depends on."""
    request = Request("a")
    await Admission(capacity=1, worker="worker-1").decide(request)  # type: ignore[arg-type]
    assert request.attributes == {WORKER_ATTRIBUTE: "worker-1"}
