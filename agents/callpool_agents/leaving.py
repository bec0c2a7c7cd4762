"""The two ends of a call: to a person, and goodbye."""

from __future__ import annotations

from livekit.agents import AgentSession

from callpool import ending
from callpool.call import Call
from callpool.ending import Ending
from callpool.hand_off import Handover, StageAgent
from callpool.manners import take_leave
from callpool_agents import phrases, prompts
from callpool_tools.business import Business
from callpool_tools.transfer import put_through


class LastWords(StageAgent):
    """Says one thing that cannot be interrupted, then hangs up."""

    def __init__(self, handover: Handover, *, name: str, ending: Ending) -> None:
        super().__init__(handover, name=name, prompt=prompts.of(name), tools=[])
        self._words = phrases.say(name, handover.call.language)
        self._ending = ending

    async def on_enter(self) -> None:
        self.call.end(self._ending)
        await take_leave(self.session, self._words)
        self.session.shutdown(drain=False)


class HumanTransfer(LastWords):
    """Tells the caller that a person takes over, who finds what they need in the `transfers` table."""

    def __init__(self, handover: Handover) -> None:
        super().__init__(handover, name="human_transfer", ending=ending.TRANSFERRED)


async def to_person(session: AgentSession[Call], business: Business, reason: str) -> str:
    """Give the call to a person without asking a model: notes it, and names the stage that says so."""
    await put_through(session, business, reason)
    return "human_transfer"


class Closing(LastWords):
    def __init__(self, handover: Handover) -> None:
        super().__init__(handover, name="closing", ending=ending.GOODBYE)
