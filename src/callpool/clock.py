"""A wall clock that is set while a call goes on: what was said stays in its order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from livekit.agents import AgentSession

from callpool.call import Call
from callpool.checkpoint import end_before

LOOK_S = 0.25
"""From look to look, seconds: less than any two turns are apart."""
SET_S = 1.0
"""What steps by less, seconds, was only regulated."""

logger = logging.getLogger(__name__)


class Clock:
    """Sees to it that a call's history is never later than the wall clock, also when that was set back.

    Without this, everything that is said until the clock shows the old time again would come before what was
    said until then, and the model would answer the wrong words.
    """

    def __init__(
        self,
        session: AgentSession[Call],
        *,
        wall: Callable[[], float] | None = None,
        steady: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._session = session
        self._wall = wall or time.time
        self._steady = steady
        self._sleep = sleep
        self._ahead_s = self._wall() - steady()
        self._watching = asyncio.create_task(self._watch(), name="clock")
        session.on("close", lambda _: self._watching.cancel())

    def look(self) -> None:
        """Look at the clock once."""
        now_s = self._wall()
        ahead_s = now_s - self._steady()
        step_s, self._ahead_s = ahead_s - self._ahead_s, ahead_s
        if abs(step_s) > SET_S:
            logger.warning("the clock was set", extra={"action": "clock_set", "step_s": round(step_s, 1)})
        end_before(self._session.history, now_s)
        try:
            end_before(self._session.current_agent.chat_ctx, now_s)
        except RuntimeError:  # there is no agent yet
            return

    async def _watch(self) -> None:
        while True:
            await self._sleep(LOOK_S)
            self.look()
