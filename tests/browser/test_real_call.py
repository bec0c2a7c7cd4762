"""A call through the page in a real browser: a person's voice in, the real agent's voice and words out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from page import CHROMIUM, caller_page

from callpool import ending
from callpool.caller.sound import RATE_HZ, to_wav
from telephone import Telephone

pytestmark = [
    pytest.mark.browser,
    pytest.mark.call,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason=f"NO BROWSER: {CHROMIUM} is missing, no call through the page"
    ),
]

GREETING_S = 6.0
"""The microphone is silent while the greeting is spoken; the recording starts with the call."""
ANSWER_S = 14.0


async def test_a_caller_talks_to_the_agent_through_the_page(
    telephone: Telephone, bundle: Path, tmp_path: Path
) -> None:
    """Press the button, speak, see both sides' words, hear the answer, say goodbye, see the call end."""
    question = await telephone.samples(
        "Where is my order? The number is one two three four five, and my name is James Miller."
    )
    goodbye = await telephone.samples("Thank you very much, goodbye.")
    microphone = tmp_path / "microphone.wav"
    microphone.write_bytes(
        to_wav(np.concatenate([silence(GREETING_S), question, silence(ANSWER_S), goodbye, silence(ANSWER_S)]))
    )
    async with caller_page(telephone.running.web, microphone=microphone) as page:
        room = await page.call()
        await page.hears_the_agent()
        await page.says("agent", "How can I help you?", within_s=20)
        await page.says("caller", "order", within_s=30)
        await page.says("agent", "headphones", within_s=30)
        await page.shows("ended", within_s=60)
        assert page.complaints == []

    record = await telephone.ended(room)
    assert record.caller.kind == "browser"
    assert record.ending == ending.GOODBYE


def silence(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.zeros(round(seconds * RATE_HZ), np.int16)
