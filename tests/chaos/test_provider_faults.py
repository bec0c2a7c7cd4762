"""What a caller hears when a provider fails, for each part and each way to fail. There is no fallback."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from callpool import settings
from callpool.caller import Answer
from callpool.caller.sound import Samples
from callpool.settings import Settings
from processes import LOOPBACK, any_ports, clean_environment, started, until
from telephone import Dialled, Telephone, telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(240)]

DEAD_AIR_S = 4.0
"""What nobody may hear nothing for, seconds."""
KINDS = ("429", "500", "hang", "drop", "garbage", "slow")
QUESTION = "Hello, I would like to know where my order is."


@dataclass(frozen=True)
class Rig:
    """A service whose providers fail when a test says so."""

    settings: Settings
    origin: str
    log: Path

    async def set(self, **faults: tuple[str, int]) -> dict[str, int]:
        """The next so many requests of a provider fail in a way. Gives how many did since the last time."""
        wanted = {name: {"kind": kind, "times": times} for name, (kind, times) in faults.items()}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self.origin}/faults", json=wanted) as answer,
        ):
            return dict(await answer.json())

    async def cut(self, provider: str) -> None:
        """Cut the connections of a provider."""
        async with aiohttp.ClientSession() as http, http.post(f"{self.origin}/cut", data=provider):
            pass


@contextmanager
def faulty_providers(folder: Path, port: int) -> Iterator[str]:
    log = folder / "providers.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("faulty_providers.py")), str(port)],
            env=clean_environment(),
            cwd=folder,
            stdout=output,
            stderr=output,
        )
    try:
        until(lambda: "local providers ready" in log.read_text(), "the providers are ready", 60)
        yield f"http://{LOOPBACK}:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def rig(
    livekit_program: Path, free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("faults")
    with faulty_providers(folder, free_port()) as origin:
        env = any_ports(
            CALLPOOL_LIVEKIT_SERVER=str(livekit_program),
            OPENAI_BASE_URL=f"{origin}/v1",
            DEEPGRAM_BASE_URL=origin,
            CARTESIA_BASE_URL=origin,
        )
        with started(folder, env) as up:
            up.ready()
            until(lambda: "action=clips_prepared" in up.log.read_text(), "the worker has its clips")
            own = {name: value for name, value in env.items() if name.endswith("_BASE_URL")}
            yield Rig(settings.load({"CALLPOOL_DATA_DIR": str(up.data_dir), **own}), origin, up.log)


@pytest.fixture
async def telephone(rig: Rig) -> AsyncIterator[Telephone]:
    """A telephone whose own voice and ears are those that fail: it has said its words before."""
    await rig.set()
    async with telephone_of(rig.settings) as telephone:
        yield telephone
        await rig.set()


@dataclass
class Turn:
    """What came of one question."""

    words: str
    dead_air_s: float
    """The longest time in which nothing was heard until the answer was over."""
    struck: dict[str, int]
    """How many requests of whom have failed."""


async def ask(rig: Rig, call: Dialled, sound: Samples) -> Turn:
    """Say something, and note what is heard until the agent listens again. Nothing fails any more then."""
    spoken = await call.caller.speak(sound)
    answer = await call.caller.wait_for_agent(spoken.ended_at, quiet_s=1.5)
    assert answer is not None, "nothing was heard"
    struck = await rig.set()
    return Turn(await call.heard(answer), dead_air_s(call, spoken.ended_at, answer.ended_at), struck)


async def endure(rig: Rig, call: Dialled, sound: Samples, for_s: float) -> Turn:
    """Say something, and note what is heard for so long. Nothing fails any more then."""
    spoken = await call.caller.speak(sound)
    await asyncio.sleep(for_s)
    struck = await rig.set()
    last = call.caller.ear.last_audible(spoken.ended_at)
    assert last is not None, "nothing was heard"
    words = await call.heard(Answer(spoken.ended_at, last))
    return Turn(words, dead_air_s(call, spoken.ended_at, last), struck)


def dead_air_s(call: Dialled, since: float, until: float) -> float:
    """The longest silence of the agent between two moments."""
    ear, longest_s, at = call.caller.ear, 0.0, since
    while (begins := ear.first_audible(at)) is not None and begins < until:
        longest_s = max(longest_s, begins - at)
        ends = ear.quiet_after(begins, 0.3)
        if ends is None:
            break
        at = ends
    return longest_s


async def settled(telephone: Telephone) -> Dialled:
    """A call whose greeting was heard."""
    call = await telephone.dial()
    assert "help" in await call.greeting()
    return call


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("provider", ["openai", "cartesia", "deepgram"])
async def test_a_caller_is_answered_though_a_request_fails(
    rig: Rig, telephone: Telephone, provider: str, kind: str
) -> None:
    """One fault: the answer comes, whole, without a second sentence of the kind, and never after dead air."""
    question = await telephone.samples(QUESTION)
    call = await settled(telephone)
    # The first question to a language model may be a speculative one, whose failure nobody notices.
    times = 2 if provider == "openai" else 1
    await rig.set(**{provider: (kind, times)})
    if provider == "deepgram":
        await rig.cut("deepgram")
    turn = await ask(rig, call, question)
    print(f"\n{provider} {kind}: nothing heard for {turn.dead_air_s:.2f} s at most; heard: {turn.words}")
    assert turn.struck == {provider: times}
    assert turn.dead_air_s <= DEAD_AIR_S
    assert "number" in turn.words
    assert turn.words.count("order number") <= 1
    assert call.caller.connected


@pytest.mark.parametrize(
    ("provider", "kind"),
    [
        ("openai", "hang"),
        ("openai", "500"),
        ("cartesia", "hang"),
        ("cartesia", "drop"),
        ("deepgram", "hang"),
        ("deepgram", "500"),
        ("deepgram", "garbage"),
    ],
)
async def test_a_caller_is_told_of_a_provider_that_fails_for_a_while(
    rig: Rig, telephone: Telephone, provider: str, kind: str
) -> None:
    """Every request fails: words in time, an apology, and an answer as soon as the provider is back."""
    question, again = [await telephone.samples(words) for words in (QUESTION, QUESTION)]
    call = await settled(telephone)
    await rig.set(**{provider: (kind, 1000)})
    if provider == "deepgram":
        await rig.cut("deepgram")
    # Later on, a caller who says nothing is asked whether they are still there.
    turn = await endure(rig, call, question, 17 if kind == "hang" else 11)
    print(f"\n{provider} {kind}: nothing heard for {turn.dead_air_s:.2f} s at most; heard: {turn.words}")
    counted = await metrics(telephone)
    await asyncio.sleep(3)
    answer = await ask(rig, call, again)
    print(f"once it is back, after {answer.dead_air_s:.2f} s: {answer.words}")
    assert turn.dead_air_s <= DEAD_AIR_S
    assert "sorry" in turn.words
    assert turn.words.count("one moment") <= 1
    assert answer.words
    assert "sorry" not in answer.words
    assert call.caller.connected
    kinds = {"500": ("5xx",), "429": ("429",), "hang": ("timeout",), "drop": ("dropped", "timeout")}
    labels = [f'{{kind="{one}",provider="{provider}"}}' for one in kinds.get(kind, ("garbage", "timeout"))]
    assert any(f"callpool_provider_errors_total{one}" in counted for one in labels)


async def metrics(telephone: Telephone) -> str:
    """The worker's page."""
    async with telephone.speech.http.get(f"{telephone.running.worker}/metrics") as page:
        return await page.text()


@pytest.mark.parametrize("provider", ["openai", "cartesia", "deepgram"])
async def test_a_slow_provider_is_waited_for(rig: Rig, telephone: Telephone, provider: str) -> None:
    """Every first byte comes 3 s late: the caller hears that it takes a moment, and then the answer."""
    question = await telephone.samples(QUESTION)
    call = await settled(telephone)
    await rig.set(**{provider: ("slow", 1000)})
    if provider == "deepgram":
        await rig.cut("deepgram")
    # Several requests may lead to one answer, each of them late.
    turn = await endure(rig, call, question, 14 if provider == "openai" else 10)
    print(f"\n{provider} slow: nothing heard for {turn.dead_air_s:.2f} s at most; heard: {turn.words}")
    assert turn.dead_air_s <= DEAD_AIR_S
    assert turn.words.count("one moment") <= 1
    assert turn.words.count("number") == 1
    assert "sorry" not in turn.words
