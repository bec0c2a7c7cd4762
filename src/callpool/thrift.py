"""How a call in progress is made cheaper, or ended: what its budget acts by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from livekit.agents import AgentSession

from callpool.budget import Limit
from callpool.call import Call
from callpool.hand_off import Conversation, StageAgent
from callpool.language_models import LanguageModels
from callpool.metering import Meter
from callpool.profiles import Profiles

ECONOMY = "economy"
"""The profile of that name."""
REASON = "The call took longer than an automatic answer should"
"""What a person is told who takes it over."""


@dataclass(frozen=True)
class Thrift:
    """The means of a call's budget. See `budget.Means`."""

    session: AgentSession[Call]
    conversation: Conversation
    meter: Meter
    models: LanguageModels
    profiles: Profiles
    before_usd: float
    """What other jobs have spent on the call."""
    reached: Callable[[Limit, float], None]

    def spent_usd(self) -> float:
        """By all jobs, with what is being said, and what was cut off: nobody reports that, and it is paid."""
        self.meter.count_time()
        unreported = sum(self.meter.estimate_usd(*each) for each in self.models.unreported())
        return self.before_usd + self.meter.total_usd + unreported

    async def wrap_up(self) -> None:
        """From its next answer on, the agent comes to an end."""
        self.conversation.call.is_wrapping_up = True
        agent = self.session.current_agent
        if isinstance(agent, StageAgent):
            await agent.renew_instructions()

    def economize(self) -> bool:
        """Have the economy profile answer. False: it cannot be used."""
        if self.profiles.obstacle(ECONOMY, ("llm",)):
            return False
        self.models.use_instead(self.profiles.of_call(ECONOMY))
        return True

    async def put_through(self) -> bool:
        """Give the call to the stage that ends with a person. False: the roster has none."""
        to_person: Any = self.conversation.roster.to_person
        if to_person is None:
            return False
        stage = await to_person(self.session, self.conversation.business, REASON)
        self.session.update_agent(self.conversation.agent_at(stage))
        return True
