"""What a room needs, case by case."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from callpool.dispatcher.decision import (
    ACCEPTED_S,
    ANSWER_S,
    GOODBYE_S,
    JOIN_S,
    LONGEST_PAUSE_S,
    PROMPT_TRIES,
    SETTLED_S,
    Memory,
    Verdict,
    Want,
    decide,
    pause_s,
)
from callpool.dispatcher.sight import Dispatch, Participant, Sight
from callpool.pool import Serving

CALLER = Participant("PA_1", "caller", "caller", joined_ms=5_000)
LATER = Participant("PA_2", "another", "caller", joined_ms=9_000)
RECORDER = Participant("PA_3", "recorder", "other", joined_ms=1_000)
TOLD = {"call_id": "c_1", "language": "de", "caller": {"kind": "browser"}}
TOKEN = Dispatch("AD_1", "callpool", json.dumps(TOLD))
SERVING = Serving("c_1", "call-c_1", "callpool", 1, "AJ_1", "w1", alive=True)
LOST = replace(SERVING, alive=False)
NOW_S = 1000.0


def agent(job_id: str, *, agent_name: str = "callpool", worker: str = "w1") -> Participant:
    return Participant(f"PA_{job_id}", f"agent-{job_id}", "agent", 6_000, agent_name, worker)


def sight(
    *people: Participant,
    serving: Serving | None = None,
    dispatches: tuple[Dispatch, ...] = (),
    name: str = "call-c_1",
) -> Sight:
    lost = serving is not None and not serving.alive
    return Sight(name, "RM_1", people, serving, dispatches, is_lost=lost)


def verdict(
    what: Sight, memory: Memory | None = None, *, dead: set[str] | None = None, now_s: float = NOW_S
) -> Verdict:
    return decide(what, memory or Memory(), "callpool", dead or set(), now_s)


def want(what: Sight, memory: Memory | None = None, **more: float) -> Want:
    found = verdict(what, memory, **more).want  # type: ignore[arg-type]
    assert found is not None
    return found


def test_an_empty_room_needs_nothing() -> None:
    """Nor does one with a recorder in it, or with an agent alone."""
    assert verdict(sight(dispatches=(TOKEN,))) == Verdict()
    assert verdict(sight(RECORDER, agent("AJ_9"), serving=LOST, dispatches=(TOKEN,))) == Verdict()


def test_a_served_caller_needs_nothing() -> None:
    """The agent's job is the one that claimed the call."""
    served = verdict(sight(CALLER, agent("AJ_1"), serving=SERVING, dispatches=(TOKEN,)))
    assert served.want is None
    assert served.ghosts == ()


def test_a_token_s_own_dispatch_is_waited_for() -> None:
    """For as long as a worker takes to answer, and no longer."""
    memory = Memory()
    here = sight(CALLER, dispatches=(TOKEN,))
    assert want(here, memory).ready_in_s == ANSWER_S
    assert want(here, memory, now_s=NOW_S + 1).ready_in_s == pytest.approx(ANSWER_S - 1)
    assert want(here, memory, now_s=NOW_S + ANSWER_S).ready_in_s == 0


def test_a_dispatch_that_was_accepted_is_waited_for_longer() -> None:
    """Its job's process may have to start first."""
    accepted = replace(TOKEN, jobs=frozenset({"AJ_1"}))
    assert want(sight(CALLER, dispatches=(accepted,))).ready_in_s == ACCEPTED_S


def test_a_dispatch_that_no_worker_had_room_for_is_not_waited_for() -> None:
    """The server has dropped it."""
    memory = Memory(hopeless={"AD_1"})
    assert want(sight(CALLER, dispatches=(TOKEN,)), memory).ready_in_s == 0


def test_a_lost_call_is_dispatched_at_once_with_all_it_was_told() -> None:
    """Its epoch is the next one; the old dispatch is answered and done."""
    token = replace(TOKEN, jobs=frozenset({"AJ_1"}))
    wanted = want(sight(CALLER, serving=LOST, dispatches=(token,)))
    assert (wanted.epoch, wanted.ready_in_s, wanted.cause) == (2, 0, "lost")
    assert json.loads(wanted.metadata) == TOLD | {"epoch": 2, "redispatched": True}


def test_a_dispatch_of_an_older_epoch_is_not_waited_for() -> None:
    """Its job would find that the call has been claimed since."""
    assert want(sight(CALLER, serving=LOST, dispatches=(TOKEN,))).ready_in_s == 0


def test_the_ghost_of_a_lost_job_is_put_out() -> None:
    """So is that of a job whose worker is dead, and one whose call another job has claimed since."""
    assert verdict(sight(CALLER, agent("AJ_1"), serving=LOST)).ghosts == ("agent-AJ_1",)
    assert verdict(sight(CALLER, agent("AJ_1"), serving=SERVING), dead={"w1"}).ghosts == ("agent-AJ_1",)
    both = verdict(sight(CALLER, agent("AJ_0"), agent("AJ_1"), serving=SERVING))
    assert both.ghosts == ("agent-AJ_0",)
    assert both.want is None


def test_an_agent_of_another_name_is_none_of_ours() -> None:
    """It neither serves our caller nor is it put out."""
    found = verdict(sight(CALLER, agent("AJ_9", agent_name="theirs"), serving=LOST))
    assert found.ghosts == ()
    assert found.want is not None


def test_an_agent_that_the_store_does_not_know_serves() -> None:
    """The store was away when it came; but not when its worker is dead."""
    assert verdict(sight(CALLER, agent("AJ_1"), dispatches=(TOKEN,))).want is None
    assert verdict(sight(CALLER, agent("AJ_1"), dispatches=(TOKEN,)), dead={"w1"}).ghosts == ("agent-AJ_1",)


