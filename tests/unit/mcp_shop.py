"""A small MCP server, which is a program of its own: `mcp_shop.py stdio`, `mcp_shop.py http|sse PORT`."""

from __future__ import annotations

import asyncio
import os
import sys

from mcp.server import MCPServer
from mcp.server.mcpserver import Context

shop = MCPServer("shop", log_level="ERROR")


@shop.tool()
def stock_level(item: str) -> str:
    """How many of an item are in stock."""
    return f"There are seven of {item}."


@shop.tool()
def variable(name: str) -> str:
    """A variable of this program."""
    return os.environ.get(name, "unset")


@shop.tool()
def header(name: str, ctx: Context) -> str:
    """A header of the request."""
    request = ctx.request_context.request
    return request.headers.get(name, "none") if request is not None else "no request"


@shop.tool()
async def hang() -> str:
    """Never comes back."""
    await asyncio.Event().wait()
    return ""


@shop.tool()
def refuse() -> str:
    """Always fails."""
    raise ValueError("There is no such item.")


@shop.tool()
def die() -> str:
    """Ends this program."""
    os._exit(1)


@shop.tool(name="no.such.name")
def dotted() -> str:
    """Has a name that language models refuse."""
    return ""


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["stdio"]:
            shop.run("stdio")
        case ["http", port]:
            shop.run("streamable-http", port=int(port))
        case ["sse", port]:
            shop.run("sse", port=int(port))
