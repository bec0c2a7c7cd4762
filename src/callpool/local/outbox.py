"""Messages to one client, in order: one that waits for its words holds back those behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from callpool.local.deepgram_wire import Message

Build = Callable[[str], Message | None]
"""Makes a message from the words it waited for; None: there is nothing to say."""


class Outbox:
    """`send` takes one message; the first one waits `delay_s` more."""

    def __init__(self, send: Callable[[Message], Awaitable[None]], delay_s: float = 0.0) -> None:
        self._send = send
        self._delay_s = delay_s
        self._queue: asyncio.Queue[tuple[asyncio.Future[str] | None, Build] | None] = asyncio.Queue()

    def put(self, message: Message) -> None:
        """Send `message` after what was put before."""
        self._queue.put_nowait((None, lambda _: message))

    def put_when(self, words: asyncio.Future[str] | None, build: Build) -> None:
        """Send what `build` makes of `words`, once they are there."""
        self._queue.put_nowait((words, build))

    def close(self) -> None:
        """Let `run` return once everything was sent."""
        self._queue.put_nowait(None)

    async def run(self) -> None:
        """Send until closed. Raises what the words or `send` raise."""
        while (entry := await self._queue.get()) is not None:
            words, build = entry
            message = build(await words if words is not None else "")
            if message is None:
                continue
            if self._delay_s:
                await asyncio.sleep(self._delay_s)
                self._delay_s = 0.0
            await self._send(message)