def test_a_job_that_has_claimed_has_time_to_join() -> None:
    """Another one is sent when it does not."""
    memory = Memory()
    here = sight(CALLER, serving=SERVING, dispatches=(TOKEN,))
    assert verdict(here, memory).want is None
    assert verdict(here, memory).look_again_s == JOIN_S
    assert want(here, memory, now_s=NOW_S + JOIN_S).epoch == 2


def test_the_longest_waiting_caller_counts() -> None:
    """A second one in the room does not move it back."""
    assert want(sight(LATER, CALLER, serving=LOST)).since_ms == 5_000


def test_nobody_answers_after_a_goodbye() -> None:
    """The call has ended for good, and those who heard it out are still in the room."""
    memory = Memory()
    verdict(sight(CALLER, agent("AJ_1"), serving=SERVING, dispatches=(TOKEN,)), memory)
    assert verdict(sight(CALLER, dispatches=(TOKEN,)), memory) == Verdict()


def test_who_comes_after_a_goodbye_gets_a_call_of_theirs() -> None:
    """Under a name of its own, which every dispatcher would give it."""
    memory = Memory()
    verdict(sight(CALLER, agent("AJ_1"), serving=SERVING, dispatches=(TOKEN,)), memory)
    wanted = want(sight(CALLER, LATER, dispatches=(TOKEN,)), memory, now_s=NOW_S + 60)
    assert wanted.since_ms == 9_000
    assert json.loads(wanted.metadata)["call_id"] == "c_PA_2"


def test_a_job_that_is_over_may_be_about_to_write_how_its_call_ended() -> None:
    """For a moment the store has neither an ending nor a loss."""
    memory = Memory()
    here = replace(sight(CALLER, serving=LOST, dispatches=(TOKEN,)), is_lost=False)
    assert verdict(here, memory).want is None
    assert want(here, memory, now_s=NOW_S + GOODBYE_S).epoch == 2
    next_one = replace(LOST, epoch=2, job_id="AJ_2")
    then = replace(here, serving=next_one)
    assert verdict(then, memory, now_s=NOW_S + GOODBYE_S + 1).want is None, "the job after it, too"


@pytest.mark.parametrize(
    ("name", "dispatches", "serving", "ours"),
    [
        ("call-c_1", (), None, True),
        ("call-c_1", (Dispatch("AD", "", ""),), None, True),
        ("call-c_1", (Dispatch("AD", "theirs", ""),), None, False),
        ("meeting", (), None, False),
        ("meeting", (Dispatch("AD", "theirs", ""), TOKEN), None, True),
        ("meeting", (), LOST, True),
        ("call-c_1", (), replace(LOST, agent_name="theirs"), False),
    ],
)
def test_whose_room_it_is(
    name: str, dispatches: tuple[Dispatch, ...], serving: Serving | None, ours: bool
) -> None:
    """Known by its dispatches, by the store, or by a name that the web API gave it."""
    found = verdict(sight(CALLER, name=name, dispatches=dispatches, serving=serving))
    assert (found.want is not None) == ours


@pytest.mark.parametrize(
    ("name", "metadata", "call_id"),
    [
        ("call-c_1", "", "c_1"),
        ("call-c_1", "no JSON", "c_1"),
        ("call-c_1", "[1]", "c_1"),
        ("desk", '{"language": "de"}', "c_RM_1"),
        ("desk", '{"call_id": "c_7"}', "c_7"),
    ],
)
def test_a_call_has_one_name_for_all(name: str, metadata: str, call_id: str) -> None:
    """Whatever the first dispatch said."""
    dispatch = Dispatch("AD", "callpool", metadata)
    wanted = want(sight(CALLER, name=name, dispatches=(dispatch,)))
    assert json.loads(wanted.metadata)["call_id"] == call_id


@pytest.mark.parametrize("epoch", ["2", True, 0, -1, 1.5, None, [2]])
def test_an_epoch_that_is_none_counts_as_the_first(epoch: object) -> None:
    """Whoever may dispatch may write anything."""
    assert Dispatch("AD", "callpool", json.dumps({"epoch": epoch})).epoch == 1


def test_a_dispatch_is_withdrawn_only_when_no_job_can_come_of_it() -> None:
    """The server ends the jobs of a dispatch that is deleted: never that of the job which serves."""
    memory = Memory()
    ours = replace(TOKEN, dispatch_id="AD_2", metadata=json.dumps(TOLD | {"epoch": 2}))
    twin = replace(ours, dispatch_id="AD_3")
    serving = replace(SERVING, epoch=2, job_id="AJ_2")
    here = sight(
        CALLER,
        agent("AJ_2"),
        serving=serving,
        dispatches=(
            replace(TOKEN, jobs=frozenset({"AJ_1"})),
            replace(ours, jobs=frozenset({"AJ_2"})),
            twin,
        ),
    )
    assert verdict(here, memory).superseded == ("AD_1",)
    settled = verdict(here, memory, now_s=NOW_S + SETTLED_S + 1)
    assert set(settled.superseded) == {"AD_1", "AD_3"}


def test_a_waiting_caller_keeps_one_dispatch() -> None:
    """The next one takes from it what the caller's token said."""
    memory = Memory()
    here = sight(CALLER, dispatches=(TOKEN, replace(TOKEN, dispatch_id="AD_2")))
    verdict(here, memory)
    assert len(verdict(here, memory, now_s=NOW_S + 100).superseded) == 1


def test_dispatches_that_lead_nowhere_come_less_often() -> None:
    """Promptly at first, as a dead worker swallows some; never further apart than the longest pause."""
    pauses = [pause_s(tries) for tries in range(20)]
    assert pauses[: PROMPT_TRIES + 1] == [ANSWER_S] * (PROMPT_TRIES + 1)
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_S
