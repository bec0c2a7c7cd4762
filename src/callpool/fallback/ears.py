"""Speech to text that hears on: what a caller says while it fails is kept, and heard afterwards.

The SDK opens a connection anew when one breaks, but what was said into the broken one is lost, and one that
stays open and never says a word is not noticed at all. Here the caller's voice is kept until its words are
known, and given to the next connection. A connection that says nothing to somebody's speech gets another one
beside it, and whichever has words first is listened to.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from livekit import rtc
from livekit.agents import APITimeoutError, stt
from livekit.agents.stt import RecognizeStream, SpeechEvent, SpeechEventType
from livekit.agents.types import NOT_GIVEN, APIConnectOptions, NotGivenOr
from livekit.agents.utils import aio

from callpool.fallback.standing import Standing
from callpool.fallback.tries import ONE_TRY
from callpool.fallback.trouble import may_be_asked_again, remember_retry_after, retry_after_s

logger = logging.getLogger(__name__)

CONNECTING = replace(ONE_TRY, timeout=4.0)
"""How long a connection may take to be made, seconds."""
PAUSES_S = (0.0, 0.3, 1.0, 2.0)
"""Before a connection is made anew, seconds: after the first failure, the second in a row, …"""
LONGEST_PAUSE_S = 8.0
"""A longer `Retry-After` is not heeded, seconds: the caller would not be heard at all. Where all keys are
refused they are tried again after this."""
LIVED_S = 10.0
"""A connection that breaks after so long is no failure in a row, seconds."""
KEPT_S = 30.0
"""How much of the caller's voice is kept until its words are known, seconds."""
LEAST_SPEECH_S = 0.5
"""Shorter sounds need not be words, seconds."""
CERTAIN_SPEECH_S = 1.2
"""Longer ones are, seconds."""
SILENT_S = 1.5
"""How long after somebody has spoken a connection may have said no word of it, seconds."""
UNFINISHED_S = 2.5
"""The same where words came, but never as final ones."""
LONG_SPEECH_S = 4.0
"""How long somebody may speak without a word of it coming, seconds."""

_WORDS = (
    SpeechEventType.INTERIM_TRANSCRIPT,
    SpeechEventType.PREFLIGHT_TRANSCRIPT,
    SpeechEventType.FINAL_TRANSCRIPT,
)


def listening(
    members: Sequence[stt.STT[Any]], names: Sequence[str] = (), standing: Standing | None = None
) -> EarChain:
    """The ears of `members`, whose providers are called `names` (none: what the plugins call them)."""
    return EarChain(members, names, standing)


class EarChain(stt.FallbackAdapter):
    """Listens with the first speech to text that has words."""

    def __init__(
        self, members: Sequence[stt.STT[Any]], names: Sequence[str] = (), standing: Standing | None = None
    ) -> None:
        super().__init__(list(members))
        self.members = tuple(members)
        for member in members:
            member.on("error", remember_retry_after)
        self.names = tuple(names) or tuple(member.provider for member in members)
        self.standing = standing or Standing()
        self.failing = False
        """Whether nobody listens at the moment, or what was said last went unheard."""
        self.on_deaf: Callable[[float], None] = lambda _: None
        """Called when nobody has words for what was said, while that is a failure and no cough: with how long
        it was, seconds."""
        self._streams: set[EarStream] = set()

    def stream(
        self, *, language: NotGivenOr[str] = NOT_GIVEN, conn_options: APIConnectOptions = CONNECTING
    ) -> EarStream:
        stream = EarStream(self, language)
        self._streams.add(stream)
        return stream

    def note_voice(self, speaking: bool) -> None:
        """Somebody begins to speak, or has stopped: the words of it are expected."""
        for stream in self._streams:
            stream.note_voice(speaking)

    def forget(self, stream: EarStream) -> None:
        """That one has ended."""
        self._streams.discard(stream)

    def serves(self, member: int) -> None:
        """That member has words."""
        self.failing = False
        # Private: whom the SDK's traces and metrics name. test_fallback_ears.py fails when it moves.
        self._active_instance = self.members[member]
        self.standing.answered(self.names[member], "stt")


class Connection:
    """One open connection to a speech to text."""

    def __init__(self, owner: EarStream, member: int, stream: RecognizeStream) -> None:
        self.member = member
        self.stream = stream
        self.opened_s = asyncio.get_running_loop().time()
        self._reading = asyncio.create_task(self._read(owner), name="ears")

    async def _read(self, owner: EarStream) -> None:
        try:
            async for event in self.stream:
                owner.inbox.send_nowait((self, event))
            owner.inbox.send_nowait((self, None))
        except Exception as error:
            owner.inbox.send_nowait((self, error))

    async def aclose(self) -> None:
        await aio.cancel_and_wait(self._reading)
        await self.stream.aclose()


