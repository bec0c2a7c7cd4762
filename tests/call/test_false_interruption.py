"""A sound that is no word: the agent pauses, and then goes on with the same sentence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from callpool import settings
from callpool.settings import Settings
from processes import any_ports, local_providers, started
from telephone import telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(180)]

# Scripted ears, because the local ones find a word in every sound that a voice makes.
SCRIPT = """
hears:
  - text: Where is my order?
  - text: ""
says:
  - text: >-
      Your order left our warehouse on Monday morning and travels with our usual carrier. It should be with
      you in two or three days. If you are not at home they leave a card, and you can collect it at the post
      office.
"""


@pytest.fixture
def scripted(tmp_path: Path, livekit_program: Path, free_port: Callable[[], int]) -> Iterator[Settings]:
    """A `callpool up` over a script that hears one sentence, and after it sounds without words."""
    script = tmp_path / "script.yaml"
    script.write_text(SCRIPT)
    arguments = ("--latency", "stt_final=150,ttft=100,ttfb=50", "--script", str(script))
    with local_providers(tmp_path, free_port(), *arguments) as origin:
        endpoints = {"DEEPGRAM_BASE_URL": origin, "OPENAI_BASE_URL": f"{origin}/v1"}
        env = any_ports(CALLPOOL_LIVEKIT_SERVER=str(livekit_program), **endpoints)
        with started(tmp_path, env) as up:
            up.ready()
            yield settings.load({"CALLPOOL_DATA_DIR": str(up.data_dir)})


async def test_a_sound_without_words_only_pauses_the_agent(scripted: Settings) -> None:
    """The agent falls silent at the sound, goes on after it, and the record knows of no interruption."""
    async with telephone_of(scripted) as telephone:
        call = await telephone.dial()
        await call.greeting()
        spoken = await call.caller.speak(await telephone.samples("Where is my order?"))
        assert await call.caller.wait_for_audio(spoken.ended_at, 15) is not None

        pause = await call.caller.barge_in(await telephone.samples("Hmm, hmm, hmm."))
        assert pause.silent_after_s is not None
        silent_at = pause.spoken.started_at + pause.silent_after_s
        assert await call.caller.wait_for_audio(max(silent_at + 0.1, time.monotonic()), 5) is not None

        answer = await call.caller.wait_for_agent(time.monotonic())
        assert answer is not None
        record = await telephone.record(
            call.invitation.call_id, lambda record: bool(record.turns[-1].agent_text), "the answer is over"
        )
        assert [turn.interrupted for turn in record.turns] == [False, False]
        assert "post office" in (record.turns[-1].agent_text or "")
