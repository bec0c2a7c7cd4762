"""A caller that does nothing but be there, so that it can be killed: `joiner.py URL TOKEN`."""

import asyncio
import sys

from callpool.caller import SyntheticCaller


async def main() -> None:
    caller = SyntheticCaller()
    await caller.join(sys.argv[1], sys.argv[2])
    print("joined", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
