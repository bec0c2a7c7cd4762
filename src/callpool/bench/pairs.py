"""Pairs of calls: one to a service that exports everything, one to a service that exports nothing.

Both run at once, over the same providers with fixed latencies. The calls of a pair have the same recordings
and come one after the other, in changing order: whatever else the machine does strikes both.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import psutil
from aiohttp import web

from callpool.caller import SyntheticCaller
from callpool.caller.conversation import invite
from callpool.caller.sound import Samples
from callpool.caller.speech import Speech
from callpool.errors import CallpoolError
from callpool.evaluation.own_service import service_in
from callpool.local.child import Child, Program
from callpool.local.ports import Ports
from callpool.running import Running, with_local_providers
from callpool.settings import Settings
from callpool.store.calls import Calls

LOOPBACK = "127.0.0.1"
LATENCY = "stt_final=150,ttft=350,ttfb=90"
"""Of the providers, milliseconds: as in docs/benchmarks.md."""
QUESTIONS = (
    "I would like to know where my order is.",
    "When will the parcel arrive at my house?",
    "Could you please tell me that again?",
    "Is there anything that I have to do?",
)
ANSWER = "Your order left our warehouse on Monday and should be with you in two or three days."
SCRIPT = json.dumps({"hears": [{"text": QUESTIONS[0]}], "says": [{"text": ANSWER}]})
"""JSON is YAML."""
READY_S = 60.0
PATIENCE_S = 15.0
GLANCE_S = 0.05


class NotMeasured(CallpoolError):
    """Something that the measurement needs did not happen."""


@dataclass
class Taken:
    """What calls to one service have taken, seconds; in the order of the calls."""

    turns_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)


@asynccontextmanager
async def both_services(settings: Settings, folder: Path) -> AsyncIterator[Pair]:
    """Start them. Raises CallpoolError."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        spoken = await _recordings(settings, http)
        script = folder / "script.yaml"
        script.write_text(SCRIPT)
        fixed = ("--latency", LATENCY, "--script", str(script))
        origin = await stack.enter_async_context(_providers(settings, http, *fixed))
        base_urls = {
            "DEEPGRAM_BASE_URL": origin,
            "OPENAI_BASE_URL": f"{origin}/v1",
            "CARTESIA_BASE_URL": origin,
        }
        collector = await stack.enter_async_context(_collector())
        services = []
        for name, endpoint in (("off", ""), ("on", collector)):
            (folder / name).mkdir()
            more = base_urls | {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
            running = await stack.enter_async_context(service_in(settings, folder / name, more))
            store = await stack.enter_async_context(Calls(running.store))
            services.append(_Service(running, store, Taken()))
        yield Pair(http, spoken, *services)


@asynccontextmanager
async def _providers(settings: Settings, http: aiohttp.ClientSession, *options: str) -> AsyncIterator[str]:
    """`callpool providers` with these options. Gives its origin."""
    any_port = replace(settings, local=replace(settings.local, providers_port=0))
    port = Ports(any_port, LOOPBACK, lambda _: None).choose("local.providers_port")
    argv = (sys.executable, "-m", "callpool", "providers", "--port", str(port), *options)
    child = Child.start(Program("providers", argv, dict(os.environ)), lambda _: None)
    origin = f"http://{LOOPBACK}:{port}"
    try:
        async with asyncio.timeout(READY_S):
            while not await _is_ready(http, f"{origin}/healthz"):
                if child.exited.done():
                    raise NotMeasured(f"the providers did not start: {child.exited.result().last}")
                await asyncio.sleep(0.1)
        yield origin
    except TimeoutError:
        raise NotMeasured(f"the providers were not ready after {READY_S:g} s") from None
    finally:
        await child.stop()


@asynccontextmanager
async def _collector() -> AsyncIterator[str]:
    """Takes everything and keeps nothing. Gives its endpoint."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=b"", content_type="application/x-protobuf")

    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_post("/v1/{signal}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, 0).start()
        yield f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _is_ready(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def _recordings(settings: Settings, http: aiohttp.ClientSession) -> Sequence[Samples]:
    """The questions, in the local voice."""
    async with _providers(settings, http) as origin:
        local = with_local_providers(settings, origin)
        speech = Speech(http, local.deepgram, local.cartesia)
        return [await speech.synthesize(question) for question in QUESTIONS]


@dataclass(frozen=True)
class _Service:
    """A running `callpool up`, and what calls to it have taken."""

    running: Running
    store: Calls
    taken: Taken


class Pair:
    """The services, without telemetry and with it."""

    def __init__(
        self, http: aiohttp.ClientSession, spoken: Sequence[Samples], off: _Service, on: _Service
    ) -> None:
        self._http = http
        self._spoken = spoken
        self._off = off
        self._on = on

    async def measure(self, count: int) -> tuple[Taken, Taken]:
        """So many pairs of calls. One more goes before, which warms what no later call finds cold."""
        for number in range(count + 1):
            if number == 1:
                for service in (self._off, self._on):
                    service.taken.turns_s.clear()
                    service.taken.cpu_s.clear()
            order = (self._off, self._on) if number % 2 else (self._on, self._off)
            for service in order:
                await self._call(service)
        return self._off.taken, self._on.taken

    async def _call(self, service: _Service) -> None:
        worker = psutil.Process(service.running.pids["worker"])
        before = _cpu_s_of_tree(worker)
        invitation = await invite(self._http, service.running.web, None)
        caller = SyntheticCaller()
        await caller.join(invitation.livekit_url, invitation.token)
        try:
            if await caller.wait_for_agent(caller.joined_at) is None:
                raise NotMeasured("the service did not answer")
            record = await service.store.get(invitation.call_id)
            if record is None or not record.jobs:
                raise NotMeasured(f"call {invitation.call_id} has no job")
            pid = record.jobs[-1].pid
            for samples in self._spoken:
                spoken = await caller.speak(samples)
                heard_at = await caller.wait_for_audio(spoken.ended_at, PATIENCE_S)
                if heard_at is None:
                    raise NotMeasured("a question was not answered")
                service.taken.turns_s.append(heard_at - spoken.ended_at)
                await caller.wait_for_agent(spoken.ended_at)
        finally:
            await caller.leave()
        job_s = await _cpu_s_until_its_end(pid)
        used_s = job_s - before.get(pid, 0.0) + _cpu_s(worker) - before[worker.pid]
        service.taken.cpu_s.append(used_s)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _cpu_s_of_tree(top: psutil.Process) -> dict[int, float]:
    """What each process of a worker has used, seconds: a warm one has worked before its call."""
    return {one.pid: _cpu_s(one) for one in (top, *top.children(recursive=True))}


async def _cpu_s_until_its_end(pid: int) -> float:
    """What a job had used when it was last seen: with what it still exports once its caller is gone."""
    used_s, deadline = 0.0, time.monotonic() + PATIENCE_S
    try:
        process = psutil.Process(pid)
        while time.monotonic() < deadline and process.status() != psutil.STATUS_ZOMBIE:
            used_s = _cpu_s(process)
            await asyncio.sleep(GLANCE_S)
    except psutil.NoSuchProcess:
        pass
    if not used_s:
        raise NotMeasured("a job had ended before its CPU was read")
    return used_s
