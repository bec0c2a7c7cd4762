"""Tools of MCP servers: connected to while a call begins, offered to the stages that the settings name.

Nobody waits for a server. One that is away is left out; one that hangs leaves the model words to go on with.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import re
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from livekit.agents import RunContext, ToolError, function_tool
from livekit.agents.llm import RawFunctionTool, Tool, Toolset

from callpool.call import Call
from callpool.errors import SettingError
from callpool.mcp_settings import McpServer
from callpool.service_phrases import words_for
from callpool.settings import Settings

if TYPE_CHECKING:
    from livekit.agents.llm import mcp

logger = logging.getLogger(__name__)

CONNECT_S = 30.0
"""How long a server may take to say which tools it has, seconds. Programs start slowly, and nobody waits."""
CALL_S = 5.0
"""How long a tool may take, seconds."""
FILLER_AFTER_S = 0.7
"""How long a caller waits for a tool in silence, seconds."""
CLOSE_S = 2.0
"""How long a server may take to say goodbye at the end of a call, seconds."""
LONGEST_RESULT = 8000
"""Characters of a result that the model is given."""

TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What language models take for the name of a tool: one other name, and they refuse the whole request."""

_LATE_IMPORTS = (
    "anyio._backends._asyncio",
    "anyio._core._subprocesses",
    "httpx2",
    "httpcore2",
    "h11",
    "jsonschema",
    "mcp.client.streamable_http",
)
"""What a connection and a tool import at their first use."""
_TALKATIVE = ("httpx2", "mcp.client")
"""Loggers that write down addresses, which may hold secrets, for every request."""


