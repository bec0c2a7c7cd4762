"""Turn gap, barge-in and first audio: callpool's worker against the SDK's documented starter.

Both workers serve the same LiveKit server and the same fixed-latency providers, and calls alternate between
them, so that whatever else the machine does strikes both. Gaps count from the caller's last voiced 10 ms.

    python benchmarks/turns.py --calls 10
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import signal
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from livekit import api

from callpool import settings
from callpool.caller import SyntheticCaller
from callpool.caller.sound import Samples
from callpool.local import livekit_server
from callpool.local.child import Child, Program
from callpool.local.data_directory import write_private
from callpool.local.livekit_server import LOOPBACK
from callpool.local.ports import Ports
from callpool.local.speaking import Speaking

HERE = Path(__file__).parent
LATENCY = "stt_final=150,ttft=350,ttfb=90"
QUESTION = "I would like to know where my order is."
INTERRUPTION = "Wait, please stop for a moment, I have another question for you."
PAUSED = ("My number is", "one two three four five.")
PAUSE_S = 0.8
SPEAK_INTO_S = 3.5
"""How long the agent has been speaking when the caller talks over it: longer than the 3 s in which the
starter's agent cannot be interrupted at all."""
BARGE_INS = 2
PATIENCE_S = 10.0
RATE_HZ = 48_000
READY_S = 60.0
STOP_S = 15.0
"""How long a program may take to start, and to end, seconds."""
RATIOS = ("gap", "barge_in", "first_audio")
LIMITS = {"gap": 0.93, "barge_in": 0.75}
"""What `--gate` wants of the ratios, at most."""


@dataclass
class Measured:
    """What one worker's callers noticed, seconds."""

    first_audio: list[float] = field(default_factory=list)
    gap: list[float] = field(default_factory=list)
    barge_in: list[float] = field(default_factory=list)
    unanswered: int = 0
    paused_turns_cut: int = 0

    def summary(self) -> dict[str, float | int | None]:
        return {
            "first_audio_p50_s": middle(self.first_audio),
            "gap_p50_s": middle(self.gap),
            "gap_p95_s": high(self.gap),
            "barge_in_p50_s": middle(self.barge_in),
            "turns": len(self.gap),
            "unanswered": self.unanswered,
            "paused_turns_cut": self.paused_turns_cut,
        }


def middle(values: list[float]) -> float | None:
    return round(statistics.median(values), 3) if values else None


def high(values: list[float]) -> float | None:
    return round(float(np.percentile(values, 95)), 3) if values else None


@dataclass(frozen=True)
class Bench:
    """A LiveKit server with both workers on it."""

    url: str
    api_key: str
    api_secret: str

    def token(self, agent_name: str) -> str:
        room = f"bench-{secrets.token_hex(6)}"
        dispatch = api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=agent_name)])
        return (
            api.AccessToken(self.api_key, self.api_secret)
            .with_identity(f"caller-{secrets.token_hex(4)}")
            .with_grants(api.VideoGrants(room_join=True, room=room))
            .with_room_config(dispatch)
            .to_jwt()
        )


