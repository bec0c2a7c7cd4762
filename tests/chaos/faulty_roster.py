"""A roster of one agent whose tool does its caller's call the harm that a test has ordered for it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from livekit.agents import RunContext, function_tool

from callpool.call import Call
from callpool.hand_off import Handover, StageAgent
from callpool.stages import Roster, Stage

ORDERS = "FAULT_ORDERS"
"""The variable that names the folder of orders: the file CALL_ID holds the fault that befalls the call."""
LEAK_MB = 4
"""In each hundredth of a second: 400 MB a second."""


@function_tool
async def work(ctx: RunContext[Call]) -> str:
    """Do your work."""
    match _ordered(ctx.userdata.call_id):
        case "":
            return "Done."
        case "spin":
            _spin()
        case "churn":
            threading.Thread(target=_spin, daemon=True).start()
        case "leak":
            threading.Thread(target=_leak, daemon=True).start()
        case "hang":
            await asyncio.Event().wait()
        case "block":
            time.sleep(600)  # noqa: ASYNC251 - this is what must not be
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case other:
            raise ValueError(other)
    return "Done."


def _ordered(call_id: str) -> str:
    """The fault; empty: none. Once: whoever takes the call up again finds no order."""
    order = Path(os.environ[ORDERS], call_id)
    if not order.exists():
        return ""
    fault = order.read_text()
    order.rename(order.with_suffix(".begun"))
    return fault


def _spin() -> None:
    while True:
        pass


def _leak() -> None:
    kept = []
    while True:
        kept.append(bytearray(b"x" * LEAK_MB * 1_000_000))
        time.sleep(0.01)


class Worker(StageAgent):
    def __init__(self, handover: Handover) -> None:
        super().__init__(handover, name="worker", prompt=lambda call: "You work.", tools=[work])


def open_business(url: str) -> None:
    """There is nothing to act on."""


ROSTER: Roster[Any, Any] = Roster(
    stages=(Stage("worker", Worker, greeting=lambda call: "Hello. What is to be done?"),),
    first={"callpool": "worker"},
    transitions={},
    open_business=open_business,
)
