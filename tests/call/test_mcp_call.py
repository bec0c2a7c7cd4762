"""A call in which a tool of an MCP server is used: settings, job, real server, record."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from callpool import settings
from callpool.settings import Settings
from processes import any_ports, local_providers, started
from telephone import telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(180)]

HERE = Path(__file__).parent
SHOP = HERE.parent / "unit" / "mcp_shop.py"


@pytest.fixture(scope="module")
def shop(
    tmp_path_factory: pytest.TempPathFactory, livekit_program: Path, free_port: Callable[[], int]
) -> Iterator[Settings]:
    """A service of one agent, which is offered the tools of one server that is there and one that is away."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "callpool.toml").write_text(
        f'[mcp.shop]\ncommand = ["{sys.executable}", "{SHOP}", "stdio"]\nstages = ["clerk"]\n'
        '[mcp.away]\nurl = "http://127.0.0.1:9/mcp"\nstages = ["clerk"]\n'
    )
    script = folder / "script.yaml"
    use = {"text": "I have looked.", "tools": [{"name": "stock_level", "arguments": {"item": "lamps"}}]}
    script.write_text(yaml.safe_dump({"hears": [{"text": "-"}], "says": [use]}))
    with local_providers(folder, free_port(), "--latency", "ttft=100", "--script", str(script)) as origin:
        env = any_ports(
            CALLPOOL_LIVEKIT_SERVER=str(livekit_program),
            CALLPOOL_ROSTER="clerk_roster",
            PYTHONPATH=os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH")))),
            OPENAI_BASE_URL=f"{origin}/v1",
        )
        with started(folder, env) as up:
            up.ready()
            yield settings.load({"CALLPOOL_DATA_DIR": str(up.data_dir)})


async def test_a_tool_of_a_server_is_used_in_a_call(shop: Settings) -> None:
    """The record has it as any tool, and nothing was imported while the caller waited."""
    async with telephone_of(shop) as telephone:
        call = await telephone.dial()
        await call.greeting()
        log = shop.local.data_dir.parent / "up.log"
        async with asyncio.timeout(30):
            while "MCP server is there" not in log.read_text():
                await asyncio.sleep(0.05)
        await call.say("How many lamps do you have in stock?")
        record = await telephone.record(
            call.invitation.call_id,
            lambda record: any(turn.tools for turn in record.turns),
            "a tool was used",
        )
        used = next(turn.tools[0] for turn in record.turns if turn.tools)
        assert (used.name, used.ok) == ("stock_level", True)
        await call.caller.leave()
        await telephone.ended(call.invitation.call_id)
        async with asyncio.timeout(10):
            while "call ended" not in log.read_text():
                await asyncio.sleep(0.05)
        assert "MCP server is away" in log.read_text()
        assert "late_import" not in log.read_text()
