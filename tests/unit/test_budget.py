"""What a call may cost, and what happens when it costs more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from callpool import ending, settings
from callpool.budget import END_S, LOOK_S, Budget, Limit
from callpool.ending import Ending
from callpool.service_phrases import words
from fake_session import FakeSession
from virtual_time import in_virtual_time


class Thrift:
    """Means that do what a test says."""

    def __init__(self) -> None:
        self.usd = 0.0
        self.told: list[str] = []
        self.has_economy = True
        self.person: Callable[[], bool] = lambda: True
        self.wraps_up: Callable[[], object] = lambda: None

    def spent_usd(self) -> float:
        return self.usd

    async def wrap_up(self) -> None:
        self.told.append("wrap up")
        self.wraps_up()

    def economize(self) -> bool:
        self.told.append("economize")
        return self.has_economy

    async def put_through(self) -> bool:
        self.told.append("put through")
        return self.person()

    def reached(self, limit: Limit, usd: float) -> None:
        self.told.append(f"{limit} {usd:g}")


class Call:
    """A session with a budget. `spends`: USD after so many seconds."""

    def __init__(self, **env: str) -> None:
        self.session: Any = FakeSession()
        self.thrift = Thrift()
        self.endings: list[Ending] = []
        self._costs = settings.load(
            {f"CALLPOOL_BUDGET_{name.upper()}": value for name, value in env.items()}
        ).costs

    async def costs(self, *spends: float) -> None:
        """Look once at each of these sums, one after the other."""
        Budget(self.session, self._costs, self.thrift, self.endings.append)
        for usd in spends:
            self.thrift.usd = usd
            await asyncio.sleep(LOOK_S)
        await asyncio.sleep(LOOK_S)
        self.session.emit("close", None)
        await asyncio.sleep(0)

    def play(self, *spends: float) -> None:
        in_virtual_time(self.costs(*spends))


def test_a_call_within_its_budget_is_left_alone() -> None:
    """Nothing is said and nobody is told."""
    call = Call(soft_usd="0.10", hard_usd="0.20")
    call.play(0.01, 0.05, 0.09)
    assert call.thrift.told == []
    assert call.session.said == []
    assert call.session.interrupted == 0


def test_a_call_without_a_budget_may_cost_what_it_takes() -> None:
    """0 is no limit."""
    call = Call()
    call.play(1.0, 1000.0)
    assert call.thrift.told == []


def test_the_soft_limit_has_the_agent_come_to_an_end_once() -> None:
    """However long the call stays above it."""
    call = Call(soft_usd="0.10")
    call.play(0.05, 0.10, 0.15, 0.30)
    assert call.thrift.told == ["soft 0.1", "wrap up"]
    assert call.endings == []


@pytest.mark.parametrize("usable", [True, False])
def test_the_soft_limit_may_have_a_cheaper_model_answer(usable: bool) -> None:
    """Where there is none, the agent comes to an end instead."""
    call = Call(soft_usd="0.10", soft_action="economy")
    call.thrift.has_economy = usable
    call.play(0.12)
    assert call.thrift.told == ["soft 0.1", "economize", *([] if usable else ["wrap up"])]


def test_the_hard_limit_ends_the_call_with_a_goodbye() -> None:
    """The agent is interrupted, nobody listens any more, and no model is asked."""
    call = Call(hard_usd="0.20")
    call.play(0.19, 0.21, 5.0)
    assert call.session.interrupted == 1
    assert not call.session.listens
    assert call.session.said == [words("budget_spent", "en")]
    assert call.session.interruptible == [False]
    assert call.endings == [ending.BUDGET_SPENT]
    assert call.session.userdata.ending == ending.BUDGET_SPENT
    assert call.thrift.told == ["hard 0.2"]


def test_the_hard_limit_may_give_the_call_to_a_person() -> None:
    """Whose agent says the last words, and ends the call."""
    call = Call(hard_usd="0.20", hard_action="transfer")

    def takes_over() -> bool:
        call.session.userdata.end(ending.TRANSFERRED)
        return True

    call.thrift.person = takes_over
    call.play(0.21)
    assert call.thrift.told == ["hard 0.2", "put through"]
    assert call.session.said == []
    assert call.endings == []


def test_a_person_whose_agent_says_nothing_is_not_waited_for() -> None:
    """The call ends with a goodbye, within a stated time."""
    call = Call(hard_usd="0.20", hard_action="transfer")
    call.play(*[0.21] * round((END_S + 1) / LOOK_S))
    assert call.endings == [ending.BUDGET_SPENT]


def test_what_fails_at_the_soft_limit_leaves_the_hard_one() -> None:
    """A limit that a mistake switches off would be none."""
    call = Call(soft_usd="0.10", hard_usd="0.20")
    call.thrift.wraps_up = broken
    call.play(0.11, 0.15, 0.21)
    assert call.thrift.told == ["soft 0.1", "wrap up", "hard 0.2"]
    assert call.endings == [ending.BUDGET_SPENT]


def broken() -> bool:
    raise RuntimeError("no directory")


@pytest.mark.parametrize("person", [lambda: False, broken])
def test_where_there_is_nobody_it_ends_with_a_goodbye(person: Callable[[], bool]) -> None:
    """Also where the directory fails: a limit is a limit."""
    call = Call(hard_usd="0.20", hard_action="transfer")
    call.thrift.person = person
    call.play(0.21)
    assert call.endings == [ending.BUDGET_SPENT]


def test_a_call_that_takes_leave_already_is_not_cut_short() -> None:
    """The goodbye costs what it costs."""
    call = Call(hard_usd="0.20")
    call.session.userdata.end(ending.GOODBYE)
    call.play(0.5)
    assert call.session.said == []
    assert call.session.userdata.ending == ending.GOODBYE


def test_a_soft_limit_above_the_hard_one_is_refused() -> None:
    """It would never be reached."""
    with pytest.raises(settings.SettingError, match="CALLPOOL_BUDGET_HARD_USD"):
        Call(soft_usd="0.30", hard_usd="0.20")
