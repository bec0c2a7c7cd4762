"""Answers of a language model on the wire: one that stops before its end, or stalls, is an error.

A server, or a proxy before it, that dies in the middle of an answer may close it as if it were whole. The
client libraries then take the half of a sentence, or a page that says "Bad Gateway", for all of it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import httpx2 as httpx

STALL_S = 3.0
"""How long an answer that has begun may pause, seconds."""
_ASKS_FOR_STREAM = re.compile(rb'"stream"\s*:\s*true')
_SAYS_SOMETHING = re.compile(rb'"content"\s*:\s*"[^"]|"tool_calls"\s*:\s*\[')
_ENDS = re.compile(rb'"finish_reason"\s*:\s*"|data:\s*\[DONE\]')
_LONGEST_MARK = 64
"""Bytes that are kept from one piece to the next, since a mark may lie across both."""


async def watch(response: httpx.Response) -> None:
    """An event hook for a client: has an answer in pieces raise httpx's errors when it is no whole one."""
    request = response.request
    in_pieces = request.method == "POST" and _ASKS_FOR_STREAM.search(request.content) is not None
    plain = response.headers.get("content-encoding", "identity") == "identity"
    if response.status_code == httpx.codes.OK and in_pieces and plain:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = WholeAnswer(response.stream, request)


class WholeAnswer(httpx.AsyncByteStream):
    """The bytes of an answer, and an error where they end too early."""

    def __init__(self, stream: httpx.AsyncByteStream, request: httpx.Request) -> None:
        self._stream = stream
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        begun = ended = False
        tail = b""
        pieces = aiter(self._stream)
        while True:
            try:
                async with asyncio.timeout(STALL_S if begun and not ended else None):
                    piece = await anext(pieces, None)
            except TimeoutError as error:
                raise httpx.ReadTimeout(f"no more for {STALL_S:g} s", request=self._request) from error
            if piece is None:
                break
            tail += piece
            begun = begun or _SAYS_SOMETHING.search(tail) is not None
            ended = ended or _ENDS.search(tail) is not None
            tail = tail[-_LONGEST_MARK:]
            yield piece
        if not ended:
            raise httpx.RemoteProtocolError("the answer stopped before its end", request=self._request)

    async def aclose(self) -> None:
        await self._stream.aclose()
