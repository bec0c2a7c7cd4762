"""When a caller is gone: hung up, or dropped and not back in time."""

from __future__ import annotations

import asyncio
import logging

from livekit import rtc
from livekit.agents import JobContext

from callpool import ending
from callpool.call import Call
from callpool.ending import Ending

logger = logging.getLogger(__name__)

HUNG_UP = {
    rtc.DisconnectReason.CLIENT_INITIATED,
    rtc.DisconnectReason.ROOM_DELETED,
    rtc.DisconnectReason.PARTICIPANT_REMOVED,
    rtc.DisconnectReason.USER_REJECTED,
    rtc.DisconnectReason.USER_UNAVAILABLE,
}
"""Reasons that no caller comes back from."""

AFTER_TIMEOUT_S = 4.0
"""How long a call waits on after the server gave a silent connection up, seconds. The server does so 15 to
22 s after the last packet (measured, 1.11.0), so most of the time to return has gone by then."""


class Departure:
    """Watches the caller's connection and ends the call when it is over.

    A dropped connection is not a hang-up: the call waits `return_s` for the same identity to join again.
    """

    def __init__(self, ctx: JobContext, call: Call, return_s: float) -> None:
        self._ctx = ctx
        self._call = call
        self._return_s = return_s
        self._identity = ""
        self._waiting: asyncio.Task[None] | None = None

    def watch(self, participant: rtc.RemoteParticipant) -> None:
        """Follow this caller from now on, also across reconnections."""
        self._identity = participant.identity
        room = self._ctx.room
        room.on("participant_connected", self._on_connected)
        room.on("participant_disconnected", self._on_disconnected)
        if participant.identity not in room.remote_participants:
            self._leave(ending.CALLER_LEFT)

    def _on_connected(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity != self._identity:
            return
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        logger.info("caller is back", extra={"action": "caller_back"})

    def _on_disconnected(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity != self._identity:
            return
        reason = participant.disconnect_reason
        phone = participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP
        if phone or reason in HUNG_UP:
            self._leave(ending.CALLER_LEFT)
        elif self._waiting is None:
            name = rtc.DisconnectReason.Name(reason or rtc.DisconnectReason.UNKNOWN_REASON)
            timed_out = reason == rtc.DisconnectReason.CONNECTION_TIMEOUT
            wait_s = min(self._return_s, AFTER_TIMEOUT_S) if timed_out else self._return_s
            logger.info(
                "caller's connection lost", extra={"action": "caller_lost", "reason": name, "wait_s": wait_s}
            )
            self._waiting = asyncio.create_task(self._give_up(wait_s), name="wait-for-return")

    async def _give_up(self, wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        self._leave(ending.CONNECTION_LOST)

    def _leave(self, how: Ending) -> None:
        self._call.end(how)
        self._ctx.shutdown(reason=how.reason)
