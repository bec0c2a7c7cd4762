"""The local providers as the process that `callpool providers` starts."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from livekit.agents import ChatContext
from livekit.plugins import cartesia, deepgram, openai

from callpool.errors import CallpoolError, SettingError
from callpool.local import providers
from callpool.local.behaviour import Behaviour, Latency
from callpool.local.standin import StandIn
from callpool.settings import Settings

START_S = 60.0
"""Long enough for the engines to load on a busy machine."""


@dataclass
class Running:
    """The process, what it logged so far, and where it listens."""

    process: asyncio.subprocess.Process
    url: str = ""
    log: list[str] = field(default_factory=list)

    async def line_with(self, text: str) -> str:
        """Read the log up to the line that contains `text`."""
        assert self.process.stderr is not None
        async with asyncio.timeout(START_S):
            while raw := await self.process.stderr.readline():
                self.log.append(raw.decode())
                if text in self.log[-1]:
                    return self.log[-1]
        raise AssertionError(f"ended without {text!r}:\n{''.join(self.log)}")

    async def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Its exit code and how long it took to end, seconds. Reads the log to its end."""
        started_s = time.perf_counter()
        self.process.send_signal(number)
        assert self.process.stderr is not None
        async with asyncio.timeout(10):
            self.log.append((await self.process.stderr.read()).decode())
            code = await self.process.wait()
        return code, time.perf_counter() - started_s


@asynccontextmanager
async def running(*options: str, port: int = 0, **env: str) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "callpool", "providers", "--port", str(port), *options),
        stderr=asyncio.subprocess.PIPE,
        env={key: value for key, value in os.environ.items() if not key.startswith("CALLPOOL_")}
        | {"CALLPOOL_LOG_FORMAT": "text"}
        | env,
    )
    made = Running(process)
    try:
        yield made
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def listening(started: Running) -> str:
    found = re.search(r"url=(http://127\.0\.0\.1:\d+)", await started.line_with("action=providers.listen"))
    assert found is not None
    return found[1]


async def health(url: str) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/healthz") as answer:
        return answer.status, await answer.json()


@pytest.mark.engines
async def test_it_loads_its_engines_and_says_when_it_is_ready() -> None:
    """It listens first, the log has the progress, then 200 with the engines; SIGTERM ends it in a second."""
    async with running() as started:
        url = await listening(started)
        assert "engine loaded" not in "".join(started.log)
        await started.line_with("local providers ready")
        status, body = await health(url)
        code, taken_s = await started.stop()
    log = "".join(started.log)
    assert (status, body["status"], body["stand_in"]) == (200, "ok", True)
    assert set(body["engines"]) == {"deepgram", "openai", "cartesia"}
    assert log.count("engine loaded") == 2
    assert "deterministic stand-in" in log
    assert code == 0
    assert taken_s < 1


async def test_until_it_is_ready_it_says_that_it_loads() -> None:
    """503 on every path, also one that is not there; then the paths answer."""
    made = providers.Providers(Behaviour(latency=Latency()), StandIn())
    async with TestServer(made.app(), host="127.0.0.1") as server, aiohttp.ClientSession() as session:
        for path in ("/healthz", "/v1/models", "/nowhere"):
            async with session.get(server.make_url(path)) as answer:
                assert (answer.status, await answer.json()) == (503, {"status": "loading"})
                assert answer.headers["Retry-After"] == "1"
        await made.load()
        async with session.get(server.make_url("/healthz")) as answer:
            assert (answer.status, (await answer.json())["status"]) == (200, "ok")
    made.close()


