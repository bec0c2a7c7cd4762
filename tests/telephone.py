"""Callers for tests: they dial through the web API, speak with the local voice, transcribe what they hear."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from callpool.caller import Answer, SyntheticCaller
from callpool.caller.conversation import Invitation, invite
from callpool.caller.sound import Samples
from callpool.caller.speech import Speech
from callpool.running import Running
from callpool.settings import Settings
from callpool.store.calls import Calls
from callpool.store.record import CallRecord

HANG_UP_S = 5.0
"""From the end of the agent's goodbye to the end of the call, at most."""


@dataclass
class Dialled:
    """One call in progress, from the caller's side."""

    caller: SyntheticCaller
    speech: Speech
    invitation: Invitation

    async def greeting(self) -> str:
        """Hear the greeting out."""
        return await self.answer(self.caller.joined_at)

    async def say(self, sentence: str) -> str:
        """Say something, hear the answer out, and give its words."""
        spoken = await self.caller.speak(await self.speech.synthesize(sentence))
        return await self.answer(spoken.ended_at)

    async def answer(self, since: float) -> str:
        """The words of what the agent says after `since`."""
        answer = await self.caller.wait_for_agent(since)
        assert answer is not None, f"nobody answered in {self.invitation.room}"
        return await self.heard(answer)

    async def take_leave(self) -> None:
        """Say goodbye until the agent has hung up: twice at most, for the local ears mishear words."""
        for words in ("Thank you very much, goodbye.", "Goodbye, and have a nice day."):
            await self.say(words)
            if await self._hung_up():
                return
        raise AssertionError(f"the agent did not hang up {self.invitation.room}")

    async def _hung_up(self) -> bool:
        deadline = time.monotonic() + HANG_UP_S
        while self.caller.connected and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        return self.caller.hung_up

    async def heard(self, answer: Answer) -> str:
        """What an answer said, transcribed, in small letters."""
        sound = self.caller.heard.between(answer.started_at - 0.1, answer.ended_at + 0.2)
        return (await self.speech.transcribe(sound)).lower()


@dataclass
class Telephone:
    """Dials calls at a running service, and looks into its store."""

    settings: Settings
    running: Running
    speech: Speech
    calls: Calls
    _dialled: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def dial(self, *, microphone: bool = True) -> Dialled:
        """Start a call through the web API, as the page does, and join it."""
        invitation = await invite(self.speech.http, self.running.web, None)
        return await self.join(invitation, microphone=microphone)

    async def join(self, invitation: Invitation, *, microphone: bool = True) -> Dialled:
        """Join the room of an invitation."""
        caller = SyntheticCaller()
        self._dialled.push_async_callback(caller.leave)
        await caller.join(invitation.livekit_url, invitation.token, microphone=microphone)
        return Dialled(caller, self.speech, invitation)

    async def samples(self, sentence: str) -> Samples:
        return await self.speech.synthesize(sentence)

    async def record(
        self, id_or_room: str, true: Callable[[CallRecord], object], what: str, timeout_s: float = 10.0
    ) -> CallRecord:
        """Wait until the record says something, and give it."""
        deadline = time.monotonic() + timeout_s
        while True:
            record = await self.calls.get(id_or_room)
            if record is not None and true(record):
                return record
            assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}; the record is {record}"
            await asyncio.sleep(0.05)

    async def ended(self, id_or_room: str, timeout_s: float = 10.0) -> CallRecord:
        """Wait for the end of a call."""
        return await self.record(id_or_room, lambda record: record.ending, "the call has ended", timeout_s)


@asynccontextmanager
async def telephone_of(settings: Settings) -> AsyncIterator[Telephone]:
    """A telephone for the `callpool up` that runs in the settings' data directory."""
    running = Running.find(settings.local.data_dir)
    assert running is not None
    applied = running.applied(settings)
    async with aiohttp.ClientSession() as http, Calls(applied.store_url) as calls:
        telephone = Telephone(applied, running, Speech(http, applied.deepgram, applied.cartesia), calls)
        async with telephone._dialled:
            yield telephone
