"""MCP servers: real ones, as a program and over HTTP on loopback, offered to a real session in text."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from livekit.agents import Agent, AgentSession, FunctionCallOutputEvent, function_tool

from callpool import mcp_servers
from callpool.call import Call
from callpool.errors import SettingError
from callpool.mcp_servers import McpServers
from callpool.settings import Settings, load
from processes import until
from scripted_model import Says, ScriptedModel

HERE = Path(__file__).parent
SHOP = str(HERE / "mcp_shop.py")
PACKAGES = {
    "mcp",
    "mcp_types",
    "anyio",
    "httpx2",
    "httpcore2",
    "h11",
    "jsonschema",
    "pydantic",
    "attrs",
    "rpds",
}
"""What MCP needs, and nothing else in a call does."""
PROGRAM = f'[mcp.shop]\ncommand = ["{sys.executable}", "{SHOP}", "stdio"]\nstages = ["desk"]\n'


@pytest.fixture
def described(tmp_path: Path) -> Callable[..., Settings]:
    """Settings with these tables."""

    def settings(toml: str, **env: str) -> Settings:
        file = tmp_path / "callpool.toml"
        file.write_text(toml)
        return load(env, file=file)

    return settings


@contextmanager
def served(transport: str, port: int) -> Iterator[None]:
    """The shop over HTTP."""
    with subprocess.Popen([sys.executable, SHOP, transport, str(port)]) as process:
        try:
            until(lambda: _answers(port), f"the MCP server listens on {port}")
            yield
        finally:
            process.kill()


def _answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@asynccontextmanager
async def opened(settings: Settings) -> Any:
    servers = McpServers(settings)
    try:
        await servers.open()
        yield servers
    finally:
        await servers.aclose()


def offered(servers: McpServers, stage: str) -> list[str]:
    return [tool.info.name for toolset in servers.tools_for(stage) for tool in toolset.tools]  # type: ignore[union-attr]


async def used(servers: McpServers, tool: str, **arguments: object) -> tuple[str, bool]:
    """What a model is told that uses a tool in the stage `desk`, and whether that is an error."""
    model = ScriptedModel(Says(tool=tool, arguments=arguments), Says("Done."))
    async with AgentSession[Call](llm=model, userdata=Call("c", "call-c", "callpool")) as session:
        await session.start(Agent(instructions="Answer.", tools=[*servers.tools_for("desk")]))
        result = await session.run(user_input="Go ahead.")
        output = next(event for event in result.events if isinstance(event, FunctionCallOutputEvent))
        return output.item.output, output.item.is_error


async def test_a_program_is_started_and_its_tools_are_used(described: Callable[..., Settings]) -> None:
    """Its variables come from secrets; it is gone when the call is."""
    toml = PROGRAM + 'env = { SHOP_KEY = "env://KEY" }'
    before = {child.pid for child in psutil.Process().children()}
    async with opened(described(toml, KEY="open sesame")) as servers:
        assert await used(servers, "stock_level", item="lamps") == ("There are seven of lamps.", False)
        assert await used(servers, "variable", name="SHOP_KEY") == ("open sesame", False)
        started = [child for child in psutil.Process().children() if child.pid not in before]
        assert started
    assert not any(child.is_running() for child in started)


@pytest.mark.parametrize(("transport", "path"), [("http", "mcp"), ("sse", "sse")])
async def test_a_server_at_an_address_is_used(
    described: Callable[..., Settings], free_port: Callable[[], int], transport: str, path: str
) -> None:
    """Over streamable HTTP and over SSE, with headers and a token that are secrets."""
    port = free_port()
    toml = f"""