@contextlib.asynccontextmanager
async def running(name: str, argv: Sequence[str], env: Mapping[str, str], ready: str) -> AsyncIterator[None]:
    """Run a program for as long as the block takes, which is entered once it is ready.

    `ready`: an address that answers 200 then, or a line's part. Raises SystemExit when that does not come.
    """
    loop, said = asyncio.get_running_loop(), asyncio.Event()

    def heard(line: str) -> None:
        if ready in line:
            loop.call_soon_threadsafe(said.set)

    child = Child.start(Program(name, tuple(argv), env, stop_s=STOP_S), heard)
    waiting: asyncio.Future[object] = asyncio.ensure_future(
        answer(ready) if ready.startswith("http") else said.wait()
    )
    either: set[asyncio.Future[Any]] = {waiting, child.exited}
    try:
        await asyncio.wait(either, timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        if child.exited.done():
            raise SystemExit(f"{name} {child.exited.result()}: {child.exited.result().last}")
        if not waiting.done():
            raise SystemExit(f"{name} is not ready after {READY_S:g} s")
        waiting.result()
        yield
    finally:
        waiting.cancel()
        await child.stop()


async def answer(url: str) -> None:
    """Wait until an address answers 200."""
    async with aiohttp.ClientSession() as http:
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with http.get(url) as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def set_up(folder: Path) -> AsyncIterator[Bench]:
    """Start everything, and stop it at the end."""
    ports = Ports(settings.load({"CALLPOOL_WEB_PORT": "0"}), LOOPBACK, lambda _: None)
    http_port, providers_port, worker_port = (ports.choose("web.port") for _ in range(3))
    udp_port = ports.choose("web.port", "udp")
    key, secret = "bench", secrets.token_urlsafe(32)
    program = await livekit_server.find(settings.load(), lambda text: print(text, file=sys.stderr))
    config = folder / "livekit.yaml"
    write_private(
        config,
        livekit_server.configuration(
            ip=LOOPBACK, node_ip=LOOPBACK, port=http_port, udp_port=udp_port, api_key=key, secret=secret
        ),
    )
    url, origin = f"ws://{LOOPBACK}:{http_port}", f"http://{LOOPBACK}:{providers_port}"
    env = os.environ | {
        "LIVEKIT_URL": url,
        "LIVEKIT_API_KEY": key,
        "LIVEKIT_API_SECRET": secret,
        "STOCK_PROVIDERS": origin,
        "DEEPGRAM_BASE_URL": origin,
        "OPENAI_BASE_URL": f"{origin}/v1",
        "CARTESIA_BASE_URL": origin,
        "CALLPOOL_STORE_URL": f"sqlite:///{folder / 'bench.db'}",
        "CALLPOOL_WORKER_PORT": str(worker_port),
        "CALLPOOL_AGENT_NAME": "callpool",
    }
    callpool = [sys.executable, "-m", "callpool"]
    fixed = ["--latency", LATENCY, "--script", str(HERE / "turns.yaml"), "--port", str(providers_port)]
    stock = [sys.executable, str(HERE / "stock_starter.py"), "start"]
    parts = (
        (
            "LiveKit",
            [str(program), "--config", str(config)],
            livekit_server.environment(),
            f"http://{LOOPBACK}:{http_port}",
        ),
        ("providers", [*callpool, "providers", *fixed], env, f"{origin}/healthz"),
        ("callpool's worker", [*callpool, "worker"], env, f"http://{LOOPBACK}:{worker_port}/readyz"),
        ("the starter", stock, env, "registered worker"),
    )
    async with contextlib.AsyncExitStack() as started:
        for part in parts:
            await started.enter_async_context(running(*part))
        yield Bench(url, key, secret)


async def measure(bench: Bench, agent_name: str, speech: dict[str, Samples], measured: Measured) -> None:
    """One call: greeting, a sentence with a pause in it, a question, and answers that are talked over."""
    caller = SyntheticCaller()
    try:
        await caller.join(bench.url, bench.token(agent_name))
        await caller.wait_for_agent(caller.joined_at)
        if caller.first_audio_s is None:
            measured.unanswered += 1
            return
        measured.first_audio.append(caller.first_audio_s)
        await pause(caller, speech, measured)
        said = await caller.speak(speech[QUESTION])
        for _ in range(BARGE_INS):
            if not await answered(caller, said.ended_at, measured):
                return
            await asyncio.sleep(SPEAK_INTO_S)
            barge_in = await caller.barge_in(speech[INTERRUPTION])
            if barge_in.silent_after_s is not None:
                measured.barge_in.append(barge_in.silent_after_s)
            said = barge_in.spoken
        await answered(caller, said.ended_at, measured)
    finally:
        await caller.leave()


async def answered(caller: SyntheticCaller, since: float, measured: Measured) -> bool:
    """Wait for the beginning of an answer and note the gap before it."""
    started = await caller.wait_for_audio(since, PATIENCE_S)
    if started is None:
        measured.unanswered += 1
        return False
    measured.gap.append(started - since)
    return True


async def pause(caller: SyntheticCaller, speech: dict[str, Samples], measured: Measured) -> None:
    """Hesitate in the middle of a sentence: an agent that speaks before its end has cut the turn."""
    first, second = PAUSED
    begun = await caller.speak(speech[first])
    await asyncio.sleep(PAUSE_S)
    said = await caller.speak(speech[second])
    cut = caller.ear.first_audible(begun.ended_at)
    if cut is not None and cut < said.ended_at:
        measured.paused_turns_cut += 1
    await caller.wait_for_agent(said.ended_at)


@contextlib.asynccontextmanager
async def local_voice() -> AsyncIterator[Speaking]:
    voice = Speaking()
    await asyncio.to_thread(voice.load)
    try:
        yield voice
    finally:
        voice.close()


async def recordings(voice: Speaking) -> dict[str, Samples]:
    """Say everything that a caller says once: 48 kHz mono.

    The voice never says a sentence twice alike, and whether it sounds finished, or pauses at a comma, moves
    a turn's end: so each pair of calls gets its own.
    """
    sentences = [QUESTION, INTERRUPTION, *PAUSED]
    return {sentence: (await voice.say(sentence, RATE_HZ)).samples for sentence in sentences}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=5, help="calls for each worker")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--gate", action="store_true", help="exit 1 when a ratio is above its limit")
    arguments = parser.parse_args()

    measured = {"callpool": Measured(), "stock": Measured()}
    stop_on_signals()
    with tempfile.TemporaryDirectory() as folder:
        async with set_up(Path(folder)) as bench, local_voice() as voice:
            for number in range(arguments.calls + 1):
                speech = await recordings(voice)
                for name, figures in measured.items():
                    # The first call of each warms caches that no later one finds cold.
                    await measure(bench, name, speech, figures if number else Measured())
    report(measured, as_json=arguments.json)
    if arguments.gate and (missed := above_limits(measured)):
        sys.exit("\n".join(f"gate: {reason}" for reason in missed))


