"""Stopping the service while somebody is on the line."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from callpool import ending, settings
from processes import LOOPBACK, Up, any_ports, started
from telephone import telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(180)]


@pytest.fixture
def up(tmp_path: Path, livekit_program: Path) -> Iterator[Up]:
    with started(tmp_path, any_ports(CALLPOOL_LIVEKIT_SERVER=str(livekit_program))) as up:
        up.ready()
        yield up


@pytest.mark.parametrize(("protocol", "hangs"), [("http/protobuf", True), ("grpc", False)])
def test_a_collector_that_takes_nothing_holds_up_nobody_who_stops(
    tmp_path: Path, livekit_program: Path, protocol: str, hangs: bool
) -> None:
    """Whoever takes too long is killed, and `up` says so."""
    with socket.create_server((LOOPBACK, 0)) as collector:
        env = any_ports(
            CALLPOOL_LIVEKIT_SERVER=str(livekit_program),
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{LOOPBACK}:{collector.getsockname()[1]}",
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        )
        if not hangs:
            collector.close()
        with started(tmp_path, env) as up:
            up.ready()
            up.process.send_signal(signal.SIGTERM)
            assert up.ended() == 0
    assert "did not stop" not in up.log.read_text()


async def test_a_call_that_is_cut_short_says_so_in_its_record(up: Up) -> None:
    """SIGTERM to `up`: the caller is hung up on, and the ending is not taken for a goodbye."""
    async with telephone_of(settings.load({"CALLPOOL_DATA_DIR": str(up.data_dir)})) as telephone:
        call = await telephone.dial()
        await call.greeting()
        up.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(up.ended) == 0
        record = await telephone.calls.get(call.invitation.call_id)
        assert record is not None
        assert record.ending == ending.WORKER_STOPPED
        assert [job.how for job in record.jobs] == ["worker_stopped"]
