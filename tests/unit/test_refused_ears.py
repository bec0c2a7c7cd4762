"""Speech to text whose key is refused, or who asks to be left alone: when it is connected to again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from livekit.agents import NOT_GIVEN, APIConnectionError, APIConnectOptions, APIStatusError, stt

from callpool.fallback.ears import LONGEST_PAUSE_S, EarChain
from virtual_time import in_virtual_time

CAPABILITIES = stt.STTCapabilities(streaming=True, interim_results=True)


class FailingEars(stt.STT[Any]):
    """Each connection lives for a while and then fails; `asked_at_s` are the times of the connections."""

    def __init__(self, error: Callable[[], Exception], lives_s: float = 0.01) -> None:
        super().__init__(capabilities=CAPABILITIES)
        self.error = error
        self.lives_s = lives_s
        self.asked_at_s: list[float] = []

    def stream(
        self, *, language: Any = NOT_GIVEN, conn_options: APIConnectOptions | None = None
    ) -> stt.RecognizeStream:
        self.asked_at_s.append(asyncio.get_running_loop().time())
        return FailingStream(stt=self, conn_options=conn_options or APIConnectOptions(max_retry=0))

    async def _recognize_impl(self, *_: Any, **__: Any) -> stt.SpeechEvent:
        raise AssertionError("a chain listens to streams only")

    @property
    def pauses_s(self) -> list[float]:
        """From connection to connection."""
        return [after - before for before, after in zip(self.asked_at_s, self.asked_at_s[1:], strict=False)]


class FailingStream(stt.RecognizeStream):
    async def _run(self) -> None:
        ears = self._stt
        assert isinstance(ears, FailingEars)
        await asyncio.sleep(ears.lives_s)
        raise ears.error()


def refusal() -> Exception:
    """What a plugin raises for a key that is not known."""
    return APIStatusError("invalid credentials", status_code=401)


def wait(seconds: int) -> Callable[[], Exception]:
    """What a plugin raises when it was asked too often."""

    def error() -> Exception:
        made = APIStatusError("slow down", status_code=429)
        made.__cause__ = cause = Exception()
        cause.response = SimpleNamespace(headers={"Retry-After": str(seconds)})  # type: ignore[attr-defined]
        return made

    return error


def listen(chain: EarChain, for_s: float, speech_s: float = 0.0) -> None:
    """Listen for so long to somebody who speaks for so long at first."""

    async def run() -> None:
        stream = chain.stream()
        if speech_s:
            chain.note_voice(True)
            await asyncio.sleep(speech_s)
            chain.note_voice(False)
        with suppress(TimeoutError):
            async with asyncio.timeout(for_s - speech_s):
                async for _ in stream:
                    pass
        await stream.aclose()

    in_virtual_time(run())


def test_a_refused_key_is_not_tried_again_while_others_listen() -> None:
    """Also when those break time and again."""
    refused, breaking = FailingEars(refusal), FailingEars(APIConnectionError, lives_s=1.0)
    listen(EarChain([refused, breaking]), 40.0)
    assert len(refused.asked_at_s) == 1
    assert len(breaking.asked_at_s) > 10


def test_keys_that_are_all_refused_are_tried_again_now_and_then() -> None:
    """The call would be deaf for good, and its caller is told that it is meanwhile."""
    members = [FailingEars(refusal), FailingEars(refusal)]
    chain = EarChain(members)
    unheard_s: list[float] = []
    chain.on_deaf = unheard_s.append
    listen(chain, 3 * LONGEST_PAUSE_S - 1, speech_s=2.0)
    assert [len(member.asked_at_s) for member in members] == [3, 3]
    assert min(pause_s for member in members for pause_s in member.pauses_s) >= LONGEST_PAUSE_S
    assert chain.failing
    assert [round(each_s, 3) for each_s in unheard_s] == [2.0]


def test_a_single_refusal_is_known_for_a_failure_at_once() -> None:
    """Nobody else is there who may hear the caller."""
    chain = EarChain([FailingEars(refusal, lives_s=1.0)])
    listen(chain, 1.5)
    assert chain.failing


def test_each_of_several_is_left_alone_for_as_long_as_it_asked() -> None:
    """Whoever wants to be back first is connected to first."""
    soon, late = FailingEars(wait(2)), FailingEars(wait(5))
    listen(EarChain([late, soon]), 11.0)
    assert min(soon.pauses_s) >= 2
    assert min(late.pauses_s) >= 5
    assert len(soon.asked_at_s) > len(late.asked_at_s) > 1
