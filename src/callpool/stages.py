"""What a stage is, which may follow which, and how a roster brings its stages, its agents and its business.

A stage is one state of the conversation, owned by one agent. The service holds the mechanism only: the roster
that the settings name (`callpool_agents.roster` by default) holds the stages.
"""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from callpool.call import Call
from callpool.errors import CallpoolError, SettingError
from callpool.settings import Settings

AgentT = TypeVar("AgentT")
BusinessT = TypeVar("BusinessT")


class IllegalHandOff(CallpoolError):
    """A stage that may not follow the present one. Its text tells a model what it may do instead."""

    def __init__(self, origin: str, to: str, legal: tuple[str, ...]) -> None:
        self.origin = origin
        self.to = to
        allowed = ", ".join(legal) if legal else "none: the call ends here"
        super().__init__(
            f"The call cannot go from {origin} to {to}. Stages that may follow {origin}: {allowed}."
        )


@dataclass(frozen=True)
class Stage(Generic[AgentT, BusinessT]):
    """One state of the conversation."""

    name: str
    agent: Callable[[Any], AgentT]
    """Makes the stage's agent from a `Handover`. Must not block: it runs while the caller waits."""
    greeting: Callable[[Call], str] | None = None
    """The fixed words that open a call in this stage. Stages that open no call need none."""
    profile: str | None = None
    """The profile of its models; None: the call's."""
    satisfied: Callable[[Call, BusinessT], Awaitable[bool]] | None = None
    """Whether there is nothing left to do here: then the call goes on to `then` without a question."""
    then: str = ""
    """The stage that follows when this one is satisfied."""


@dataclass(frozen=True)
class Route(Generic[AgentT, BusinessT]):
    """Where a hand-off leads: the stages passed through, and the one that takes the call."""

    passed: tuple[Stage[AgentT, BusinessT], ...]
    stage: Stage[AgentT, BusinessT]


async def _no_database(url: str) -> None:
    """What a roster without a database does to prepare it."""


async def _nothing_to_close(business: Any) -> None:
    """What a roster without connections does at the end of a call."""


@dataclass(frozen=True)
class Roster(Generic[AgentT, BusinessT]):
    """The agents of a service, and the business that their tools act on."""

    stages: tuple[Stage[AgentT, BusinessT], ...]
    first: Mapping[str, str]
    """Dispatch name to the stage that opens the call. A name that is missing gets the first entry."""
    transitions: Mapping[str, tuple[str, ...]]
    """Stage to the stages that may follow it. A stage without an entry is followed by none."""
    open_business: Callable[[str], BusinessT]
    """Opens what the tools act on, given the URL of its database. Called once in each process, before it
    takes a call; connects to nothing yet."""
    prepare: Callable[[str], Awaitable[None]] = _no_database
    """Makes the business's tables, and fills new ones. Called by the process that starts others."""
    close_business: Callable[[BusinessT], Awaitable[None]] = _nothing_to_close
    """Closes what `open_business` opened, at the end of a call."""
    new_state: Callable[[], Any] = dict
    """The typed state that a call begins with: a dataclass of plain values."""
    keypad_digits: int | None = None
    """How many digits a caller presses who is asked for a number: then nobody waits for more."""
    to_person: Callable[[Any, BusinessT, str], Awaitable[str]] | None = None
    """Given the session, the business and a reason: notes what a person needs to take the call over, and
    gives the stage that says so to the caller and ends the call. None: no person is had without a model."""
    modules: tuple[str, ...] = ()
    """Imported while the process warms up, so that no call pays for them."""

    def __post_init__(self) -> None:
        names = [stage.name for stage in self.stages]
        named = {
            *self.first.values(),
            *self.transitions,
            *(name for follows in self.transitions.values() for name in follows),
            *(stage.then for stage in self.stages if stage.then),
        }
        if len(set(names)) < len(names):
            raise ValueError(f"two stages have one name: {', '.join(names)}")
        if unknown := named - set(names):
            raise ValueError(f"no stage is called {', '.join(sorted(unknown))}")
        for name in self.first.values():
            if self.stage(name).greeting is None:
                raise ValueError(f"calls begin with {name}, which has no greeting")
        for stage in self.stages:
            self._check_passage(stage)

    def _check_passage(self, stage: Stage[AgentT, BusinessT]) -> None:
        """A hand-off through satisfied stages must arrive somewhere, whatever they find satisfied."""
        if stage.satisfied is None:
            return
        if not stage.then:
            raise ValueError(f"{stage.name} may be passed through, and has no stage that follows then")
        if stage.then not in self.transitions.get(stage.name, ()):
            raise ValueError(
                f"{stage.name} goes on to {stage.then} when it is passed through, and {stage.then} may not "
                "follow it"
            )
        seen = {stage.name}
        while stage.satisfied is not None and stage.then:
            stage = self.stage(stage.then)
            if stage.name in seen:
                raise ValueError(f"stages lead back to {stage.name} when they are passed through")
            seen.add(stage.name)

    def stage(self, name: str) -> Stage[AgentT, BusinessT]:
        """The stage of this name. Raises KeyError."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(name)

    def first_stage(self, agent_name: str) -> Stage[AgentT, BusinessT]:
        """The stage that opens a call to this dispatch name."""
        return self.stage(self.first.get(agent_name) or next(iter(self.first.values())))

    async def route(self, call: Call, to: str, business: BusinessT) -> Route[AgentT, BusinessT]:
        """Where a call that is handed off to `to` arrives. Raises IllegalHandOff."""
        here = call.stage
        passed: list[Stage[AgentT, BusinessT]] = []
        while True:
            legal = self.transitions.get(here, ())
            if to not in legal:
                raise IllegalHandOff(here, to, legal)
            stage = self.stage(to)
            if stage.satisfied is None or not await stage.satisfied(call, business):
                return Route(tuple(passed), stage)
            passed.append(stage)
            here, to = stage.name, stage.then


def load_roster(module_name: str) -> Roster[Any, Any]:
    """Import the roster that a setting names. Raises SettingError."""
    expected = "a module with a ROSTER, such as callpool_agents.roster"
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}."):
            raise SettingError("CALLPOOL_ROSTER", module_name, expected) from error
        # The roster is there, and code of somebody's own: its fault is named, with its place.
        raise SettingError("CALLPOOL_ROSTER", module_name, f"{expected} ({_fault(error)})") from error
    roster = getattr(module, "ROSTER", None)
    if not isinstance(roster, Roster) or not roster.first:
        raise SettingError("CALLPOOL_ROSTER", module_name, expected)
    return roster


def _fault(error: Exception) -> str:
    """What went wrong in a roster's own code, and in which of its lines."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = "" if isinstance(error, SyntaxError) else f", {last.filename}, line {last.lineno}"
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"


async def prepare_business(settings: Settings, *, migrate: bool = False) -> None:
    """Make the tables that the roster's tools act on. PostgreSQL is left as it is unless `migrate`.

    Raises SettingError, StoreError.
    """
    if not migrate and not settings.business_url.startswith("sqlite"):
        return
    name = settings.worker.roster
    try:
        await load_roster(name).prepare(settings.business_url)
    except CallpoolError:
        raise
    except Exception as error:
        raise SettingError(
            "CALLPOOL_ROSTER", name, f"a roster whose prepare works ({_fault(error)})"
        ) from error
