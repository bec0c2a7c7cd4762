"""Keeps one program running: sees whether it answers, reports its death, starts it again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

from callpool.errors import CallpoolError
from callpool.local.child import Child, Exit, Program
from callpool.local.ports import listens

WRONG_CONFIGURATION = 2
"""The exit code of a command that was given something that trying again will not mend."""
PATIENCE = 3
"""Starts in a row that may end without an answer."""
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 10.0
STEADY_S = 30.0
"""A child that lived this long is started again without delay, seconds."""
ASK_S = 0.05
"""Time between two questions to a child that does not answer yet, seconds."""
ANSWER_S = 2.0


class ChildFailed(CallpoolError):
    """A child that callpool cannot go on without ended."""


@dataclass(frozen=True)
class Service:
    """A program, and how one sees that it serves."""

    program: Program
    health_url: str
    """Answers 200 once it serves."""


@dataclass
class Supervisor:
    """Runs one service until `stop`."""

    service: Service
    log: Callable[[str], None]
    """Gets the service's own lines."""
    report: Callable[[str], None]
    """Gets what happened to it."""
    started: Callable[[str, int], None] = lambda name, pid: None
    """Told the name and process id at each start."""
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    _child: Child | None = None
    _stopping: bool = False

    @property
    def name(self) -> str:
        return self.service.program.name

    async def keep(self) -> None:
        """Run the program, again and again, until `stop`. Raises ChildFailed when that leads nowhere."""
        in_vain, wait_s = 0, FIRST_WAIT_S
        while not self._stopping:
            how, answered = await self._run()
            if self._stopping:
                return
            in_vain = 0 if answered else in_vain + 1
            self._give_up(how, answered, in_vain)
            wait_s = FIRST_WAIT_S if how.lived_s >= STEADY_S else wait_s
            self.report(f"{self.name} {how}; its last lines:")
            for line in how.lines:
                self.report(f"    {line}")
            self.report(f"{self.name} is started again in {wait_s:g} s")
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    async def _run(self) -> tuple[Exit, bool]:
        self._child = child = Child.start(self.service.program, self.log)
        self.started(self.name, child.pid)
        asking = asyncio.create_task(self._until_answer(child.pid), name=f"ask-{self.name}")
        try:
            how = await asyncio.shield(child.exited)
            return how, self.answers.is_set()
        finally:
            self.answers.clear()
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asking

    def _give_up(self, how: Exit, answered: bool, in_vain: int) -> None:
        last = how.lines[-1] if how.lines else "it printed nothing"
        if how.code == WRONG_CONFIGURATION and not answered:
            failure = ChildFailed(f"{self.name} cannot start: {last}")
            failure.exit_code = WRONG_CONFIGURATION
            raise failure
        if in_vain >= PATIENCE:
            raise ChildFailed(f"{self.name} {how}, {in_vain} times in a row, before it answered: {last}")

    async def _until_answer(self, pid: int) -> None:
        """Set `answers` once the child itself answers: another program may have its port."""
        port = urlsplit(self.service.health_url).port or 80
        timeout = aiohttp.ClientTimeout(total=ANSWER_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(self.service.health_url) as response:
                        if response.status == 200 and listens(pid, port):
                            self.answers.set()
                            return
                await asyncio.sleep(ASK_S)

    async def stop(self) -> None:
        """End the program, gently at first, and do not start it again."""
        self._stopping = True
        if self._child is not None and not self._child.exited.done():
            how = await self._child.stop()
            if how.code < 0 and how.code != -15:
                self.report(f"{self.name} {how}: it did not stop in {self.service.program.stop_s:g} s")

    def kill(self) -> None:
        """End the program at once."""
        self._stopping = True
        if self._child is not None:
            self._child.kill()