@pytest.mark.engines
async def test_one_process_serves_all_three_plugins() -> None:
    """What the cartesia plugin speaks, the deepgram plugin hears, and the openai plugin gets an answer."""
    async with running() as started, aiohttp.ClientSession() as session:
        url = await listening(started)
        await started.line_with("local providers ready")
        tts = cartesia.TTS(base_url=url, api_key="any", sample_rate=16000, http_session=session)
        stt = deepgram.STT(base_url=f"{url}/v1/listen", api_key="any", http_session=session)
        model = openai.LLM(base_url=f"{url}/v1", api_key="any", model="any")
        speech = await tts.synthesize("I have a question about my order.").collect()
        heard = (await stt.recognize(speech)).alternatives[0].text
        context = ChatContext.empty()
        context.add_message(role="user", content=heard)
        answer = (await model.chat(chat_ctx=context).collect()).text
        await asyncio.gather(tts.aclose(), stt.aclose(), model.aclose())
    assert {"question", "order"} <= set(re.findall(r"[a-z]+", heard.lower()))
    assert answer


@pytest.mark.engines
async def test_it_can_be_stopped_while_it_loads() -> None:
    """The engines are not waited for longer than they take to load."""
    async with running() as started:
        await started.line_with("loading engine")
        code, _ = await started.stop()
    assert code == 0
    assert "ready" not in "".join(started.log).replace("not ready yet", "")


async def test_a_script_needs_no_engines() -> None:
    """With fixed latencies nothing is loaded and SIGINT ends it, even with a connection open."""
    async with running("--latency", "ttfb=10") as started:
        url = await listening(started)
        await started.line_with("local providers ready")
        status, body = await health(url)
        async with (
            aiohttp.ClientSession(headers={"X-API-Key": "any", "Cartesia-Version": "2025-04-16"}) as session,
            session.ws_connect(f"{url}/tts/websocket"),
        ):
            code, taken_s = await started.stop(signal.SIGINT)
    assert (status, body["scripted"]) == (200, True)
    assert "engine loaded" not in "".join(started.log)
    assert code == 0
    assert taken_s < 1


async def test_wrong_paths_are_refused_in_json() -> None:
    """404 for an unknown path, 405 for a known one with another method."""
    async with running("--latency", "ttfb=10") as started, aiohttp.ClientSession() as session:
        url = await listening(started)
        await started.line_with("local providers ready")
        async with session.get(f"{url}/v2/anything") as answer:
            assert (answer.status, (await answer.json())["error"]["message"]) == (
                404,
                "GET /v2/anything: Not Found",
            )
        async with session.get(f"{url}/tts/bytes") as answer:
            assert answer.status == 405
            assert "error" in await answer.json()


async def test_a_port_in_use_is_one_clear_line() -> None:
    """It names the setting and the port, and exits 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with running("--latency", "ttfb=10", port=port) as started:
            line = await started.line_with("CALLPOOL_PROVIDERS_PORT")
            code = await asyncio.wait_for(started.process.wait(), 10)
    assert f"CALLPOOL_PROVIDERS_PORT is {port}" in line
    assert code == 1
    assert "Traceback" not in "".join(started.log)


async def test_without_the_engines_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line with the command."""
    monkeypatch.setitem(sys.modules, "piper", None)
    with pytest.raises(CallpoolError, match=r"piper.*pip install 'callpool\[local\]'"):
        await providers.serve(Settings(), Behaviour(), [])


def test_rules_lie_beside_the_roster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The roster's folder is found without importing the roster, from any working directory."""
    monkeypatch.delitem(sys.modules, "callpool_agents.roster", raising=False)
    monkeypatch.chdir(tmp_path)
    folder = providers.roster_folder("callpool_agents.roster")
    assert (folder / "roster.py").is_file()
    assert "callpool_agents.roster" not in sys.modules


@pytest.mark.parametrize("roster", ["no_such_package.roster", "callpool_agents.no_such_module", ""])
def test_a_roster_that_is_not_there_is_named(roster: str) -> None:
    """The setting, its value and what would be valid."""
    with pytest.raises(SettingError, match=r"CALLPOOL_ROSTER is .*: expected a module"):
        providers.roster_folder(roster)
