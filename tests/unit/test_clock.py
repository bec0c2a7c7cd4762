"""A wall clock that is set while a call goes on."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from livekit.agents.llm import ChatContext

from callpool.call import Call
from callpool.checkpoint import Checkpoint, History
from callpool.clock import Clock
from callpool.store.record import Turn

NOW_S = 1_800_000_000.0
HOUR_S = 3600.0


class Session:
    """What the clock needs of a session."""

    def __init__(self) -> None:
        self.history = ChatContext.empty()
        self.current_agent = SimpleNamespace(chat_ctx=ChatContext.empty())

    def on(self, *_: object) -> None: ...


class Town:
    """A call in progress, a clock tower, and the time that passes whatever it shows."""

    def __init__(self) -> None:
        self.wall_s = NOW_S
        self.steady_s = 5.0
        self.session: Any = Session()

    def pass_by(self, seconds: float, *, step_s: float = 0.0) -> None:
        self.steady_s += seconds
        self.wall_s += seconds + step_s

    def say(self, words: str) -> None:
        for history in (self.session.history, self.session.current_agent.chat_ctx):
            history.add_message(role="user", content=words, created_at=self.wall_s)

    def said(self) -> list[list[str | None]]:
        histories = (self.session.history, self.session.current_agent.chat_ctx)
        return [[item.text_content for item in history.items] for history in histories]


@pytest.fixture
async def town() -> Town:
    return Town()


@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S, -2.0])
async def test_what_was_said_stays_in_its_order(town: Town, step_s: float) -> None:
    """A model that found the newest words first would answer older ones."""
    clock = Clock(town.session, wall=lambda: town.wall_s, steady=lambda: town.steady_s)
    town.say("one")
    town.pass_by(1)
    town.say("two")
    town.pass_by(0.2, step_s=step_s)
    clock.look()
    town.pass_by(0.1)
    town.say("three")
    assert town.said() == [["one", "two", "three"]] * 2


async def test_without_the_clock_it_would_not(town: Town) -> None:
    """This is what the SDK does by itself; when it no longer does, the clock can go."""
    town.say("one")
    town.pass_by(1, step_s=-HOUR_S)
    town.say("two")
    assert town.said() == [["two", "one"]] * 2


async def test_a_clock_that_is_set_is_logged_once(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    """And one that is regulated is not."""
    clock = Clock(town.session, wall=lambda: town.wall_s, steady=lambda: town.steady_s)
    with caplog.at_level(logging.WARNING):
        town.pass_by(1, step_s=0.1)
        clock.look()
        town.pass_by(1, step_s=-HOUR_S)
        clock.look()
        clock.look()
    assert [vars(record)["step_s"] for record in caplog.records] == [-HOUR_S]


def test_the_history_of_a_machine_that_is_ahead_is_restored_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next job may run on another machine, and the caller answers at once."""
    history = ChatContext.empty()
    history.add_message(role="user", content="one", created_at=NOW_S + 20)
    history.add_message(role="assistant", content="two", created_at=NOW_S + 25)
    call = Call("c_1", "call-c_1", "callpool", state={})
    document = Checkpoint.of(call, Turn(1, "reception"), History().documents(history)).document()
    monkeypatch.setattr("time.time", lambda: NOW_S)
    restored = Checkpoint.read(document).restore(Call("c_1", "call-c_1", "callpool", state={}))
    restored.add_message(role="user", content="three", created_at=NOW_S + 1)
    texts = [item.text_content for item in restored.items if item.type == "message"]
    assert texts == ["one", "two", "three"]


def test_how_long_a_call_has_lasted_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Across jobs, and whatever the clocks of their machines show."""
    steady_s = 100.0
    monkeypatch.setattr("time.monotonic", lambda: steady_s)
    call = Call("c_1", "call-c_1", "callpool", state={}, taken_at=steady_s)
    steady_s = 160.0
    assert call.lasted_s == 60
    document = Checkpoint.of(call, Turn(1, "reception"), []).document()
    steady_s = 7.0  # another machine
    monkeypatch.setattr("time.time", lambda: NOW_S + HOUR_S)
    next_one = Call("c_1", "call-c_1", "callpool", state={}, taken_at=steady_s)
    Checkpoint.read(document).restore(next_one)
    steady_s = 17.0
    assert next_one.lasted_s == 70
