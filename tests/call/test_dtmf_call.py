"""Keys pressed by a phone caller, over the real LiveKit server."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest
from clerk import clerk
from livekit import api, rtc
from livekit.agents import Agent, AgentSession, ConversationItemAddedEvent
from livekit.agents.llm import ChatMessage
from livekit.agents.voice import room_io

from callpool.call import Call
from callpool.caller.conversation import Invitation
from callpool.dtmf import Keypad
from callpool.settings import Settings
from processes import LiveKitServer
from scripted_model import Asked, Says, ScriptedModel
from telephone import telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(60)]

PATIENCE_S = 15.0
DTMF_CODES = "0123456789*#"
Kind = Literal["agent", "sip"]


async def test_keys_of_a_phone_caller_are_answered(livekit: LiveKitServer) -> None:
    """A participant of kind sip presses an order number; the agent answers it as if it had been spoken."""
    room_name = f"sip-{secrets.token_hex(6)}"
    async with (
        entered(livekit, room_name, "agent", "agent") as room,
        entered(livekit, room_name, "sip_caller", "sip") as telephone,
    ):
        said: list[tuple[str, str]] = []
        answered = asyncio.Event()

        def on_item(event: ConversationItemAddedEvent) -> None:
            if isinstance(event.item, ChatMessage):
                said.append((event.item.role, event.item.text_content or ""))
                if event.item.role == "assistant":
                    answered.set()

        def answer(asked: Asked) -> Says:
            return Says(f"You pressed {asked.words[-1][1]}.")

        call = Call("c1", room_name, "callpool")
        async with AgentSession[Call](llm=ScriptedModel(answer), userdata=call) as session:
            session.on("conversation_item_added", on_item)
            await session.start(
                Agent(instructions="Answer."), room=room, room_options=room_io.RoomOptions(audio_output=False)
            )
            caller = await seen(room, "sip_caller")
            assert caller.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP
            Keypad(session, room, length=5).watch(caller)
            await data_arrives(telephone, room)
            for key in "12345":
                await telephone.local_participant.publish_dtmf(code=int(key), digit=key)
            async with asyncio.timeout(PATIENCE_S):
                await answered.wait()
        assert said == [("user", "1 2 3 4 5"), ("assistant", "You pressed 1 2 3 4 5.")]


def token(key: str, secret: str, room: str, identity: str, kind: Kind) -> api.AccessToken:
    return (
        api.AccessToken(key, secret)
        .with_identity(identity)
        .with_kind(kind)
        .with_grants(api.VideoGrants(room_join=True, room=room))
    )


@asynccontextmanager
async def entered(livekit: LiveKitServer, name: str, identity: str, kind: Kind) -> AsyncIterator[rtc.Room]:
    """A participant in a room of the real server."""
    room = rtc.Room()
    await room.connect(livekit.url, token(livekit.key, livekit.secret, name, identity, kind).to_jwt())
    try:
        yield room
    finally:
        await room.disconnect()


async def seen(room: rtc.Room, identity: str) -> rtc.RemoteParticipant:
    async with asyncio.timeout(PATIENCE_S):
        while identity not in room.remote_participants:
            await asyncio.sleep(0.01)
    return room.remote_participants[identity]


async def data_arrives(sender: rtc.Room, receiver: rtc.Room) -> None:
    """Wait until data gets through: the first keys of a participant who never sent any are lost."""
    arrived = asyncio.Event()
    receiver.on("data_received", lambda _: arrived.set())
    async with asyncio.timeout(PATIENCE_S):
        while not arrived.is_set():
            await sender.local_participant.publish_data(b"hello", topic="test")
            arriving = asyncio.create_task(arrived.wait())
            await asyncio.wait([arriving], timeout=0.1)
            arriving.cancel()


@pytest.fixture(scope="module")
def clerk_settings(
    tmp_path_factory: pytest.TempPathFactory, livekit_program: Path, free_port: Callable[[], int]
) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("clerk")
    with clerk(folder, livekit_program, free_port, ["That is the order of the headphones."]) as settings:
        yield settings


@pytest.mark.timeout(180)
async def test_keys_pressed_over_the_greeting_are_a_turn_of_the_record(clerk_settings: Settings) -> None:
    """Through a real job: the agent falls silent and answers, and the digits are masked."""
    name = f"sip-{secrets.token_hex(6)}"
    dispatch = api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name="callpool")])
    async with telephone_of(clerk_settings) as telephone:
        livekit = telephone.settings.livekit
        phone = token(livekit.api_key, livekit.api_secret.reveal(), name, "sip_caller", "sip")
        invitation = Invitation("", name, livekit.url, phone.with_room_config(dispatch).to_jwt())
        call = await telephone.join(invitation)
        assert await call.caller.wait_for_audio(call.caller.joined_at, PATIENCE_S) is not None
        keys = call.caller.room.local_participant
        for _ in range(10):
            await keys.publish_data(b"hello", topic="test")
            await asyncio.sleep(0.1)
        for key in "12345#":
            await keys.publish_dtmf(code=DTMF_CODES.index(key), digit=key)
        record = await telephone.record(
            name, lambda record: len(record.turns) > 1 and record.turns[1].agent_text, "the keys are answered"
        )
        assert record.caller.kind == "phone"
        assert record.turns[0].interrupted
        assert record.turns[1].caller_text == "* * * * *"
        assert "headphone" in (record.turns[1].agent_text or "")
