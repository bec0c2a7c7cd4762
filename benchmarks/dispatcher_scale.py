"""What a change costs a dispatcher, and whether that depends on how many rooms there are.

Rooms, callers, workers and jobs are simulated, in virtual time. Counted are API calls and CPU time, beyond
what they are while nothing happens. A change is a caller or an agent who comes, a job that dies, a caller
who leaves.

    python benchmarks/dispatcher_scale.py --json
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from callpool.dispatcher.census import SELDOM_S
from callpool.dispatcher.control import Dispatcher
from callpool.dispatcher.sight import Listed
from simulated_rooms import World
from virtual_time import in_virtual_time

API = (
    "ListRooms",
    "ListParticipants",
    "ListDispatch",
    "CreateDispatch",
    "RemoveParticipant",
    "DeleteDispatch",
)
CALLS = 100
"""Calls that come, lose their job once and end, while the others go on."""
QUIET_S = 400.0
"""Until every room has been audited once, seconds."""


@dataclass(frozen=True)
class Figure:
    """At one number of rooms."""

    rooms: int
    changes: int
    api_calls_per_change: float
    cpu_ms_per_change: float
    """Of the dispatcher and of the simulated API, milliseconds."""
    idle_api_calls_per_s: float
    """While nothing happens: lists and audits."""
    idle_cpu_ms_per_s: float
    """While nothing happens, milliseconds a second: two questions to the store, five times a second."""
    list_cpu_ms: float
    """To compare one full list of the rooms with what is known, milliseconds."""


class Clocked(World):
    """A world that answers at once: what finding out costs is the server's and the store's."""

    async def rooms(self) -> list[Listed]:
        self.asked["ListRooms"] += 1
        return [Listed(made.name, made.sid, 1) for made in self.rooms_by_name.values()]


async def measure(count: int) -> Figure:
    world = Clocked(latency_s=0.0)
    for number in range(20):
        world.worker(f"w{number}", count // 20 + CALLS)
    dispatcher = Dispatcher(world, world, "callpool")
    world.listeners.append(dispatcher.hear)
    working = asyncio.create_task(dispatcher.run())
    await asyncio.sleep(1)
    for number in range(count):
        world.caller(f"call-{number}")
    await asyncio.sleep(QUIET_S)
    assert all(world.live_agents(f"call-{number}") == 1 for number in range(0, count, 97))

    gc.collect()
    idle_s = 10 * SELDOM_S
    before, began = world.asked.copy(), time.process_time()
    await asyncio.sleep(idle_s)
    idle_cpu_s, idle = time.process_time() - began, world.asked - before

    lists = dispatcher._census
    listed = await world.rooms()
    began = time.process_time()
    lists.take(listed, asyncio.get_running_loop().time())
    list_cpu_s = time.process_time() - began

    gc.collect()
    changes = 0
    before, began = world.asked.copy(), time.process_time()
    began_s = asyncio.get_running_loop().time()
    for number in range(CALLS):
        room = f"call-more-{number}"
        world.caller(room)
        await asyncio.sleep(1)
        world.kill_job(room)
        await asyncio.sleep(2)
        assert world.live_agents(room) == world.agents(room) == 1
        world.leave(room)
        await asyncio.sleep(0.1)
        changes += 5  # a caller, an agent, a loss, another agent, a leave
    took_s = asyncio.get_running_loop().time() - began_s
    busy_cpu_s, busy = time.process_time() - began, world.asked - before
    working.cancel()
    return Figure(
        rooms=count,
        changes=changes,
        api_calls_per_change=round((_api(busy) - _api(idle) * took_s / idle_s) / changes, 2),
        cpu_ms_per_change=round((busy_cpu_s - idle_cpu_s * took_s / idle_s) * 1000 / changes, 2),
        idle_api_calls_per_s=round(_api(idle) / idle_s, 2),
        idle_cpu_ms_per_s=round(idle_cpu_s * 1000 / idle_s, 2),
        list_cpu_ms=round(list_cpu_s * 1000, 2),
    )


def _api(asked: Counter[str]) -> int:
    return sum(asked[name] for name in API)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rooms", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--json", action="store_true", help="Print one JSON document.")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    figures = [in_virtual_time(measure(count)) for count in arguments.rooms]
    if arguments.json:
        print(json.dumps([asdict(figure) for figure in figures]))
        return
    names = list(asdict(figures[0]))
    print(" ".join(f"{name:>20}" for name in names))
    for figure in figures:
        print(" ".join(f"{value:>20}" for value in asdict(figure).values()))


if __name__ == "__main__":
    main()
