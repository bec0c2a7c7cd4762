"""Parts that several folders of tests share: a real LiveKit server, a real `callpool up`, free ports."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path

import pytest

import machine
from callpool import settings
from callpool.errors import ServerNotFound
from callpool.local import livekit_server
from callpool.local.ports import Ports
from callpool.telemetry.log_filter import LogFilter
from processes import LOOPBACK, LiveKitServer, any_ports, livekit_server_in, started
from telephone import Telephone, telephone_of


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spoken tests get a second chance, which the summary shows (RERUN): the small speech models mishear a
    word now and then, as people do, and no test that runs in text has any excuse.

    They also have the machine for themselves: two cores bear one conversation beside all that it takes. So
    they come last, and the others need not stand still in between.
    """
    for item in items:
        if item.get_closest_marker("call"):
            item.add_marker(pytest.mark.flaky(reruns=1))
            item.add_marker(pytest.mark.alone)
    items.sort(key=lambda item: item.get_closest_marker("alone") is not None)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # around the timeout, which does not count the wait
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Where several processes run tests, see to it that those marked `alone` are."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    with machine.held(alone=item.get_closest_marker("alone") is not None):
        return (yield)


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """A process that runs in a test sets up its log; the next test would find its records cleaned by that."""
    hooks, raises = (sys.excepthook, threading.excepthook), logging.raiseExceptions
    yield
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if any(isinstance(one, LogFilter) for one in handler.filters):
            root.removeHandler(handler)
    (sys.excepthook, threading.excepthook), logging.raiseExceptions = hooks, raises


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Gives a free port on loopback, another one at each call."""
    ports = Ports(settings.load({"CALLPOOL_WEB_PORT": "0"}), LOOPBACK, lambda _: None)
    return lambda: ports.choose("web.port")


@pytest.fixture(scope="session")
def livekit_program() -> Path:
    """The LiveKit server's program: found, or built."""
    try:
        return asyncio.run(
            livekit_server.find(
                settings.load(), lambda text: print(f"livekit-server: {text}", file=sys.stderr)
            )
        )
    except ServerNotFound as error:
        pytest.fail(str(error))


@pytest.fixture(scope="session")
def livekit(
    livekit_program: Path, free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveKitServer]:
    """A LiveKit server that is strictly on loopback, with keys of its own, for the whole session."""
    with livekit_server_in(
        tmp_path_factory.mktemp("livekit"), livekit_program, free_port(), free_port()
    ) as server:
        yield server


@pytest.fixture(scope="session")
def up_settings(
    livekit_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[settings.Settings]:
    """The settings of a real `callpool up` with local providers, that runs for the whole session."""
    folder = tmp_path_factory.mktemp("up")
    with started(folder, any_ports(CALLPOOL_LIVEKIT_SERVER=str(livekit_program))) as up:
        up.ready()
        yield settings.load({"CALLPOOL_DATA_DIR": str(up.data_dir)})


@pytest.fixture
async def telephone(up_settings: settings.Settings) -> AsyncIterator[Telephone]:
    """A telephone at that `callpool up`."""
    async with telephone_of(up_settings) as telephone:
        yield telephone


@pytest.fixture
def up_log(up_settings: settings.Settings) -> Callable[[], str]:
    """Gives the one log of all its processes, as it stands."""
    return (up_settings.local.data_dir.parent / "up.log").read_text
