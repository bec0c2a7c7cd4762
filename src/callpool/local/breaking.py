"""What injected faults do to a client's connection, whatever the protocol on it."""

from __future__ import annotations

import asyncio

from aiohttp import web

GONE_POLL_S = 0.2
"""How often a hanging request looks whether its client has gone, seconds."""


def abort(request: web.Request) -> None:
    """Cut the connection without a word."""
    if request.transport is not None:
        request.transport.abort()


async def hang(request: web.Request) -> None:
    """Never answer. Ends with the connection, so that a server can stop."""
    # aiohttp does not tell a handler that its client has gone.
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(GONE_POLL_S)
    # Any other exception would be logged as an error of the server's.
    raise asyncio.CancelledError
