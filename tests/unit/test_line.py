"""The line between a job and its worker, over real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from callpool import line as module
from callpool.line import (
    Beat,
    Breaker,
    Farewell,
    Hello,
    Line,
    Message,
    Observed,
    Switchboard,
    decode,
    encode,
)

HELLO = Hello("AJ_1", "c_1", 4711)
EVERY_KIND: list[Message] = [
    HELLO,
    Beat(),
    Farewell(),
    Observed("deepgram", "stt", "429"),
    Breaker("openai", "llm", open=True),
]


class Exchange:
    """A switchboard, what was said to it, and the jobs that called it."""

    def __init__(self) -> None:
        self.board = Switchboard()
        self.heard: list[tuple[str, Message]] = []
        self.board.listen(lambda hello, message: self.heard.append((hello.job_id, message)))
        self._lines: list[Line] = []

    async def job(self, job_id: str = "AJ_1") -> Line:
        """A job that has called, and was heard."""
        line = await self.line().open(Hello(job_id, "c_1", 4711))
        await until(lambda: (job_id, Hello(job_id, "c_1", 4711)) in self.heard)
        return line

    def line(self) -> Line:
        self._lines.append(Line(self.board.path))
        return self._lines[-1]

    async def aclose(self) -> None:
        for line in self._lines:
            await line.aclose()
        await self.board.aclose()


@pytest.fixture
async def exchange() -> AsyncIterator[Exchange]:
    exchange = Exchange()
    await exchange.board.open()
    yield exchange
    await exchange.aclose()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.001)


def raw(exchange: Exchange) -> socket.socket:
    """What somebody connects who does not keep to the protocol."""
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(exchange.board.path))
    return client


@pytest.mark.parametrize("message", EVERY_KIND, ids=lambda message: type(message).__name__)
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    """Each kind survives the wire."""
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"message": "Nobody"}',
        b'{"message": "Hello"}',
        b"[" * 60_000,
    ],
)
def test_anything_else_is_no_message(line: bytes) -> None:
    """A ValueError, whatever it is: the reader knows how to deal with that one."""
    with pytest.raises(ValueError, match="no message"):
        decode(line)


async def test_what_a_job_says_is_heard_with_its_name(exchange: Exchange) -> None:
    """Its Hello comes first, the rest in order."""
    line = await exchange.job()
    line.say(Beat())
    line.say(Observed("openai", "llm", "ok"))
    await until(lambda: len(exchange.heard) == 3)
    assert exchange.heard == [("AJ_1", HELLO), ("AJ_1", Beat()), ("AJ_1", Observed("openai", "llm", "ok"))]


async def test_the_worker_tells_one_job_or_all_of_them(exchange: Exchange) -> None:
    """Of many jobs each hears what is meant for it, and what is meant for all."""
    heard: dict[str, list[Message]] = {}
    for n in range(8):
        line = await exchange.job(f"AJ_{n}")
        line.listen(heard.setdefault(f"AJ_{n}", []).append)
    everybody, one = Breaker("openai", "llm", open=True), Breaker("openai", "llm", open=False)
    exchange.board.tell(everybody)
    exchange.board.tell(one, "AJ_3")
    await until(lambda: sum(map(len, heard.values())) == 9)
    assert heard.pop("AJ_3") == [everybody, one]
    assert all(said == [everybody] for said in heard.values())


async def test_many_jobs_are_told_apart(exchange: Exchange) -> None:
    """What each says is heard under its own name, also when all speak at once."""
    lines = [await exchange.job(f"AJ_{n}") for n in range(20)]
    for _ in range(10):
        for line in lines:
            line.say(Beat())
    await until(lambda: len(exchange.heard) == 20 * 11)
    for n in range(20):
        assert [message for job, message in exchange.heard if job == f"AJ_{n}"][1:] == [Beat()] * 10


@pytest.mark.parametrize("nonsense", [b"hello?\n", b"x" * (module.LONGEST_LINE + 1) + b"\n"])
async def test_a_line_that_carries_nonsense_is_cut_and_no_other(exchange: Exchange, nonsense: bytes) -> None:
    """The worker hangs up on that job alone."""
    good = await exchange.job()
    reader, writer = await asyncio.open_unix_connection(sock=raw(exchange))
    writer.write(nonsense)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    good.say(Beat())
    await until(lambda: ("AJ_1", Beat()) in exchange.heard)


async def test_who_does_not_say_its_name_is_not_listened_to(exchange: Exchange) -> None:
    """Hello comes first."""
    stranger = raw(exchange)
    stranger.sendall(encode(Beat()) + encode(HELLO) + encode(Beat()))
    await until(lambda: len(exchange.heard) == 2)
    assert exchange.heard == [("AJ_1", HELLO), ("AJ_1", Beat())]
    stranger.close()


async def test_a_job_that_dies_leaves_nothing_behind(exchange: Exchange) -> None:
    """Its line is forgotten; what is told to all then reaches the others."""
    client = raw(exchange)
    client.sendall(encode(Hello("AJ_9", "c_9", 1)))
    await until(lambda: exchange.heard)
    client.close()
    other = await exchange.job()
    heard: list[Message] = []
    other.listen(heard.append)
    await until(lambda: len(exchange.board._lines) == 1)
    exchange.board.tell(Breaker("openai", "llm", open=True))
    await until(lambda: heard)


async def test_a_job_knows_when_its_worker_is_gone(exchange: Exchange) -> None:
    """And can call again, where there is somebody to call."""
    line = await exchange.job()
    assert line.is_open
    for writer in list(exchange.board._lines):
        writer.close()
    await until(lambda: not line.is_open)
    line.say(Beat())  # goes nowhere, and harms nobody
    await line.open(HELLO)
    assert line.is_open
    await until(lambda: len(exchange.heard) == 2)


async def test_a_job_without_a_worker_goes_on(tmp_path: Path) -> None:
    """No socket, or nobody behind it: what is said goes nowhere."""
    for path in (None, tmp_path / "nobody"):
        line = await Line(path).open(HELLO)
        assert not line.is_open
        line.say(Beat())
        await line.aclose()


async def test_a_worker_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its queue of connections is full: the job waits a moment and goes on without."""
    monkeypatch.setattr(module, "CONNECT_S", 0.05)
    path = tmp_path / "full"
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(path))
        deaf.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(str(path))
        line = Line(path)
        async with asyncio.timeout(5):
            await line.open(HELLO)
        assert not line.is_open
        for one in waiting:
            one.close()


