"""The rooms of a LiveKit server, through its API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Self, TypeVar

import aiohttp
from livekit import api
from livekit.protocol.agent_dispatch import AgentDispatch, CreateAgentDispatchRequest
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.room import (
    DeleteRoomRequest,
    ListParticipantsRequest,
    ListRoomsRequest,
    RoomParticipantIdentity,
)

from callpool.dispatcher.sight import Dispatch, Listed, Participant, Role, RoomsAway
from callpool.pool import WORKER_ATTRIBUTE
from callpool.setting_groups import LiveKit

CALL_S = 3.0
"""How long one call of the API may take, seconds. Usual is 0.01."""
LIST_S = 15.0
"""The same for the list of all rooms, which may hold ten thousand."""
CONNECTIONS = 32
AGENT_NAME = "lk.agent_name"
"""The attribute in which the server tells an agent's dispatch name."""
NOT_CALLERS = frozenset({ParticipantInfo.Kind.INGRESS, ParticipantInfo.Kind.EGRESS})

T = TypeVar("T")


class LiveKitRooms:
    """See `Rooms`. An asynchronous context manager."""

    def __init__(self, settings: LiveKit) -> None:
        self._settings = settings

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=LIST_S), connector=aiohttp.TCPConnector(limit=CONNECTIONS)
        )
        self._api = api.LiveKitAPI(
            self._settings.url,
            self._settings.api_key,
            self._settings.api_secret.reveal(),
            session=self._session,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def rooms(self) -> Sequence[Listed]:
        answer = await _ask(self._api.room.list_rooms(ListRoomsRequest()), LIST_S)
        found = answer.rooms if answer is not None else ()
        return [Listed(room.name, room.sid, room.num_participants) for room in found]

    async def participants(self, room: str) -> Sequence[Participant]:
        answer = await _ask(self._api.room.list_participants(ListParticipantsRequest(room=room)))
        found = answer.participants if answer is not None else ()
        return [_participant(info) for info in found if info.state != ParticipantInfo.State.DISCONNECTED]

    async def dispatches(self, room: str) -> Sequence[Dispatch]:
        answer = await _ask(self._api.agent_dispatch.list_dispatch(room))
        return [_dispatch(dispatch) for dispatch in answer or ()]

    async def remove(self, room: str, identity: str) -> None:
        await _ask(self._api.room.remove_participant(RoomParticipantIdentity(room=room, identity=identity)))

    async def dispatch(self, room: str, agent_name: str, metadata: str) -> str:
        request = CreateAgentDispatchRequest(room=room, agent_name=agent_name, metadata=metadata)
        answer = await _ask(self._api.agent_dispatch.create_dispatch(request))
        return answer.id if answer is not None else ""

    async def withdraw(self, room: str, dispatch_id: str) -> None:
        await _ask(self._api.agent_dispatch.delete_dispatch(dispatch_id, room))

    async def close(self, room: str) -> None:
        await _ask(self._api.room.delete_room(DeleteRoomRequest(room=room)))


async def _ask(answering: Awaitable[T], timeout_s: float = CALL_S) -> T | None:
    """The answer; None when what was asked about is gone. Raises RoomsAway."""
    try:
        async with asyncio.timeout(timeout_s):
            return await answering
    except api.TwirpError as error:
        if error.code == api.TwirpErrorCode.NOT_FOUND:
            return None
        said = error.message or error.code
        raise RoomsAway(f"the LiveKit API answers with status {error.status}: {said}") from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        said = str(error) or type(error).__name__
        raise RoomsAway(f"the LiveKit API does not answer: {said}") from error


def _participant(info: ParticipantInfo) -> Participant:
    return Participant(
        sid=info.sid,
        identity=info.identity,
        role=_role(info),
        joined_ms=info.joined_at_ms or info.joined_at * 1000,
        agent_name=info.attributes.get(AGENT_NAME, ""),
        worker=info.attributes.get(WORKER_ATTRIBUTE, ""),
    )


def _role(info: ParticipantInfo) -> Role:
    if info.kind == ParticipantInfo.Kind.AGENT:
        return "agent"
    if info.kind in NOT_CALLERS or info.permission.hidden or info.permission.recorder:
        return "other"
    return "caller"


def _dispatch(dispatch: AgentDispatch) -> Dispatch:
    jobs = frozenset(job.id for job in dispatch.state.jobs)
    return Dispatch(dispatch.id, dispatch.agent_name, dispatch.metadata, jobs)
