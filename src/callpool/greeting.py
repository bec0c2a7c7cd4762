"""The first words of a call."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator

from livekit import rtc
from livekit.agents import AgentSession, APIError

from callpool.apology import OUTAGE_S
from callpool.call import Call
from callpool.pipeline import ATTEMPT, Pipeline

logger = logging.getLogger(__name__)

PAUSE_S = 1.5
"""Before a greeting that failed is tried anew, seconds: a voice that restarts is back by then."""


class Greeting:
    """The first words of a call, synthesized while the room is still being joined."""

    def __init__(self, text: str, pipeline: Pipeline) -> None:
        self._text = text
        self._frames: asyncio.Queue[rtc.AudioFrame | None] = asyncio.Queue()
        self._audible: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._synthesize(pipeline), name="greeting")

    async def speak(self, session: AgentSession[Call]) -> None:
        """Say it now. When the early synthesis gave no sound, the session tries anew, for a while."""
        if await self._audible:
            session.say(self._text, audio=self._audio())
            return
        started_s = time.monotonic()
        try:
            while time.monotonic() - started_s < OUTAGE_S and session.userdata.ending is None:
                await asyncio.sleep(PAUSE_S)
                speech = session.say(self._text)
                await speech.wait_for_playout()
                if speech.chat_items or speech.interrupted:
                    return
        except RuntimeError:  # the session is closing
            logger.info("nobody is greeted any more", extra={"action": "greeting_late"})

    async def _synthesize(self, pipeline: Pipeline) -> None:
        try:
            async with pipeline.tts.synthesize(self._text, conn_options=ATTEMPT) as stream:
                async for audio in stream:
                    self._frames.put_nowait(audio.frame)
                    if not self._audible.done():
                        self._audible.set_result(True)
        except APIError as error:
            logger.warning("greeting failed", extra={"action": "greeting_failed", "error": error})
        finally:
            self._frames.put_nowait(None)
            if not self._audible.done():
                self._audible.set_result(False)

    async def _audio(self) -> AsyncIterator[rtc.AudioFrame]:
        while (frame := await self._frames.get()) is not None:
            yield frame
