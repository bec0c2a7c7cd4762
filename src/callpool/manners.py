"""What a polite agent does when a caller says nothing, does not stop, or stays too long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from livekit.agents import NOT_GIVEN, AgentSession, ConversationItemAddedEvent, UserStateChangedEvent
from livekit.agents.llm import ChatMessage

from callpool import ending
from callpool.call import Call
from callpool.clips import Clip, played
from callpool.ending import Ending
from callpool.service_phrases import Key, words_for
from callpool.setting_groups import Manners as Settings

logger = logging.getLogger(__name__)

QUESTIONS: tuple[Key, ...] = ("silence_1", "silence_2")
"""What a silent caller is asked, one after the other, before goodbye."""
LAST_WORDS_S = 20.0
"""How long last words may take before the call ends without them, seconds: a voice may hang."""
WARNING_S = 60.0
"""How long before its end a long call is told so, seconds. A short one is after nine tenths of its time."""
COMMIT_S = 0.5
"""How long the words of a long speech are waited for when the agent cuts in, seconds."""
TURN_S = 2.0
"""How long such words may take to become a turn, seconds: more than the longest end of a turn (1.5 s)."""


async def take_leave(session: AgentSession[Call], words: str, clip: Clip | None = None) -> None:
    """Say the last words of a call; `clip`: of the same words, synthesized before.

    A voice that hangs is not waited for, so that no room stays open.
    """
    audio = NOT_GIVEN if clip is None else played(clip)
    try:
        async with asyncio.timeout(LAST_WORDS_S):
            await session.say(words, audio=audio, allow_interruptions=False).wait_for_playout()
    except TimeoutError:
        logger.warning("last words were not spoken", extra={"action": "last_words_late"})
    except RuntimeError:  # the session is closing
        logger.info("last words came too late", extra={"action": "last_words_late"})


async def cut_in(session: AgentSession[Call]) -> None:
    """Politely interrupt a caller who does not stop, and answer what they have said so far."""
    logger.info("cut in", extra={"action": "monologue"})
    became_turn = asyncio.Event()

    def on_item(event: ConversationItemAddedEvent) -> None:
        if isinstance(event.item, ChatMessage) and event.item.role == "user":
            became_turn.set()

    session.on("conversation_item_added", on_item)
    try:
        said = await session.commit_user_turn(transcript_timeout=COMMIT_S, skip_reply=True)
        # A turn that ends while nobody may talk over the agent is lost, so it has to have ended before.
        async with asyncio.timeout(TURN_S):
            await became_turn.wait()
    except TimeoutError:
        logger.info("speech has not become a turn", extra={"action": "monologue"})
    finally:
        session.off("conversation_item_added", on_item)
    if session.current_speech is not None:
        return  # the caller paused, and is being answered
    await session.say(words_for(session, "monologue"), allow_interruptions=False)
    if became_turn.is_set() or not said:
        session.generate_reply()
    else:
        session.generate_reply(user_input=said)


class Manners:
    """Asks a silent caller twice and then says goodbye; ends a call that has lasted too long.

    The clock of silence is the SDK's: it stands still while the agent or a tool works, or the caller speaks.
    """

    def __init__(
        self,
        session: AgentSession[Call],
        settings: Settings,
        end: Callable[[Ending], None],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._session = session
        self._settings = settings
        self._end = end
        self._sleep = sleep
        self._asked = 0
        self._tasks: set[asyncio.Task[None]] = set()
        session.on("user_state_changed", self._on_caller)
        session.on("conversation_item_added", self._on_item)
        session.on("close", lambda _: self._stop())
        self._start(self._keep_time(), "length of the call")

    async def silence(self, seconds: float) -> None:
        """Do what a silence of the caller leads to, without waiting for it: for conversations in text.

        Returns when everything was said that is due within that time; the call may be over then.
        """
        for _ in range(int(seconds // self._settings.silence_s)):
            await self._ask_silent_caller()

    async def _ask_silent_caller(self) -> None:
        """Ask whether anybody is there; after the last question, say goodbye and end the call."""
        session = self._session
        if session.userdata.ending is not None:
            return
        asked, self._asked = self._asked, self._asked + 1
        last = asked >= len(QUESTIONS)
        logger.info("caller is silent", extra={"action": "silence", "asked": asked, "last": last})
        if last:
            await self._leave("silence_goodbye", ending.SILENCE)
            return
        await session.say(words_for(session, QUESTIONS[asked]))
        session.reset_away_timer()

    async def _keep_time(self) -> None:
        most_s = float(self._settings.max_call_s)
        warning_s = min(WARNING_S, most_s / 10)
        await self._sleep(max(0.0, most_s - warning_s - self._session.userdata.lasted_s))
        if self._session.userdata.ending is None:
            self._session.say(words_for(self._session, "time_is_short"))
        await self._sleep(warning_s)
        await self._leave("time_is_up", ending.TIME_IS_UP)

    async def _leave(self, key: Key, how: Ending) -> None:
        if self._session.userdata.ending is not None:
            return  # somebody says goodbye already
        self._session.userdata.end(how)
        try:
            self._session.interrupt(force=True)
        except RuntimeError:  # the session is closing
            return
        await take_leave(self._session, words_for(self._session, key))
        self._end(how)

    def _on_caller(self, event: UserStateChangedEvent) -> None:
        if event.new_state == "away":
            self._start(self._ask_silent_caller(), "silent caller")

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        if isinstance(event.item, ChatMessage) and event.item.role == "user":
            self._asked = 0

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
