"""The dispatcher over a simulated pool: whatever happens, every caller has one agent in the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from callpool.dispatcher.control import Dispatcher
from callpool.dispatcher.figures import Figures
from callpool.dispatcher.lifelines import Lifelines
from callpool.ending import JOB_DIED
from simulated_rooms import World
from virtual_time import in_virtual_time

WHILE_S = 5.0


@contextlib.asynccontextmanager
async def dispatching(
    world: World,
    *,
    webhooks: bool = True,
    count: int = 1,
    lifelines: Lifelines | None = None,
    figures: Figures | None = None,
) -> AsyncIterator[list[Dispatcher]]:
    """Dispatchers at work."""
    made = [Dispatcher(world, world, "callpool", figures, lifelines) for _ in range(count)]
    if webhooks:
        world.listeners += [dispatcher.hear for dispatcher in made]
    working = [asyncio.create_task(dispatcher.run()) for dispatcher in made]
    try:
        yield made
    finally:
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)


@contextlib.asynccontextmanager
async def one_call() -> AsyncIterator[tuple[World, Dispatcher]]:
    """A worker with four places has served `call-1` for a while, and a dispatcher watches."""
    world = World()
    world.worker("w1", 4)
    async with dispatching(world) as (dispatcher,):
        world.caller("call-1")
        await asyncio.sleep(WHILE_S)
        yield world, dispatcher


def scenario(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """A test in virtual time."""

    def run() -> None:
        in_virtual_time(test())  # type: ignore[arg-type]

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def now_s() -> float:
    return asyncio.get_running_loop().time()


@scenario
async def test_a_call_that_goes_well_is_left_alone() -> None:
    """The token's own dispatch is answered: none is added, nobody is put out."""
    world = World()
    world.worker("w1", 4)
    async with dispatching(world):
        await asyncio.sleep(2)
        world.caller("call-1")
        await asyncio.sleep(60)
        assert world.live_agents("call-1") == 1
        assert world.asked["CreateDispatch"] == world.asked["RemoveParticipant"] == 0


@pytest.mark.parametrize("webhooks", [True, False])
def test_a_caller_who_finds_no_worker_is_answered_when_one_comes(webhooks: bool) -> None:
    """However long it takes; within a second of its coming."""

    async def run() -> None:
        world = World()
        async with dispatching(world, webhooks=webhooks):
            world.caller("call-1")
            await asyncio.sleep(500)
            assert world.queues["callpool"] == ["call-1"]
            assert world.asked["CreateDispatch"] == 0
            came_s = now_s()
            world.worker("w1", 1)
            await asyncio.sleep(5)
            assert world.live_agents("call-1") == 1
            assert world.served_s["call-1"] - came_s < 1
            assert world.queues["callpool"] == []

    in_virtual_time(run())


@scenario
async def test_fifty_callers_on_four_places_are_served_in_order() -> None:
    """Each one after those who came before, and each place is used within a second of its being free."""
    world = World()
    world.worker("w1", 2)
    world.worker("w2", 2)
    async with dispatching(world):
        await asyncio.sleep(1)
        for number in range(50):
            world.caller(f"call-{number:02}")
            await asyncio.sleep(0.002)
        await asyncio.sleep(3)
        while len(world.rooms_by_name) > 4:
            first = next(room for room in world.answered if room in world.rooms_by_name)
            left_s = now_s()
            world.leave(first)
            answered = len(world.answered)
            await asyncio.sleep(3)
            assert len(world.answered) == answered + 1
            assert world.served_s[world.answered[-1]] - left_s < 1
        assert world.answered == sorted(world.answered)
        assert len(world.answered) == 50
        assert not world.doubled


@scenario
async def test_a_killed_job_is_replaced_and_its_ghost_put_out() -> None:
    """At once: nobody waits for the server to notice."""
    async with one_call() as (world, _):
        killed_s = now_s()
        world.kill_job("call-1")
        await asyncio.sleep(5)
        assert world.live_agents("call-1") == world.agents("call-1") == 1
        assert world.served_s["call-1"] - killed_s < 1
        assert world.calls["1"].epoch == 2
        assert world.asked["CreateDispatch"] == 1


