"""What a call may cost: made cheaper at a first limit, ended at a second one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

from livekit.agents import AgentSession

from callpool import ending
from callpool.call import Call
from callpool.ending import Ending
from callpool.manners import LAST_WORDS_S, take_leave
from callpool.service_phrases import words_for
from callpool.setting_groups import Costs

logger = logging.getLogger(__name__)

LOOK_S = 0.25
"""From look to look, seconds. The dearest shipped model says a cent's worth in two seconds."""
INTERRUPT_S = 3.0
"""How long the agent may take to stop, seconds."""
END_S = LAST_WORDS_S + 5.0
"""How long a person may take to be found, and the last words to be said, before the call ends without."""

Limit = Literal["soft", "hard"]


class Means(Protocol):
    """What a budget acts by."""

    def spent_usd(self) -> float:
        """What the call has cost by now, with what is being said and not yet charged for."""

    async def wrap_up(self) -> None:
        """Tell the agent to come to an end."""

    def economize(self) -> bool:
        """Have a cheaper model answer from now on. False: there is none."""

    async def put_through(self) -> bool:
        """Give the call to a person; it ends when the last words are said. False: there is nobody."""

    @property
    def reached(self) -> Callable[[Limit, float], None]:
        """Told of each limit, once."""


class Budget:
    """Looks at what a call costs, as long as its session lasts."""

    def __init__(
        self,
        session: AgentSession[Call],
        costs: Costs,
        means: Means,
        end: Callable[[Ending], None],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._session = session
        self._costs = costs
        self._means = means
        self._end_call = end
        self._sleep = sleep
        self._is_soft = False
        self._task: asyncio.Task[None] | None = None
        if costs.soft_limit_usd or costs.hard_limit_usd:
            self._task = asyncio.create_task(self._watch(), name="budget")
            session.on("close", lambda _: self._task and self._task.cancel())

    async def _watch(self) -> None:
        costs, means = self._costs, self._means
        while True:
            await self._sleep(LOOK_S)
            if self._session.userdata.ending is not None:
                return  # somebody says goodbye already
            usd = means.spent_usd()
            if costs.hard_limit_usd and usd >= costs.hard_limit_usd:
                self._note("hard", costs.hard_limit_usd, costs.hard_action)
                await self._end()
                return
            if costs.soft_limit_usd and usd >= costs.soft_limit_usd and not self._is_soft:
                self._is_soft = True
                self._note("soft", costs.soft_limit_usd, costs.soft_action)
                await self._try_to_make_cheaper()

    async def _try_to_make_cheaper(self) -> None:
        """Whatever comes of it, the hard limit stands."""
        try:
            async with asyncio.timeout(END_S):
                await self._make_cheaper()
        except Exception:
            logger.exception("a call could not be made cheaper", extra={"action": "budget_soft_failed"})

    async def _make_cheaper(self) -> None:
        if self._costs.soft_action == "economy":
            if self._means.economize():
                return
            logger.warning("no economy profile", extra={"action": "budget_no_economy"})
        await self._means.wrap_up()

    async def _end(self) -> None:
        """Nothing that costs anything is begun any more: nobody is listened to, and no model is asked."""
        session = self._session
        session.input.set_audio_enabled(False)
        try:
            async with asyncio.timeout(INTERRUPT_S):
                await session.interrupt(force=True)
        except TimeoutError:  # a tool that may not be interrupted
            logger.warning("an answer goes on", extra={"action": "budget_interrupt_late"})
        except RuntimeError:  # the session is closing
            return
        if self._costs.hard_action == "transfer" and await self._put_through():
            return
        session.userdata.end(ending.BUDGET_SPENT)
        await take_leave(session, words_for(session, "budget_spent"))
        self._end_call(ending.BUDGET_SPENT)

    async def _put_through(self) -> bool:
        """Give the call to a person, and see to it that it ends so."""
        try:
            async with asyncio.timeout(END_S):
                if not await self._means.put_through():
                    return False
                while self._session.userdata.ending is None:  # the stage's agent says so as it enters
                    await self._sleep(LOOK_S)
                return True
        except Exception:
            logger.exception("nobody could be put through", extra={"action": "budget_no_person"})
            return False

    def _note(self, limit: Limit, usd: float, action: str) -> None:
        logger.warning(
            "a call reached its budget",
            extra={"action": "budget", "limit": limit, "usd": usd, "then": action},
        )
        self._means.reached(limit, usd)
