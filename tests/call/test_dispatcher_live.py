"""What the dispatcher relies on the real LiveKit server for."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from livekit import api, rtc
from livekit.protocol.agent_dispatch import RoomAgentDispatch
from livekit.protocol.room import RoomConfiguration

from callpool.dispatcher import WEBHOOK_PATH
from callpool.dispatcher.figures import Figures
from callpool.dispatcher.livekit_rooms import LiveKitRooms
from callpool.dispatcher.sight import RoomsAway
from callpool.dispatcher.webhooks import Change, Webhooks, application
from callpool.secrets import Secret
from callpool.setting_groups import LiveKit
from processes import LOOPBACK, LiveKitServer, clean_environment, livekit_server_in
from processes import until as wait_for

pytestmark = [pytest.mark.call, pytest.mark.timeout(120)]

METADATA = json.dumps({"call_id": "c_1"})
PATIENCE_S = 15.0


@dataclass
class Served:
    """A server that sends its webhooks here."""

    server: LiveKitServer
    webhook_port: int

    @property
    def settings(self) -> LiveKit:
        return LiveKit(
            url=f"ws://{LOOPBACK}:{self.server.port}",
            api_key=self.server.key,
            api_secret=Secret(self.server.secret),
        )


@pytest.fixture(scope="module")
def served(
    livekit_program: Path, free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    port = free_port()
    where = f"http://{LOOPBACK}:{port}{WEBHOOK_PATH}"
    folder = tmp_path_factory.mktemp("livekit")
    with livekit_server_in(folder, livekit_program, free_port(), free_port(), webhook=where) as server:
        yield Served(server, port)


@pytest.fixture
async def rooms(served: Served) -> AsyncIterator[LiveKitRooms]:
    async with LiveKitRooms(served.settings) as rooms:
        yield rooms


@asynccontextmanager
async def joined(
    served: Served, room: str, identity: str, *, kind: str = "standard", hidden: bool = False
) -> AsyncIterator[rtc.Room]:
    """Somebody in a room, whose token carries a dispatch."""
    wanted = RoomConfiguration(agents=[RoomAgentDispatch(agent_name="callpool", metadata=METADATA)])
    token = (
        api.AccessToken(served.server.key, served.server.secret)
        .with_identity(identity)
        .with_kind(kind)  # type: ignore[arg-type]
        .with_grants(api.VideoGrants(room_join=True, room=room, hidden=hidden, agent=kind == "agent"))
        .with_attributes({"lk.agent_name": "callpool", "callpool.worker": "w1"} if kind == "agent" else {})
        .with_room_config(wanted)
    )
    there = rtc.Room()
    await there.connect(f"ws://{LOOPBACK}:{served.server.port}", token.to_jwt())
    try:
        yield there
    finally:
        await there.disconnect()


async def until(happens: Callable[[], Awaitable[bool]], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await happens():
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"not within {PATIENCE_S:g} s: {what}")


async def test_a_room_is_seen_as_it_is(served: Served, rooms: LiveKitRooms) -> None:
    """Callers, phones among them, agents with their names, recorders; and the dispatch of the token."""
    async with (
        joined(served, "call-c_1", "caller"),
        joined(served, "call-c_1", "phone", kind="sip"),
        joined(served, "call-c_1", "agent-AJ_1", kind="agent"),
        joined(served, "call-c_1", "listener", hidden=True),
    ):
        people = {person.identity: person for person in await rooms.participants("call-c_1")}
        assert {name: person.role for name, person in people.items()} == {
            "caller": "caller",
            "phone": "caller",
            "agent-AJ_1": "agent",
            "listener": "other",
        }
        assert (people["agent-AJ_1"].agent_name, people["agent-AJ_1"].worker) == ("callpool", "w1")
        assert people["agent-AJ_1"].job_id == "AJ_1"
        assert people["caller"].joined_ms <= people["phone"].joined_ms
        (dispatch,) = await rooms.dispatches("call-c_1")
        assert (dispatch.agent_name, dispatch.metadata, dispatch.jobs) == ("callpool", METADATA, frozenset())

        async def is_counted() -> bool:
            return [one.people for one in await rooms.rooms() if one.name == "call-c_1"] == [3]

        await until(is_counted, "the list counts everybody but agents")


async def test_what_is_asked_of_a_room_happens(served: Served, rooms: LiveKitRooms) -> None:
    """An agent is put out, dispatches come and go, the room is closed."""
    async with joined(served, "call-c_2", "caller") as caller:
        async with joined(served, "call-c_2", "agent-AJ_1", kind="agent"):
            await rooms.remove("call-c_2", "agent-AJ_1")
            assert [person.identity for person in await rooms.participants("call-c_2")] == ["caller"]
        mine = await rooms.dispatch("call-c_2", "callpool", '{"epoch": 2}')
        found = {dispatch.dispatch_id: dispatch for dispatch in await rooms.dispatches("call-c_2")}
        assert found[mine].epoch == 2
        assert len(found) == 2
        await rooms.withdraw("call-c_2", mine)
        assert mine not in [dispatch.dispatch_id for dispatch in await rooms.dispatches("call-c_2")]
        closed = asyncio.Event()
        caller.on("disconnected", lambda _: closed.set())
        await rooms.close("call-c_2")
        async with asyncio.timeout(PATIENCE_S):
            await closed.wait()


async def test_a_room_that_is_gone_is_empty(served: Served, rooms: LiveKitRooms) -> None:
    """What is asked of it comes to nothing. About its dispatches nobody answers."""
    assert list(await rooms.participants("call-none")) == []
    with pytest.raises(RoomsAway):
        await rooms.dispatches("call-none")
    await rooms.remove("call-none", "agent-AJ_1")
    with pytest.raises(RoomsAway):
        await rooms.withdraw("call-none", "AD_1")
    await rooms.close("call-none")
    assert "call-none" not in [room.name for room in await rooms.rooms()]


async def test_a_server_that_is_away_is_said_to_be(free_port: Callable[[], int]) -> None:
    """In one line."""
    settings = LiveKit(url=f"ws://{LOOPBACK}:{free_port()}", api_key="key", api_secret=Secret("s" * 32))
    async with LiveKitRooms(settings) as rooms:
        with pytest.raises(RoomsAway, match="the LiveKit API does not answer"):
            await rooms.rooms()


async def test_a_key_that_the_server_does_not_know_is_said_to_be(served: Served) -> None:
    """Its answer is an error of the API, and no reason to die."""
    settings = LiveKit(url=served.settings.url, api_key="key", api_secret=Secret("s" * 32))
    async with LiveKitRooms(settings) as rooms:
        with pytest.raises(RoomsAway, match="status 401"):
            await rooms.rooms()


async def test_the_server_tells_what_happens_and_signs_it(served: Served) -> None:
    """A caller's coming and going, and the end of the room."""
    heard: list[Change] = []
    app = application(Webhooks(served.settings, heard.append), Figures(), lambda: "")
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, served.webhook_port).start()
    try:

        def of_room(over: bool) -> list[Change]:
            return [one for one in heard if one.room == "call-c_3" and one.over == over and one.sid]

        async with joined(served, "call-c_3", "caller"), LiveKitRooms(served.settings) as rooms:

            async def has_come() -> bool:
                return len(of_room(over=False)) >= 2

            await until(has_come, "the room's beginning and the caller's coming are told")
            await rooms.close("call-c_3")

        async def is_over() -> bool:
            return len(of_room(over=True)) == 1

        await until(is_over, "the end is told")
    finally:
        await runner.cleanup()


def test_the_command_serves_until_it_is_told_to_stop(served: Served, tmp_path: Path) -> None:
    """With a store that it makes itself; it says where the webhooks go, and refuses what nobody signed."""
    url = f"http://{LOOPBACK}:{served.webhook_port}"
    more = {"CALLPOOL_DISPATCHER_PORT": str(served.webhook_port), "CALLPOOL_DATA_DIR": str(tmp_path)}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "callpool", "dispatcher"],
            env=clean_environment(**served.server.env, **more),
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(lambda: status(f"{url}/readyz") == 200, "the dispatcher is ready")
        said = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
        assert f"{url}{WEBHOOK_PATH}" in [line.get("webhooks") for line in said]
        assert status(f"{url}{WEBHOOK_PATH}", b"{}") == 401
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def status(url: str, body: bytes | None = None) -> int:
    """The status of an address; 0 when nobody listens."""
    try:
        with urllib.request.urlopen(url, body, timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
