"""The keys of a caller's telephone: digits that are pressed instead of spoken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from livekit import rtc
from livekit.agents import AgentSession

from callpool.call import Call

logger = logging.getLogger(__name__)

PAUSE_S = 2.0
"""Digits after which no other key is pressed for this long are complete, seconds."""
SILENT_S = 1.0
"""How long the agent's falling silent is waited for before keys are answered, seconds."""
END = "#"
"""Ends the digits at once."""
AGAIN = "*"
"""Throws away what was pressed so far."""
DIGITS = frozenset("0123456789")
MOST_DIGITS = 32
"""Longer entries are cut off: no number that anyone is asked for is longer."""


def as_words(keys: str) -> str:
    """What a caller said who pressed these keys: `12345#` gives "1 2 3 4 5". Empty without digits."""
    return " ".join(key for key in keys.rpartition(AGAIN)[2] if key in DIGITS)


class Keypad:
    """Gives the digits that a caller presses to the session, as the caller's words.

    The first key silences the agent, as a voice would. Digits are complete after `#`, after a pause, or at
    once when there are `length` of them; `*` begins anew.
    """

    def __init__(
        self,
        session: AgentSession[Call],
        room: rtc.Room,
        *,
        length: int | None = None,
        pause_s: float = PAUSE_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._session = session
        self._room = room
        self._length = length or MOST_DIGITS
        self._pause_s = pause_s
        self._sleep = sleep
        self._identity = ""
        self._keys = ""
        self._waiting: asyncio.Task[None] | None = None
        self._answering: set[asyncio.Task[None]] = set()

    def watch(self, participant: rtc.RemoteParticipant) -> None:
        """Follow this caller's keys from now on, also across reconnections."""
        self._identity = participant.identity
        self._room.on("sip_dtmf_received", self._on_key)
        self._session.on("close", lambda _: self._stop())

    def _on_key(self, event: rtc.SipDTMF) -> None:
        if event.participant is None or event.participant.identity != self._identity:
            return
        if self._session.userdata.ending is not None:
            return  # goodbye was said
        self._stop_waiting()
        if event.digit == AGAIN:
            self._keys = ""
        elif event.digit == END:
            self._complete()
        elif event.digit in DIGITS:
            self._keys += event.digit
            self._silence_agent()
            if len(self._keys) >= self._length:
                self._complete()
            else:
                self._waiting = asyncio.create_task(self._wait(), name="wait-for-keys")

    async def _wait(self) -> None:
        await self._sleep(self._pause_s)
        self._waiting = None
        self._complete()

    def _complete(self) -> None:
        words, self._keys = as_words(self._keys), ""
        if not words:
            return
        logger.info("keys were pressed", extra={"action": "keys", "digits": len(words.split())})
        answering = asyncio.create_task(self._answer(words), name="answer-keys")
        self._answering.add(answering)
        answering.add_done_callback(self._answering.discard)

    async def _answer(self, words: str) -> None:
        # What the agent was saying comes first in the history, and in the record.
        with suppress(RuntimeError, TimeoutError):
            async with asyncio.timeout(SILENT_S):
                await self._session.interrupt()
        try:
            self._session.generate_reply(user_input=words)
        except RuntimeError:  # the session is closing
            logger.info("keys came too late", extra={"action": "keys_late"})

    def _silence_agent(self) -> None:
        with suppress(RuntimeError):  # it says something that must be heard to its end, or the call is over
            self._session.interrupt()

    def _stop(self) -> None:
        self._room.off("sip_dtmf_received", self._on_key)
        self._stop_waiting()
        for answering in self._answering:
            answering.cancel()

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
