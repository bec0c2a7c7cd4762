"""When a caller is gone: hung up, or dropped and not back in time."""

from __future__ import annotations

import asyncio
import logging

from livekit import rtc
from livekit.agents import JobContext
from livekit.rtc.participant import ConnectionQuality

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

GRACE_S = 5.0
"""The least time between the server's news of a lost connection and the end of the call, seconds."""


class Departure:
    """Watches the caller's connection and ends the call when it is over.

    A dropped connection is not a hang-up: the call waits `return_s` for the same identity to join again. The
    clock starts when the server first sees the connection fail, some 15 s before it gives the participant up.
    """

    def __init__(self, ctx: JobContext, call: Call, return_s: float) -> None:
        self._ctx = ctx
        self._call = call
        self._return_s = return_s
        self._identity = ""
        self._lost_at: float | None = None
        self._waiting: asyncio.Task[None] | None = None

    def watch(self, participant: rtc.RemoteParticipant) -> None:
        """Follow this caller from now on, also across reconnections."""
        self._identity = participant.identity
        room = self._ctx.room
        room.on("participant_connected", self._on_connected)
        room.on("participant_disconnected", self._on_disconnected)
        room.on("connection_quality_changed", self._on_quality)
        if participant.identity not in room.remote_participants:
            self._leave(ending.CALLER_LEFT)

    def _on_quality(self, participant: rtc.Participant, quality: ConnectionQuality) -> None:
        if participant.identity == self._identity:
            lost = quality == ConnectionQuality.QUALITY_LOST
            self._lost_at = asyncio.get_running_loop().time() if lost else None

    def _on_connected(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity != self._identity:
            return
        self._lost_at = None
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
            logger.info("caller's connection lost", extra={"action": "caller_lost", "reason": name})
            self._waiting = asyncio.create_task(self._wait_for_return(), name="wait-for-return")

    async def _wait_for_return(self) -> None:
        now = asyncio.get_running_loop().time()
        since = now if self._lost_at is None else self._lost_at
        await asyncio.sleep(max(self._return_s - (now - since), GRACE_S))
        self._leave(ending.CONNECTION_LOST)

    def _leave(self, how: Ending) -> None:
        self._call.end(how)
        self._ctx.shutdown(reason=how.reason)