async def test_a_worker_that_does_not_read_blocks_no_job(tmp_path: Path) -> None:
    """What it has not read is kept up to a limit, and dropped from there on."""
    path = tmp_path / "slow"
    connected: list[asyncio.StreamWriter] = []
    release = asyncio.Event()

    async def read_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        connected.append(writer)
        await release.wait()

    server = await asyncio.start_unix_server(read_nothing, path)
    line = await Line(path).open(HELLO)
    await until(lambda: connected)
    for _ in range(100_000):
        line.say(Beat())
    assert line._writer is not None
    unsent = line._writer.transport.get_write_buffer_size()
    assert module.MOST_UNSENT <= unsent < module.MOST_UNSENT + module.LONGEST_LINE
    line._writer.transport.abort()
    release.set()
    connected[0].close()
    server.close()


async def test_a_job_that_does_not_read_does_not_block_the_worker(exchange: Exchange) -> None:
    """The others are told all the same."""
    deaf = raw(exchange)
    deaf.sendall(encode(Hello("AJ_0", "c_0", 1)))
    await until(lambda: exchange.heard)
    other = await exchange.job()
    heard: list[Message] = []
    other.listen(heard.append)
    for n in range(20_000):
        exchange.board.tell(Breaker("openai", "llm", open=True), "AJ_0")
        if n % 1000 == 0:
            exchange.board.tell(Breaker("openai", "llm", open=False))
    await until(lambda: len(heard) == 20)
    deaf.close()


async def test_a_farewell_still_arrives_when_the_line_is_closed_at_once(exchange: Exchange) -> None:
    """Closing waits for what was said before."""
    line = await exchange.job()
    line.say(Farewell())
    await line.aclose()
    await until(lambda: ("AJ_1", Farewell()) in exchange.heard)


async def test_the_socket_is_for_its_owner_alone(exchange: Exchange) -> None:
    """And is gone with the worker."""
    folder = exchange.board.path.parent
    assert folder.stat().st_mode & 0o077 == 0
    await exchange.board.aclose()
    assert not folder.exists()