class EarStream(RecognizeStream):
    """One caller's voice in, their words out, over as many connections as it takes."""

    def __init__(self, chain: EarChain, language: NotGivenOr[str]) -> None:
        self._chain = chain
        self._language = language
        self.inbox: aio.Chan[tuple[Connection, SpeechEvent | Exception | None]] = aio.Chan()
        self._open: list[Connection] = []
        self._kept: deque[rtc.AudioFrame] = deque()
        self._kept_s = 0.0
        self._failures = 0
        self._lapses = dict.fromkeys(range(len(chain.members)), 0)
        self._not_before_s = dict.fromkeys(range(len(chain.members)), 0.0)
        """When each member may be connected to again, in the loop's time; infinity: its key is refused."""
        self._ended = False
        self._spoke_at_s: float | None = None
        self._silent_at_s: float | None = None
        self._has_words = False
        self._unheard = 0
        """Sounds in a row that two connections had no words for."""
        self._is_told = False
        """Whether it was told that what was said last went unheard."""
        self._due: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        super().__init__(stt=chain, conn_options=CONNECTING)

    def note_voice(self, speaking: bool) -> None:
        """As the chain's."""
        now_s = asyncio.get_running_loop().time()
        if speaking:
            self._is_told = False
            if self._spoke_at_s is None:
                self._has_words = False
                self._spoke_at_s = now_s
            self._silent_at_s = None
            self._look_again(LONG_SPEECH_S)
        elif self._spoke_at_s is not None:
            self._silent_at_s = now_s
            self._look_again(UNFINISHED_S if self._has_words else SILENT_S)

    async def _run(self) -> None:
        feeding = asyncio.create_task(self._feed(), name="ears-feed")
        try:
            self._connect()
            async for connection, event in self.inbox:
                if connection not in self._open:
                    continue
                if isinstance(event, SpeechEvent):
                    self._take(connection, event)
                elif event is None and self._ended:
                    return
                else:
                    self._lose(connection, event or ConnectionError("it hung up"))
        finally:
            self._chain.forget(self)
            if self._due is not None:
                self._due.cancel()
            await aio.cancel_and_wait(feeding, *self._closing)
            for connection in self._open:
                await connection.aclose()

    async def _metrics_monitor_task(self, event_aiter: Any) -> None:
        # The members count what they hear: counted here as well, it would be paid for twice.
        async for _ in event_aiter:
            pass

    async def _feed(self) -> None:
        async for data in self._input_ch:
            if isinstance(data, rtc.AudioFrame):
                self._keep(data)
            for connection in self._open:
                with contextlib.suppress(RuntimeError):  # it has ended, and its error is on the way
                    if isinstance(data, rtc.AudioFrame):
                        connection.stream.push_frame(data)
                    else:
                        connection.stream.flush()
        self._ended = True
        for connection in self._open:
            with contextlib.suppress(RuntimeError):
                connection.stream.end_input()

    def _keep(self, frame: rtc.AudioFrame) -> None:
        self._kept.append(frame)
        self._kept_s += frame.duration
        # Of a caller who is silent, no more than the sound before a word, which is noticed late.
        most_s = KEPT_S if self._spoke_at_s is not None else 1.0
        while self._kept_s > most_s:
            self._kept_s -= self._kept.popleft().duration

    def _connect(self) -> None:
        """Open a connection, and tell it what is not understood yet."""
        chain = self._chain
        busy = {connection.member for connection in self._open}
        now_s = asyncio.get_running_loop().time()
        # Also two models of one provider stand in for each other.
        member = min(
            chain.standing.order(chain.names, "stt"),
            key=lambda one: (max(now_s, self._not_before_s[one]), one in busy, self._lapses[one]),
        )
        stream = chain.members[member].stream(language=self._language, conn_options=CONNECTING)
        offset_s = self.start_time_offset + time.time() - self.start_time - self._kept_s
        stream.start_time_offset = max(0.0, offset_s)
        for frame in self._kept:
            stream.push_frame(frame)
        if self._ended:
            stream.end_input()
        self._open.append(Connection(self, member, stream))
        if self._silent_at_s is not None:
            self._look_again(SILENT_S)

    def _take(self, connection: Connection, event: SpeechEvent) -> None:
        words = event.type in _WORDS and any(each.text.strip() for each in event.alternatives)
        if words and len(self._open) > 1:
            self._settle_for(connection)
        if connection is not self._open[0]:
            return
        if words:
            self._has_words = True
            self._unheard = 0
            self._failures = self._lapses[connection.member] = 0
            self._chain.serves(connection.member)
            if event.type == SpeechEventType.FINAL_TRANSCRIPT:
                self._understood()
            elif self._spoke_at_s is not None:
                self._look_again(LONG_SPEECH_S if self._silent_at_s is None else UNFINISHED_S)
        self._event_ch.send_nowait(event)

    def _understood(self) -> None:
        """What was said is known, or was nothing. The end of what is still being said is kept."""
        if self._silent_at_s is None and self._spoke_at_s is not None:
            self._spoke_at_s = asyncio.get_running_loop().time()
            self._has_words = False
            self._look_again(LONG_SPEECH_S)
        else:
            self._spoke_at_s = self._silent_at_s = None
            if self._due is not None:
                self._due.cancel()
        self._kept.clear()
        self._kept_s = 0.0

    def _settle_for(self, connection: Connection) -> None:
        for other in [one for one in self._open if one is not connection]:
            self._report(other, APITimeoutError("another connection was faster"))
            self._close(other)

    def _lose(self, connection: Connection, error: Exception) -> None:
        self._report(connection, error)
        self._close(connection)
        if self._open or self._ended:
            return
        loop = asyncio.get_running_loop()
        if loop.time() - connection.opened_s > LIVED_S:
            self._failures = 0
        pause_s = PAUSES_S[min(self._failures, len(PAUSES_S) - 1)]
        self._failures += 1
        refused = math.isinf(min(self._not_before_s.values()))
        if refused:
            # A caller is there all the same, and a proxy may refuse for a moment.
            self._not_before_s = dict.fromkeys(self._not_before_s, loop.time() + LONGEST_PAUSE_S)
        self._chain.failing = self._chain.failing or refused or self._failures > 1
        wanted_s = min(self._not_before_s.values()) - loop.time()
        loop.call_later(max(pause_s, wanted_s), self._connect_again)

    def _connect_again(self) -> None:
        if not self._open and not self._task.done():
            self._connect()

    def _close(self, connection: Connection) -> None:
        self._open.remove(connection)
        closing = asyncio.create_task(connection.aclose(), name="ears-close")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _look_again(self, in_s: float) -> None:
        if self._due is not None:
            self._due.cancel()
        self._due = asyncio.get_running_loop().call_later(in_s, self._on_due)

    def _on_due(self) -> None:
        """No words came of what was said: is the connection deaf, or was it no speech?"""
        if self._task.done() or self._spoke_at_s is None:
            return
        now_s = asyncio.get_running_loop().time()
        end_s = self._silent_at_s or now_s
        spoken_s = end_s - self._spoke_at_s
        if not self._open:
            # Nobody to ask: what was said is kept for whoever comes.
            if now_s - end_s < 2 * SILENT_S:
                self._look_again(SILENT_S)
            else:
                self._tell(spoken_s)
        elif spoken_s < LEAST_SPEECH_S and not self._has_words:
            self._understood()
        elif len(self._open) == 1:
            logger.warning(
                "nothing is heard of a caller who spoke",
                extra={"action": "ears_silent", "kept_s": round(self._kept_s, 1)},
            )
            self._connect()
            self._look_again(SILENT_S)
        else:
            # Two that hear nothing: a noise, or a provider that is down. The newer connection is kept.
            self._unheard += 1
            if spoken_s >= CERTAIN_SPEECH_S or self._has_words or self._unheard > 1:
                self._chain.failing = True
                self._report(self._open[0], APITimeoutError("no words of what was said"))
            self._close(self._open[0])
            self._understood()
            self._tell(spoken_s)

    def _tell(self, spoken_s: float) -> None:
        if self._chain.failing and not self._is_told:
            self._is_told = True
            self._chain.on_deaf(spoken_s)

    def _report(self, connection: Connection, error: Exception) -> None:
        chain, member = self._chain, connection.member
        wanted_s = min(retry_after_s(error), LONGEST_PAUSE_S) if may_be_asked_again(error) else math.inf
        self._lapses[member] += 1
        self._not_before_s[member] = asyncio.get_running_loop().time() + wanted_s
        chain.standing.raised(chain.names[member], "stt", error)
