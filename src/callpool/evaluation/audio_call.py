"""A scenario spoken: a synthetic caller calls the running service over the real server, and listens.

What was said is what the caller heard. Stages, tools and the ending are read from the call's record, which
keeps no arguments of tools.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import aiohttp

from callpool.caller import SyntheticCaller
from callpool.caller.conversation import invite
from callpool.caller.sound import Samples
from callpool.caller.speech import Speech
from callpool.errors import CallpoolError
from callpool.evaluation.observed import ObservedCall, ObservedTool, ObservedTurn
from callpool.evaluation.scenario import CallerTurn, Scenario
from callpool.settings import Settings
from callpool.store.calls import Calls
from callpool.store.record import CallRecord

HANG_UP_S = 20.0
"""How long a caller who expects the agent to hang up waits for it, seconds."""
LINGER_S = 2.0
"""How long any other caller stays after the last answer, seconds."""
RECORD_S = 15.0
"""How long the record of a call may take to say how it ended, seconds."""
KEY_PAUSE_S = 0.15
MARGIN_S = 0.15
"""Sound kept around an answer for who transcribes it, seconds."""
_GLANCE_S = 0.02


class NoRecord(CallpoolError):
    """The service keeps no record of a call that was held with it."""


@dataclass(frozen=True)
class Line:
    """What the caller thinks of the service: where it is, and what it hears and speaks with."""

    settings: Settings
    """Those of the running service."""
    web: str
    http: aiohttp.ClientSession
    calls: Calls


class AudioCall:
    """One spoken call. `hold` it once."""

    def __init__(self, line: Line, scenario: Scenario) -> None:
        self._line = line
        self._scenario = scenario
        settings = line.settings
        self._speech = Speech(line.http, settings.deepgram, settings.cartesia, scenario.language or "en")
        self._caller = SyntheticCaller()
        self._observed = ObservedCall()
        self._call_id = ""
        self._stages = 0
        self._tools = 0
        self._answer_since = 0.0
        """When the answer that the caller listens to could begin at the earliest."""
        self._answer_began: float | None = None

    async def hold(self) -> ObservedCall:
        """Play the scenario's turns, as far as the call lasts. Raises CallpoolError."""
        turns = self._scenario.turns
        words = [await self._speech.synthesize(turn.say) if turn.say else None for turn in turns]
        invitation = await invite(self._line.http, self._line.web, self._scenario.language or None)
        self._call_id = invitation.call_id
        caller = self._caller
        try:
            await caller.join(invitation.livekit_url, invitation.token)
            self._answer_since = caller.joined_at
            await self._listen(None if turns[0].interrupt_after_s is None else turns[0])
            greeting_until = time.monotonic()
            record = await self._record()
            self._take(record, None)
            for index, (turn, samples) in enumerate(zip(turns, words, strict=True)):
                if not caller.connected:
                    break
                following = turns[index + 1] if index + 1 < len(turns) else None
                await self._play(turn, samples, following)
                if index == 0:
                    greeting_until = min(greeting_until, self._answer_since) or greeting_until
            await self._linger()
        finally:
            await caller.leave()
        self._observed.greeting = await self._heard(caller.joined_at, greeting_until)
        self._take(await self._ended_record(), self._observed.turns[-1] if self._observed.turns else None)
        return self._observed

    async def _play(self, turn: CallerTurn, samples: Samples | None, following: CallerTurn | None) -> None:
        caller = self._caller
        record = await self._record()
        observed = ObservedTurn(begins_in=_stage(record))
        self._take(record, self._observed.turns[-1] if self._observed.turns else None)
        self._observed.turns.append(observed)
        since = time.monotonic()
        if turn.silence_s:
            await self._wait(turn.silence_s)
        spoken_until = time.monotonic() if turn.say or turn.dtmf else since
        if samples is not None and caller.connected:
            spoken_until = (await caller.speak(samples)).ended_at
        for key in turn.dtmf:
            if not caller.connected:
                break
            await caller.room.local_participant.publish_dtmf(code=_code(key), digit=key)
            await asyncio.sleep(KEY_PAUSE_S)
            spoken_until = time.monotonic()
        self._answer_since = spoken_until
        if turn.say or turn.dtmf:
            await self._listen(following)
            if self._answer_began is not None:
                observed.first_words_ms = max(0.0, (self._answer_began - spoken_until) * 1000)
            elif caller.connected:
                observed.trouble = "the agent did not answer"
        words = await self._heard(since, time.monotonic())
        observed.said += [words] if words else []
        self._take(await self._record(), observed)

    async def _listen(self, following: CallerTurn | None) -> None:
        """Hear an answer out, or as much of it as the next turn lets the agent say."""
        caller = self._caller
        cut_after_s = following.interrupt_after_s if following else None
        if cut_after_s is None:
            answer = await caller.wait_for_agent(self._answer_since)
            self._answer_began = None if answer is None else answer.started_at
            return
        self._answer_began = began = await caller.wait_for_audio(self._answer_since, HANG_UP_S)
        if began is not None:
            await self._wait(began + cut_after_s - time.monotonic())

    async def _wait(self, seconds: float) -> None:
        """Say nothing for a while, or until the agent has hung up."""
        until = time.monotonic() + seconds
        while self._caller.connected:
            if (left_s := until - time.monotonic()) <= 0:
                return
            await asyncio.sleep(min(_GLANCE_S, left_s))

    async def _linger(self) -> None:
        waits = self._scenario.result in ("completed", "transferred")
        await self._wait(HANG_UP_S if waits else LINGER_S)

    async def _heard(self, since: float, until: float) -> str:
        """The words that could be heard between two moments."""
        first = self._caller.ear.first_audible(since)
        last = self._caller.ear.last_audible(since, until=until)
        if first is None or last is None or first >= until:
            return ""
        return await self._speech.transcribe(self._caller.heard.between(first - MARGIN_S, last + MARGIN_S))

    async def _record(self) -> CallRecord | None:
        return await self._line.calls.get(self._call_id)

    async def _ended_record(self) -> CallRecord:
        deadline = time.monotonic() + RECORD_S
        while (record := await self._record()) is None or record.ended_at is None:
            if time.monotonic() >= deadline:
                if record is None:
                    raise NoRecord(f"there is no record of call {self._call_id} in the service's store")
                break
            await asyncio.sleep(0.1)
        return record

    def _take(self, record: CallRecord | None, turn: ObservedTurn | None) -> None:
        """Take over what the record has got since it was last looked at, and add it to a turn."""
        if record is None:
            return
        stages = [entry.stage for entry in record.stages]
        tools = [ObservedTool(use.name, None) for each in record.turns for use in each.tools]
        if turn is not None:
            turn.entered += stages[self._stages :]
            turn.tools += tools[self._tools :]
            turn.ends_in = stages[-1] if stages else ""
        self._stages, self._tools = len(stages), len(tools)
        self._observed.stages = stages
        self._observed.ending = record.ending


def _stage(record: CallRecord | None) -> str:
    return record.stages[-1].stage if record is not None and record.stages else ""


def _code(key: str) -> int:
    """The number of a key in a DTMF event (RFC 4733)."""
    return "0123456789*#ABCD".index(key)
