"""What a stage is, and how a roster brings its stages, its agents and its business.

A stage is one state of the conversation, owned by one agent. The service holds the mechanism only: the roster
that the settings name (`callpool_agents.roster` by default) holds the stages.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from callpool.call import Call
from callpool.errors import SettingError

AgentT = TypeVar("AgentT")
BusinessT = TypeVar("BusinessT")


@dataclass(frozen=True)
class Stage(Generic[AgentT, BusinessT]):
    """One state of the conversation."""

    name: str
    agent: Callable[[Call, BusinessT], AgentT]
    """Makes the stage's agent for a call. Must not block: it runs while the caller waits."""
    greeting: Callable[[Call], str]
    """The fixed words that open a call in this stage."""


@dataclass(frozen=True)
class Roster(Generic[AgentT, BusinessT]):
    """The agents of a service."""

    first: Mapping[str, Stage[AgentT, BusinessT]]
    """Dispatch name to first stage. A name that is missing gets the first entry."""
    open_business: Callable[[], BusinessT]
    """Loads what the tools act on. Called once in each process, before it takes a call."""
    modules: tuple[str, ...] = ()
    """Imported while the process warms up, so that no call pays for them."""

    def first_stage(self, agent_name: str) -> Stage[AgentT, BusinessT]:
        return self.first.get(agent_name) or next(iter(self.first.values()))


def load_roster(module_name: str) -> Roster[Any, Any]:
    """Import the roster that a setting names. Raises SettingError."""
    expected = "a module with a ROSTER, such as callpool_agents.roster"
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the roster is there, something that it imports is not
        raise SettingError("CALLPOOL_ROSTER", module_name, expected) from error
    roster = getattr(module, "ROSTER", None)
    if not isinstance(roster, Roster) or not roster.first:
        raise SettingError("CALLPOOL_ROSTER", module_name, expected)
    return roster