@pytest.mark.parametrize("silently", [False, True])
def test_a_worker_that_stops_beating_is_dead(silently: bool) -> None:
    """Its calls go on elsewhere, also while the server still takes it for available."""

    async def run() -> None:
        world = World()
        world.worker("w1", 8)
        async with dispatching(world):
            await asyncio.sleep(1)
            for number in range(4):
                world.caller(f"call-{number}")
            await asyncio.sleep(5)
            world.worker("w2", 8)
            await asyncio.sleep(5)
            died_s = now_s()
            world.kill_worker("w1", silently=silently)
            await asyncio.sleep(30)
            for number in range(4):
                assert world.live_agents(f"call-{number}") == world.agents(f"call-{number}") == 1
            assert max(world.served_s.values()) - died_s < (10 if silently else 5)
            assert not world.doubled

    in_virtual_time(run())


@scenario
async def test_a_dispatch_that_a_dead_worker_swallowed_is_repeated() -> None:
    """The server would wait for its answer for ten seconds, and then drop it."""
    world = World()
    world.worker("dead", 8)
    async with dispatching(world):
        world.kill_worker("dead", silently=True)
        await asyncio.sleep(0.5)
        world.worker("w1", 8)
        joined_s = now_s()
        for number in range(8):
            world.caller(f"call-{number}")
        await asyncio.sleep(30)
        assert all(world.live_agents(f"call-{number}") == 1 for number in range(8))
        assert max(world.served_s.values()) - joined_s < 9


@scenario
async def test_two_dispatchers_send_one_agent() -> None:
    """They see the same and do the same; the epoch lets one job through."""
    world = World()
    world.worker("w1", 3)
    async with dispatching(world, count=2):
        await asyncio.sleep(1)
        for number in range(12):
            world.caller(f"call-{number:02}")
        for _ in range(3):
            await asyncio.sleep(5)
            for room in world.answered:
                if room in world.rooms_by_name and world.by_room[room].alive:
                    world.kill_job(room)
                    break
        await asyncio.sleep(5)
        served = [room for room in world.rooms_by_name if world.live_agents(room)]
        assert len(served) == 3
        assert all(world.agents(room) == 1 for room in served)
        assert not world.doubled


@scenario
async def test_a_new_dispatcher_does_right_by_what_it_finds() -> None:
    """A served call, a lost one with its ghost, one that waits, one whose worker died unseen."""
    world = World()
    world.worker("w1", 8)
    world.worker("w2", 8)
    async with dispatching(world):
        await asyncio.sleep(1)
        for number in range(4):
            world.caller(f"call-{number}")
        await asyncio.sleep(5)
    dead = world.by_room["call-0"].worker
    served_by_dead = [room for room, call in world.by_room.items() if call.worker == dead]
    world.kill_worker(dead, silently=False)
    other = next(room for room, call in world.by_room.items() if call.worker != dead)
    world.kill_job(other)
    world.caller("call-9")
    await asyncio.sleep(20)
    async with dispatching(world, webhooks=False):
        await asyncio.sleep(12)
        assert served_by_dead
        for room in world.rooms_by_name:
            assert world.live_agents(room) == world.agents(room) == 1, room


@scenario
async def test_an_api_that_is_away_comes_back_to_the_same_work() -> None:
    """The loop lives, and does what was left undone."""
    async with one_call() as (world, dispatcher):
        world.api_away = True
        world.kill_job("call-1")
        await asyncio.sleep(60)
        assert dispatcher.not_ready() == "the LiveKit API does not answer"
        world.api_away = False
        await asyncio.sleep(15)
        assert world.live_agents("call-1") == 1
        assert dispatcher.not_ready() == ""


