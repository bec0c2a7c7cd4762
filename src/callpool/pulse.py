"""A job's pulse: a beat to the worker each second, as long as its call gets on.

A job whose loop is blocked cannot beat. One whose loop runs but whose caller waits for an answer that does
not come does not, so that both are found in the same way: by what the worker does not hear.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from livekit import rtc
from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    UserInputTranscribedEvent,
)

from callpool.call import Call
from callpool.line import Beat, Farewell, Hello, Line
from callpool.settings import Settings

logger = logging.getLogger(__name__)

BEAT_S = 1.0
"""From beat to beat, seconds."""
LATE_S = 2.0
"""A beat that comes later than this, seconds, was not late by itself: the machine was suspended, or the job
was stopped. Nobody could answer meanwhile."""
SPEECH_S = 300.0
"""The longest speech of the agent's that is believed, seconds. No answer takes minutes, and what plays on for
ever is a voice whose end was lost."""
ENDING_S = 90.0
"""How long a job may still be there once its session has closed, seconds: last writes are given 10 s. Once it
has said farewell it may take as long again (`Watchdog`): the SDK waits 60 s for one of the steps."""
CALLERS = (
    rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD,
    rtc.ParticipantKind.PARTICIPANT_KIND_SIP,
)


@dataclass(frozen=True)
class Patience:
    """How long a caller may be left without an answer."""

    answer_s: float
    """From the end of the caller's turn, seconds. The longest wait that a call comes through by itself is
    18 s: a language model and a voice are given up after `tries.PATIENCE_S` each. A tool may take 5 s, and
    what it gives is a sign of life."""
    silence_s: float
    """After which a silent caller is spoken to."""
    monologue_s: float
    """After which a caller who does not stop is spoken to."""

    @classmethod
    def of(cls, settings: Settings) -> Patience:
        return cls(settings.worker.job_answer_s, settings.manners.silence_s, settings.manners.monologue_s)


class Progress:
    """Whether a call gets on: whether the caller hears what they wait for.

    Judged by what is spoken, since that is all that a caller notices. Only for as long as somebody is there
    to hear it: a call that is held for a caller whose connection dropped waits, and so does one whose
    connection to the server is being mended. `attended` says whether that is so.
    """

    def __init__(
        self,
        patience: Patience,
        attended: Callable[[], bool],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._patience = patience
        self._attended = attended
        self._clock = clock
        self._session: AgentSession[Call] | None = None
        self._over = False
        self._has_spoken = False
        self._quiet_since = clock()
        self._unanswered_since: float | None = None

    def follow(self, session: AgentSession[Call]) -> None:
        """Watch the session of the call, once there is one."""
        self._session = session
        session.on("agent_state_changed", self._on_agent)
        session.on("user_input_transcribed", self._on_words)
        for sign in ("user_state_changed", "function_tools_executed", "conversation_item_added", "error"):
            session.on(sign, self._on_sign)
        session.on("close", self._on_close)

    def excuse(self) -> None:
        """What was waited for until now does not count."""
        self._quiet_since = self._clock()
        self._unanswered_since = None

    def stuck(self) -> str:
        """What the call hangs in; empty while it gets on."""
        patience, session = self._patience, self._session
        if self._over:
            return "ending" if self._quiet_s() > ENDING_S else ""
        if session is None or session.agent_state == "initializing":
            return "starting" if self._quiet_s() > patience.answer_s else ""
        if not self._attended():
            self.excuse()
            return ""
        if session.user_state == "speaking":
            self._quiet_since = self._clock()
        most_s = {
            "speaking": SPEECH_S,
            "thinking": patience.answer_s,
            # Nobody is waited for at the beginning; later on it is the caller's turn.
            "listening": patience.answer_s + (patience.silence_s if self._has_spoken else 0.0),
        }
        state = session.agent_state
        if self._quiet_s() > most_s.get(state, SPEECH_S):
            return state
        # A caller who goes on asking, to whom the agent thinks of an answer time and again.
        longest_s = patience.answer_s + patience.silence_s + patience.monologue_s
        since = self._unanswered_since
        return "unanswered" if since is not None and self._clock() - since > longest_s else ""

    def _quiet_s(self) -> float:
        return self._clock() - self._quiet_since

    def _on_agent(self, event: AgentStateChangedEvent) -> None:
        self._quiet_since = self._clock()
        if event.new_state == "speaking":
            self._has_spoken = True
            self._unanswered_since = None

    def _on_words(self, event: UserInputTranscribedEvent) -> None:
        speaking = self._session is not None and self._session.agent_state == "speaking"
        if event.is_final and not speaking and self._unanswered_since is None:
            self._unanswered_since = self._clock()

    def _on_sign(self, _: object) -> None:
        self._quiet_since = self._clock()

    def _on_close(self, _: object) -> None:
        self._over = True
        self._quiet_since = self._clock()


def attended(room: rtc.Room, call: Call) -> bool:
    """Whether a caller is in the room who can be heard, and whose call has not ended."""
    return (
        call.ending is None
        and room.connection_state == rtc.ConnectionState.CONN_CONNECTED
        and any(one.kind in CALLERS for one in room.remote_participants.values())
    )


class Pulse:
    """Beats until it is stopped; calls the worker again where the line broke."""

    def __init__(
        self,
        line: Line,
        hello: Hello,
        progress: Progress,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._line = line
        self._hello = hello
        self._progress = progress
        self._clock = clock
        self._sleep = sleep
        self._stuck = ""
        self._beating = asyncio.create_task(self._beat(), name="pulse")

    async def stop(self) -> None:
        """The call is over: nobody is to wait for another beat."""
        self._beating.cancel()
        await asyncio.wait([self._beating])
        self._line.say(Farewell())

    async def _beat(self) -> None:
        while True:
            if not self._line.is_open:
                await self._line.open(self._hello)
            self._note(self._progress.stuck())
            if not self._stuck:
                self._line.say(Beat())
            slept_from = self._clock()
            await self._sleep(BEAT_S)
            if self._clock() - slept_from > BEAT_S + LATE_S:
                self._progress.excuse()

    def _note(self, stuck: str) -> None:
        if stuck and not self._stuck:
            logger.error("the call does not get on", extra={"action": "stuck", "state": stuck})
        elif self._stuck and not stuck:
            logger.warning("the call gets on again", extra={"action": "unstuck", "state": self._stuck})
        self._stuck = stuck