class McpServers:
    """The servers of one call. Made while the process warms up, `start`ed when the call begins."""

    def __init__(self, settings: Settings) -> None:
        """Imports what the servers need, if there are any. Raises SettingError when that is not installed."""
        self._servers = [_Server(server, _client(server)) for server in settings.mcp]
        self._opening: asyncio.Task[None] | None = None

    def check(self, stages: Collection[str]) -> None:
        """Raises SettingError for a server that is offered to a stage that the roster lacks."""
        for server in self._servers:
            for stage in server.described.stages:
                if stage not in stages:
                    raise SettingError(
                        f"mcp.{server.described.name}.stages", stage, f"one of {', '.join(stages)}"
                    )

    def start(self) -> None:
        """Begin to connect. Returns at once: tools appear when their server has named them."""
        if self._opening is None and self._servers:
            self._opening = asyncio.create_task(self._open(), name="mcp-servers")

    async def open(self) -> None:
        """Connect, and return when every server has answered or is given up. Raises nothing."""
        self.start()
        if self._opening is not None:
            await self._opening

    def tools_for(self, stage: str, taken: Iterable[str] = ()) -> list[Toolset]:
        """What a stage's agent is offered. `taken` are the names of its own tools, which go first."""
        names = set(taken)
        return [McpTools(server, names) for server in self._servers if stage in server.described.stages]

    async def aclose(self) -> None:
        """Close every connection, and end the programs that were started. Raises nothing."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        await asyncio.gather(*(server.aclose() for server in self._servers))

    async def _open(self) -> None:
        await asyncio.gather(*(server.open() for server in self._servers))


class McpTools(Toolset):
    """The tools of one server as one agent is offered them: none until the server has named them.

    The connection is the call's: it outlives the agents that are offered its tools.
    """

    def __init__(self, server: _Server, taken: set[str]) -> None:
        super().__init__(id=f"mcp_{server.described.name}")
        self._server = server
        self._taken = taken

    @property
    def tools(self) -> Sequence[Tool | Toolset]:
        return [tool for tool in self._server.tools if tool.info.name not in self._taken]

    def leave_out(self, names: Iterable[str]) -> None:
        """Do not offer tools of these names, because the agent has tools of its own that are called so."""
        self._taken |= set(names)


class _Server:
    """One server, its connection and its tools."""

    def __init__(self, described: McpServer, client: mcp.MCPServer) -> None:
        self.described = described
        self.tools: list[RawFunctionTool[Any, Any]] = []
        self._client = client

    async def open(self) -> None:
        name = self.described.name
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._client.initialize()
                offered = await self._client.list_tools()
        except Exception as error:
            logger.warning(
                "MCP server is away",
                extra={"action": "mcp_away", "server": name, "error": _reason(error)},
            )
            return
        wanted = self.described.tools
        self.tools = [_bounded(tool, name) for tool in offered if _usable(tool, wanted, name)]
        logger.info(
            "MCP server is there", extra={"action": "mcp_ready", "server": name, "tools": len(self.tools)}
        )

    async def aclose(self) -> None:
        self.tools = []
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._client.aclose()
        except Exception as error:
            logger.warning(
                "MCP server did not say goodbye",
                extra={"action": "mcp_close", "server": self.described.name, "error": _reason(error)},
            )


def _client(server: McpServer) -> mcp.MCPServer:
    try:
        from livekit.agents.llm import mcp

        for module in _LATE_IMPORTS:
            importlib.import_module(module)
        for talkative in _TALKATIVE:
            logging.getLogger(talkative).setLevel(logging.WARNING)
    except ImportError as error:
        raise SettingError(f"mcp.{server.name}", server.name, "the package mcp to be installed") from error
    if server.command:
        return mcp.MCPServerStdio(
            server.command[0],
            list(server.command[1:]),
            env={name: value.reveal() for name, value in server.env} or None,
            client_session_timeout_seconds=CALL_S,
            tool_result_resolver=_text,
        )
    return mcp.MCPServerHTTP(
        server.url,
        transport_type="sse" if server.transport == "sse" else "streamable_http",
        headers={name: value.reveal() for name, value in server.headers},
        client_session_timeout_seconds=CALL_S,
        tool_result_resolver=_text,
    )


def _usable(tool: RawFunctionTool[Any, Any], wanted: Sequence[str], server: str) -> bool:
    name = tool.info.name
    if wanted and name not in wanted:
        return False
    if not TOOL_NAME.fullmatch(name):
        logger.warning(
            "MCP tool has a name that models refuse", extra={"action": "mcp_name", "server": server}
        )
        return False
    return True


def _bounded(tool: RawFunctionTool[Any, Any], server: str) -> RawFunctionTool[Any, Any]:
    """The same tool, which takes five seconds at most, is never dead air, and fails with words."""
    name = tool.info.name

    async def call(ctx: RunContext[Call], raw_arguments: dict[str, object]) -> Any:
        filler = ctx.with_filler(words_for(ctx.session, "filler"), delay=FILLER_AFTER_S)
        try:
            async with filler, asyncio.timeout(CALL_S):
                return await tool(raw_arguments=raw_arguments)
        except ToolError:
            raise
        except Exception as error:
            logger.warning(
                "MCP tool failed",
                extra={"action": "mcp_failed", "server": server, "tool": name, "error": _reason(error)},
            )
            raise ToolError(
                f"{name} did not answer. Apologize to the caller and go on without it, or offer a person."
            ) from error

    schema = tool.info.raw_schema
    return function_tool(call, raw_schema={**schema, "description": schema.get("description") or name})


def _text(ctx: mcp.MCPToolResultContext) -> str:
    """The words of a result, which are what a model that speaks can use."""
    parts = [part.text for part in ctx.result.content if part.type == "text"]
    structured = ctx.result.structured_content
    if not parts and structured is None:
        raise ToolError(f"{ctx.tool_name} gave no words. Go on without it.")
    return ("\n".join(parts) if parts else json.dumps(structured, ensure_ascii=False))[:LONGEST_RESULT]


def _reason(error: BaseException) -> str:
    """What went wrong, without what was sent: the innermost kind of error."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__