@scenario
async def test_no_worker_is_dead_because_the_store_was_away() -> None:
    """Nobody could beat."""
    async with one_call() as (world, dispatcher):
        world.store_away = True
        beat = world.workers["w1"].beat
        await asyncio.sleep(30)
        assert dispatcher.not_ready() == "the store does not answer"
        world.workers["w1"].beat = beat
        world.store_away = False
        await asyncio.sleep(10)
        assert "w1" in world.workers
        assert world.asked["bury"] == world.asked["RemoveParticipant"] == 0


@scenario
async def test_no_worker_is_dead_because_the_disk_was_full() -> None:
    """Everything can be read, and nobody could beat: neither then nor when there is room again."""
    async with one_call() as (world, _):
        for seconds in (2.0, 4.0, 7.3, 30.0):
            world.store_full = True
            await asyncio.sleep(seconds)
            world.store_full = False
            await asyncio.sleep(10)
        assert "w1" in world.workers
        assert world.asked["bury"] == world.asked["RemoveParticipant"] == 0
        assert world.live_agents("call-1") == 1


@scenario
async def test_a_call_that_no_job_survives_is_ended() -> None:
    """The caller hears that the line is closed, not silence for ever."""
    world = World()
    world.worker("w1", 4)
    async with dispatching(world):
        world.caller("call-1")
        for _ in range(6):
            await asyncio.sleep(3)
            if "call-1" in world.rooms_by_name:
                world.kill_job("call-1")
        await asyncio.sleep(5)
        assert "call-1" not in world.rooms_by_name
        assert world.asked["DeleteRoom"] == 1


@scenario
async def test_a_goodbye_is_not_answered() -> None:
    """The call has ended, the caller is still in the room for a moment: no other agent comes."""
    async with one_call() as (world, _):
        call = world.by_room["call-1"]
        world.end(call)
        del world.rooms_by_name["call-1"].participants[f"agent-{call.job_id}"]
        world._tell("call-1", "", over=False)
        await asyncio.sleep(60)
        assert world.asked["CreateDispatch"] == 0


@scenario
async def test_rooms_of_others_are_left_alone() -> None:
    """Another agent's room, and one that wants none."""
    world = World()
    world.worker("w1", 4)
    async with dispatching(world):
        world.caller("call-theirs", agent_name="theirs")
        world.caller("meeting", token=False)
        await asyncio.sleep(60)
        assert world.asked["CreateDispatch"] == 0


@scenario
async def test_repeated_dispatches_do_not_pile_up() -> None:
    """A worker that has room in the store and takes nothing: some dispatches, further and further apart."""
    world = World()
    world.worker("w1", 4)
    world.registered.clear()
    async with dispatching(world):
        world.caller("call-1")
        await asyncio.sleep(600)
        assert world.asked["CreateDispatch"] < 60
        assert len(world.rooms_by_name["call-1"].dispatches) <= 3


@scenario
async def test_without_webhooks_nothing_is_missed() -> None:
    """The list of rooms tells of newcomers."""
    world = World()
    async with dispatching(world, webhooks=False):
        await asyncio.sleep(30)
        world.caller("call-1")
        await asyncio.sleep(3)
        assert world.queues["callpool"] == ["call-1"]


@scenario
async def test_a_lost_webhook_is_made_up_for_by_the_next_list() -> None:
    """Within its 30 s, and from then on the lists come often for a while."""
    world = World()
    async with dispatching(world) as (dispatcher,):
        world.caller("call-0")
        await asyncio.sleep(100)
        world.listeners.clear()
        lists = world.asked["ListRooms"]
        world.caller("call-1")
        await asyncio.sleep(33)
        assert world.queues["callpool"] == ["call-0", "call-1"]
        assert world.asked["ListRooms"] - lists <= 2
        world.listeners.append(dispatcher.hear)
        await asyncio.sleep(30)
        lists = world.asked["ListRooms"]
        await asyncio.sleep(10)
        assert world.asked["ListRooms"] - lists >= 8


