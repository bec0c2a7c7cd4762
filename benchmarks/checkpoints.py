"""What a checkpoint costs: how long until it is in the store, and how long making it holds up the event loop.

Written as a job writes it, through its writer, into a SQLite file, while the event loop is as busy as that of
a call: a task wakes every 10 ms and works for 2 ms.

    python benchmarks/checkpoints.py --json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from livekit.agents.llm import ChatContext, FunctionCall, FunctionCallOutput

from callpool.burial import job_entry
from callpool.call import Call
from callpool.checkpoint import Checkpoint, History, warm_up
from callpool.job import LiveCall
from callpool.store.calls import Calls
from callpool.store.record import Turn
from callpool.store.writer import Writer
from callpool_tools.case import Case

BUSY_EVERY_S, BUSY_S = 0.010, 0.002
PAUSE_S = 0.03
"""From checkpoint to checkpoint, seconds."""


@dataclass(frozen=True)
class Figure:
    """At one length of the history."""

    turns: int
    document_kb: float
    made_ms_p50: float
    """The loop stands still for so long, milliseconds."""
    made_ms_p95: float
    saved_ms_p50: float
    """From the event to the end of the transaction, milliseconds."""
    saved_ms_p95: float


def a_history(turns: int) -> ChatContext:
    """So many turns of 25 words, and a tool in every third."""
    history = ChatContext.empty()
    for number in range(turns):
        history.add_message(role="user", content="where is my order " * 3)
        if number % 3 == 0:
            name = f"f{number}"
            history.insert(FunctionCall(call_id=name, name="look_up", arguments='{"order_number": "12345"}'))
            history.insert(
                FunctionCallOutput(call_id=name, name="look_up", output="shipped " * 9, is_error=False)
            )
        history.add_message(role="assistant", content="It was shipped on the first of December. " * 2)
    return history


async def work() -> None:
    """What else there is to do in a call."""
    while True:
        until = time.perf_counter() + BUSY_S
        while time.perf_counter() < until:
            pass
        await asyncio.sleep(BUSY_EVERY_S - BUSY_S)


async def measure(turns: int, count: int) -> Figure:
    call = Call("c_1", "call-c_1", "callpool", stage="problem_solving", state=Case(wish="where is my order"))
    warm_up(call.state)
    history, kept = a_history(turns), History()
    turn = Turn(turns, "problem_solving", caller_text="where is my order")
    made_s: list[float] = []
    saved_s: list[float] = []
    size = 0

    def make() -> str:
        nonlocal size
        began = time.perf_counter()
        del history.items[-2:]  # the history is of its length, and its end is new
        history.add_message(role="assistant", content="It was shipped on the first of December. " * 2)
        history.add_message(role="user", content="where is my order " * 3)
        document = Checkpoint.of(call, turn, kept.documents(history)).document()
        made_s.append(time.perf_counter() - began)
        size = len(document)
        return document

    with tempfile.TemporaryDirectory() as folder:
        async with Calls(f"sqlite+aiosqlite:///{Path(folder, 'callpool.db')}") as calls:
            await calls.open()
            entry = job_entry("AJ_1", "worker-1", 4711, datetime.now(UTC))
            await calls.claim(call, entry)
            ctx: Any = SimpleNamespace(job=SimpleNamespace(id="AJ_1"))
            live = LiveCall(call, ctx, Writer(), calls, entry)
            busy = asyncio.create_task(work())
            for _ in range(count + 5):
                await asyncio.sleep(PAUSE_S)
                began = time.perf_counter()
                live.save_checkpoint(make)
                await live.writer.settle(10)
                saved_s.append(time.perf_counter() - began)
            busy.cancel()
            await live.writer.aclose()
    made, saved = (statistics.quantiles(values[5:], n=20) for values in (made_s, saved_s))
    ms = [round(1000 * value, 2) for value in (made[9], made[18], saved[9], saved[18])]
    return Figure(turns, round(size / 1024, 1), *ms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--turns", type=int, nargs="+", default=[10, 100, 300])
    parser.add_argument("--count", type=int, default=200, help="Checkpoints at each length.")
    parser.add_argument("--json", action="store_true", help="Print one JSON document.")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    figures = [asyncio.run(measure(turns, arguments.count)) for turns in arguments.turns]
    if arguments.json:
        print(json.dumps([asdict(figure) for figure in figures]))
        return
    print(" ".join(f"{name:>13}" for name in asdict(figures[0])))
    for figure in figures:
        print(" ".join(f"{value:>13}" for value in asdict(figure).values()))


if __name__ == "__main__":
    main()
