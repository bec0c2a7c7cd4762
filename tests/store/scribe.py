"""A process that writes a call: `scribe.py URL CALL_ID TURNS`. Prints `n` once turn n is written."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

from callpool.call import Call
from callpool.ending import GOODBYE
from callpool.store.calls import Calls
from callpool.store.record import Turn


async def write(url: str, call_id: str, turns: int) -> None:
    async with Calls(url) as calls:
        await calls.open()
        await calls.begin(Call(call_id, room=f"room-{call_id}", agent_name="callpool"))
        for n in range(turns):
            await calls.record_turn(call_id, Turn(n, "reception", f"question {n}", f"answer {n}"))
            print(n, flush=True)
        await calls.end(call_id, GOODBYE, datetime.now(UTC))


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], sys.argv[2], int(sys.argv[3])))