[mcp.shop]
url = "http://127.0.0.1:{port}/{path}"
token = "env://TOKEN"
headers = {{ X-Shop = "main street" }}
stages = ["desk"]
tools = ["header"]
"""
    with served(transport, port):
        async with opened(described(toml, TOKEN="t0k3n")) as servers:
            assert offered(servers, "desk") == ["header"]
            assert await used(servers, "header", name="authorization") == ("Bearer t0k3n", False)
            assert await used(servers, "header", name="x-shop") == ("main street", False)


async def test_only_the_chosen_stages_are_offered_the_tools(described: Callable[..., Settings]) -> None:
    """And of the tools those that models and the agent can use: no odd names, no second of a name."""
    async with opened(described(PROGRAM)) as servers:
        assert servers.tools_for("greeting") == []
        assert set(offered(servers, "desk")) == {"stock_level", "variable", "header", "hang", "refuse", "die"}
        [toolset] = servers.tools_for("desk", taken=["variable"])
        toolset.leave_out(["hang"])  # type: ignore[attr-defined]
        assert {tool.info.name for tool in toolset.tools} == {"stock_level", "header", "refuse", "die"}  # type: ignore[union-attr]


async def test_an_agent_keeps_its_own_tool_of_a_name(described: Callable[..., Settings]) -> None:
    """The SDK refuses two tools of one name; a server that has one costs the caller nothing."""

    @function_tool
    async def stock_level(item: str) -> str:
        """Ours."""
        return "ours"

    async with opened(described(PROGRAM)) as servers:
        model = ScriptedModel(Says("Hello."))
        async with AgentSession[Call](llm=model, userdata=Call("c", "call-c", "callpool")) as session:
            others = servers.tools_for("desk", taken=["stock_level"])
            await session.start(Agent(instructions="Answer.", tools=[stock_level, *others]))
            await session.run(user_input="Hello?")
        assert {"stock_level", "header"} <= model.asked[0].tools


async def test_nobody_waits_for_a_server(described: Callable[..., Settings]) -> None:
    """An agent that was there first is offered the tools as soon as their server has named them."""
    servers = McpServers(described(PROGRAM))
    try:
        begun = time.monotonic()
        servers.start()
        [toolset] = servers.tools_for("desk")
        assert list(toolset.tools) == []
        model = ScriptedModel(Says("Hello."), Says("Hello again."))
        async with AgentSession[Call](llm=model, userdata=Call("c", "call-c", "callpool")) as session:
            await session.start(Agent(instructions="Answer.", tools=[toolset]))
            assert time.monotonic() - begun < 5
            await session.run(user_input="Hello?")
            await servers.open()
            await session.run(user_input="Hello?")
        assert "stock_level" in model.asked[1].tools
    finally:
        await servers.aclose()


@pytest.mark.parametrize(
    "table",
    [
        'url = "http://127.0.0.1:9/mcp"',
        'url = "http://127.0.0.1:9/sse"',
        'command = "no-such-program --at-all"',
        f'command = "{sys.executable} -c pass"',
    ],
)
async def test_a_server_that_is_away_is_left_out(
    described: Callable[..., Settings], caplog: pytest.LogCaptureFixture, table: str
) -> None:
    """The others are there, and the log says who is not."""
    toml = f'{PROGRAM}[mcp.away]\nstages = ["desk"]\n{table}\n'
    async with opened(described(toml)) as servers:
        assert "stock_level" in offered(servers, "desk")
    away = [record for record in caplog.records if getattr(record, "action", "") == "mcp_away"]
    assert [record.server for record in away] == ["away"]  # type: ignore[attr-defined]


async def test_a_server_that_never_answers_is_given_up(
    described: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something listens there and says nothing: it is left out, and delays no hang-up."""
    monkeypatch.setattr(mcp_servers, "CONNECT_S", 0.3)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/mcp"
        begun = time.monotonic()
        async with opened(described(f'[mcp.silent]\nurl = "{url}"\nstages = ["desk"]\n')) as servers:
            assert offered(servers, "desk") == []
        assert time.monotonic() - begun < 5


async def test_a_call_that_ends_early_waits_for_no_server(described: Callable[..., Settings]) -> None:
    """The caller hangs up while the servers are still being connected to."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/mcp"
        servers = McpServers(described(f'[mcp.silent]\nurl = "{url}"\nstages = ["desk"]\n'))
        servers.start()
        await asyncio.sleep(0)
        begun = time.monotonic()
        await servers.aclose()
        assert time.monotonic() - begun < 3


async def test_a_tool_that_hangs_leaves_the_model_words(
    described: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its time it is over, and the connection still serves the next tool."""
    async with opened(described(PROGRAM)) as servers:
        monkeypatch.setattr(mcp_servers, "CALL_S", 0.3)
        told, is_error = await used(servers, "hang")
        assert is_error
        assert "did not answer" in told
        assert "offer a person" in told
        monkeypatch.undo()
        assert await used(servers, "stock_level", item="lamps") == ("There are seven of lamps.", False)


async def test_what_a_tool_says_of_its_failure_reaches_the_model(described: Callable[..., Settings]) -> None:
    """The server's own words; a server that dies leaves ours."""
    async with opened(described(PROGRAM)) as servers:
        told, is_error = await used(servers, "refuse")
        assert is_error
        assert "refuse" in told
        told, is_error = await used(servers, "die")
        assert is_error
        assert "did not answer" in told
        told, is_error = await used(servers, "stock_level", item="lamps")
        assert is_error


def test_a_stage_that_the_roster_lacks_is_named(described: Callable[..., Settings]) -> None:
    """One line with the setting, its value, and the stages that there are."""
    servers = McpServers(described(PROGRAM))
    servers.check(["greeting", "desk"])
    with pytest.raises(SettingError, match=r"mcp\.shop\.stages is 'desk': expected one of greeting, closing"):
        servers.check(["greeting", "closing"])


def test_without_servers_nothing_is_imported() -> None:
    """A service that uses none does not pay for the package."""
    script = (
        "import sys; from callpool.mcp_servers import McpServers; from callpool.settings import Settings; "
        "McpServers(Settings()); sys.exit('mcp' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_nothing_is_imported_once_a_call_has_begun(
    described: Callable[..., Settings], tmp_path: Path
) -> None:
    """Whatever a connection needs is there when the process is warm."""
    described(PROGRAM)
    script = f"""
import asyncio, sys
from pathlib import Path
from callpool.mcp_servers import McpServers
from callpool.settings import load
sys.path[:0] = [{str(HERE)!r}, {str(HERE.parent)!r}]
from test_mcp_servers import used
servers = McpServers(load({{}}, file=Path({str(tmp_path / "callpool.toml")!r})))
async def call():
    warm = set(sys.modules)
    await servers.open()
    answer = await used(servers, "stock_level", item="lamps")
    await servers.aclose()
    late = {{name.partition(".")[0] for name in set(sys.modules) - warm}}
    return answer[0], sorted(late & {PACKAGES})
sys.exit(str(asyncio.run(call())))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.stderr.splitlines()[-1] == "('There are seven of lamps.', [])"