def stop_on_signals() -> None:
    """Have SIGTERM and a closed terminal end this task as Ctrl-C does, so that what it started ends too."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def ratios(measured: dict[str, Measured]) -> dict[str, float | None]:
    """callpool's middle figure to the starter's; None where one of them has none."""
    found: dict[str, float | None] = {}
    for name in RATIOS:
        ours, stock = getattr(measured["callpool"], name), getattr(measured["stock"], name)
        both = ours and stock
        found[name] = round(statistics.median(ours) / statistics.median(stock), 3) if both else None
    return found


def above_limits(measured: dict[str, Measured]) -> list[str]:
    """Why the gate stays shut; empty when it opens."""
    found, ours = ratios(measured), measured["callpool"]
    reasons = [
        f"{name} ratio: nothing was measured" if ratio is None else f"{name} ratio {ratio} is above {limit}"
        for name, limit in LIMITS.items()
        if (ratio := found[name]) is None or ratio > limit
    ]
    if ours.paused_turns_cut:
        reasons.append(f"callpool cut {ours.paused_turns_cut} paused turns")
    if ours.unanswered:
        reasons.append(f"callpool left {ours.unanswered} callers or questions unanswered")
    return reasons


def report(measured: dict[str, Measured], *, as_json: bool) -> None:
    summaries = {name: figures.summary() for name, figures in measured.items()}
    if as_json:
        print(json.dumps({**summaries, "ratios": ratios(measured)}, indent=2))
        return
    print(f"{'':24}{'stock':>10}{'callpool':>10}")
    for key in summaries["stock"]:
        print(f"{key:24}{summaries['stock'][key]!s:>10}{summaries['callpool'][key]!s:>10}")
    for name, ratio in ratios(measured).items():
        print(f"{name + ' ratio':24}{ratio!s:>20}")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