@scenario
async def test_what_an_outage_left_undone_is_done_when_it_is_over() -> None:
    """Not after the pause that each room has come to by then."""
    world = World()
    world.worker("w1", 4)
    rooms = [f"call-{number}" for number in range(4)]
    async with dispatching(world):
        for room in rooms:
            world.caller(room)
        for _ in range(6):
            await asyncio.sleep(20)
            world.api_away = True
            for room in rooms:
                world.kill_job(room)
                await asyncio.sleep(10)
            lists = world.asked["ListRooms"]
            world.api_away = False
            while world.asked["ListRooms"] == lists:
                await asyncio.sleep(0.05)
            await asyncio.sleep(1)
            assert all(world.live_agents(room) == 1 for room in rooms)


@scenario
async def test_nobody_waits_for_a_dispatch_that_a_full_pool_has_dropped() -> None:
    """A place that comes free right after the caller came is given to them within a second."""
    world = World()
    world.worker("w1", 1)
    async with dispatching(world):
        await asyncio.sleep(1)
        world.caller("call-1")
        await asyncio.sleep(10)
        world.caller("call-2")
        await asyncio.sleep(0.3)
        left_s = now_s()
        world.leave("call-1")
        await asyncio.sleep(5)
        assert world.served_s["call-2"] - left_s < 1


@scenario
async def test_a_server_that_starts_again_finds_the_calls_as_they_were() -> None:
    """Callers whose clients make their rooms again go on; the calls of the others are let go, and counted."""
    world = World()
    world.worker("w1", 4)
    figures = Figures()
    died = {"result": JOB_DIED.result, "reason": JOB_DIED.reason}
    async with dispatching(world, count=2, figures=figures):
        for room in ("call-1", "call-2"):
            world.caller(room)
        await asyncio.sleep(20)
        world.restart_server()
        await asyncio.sleep(5)
        world.caller("call-1", token=False)
        await asyncio.sleep(5)
        assert world.live_agents("call-1") == 1
        assert world.by_room["call-1"].epoch == 2
        assert world.asked["release"] == 0
        assert figures.registry.get_sample_value("callpool_calls_total", died) == 0
        await asyncio.sleep(120)
        assert world.by_room["call-2"].ended
        assert not world.by_room["call-1"].ended
        assert figures.registry.get_sample_value("callpool_calls_total", died) == 1


@scenario
async def test_a_dispatch_goes_out_twice_while_the_server_may_err() -> None:
    """One job takes the call; the other dispatch is withdrawn once nothing can come of it."""
    world = World()
    world.worker("w1", 4)
    world.worker("gone", 4)
    async with dispatching(world):
        await asyncio.sleep(1)
        world.kill_worker("gone", silently=True)
        await asyncio.sleep(6)
        del world.registered["gone"]
        world.caller("call-1", token=False)
        await asyncio.sleep(5)
        assert world.asked["CreateDispatch"] == 2
        assert world.agents("call-1") == 1
        assert not world.doubled
        await asyncio.sleep(60)
        assert len(world.rooms_by_name["call-1"].dispatches) == 1
        assert world.agents("call-1") == 1


@scenario
async def test_the_queue_is_said_again_while_anybody_waits() -> None:
    """Workers pass over one that stands still. An empty one need not be said again."""
    world = World()
    async with dispatching(world):
        world.caller("call-1")
        await asyncio.sleep(3)
        said = world.asked["queue"]
        await asyncio.sleep(10)
        assert 8 <= world.asked["queue"] - said <= 12
        world.leave("call-1")
        await asyncio.sleep(1)
        assert world.queues["callpool"] == []
        said = world.asked["queue"]
        await asyncio.sleep(30)
        assert world.asked["queue"] == said


@scenario
async def test_who_comes_while_others_wait_is_in_the_queue_at_once() -> None:
    """Workers refuse their token's dispatch for the sake of the others."""
    world = World()
    world.worker("w1", 1)
    async with dispatching(world):
        await asyncio.sleep(1)
        for number in range(3):
            world.caller(f"call-{number}")
        await asyncio.sleep(3)
        world.workers["w1"].capacity = 2
        world.caller("call-3")
        await asyncio.sleep(0.5)
        assert "call-3" in world.queues["callpool"]
