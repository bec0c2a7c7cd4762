"""Whatever happened, in whatever order: once there is room, every caller has one agent."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_dispatcher import dispatching

from simulated_rooms import World
from virtual_time import in_virtual_time

SETTLES_S = 90.0
"""Longer than the worst of it takes: workers that vanish, while the server waits for them, one by one."""

events = st.one_of(
    st.tuples(st.just("caller"), st.integers(0, 5)),
    st.tuples(st.just("leave"), st.integers(0, 5)),
    st.tuples(st.just("kill_job"), st.integers(0, 5)),
    st.tuples(st.just("worker"), st.integers(1, 3)),
    st.tuples(st.just("kill_worker"), st.booleans()),
    st.tuples(st.just("api"), st.booleans()),
    st.tuples(st.just("store"), st.booleans()),
    st.tuples(st.just("webhooks"), st.booleans()),
    st.tuples(st.just("restart"), st.integers(1, 2)),
)
pauses_s = st.sampled_from([0.0, 0.05, 0.25, 1.0, 2.0, 5.0])


def happen(world: World, kind: str, value: int) -> None:
    """One event, if it can happen now."""
    room = f"call-{value}"
    call = world.by_room.get(room)
    if kind == "caller" and room not in world.rooms_by_name and (call is None or not call.ended):
        world.caller(room)
    elif kind == "leave" and room in world.rooms_by_name:
        world.leave(room)
    elif kind == "kill_job" and call is not None and call.alive:
        world.kill_job(room)
    elif kind == "worker":
        world.worker(f"w{len(world.workers)}-{world.asked.total()}", value)
    elif kind == "kill_worker":
        alive = [worker.name for worker in world.workers.values() if worker.alive]
        if alive:
            world.kill_worker(alive[0], silently=bool(value))
    elif kind == "api":
        world.api_away = bool(value)
    elif kind == "store":
        world.store_away = bool(value)


async def live_through(history: list[tuple[tuple[str, int], float]]) -> None:
    world = World()
    count, position = 1, 0
    while position < len(history):
        async with dispatching(world, count=count) as dispatchers:
            while position < len(history):
                (kind, value), pause_s = history[position]
                position += 1
                if kind == "restart":
                    count = value
                    break
                if kind == "webhooks":
                    world.listeners = [one.hear for one in dispatchers] if value else []
                happen(world, kind, value)
                await asyncio.sleep(pause_s)
        world.listeners.clear()
    async with dispatching(world, count=count):
        world.api_away = world.store_away = False
        world.worker("last", 8)
        await asyncio.sleep(SETTLES_S)
        for name, room in world.rooms_by_name.items():
            assert world.live_agents(name) == world.agents(name) == 1, (name, room)
        assert not world.lost_calls
        assert world.queues["callpool"] == []
        assert not world.doubled


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(events, pauses_s), max_size=25))
def test_every_caller_has_one_agent_in_the_end(history: list[tuple[tuple[str, int], float]]) -> None:
    """Callers, losses, outages, missed webhooks and new dispatchers, mixed."""
    in_virtual_time(live_through(history))
