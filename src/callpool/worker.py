"""The worker: registers with LiveKit, admits jobs, keeps processes warm, and drains before it stops."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from typing import get_args

from aiohttp import web
from livekit.agents import AgentServer
from livekit.agents.ipc.job_proc_executor import ProcJobExecutor

from callpool import clips, job, machine
from callpool.admission import Admission, Reason
from callpool.breaker import Breakers
from callpool.burial import Burial, call_of
from callpool.errors import CallpoolError, SettingError
from callpool.expectation import expected
from callpool.fallback.trouble import Kind
from callpool.line import Breaker, Farewell, Hello, Leave, Measured, Message, Observed, Resumed, Switchboard
from callpool.listening import listen
from callpool.mcp_servers import McpServers
from callpool.membership import Membership, worker_name
from callpool.profiles import Profiles, plugins
from callpool.settings import Settings
from callpool.stages import load_roster, prepare_business
from callpool.stopping import StopSignals
from callpool.store.calls import Calls
from callpool.store.registry import StoreRegistry
from callpool.telemetry.logs import set_up_logs
from callpool.telemetry.metrics import WorkerMetrics, dropped, page
from callpool.telemetry.otlp import modules as otlp_modules
from callpool.telemetry.otlp_metrics import push_metrics
from callpool.telemetry.tracing import Tracing
from callpool.watchdog import Watchdog

logger = logging.getLogger(__name__)

STOP_S = 10.0
"""How long a job may take to write its ending when the worker stops, seconds."""

FOR_EVER = 1_000_000
"""Attempts to reach a lost LiveKit server. The SDK gives up after 16, and its jobs would go with it."""
STILL_WAITING_S = 10.0
"""How often a draining worker names the calls that it waits for, seconds."""

PRELOAD = [
    "callpool.job",
    # What libraries import when they are first used, which would be while a caller waits (0.1 to 0.3 s).
    # `hang_up` logs whatever is missing here as `late_import`, and a test over a real call expects none.
    "anyio._backends._asyncio",
    "jiter",
    "livekit.agents.llm.async_toolset",
    "numpy.fft",
    "openai.lib.streaming.chat",
    "openai.resources.chat.chat",
    "openai.resources.chat.completions.completions",
    "openai.resources.chat.completions.messages",
    "openai.resources.models",
]
"""Imported once in the forkserver and shared by all jobs."""


def build_server(settings: Settings, admission: Admission, parent: job.Parent) -> AgentServer:
    """The SDK's server with callpool's entry points."""
    roster = load_roster(settings.worker.roster)
    server = AgentServer(
        ws_url=settings.livekit.url,
        api_key=settings.livekit.api_key,
        api_secret=settings.livekit.api_secret.reveal(),
        # The SDK's own health page knows nothing of draining: it gets a port that nobody is told.
        host="127.0.0.1",
        port=0,
        load_fnc=lambda: admission.load,
        # Only `Admission` refuses. With a threshold the SDK would shed calls on a busy machine.
        load_threshold=float("inf"),
        num_idle_processes=settings.worker.warm_processes,
        setup_fnc=functools.partial(job.warm_up, settings, parent),
        preload_modules=[
            *PRELOAD,
            *otlp_modules(settings.telemetry),
            settings.worker.roster,
            *roster.modules,
            *plugins(settings),
        ],
        job_memory_limit_mb=0,  # it looks every 5 s only: see watchdog.py
        shutdown_process_timeout=STOP_S,
        session_end_timeout=STOP_S,
        initialize_process_timeout=60.0,
        max_retry=FOR_EVER,
        log_level="INFO",
    )
    server.rtc_session(
        job.entrypoint,
        agent_name=settings.worker.agent_name,
        on_request=admission.decide,
        on_session_end=job.hang_up,
    )
    return server


class Worker:
    """One process of the pool."""

    def __init__(self, settings: Settings, calls: Calls, registry: StoreRegistry) -> None:
        self._settings = settings
        self._name = worker_name(settings.worker.name)
        self._burial = Burial(calls, self._name)
        pressure = machine.Pressure()
        self._admission = Admission(
            settings.worker.capacity or machine.capacity_here(), self._name, settled=pressure.settled
        )
        self._metrics = WorkerMetrics(
            active_jobs=lambda: self._admission.running,
            capacity=lambda: self._admission.capacity,
            draining=lambda: self._server.draining,
            refused=lambda: dict.fromkeys(get_args(Reason), 0) | self._admission.refused,
            draining_s=lambda: time.monotonic() - self._told_at if self._told_at else 0.0,
            drain_timeout_s=settings.worker.drain_timeout_s,
            error_kinds=get_args(Kind),
        )
        for metric, labels in expected(settings):
            self._metrics.begin(metric, labels)
        self._tracing = Tracing.of(
            settings, "worker", lambda count: self._metrics.take(dropped("traces", count))
        )
        self._admission.tracing = self._tracing
        self._switchboard = Switchboard()
        self._watchdog = Watchdog(settings.worker, reachable=self._switchboard.path.exists)
        self._breakers = Breakers(self._on_breaker)
        self._switchboard.listen(self._watchdog.hear)
        self._switchboard.listen(self._on_provider)
        self._switchboard.listen(self._on_message)
        self._parent = job.Parent(self._name, self._switchboard.path)
        self._server = build_server(settings, self._admission, self._parent)
        self._membership = Membership(
            self._name,
            settings.worker.agent_name,
            registry,
            self._admission,
            is_draining=lambda: self._not_ready() != "",
            each_beat=pressure.look,
        )
        self._admission.is_next = self._membership.is_next
        self._admission.changed = self._membership.change
        self._registered = False
        self._told_at: float | None = None
        """When it was told to stop, by the monotonic clock."""
        self._burials: set[asyncio.Task[None]] = set()
        self._server.on("worker_registered", self._on_registered)
        self._server.on("worker_started", self._on_started)

    def count_dropped_logs(self, count: int) -> None:
        """Note log records that no collector has taken; from any thread."""
        self._metrics.take(Measured("callpool_telemetry_dropped_total", count, ("logs",)))

    async def run(self) -> int:
        """Serve until a signal. Raises CallpoolError when LiveKit or the store cannot be used."""
        try:
            return await self._run()
        finally:
            await self._switchboard.aclose()

    async def _run(self) -> int:
        await self._burial.of_lost_workers()
        await self._switchboard.open()
        health = web.AppRunner(self._health(), access_log=None)
        await health.setup()
        await listen(health, "WORKER", self._settings.worker.host, self._settings.worker.port)
        await self._membership.join()
        told, told_again = StopSignals(2).events
        serving = asyncio.create_task(self._server.run(), name="agent-server")
        stopping = asyncio.create_task(told.wait(), name="signals")
        keeping = asyncio.create_task(self._membership.keep(), name="membership")
        preparing = asyncio.create_task(clips.prepare(self._settings, self._parent.clips), name="clips")
        watching = asyncio.create_task(self._watchdog.run(), name="watchdog")
        pushing = asyncio.create_task(self._push_metrics(), name="push-metrics")
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                stopping.cancel()
                serving.result()
                raise CallpoolError("the worker stopped by itself")
            await self._stop(told_again)
            return 0
        except RuntimeError as error:
            raise CallpoolError(f"LIVEKIT_URL is {self._settings.livekit.url!r}: {error}") from error
        finally:
            watching.cancel()
            if self._burials:  # a store that stays away holds nobody: the next worker here finds the dead
                await asyncio.wait(self._burials, timeout=STOP_S)
            keeping.cancel()
            preparing.cancel()
            pushing.cancel()
            await asyncio.gather(keeping, preparing, pushing, return_exceptions=True)
            await self._membership.leave()
            await asyncio.to_thread(self._tracing.close)
            await health.cleanup()

    async def _stop(self, told_again: asyncio.Event) -> None:
        """Take no more calls, let those that run finish, and leave the rest to other workers."""
        timeout_s = self._settings.worker.drain_timeout_s
        self._told_at = time.monotonic()
        if self._admission.running and timeout_s:
            logger.info(
                "draining", extra={"action": "drain", "jobs": self._admission.running, "timeout_s": timeout_s}
            )
            draining = asyncio.create_task(self._server.drain(timeout_s), name="drain")
            hurrying = asyncio.create_task(told_again.wait(), name="second-signal")
            naming = asyncio.create_task(self._name_calls_waited_for(), name="still-waiting")
            self._membership.change()
            await asyncio.wait({draining, hurrying}, return_when=asyncio.FIRST_COMPLETED)
            for task in (draining, hurrying, naming):
                task.cancel()
            await asyncio.gather(draining, hurrying, naming, return_exceptions=True)
            if self._admission.running:
                logger.warning(
                    "calls are handed over",
                    extra={"action": "hand_over", "calls": self._calls(), "at_once": told_again.is_set()},
                )
        self._switchboard.tell(Leave())
        await self._server.aclose()

    async def _push_metrics(self) -> None:
        await push_metrics(
            self._settings,
            "worker",
            self._metrics.registry,
            lambda count: self._metrics.take(dropped("metrics", count)),
        )

    async def _name_calls_waited_for(self) -> None:
        while True:
            await asyncio.sleep(STILL_WAITING_S)
            logger.info("still waiting for calls", extra={"action": "drain", "calls": self._calls()})

    def _calls(self) -> list[str]:
        return [call_of(info.job).call_id for info in self._server.active_jobs]

    def _health(self) -> web.Application:
        async def healthz(_: web.Request) -> web.Response:
            return web.json_response({"status": "ok"})

        async def readyz(_: web.Request) -> web.Response:
            reason = self._not_ready()
            body = {
                "status": reason or "ready",
                "running": self._admission.running,
                "capacity": self._admission.capacity,
            }
            return web.json_response(body, status=503 if reason else 200)

        async def metrics(request: web.Request) -> web.Response:
            body, content_type = page(self._metrics.registry, request.headers.get("Accept", ""))
            return web.Response(body=body, headers={"Content-Type": content_type})

        app = web.Application()
        app.router.add_get("/healthz", healthz)
        app.router.add_get("/metrics", metrics)
        app.router.add_get("/readyz", readyz)
        return app

    def _not_ready(self) -> str:
        """Why no call can be taken; empty when one can."""
        if self._server.draining:
            return "draining"
        # Private, because the SDK tells nobody that it lost the server, and tries to reach it again for two
        # minutes. test_worker_ready.py fails when it moves.
        if not self._registered or self._server._connecting:
            return "not registered with LiveKit"
        return ""

    def _on_provider(self, hello: Hello, message: Message) -> None:
        match message:
            case Hello():
                for breaker in self._breakers.now:
                    self._switchboard.tell(breaker, hello.job_id)
            case Resumed():
                self._metrics.count_resumed(message)
            case Measured():
                self._metrics.take(message)
            case Observed():
                self._metrics.observe(message)
                self._breakers.take(message)

    def _on_breaker(self, breaker: Breaker) -> None:
        self._metrics.set_breaker(breaker)
        self._switchboard.tell(breaker)

    def _on_registered(self, worker_id: str, _: object) -> None:
        self._registered = True
        self._membership.change()
        logger.info("registered", extra={"action": "registered", "worker_id": worker_id})

    def _on_started(self) -> None:
        # Private, because the SDK tells nobody that a job's process has ended, and a killed one cannot write
        # its own ending. test_real_calls.py kills a job, and fails when the pool or its event moves.
        self._server._proc_pool.on("process_closed", self._on_process_closed)
        # Private for the same reason; the tests in tests/chaos kill jobs that are watched from here.
        self._server._proc_pool.on("process_job_launched", self._on_job_launched)

    def _on_job_launched(self, process: ProcJobExecutor) -> None:
        if (info := process.running_job) is not None and process.pid is not None:
            self._watchdog.watch(info.job.id, process.pid)

    def _on_message(self, job: Hello, message: Message) -> None:
        if isinstance(message, Farewell):  # the next caller need not wait until its process has ended
            self._admission.release(job.job_id)

    def _on_process_closed(self, process: ProcJobExecutor) -> None:
        if (info := process.running_job) is None:
            return
        self._admission.release(info.job.id)
        how = self._watchdog.forget(info.job.id)
        burial = asyncio.create_task(
            self._burial.of_job(info, process.pid or 0, how), name=f"bury-{info.job.id}"
        )
        self._burials.add(burial)
        burial.add_done_callback(self._burials.discard)


def check(settings: Settings) -> None:
    """Refuse what would fail at the first call. Raises SettingError."""
    settings.livekit.check_key_pair()
    profiles = Profiles.read(settings)
    profiles.check()
    roster = load_roster(settings.worker.roster)
    names = [stage.name for stage in roster.stages]
    for pair in settings.profiles.stages:
        if pair.partition("=")[0] not in names:
            raise SettingError("CALLPOOL_STAGE_PROFILES", pair, f"a stage among {', '.join(names)}")
    for stage in roster.stages:
        if stage.profile is not None and stage.profile not in profiles.names:
            expected = f"a profile among {', '.join(profiles.names)}"
            raise SettingError(f"{settings.worker.roster}: profile of {stage.name}", stage.profile, expected)
    McpServers(settings).check(names)
    profiles.report()


async def run(settings: Settings) -> int:
    """`callpool worker`."""
    exported = set_up_logs(settings, "worker")
    check(settings)
    for variable in settings.unknown:
        logger.warning("no setting has this name", extra={"action": "unknown_setting", "variable": variable})
    async with Calls(settings.store_url, plain_texts=settings.store.plain_texts) as calls:
        await calls.open()
        await prepare_business(settings)
        async with StoreRegistry(settings.store_url) as registry:
            worker = Worker(settings, calls, registry)
            if exported is not None:
                exported.tell_dropped(worker.count_dropped_logs)
            return await worker.run()
