"""What a person does and sees on the caller page, through its test ids, in a real Chromium."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Locator, Page, async_playwright, expect

CHROMIUM = Path("/usr/bin/chromium")

FLAGS = (
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

LOUDNESS = """async () => {
  const audible = (player) => player.srcObject && !player.paused;
  const players = [...document.querySelectorAll('audio')].filter(audible);
  if (!players.length) return 0;
  const context = new AudioContext();
  const meter = context.createAnalyser();
  for (const player of players) context.createMediaStreamSource(player.srcObject).connect(meter);
  const samples = new Float32Array(meter.fftSize);
  await new Promise((resolve) => setTimeout(resolve, 250));
  meter.getFloatTimeDomainData(samples);
  await context.close();
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
}"""


@dataclass(frozen=True)
class Caption:
    """One sentence on the page."""

    speaker: str
    text: str


@dataclass
class CallerPage:
    """The page, open in a browser."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    """Errors that the browser wrote to its console, those of the content security policy among them."""

    @property
    def start(self) -> Locator:
        return self.page.get_by_test_id("start")

    @property
    def hang_up(self) -> Locator:
        return self.page.get_by_test_id("hang-up")

    @property
    def mute(self) -> Locator:
        return self.page.get_by_test_id("mute")

    @property
    def state(self) -> Locator:
        return self.page.get_by_test_id("agent-state")

    @property
    def notice(self) -> Locator:
        return self.page.get_by_role("status")

    async def call(self) -> str:
        """Press the button and give the name of the room that the call got."""
        async with self.page.expect_response("**/api/calls") as answer:
            await self.start.click()
        return str((await (await answer.value).json())["room"])

    async def shows(self, *states: str, within_s: float = 15) -> None:
        """Wait until the agent's state is one of `states`."""
        await expect(self.state).to_have_text(re.compile(rf"^({'|'.join(states)})$"), timeout=within_s * 1000)

    async def captions(self) -> list[Caption]:
        """Every sentence that the page shows, in order."""
        found = await self.page.get_by_test_id("captions").locator("[data-speaker]").all()
        return [
            Caption(await one.get_attribute("data-speaker") or "", (await one.text_content() or "").strip())
            for one in found
        ]

    async def says(self, speaker: str, words: str, within_s: float = 15) -> None:
        """Wait until a sentence of `speaker` contains `words`."""
        sentence = self.page.locator(f"[data-testid=captions] [data-speaker={speaker}]", has_text=words)
        await expect(sentence.first).to_be_visible(timeout=within_s * 1000)

    async def hears_the_agent(self, within_s: float = 15) -> None:
        """Wait until the page plays audible sound."""
        await self.page.wait_for_function(
            f"({LOUDNESS})().then((rms) => rms > 0.01)", timeout=within_s * 1000
        )


@asynccontextmanager
async def caller_page(
    url: str,
    *,
    microphone: Path | None = None,
    allowed: bool = True,
    dark: bool = False,
    width_px: int = 1024,
    height_px: int = 900,
) -> AsyncIterator[CallerPage]:
    """Open the page at `url` in a browser of its own.

    `microphone` is a mono WAV file at 48 kHz that the caller speaks once; without one the microphone beeps
    every second. `allowed` says whether the caller lets the page use it.
    """
    flags = list(FLAGS)
    if microphone is not None:
        flags.append(f"--use-file-for-fake-audio-capture={microphone}%noloop")
    flags.append("--use-fake-ui-for-media-stream" if allowed else "--deny-permission-prompts")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        try:
            context = await browser.new_context(
                permissions=["microphone"] if allowed else [],
                color_scheme="dark" if dark else "light",
                viewport={"width": width_px, "height": height_px},
            )
            opened = CallerPage(await context.new_page())
            opened.page.on(
                "console",
                lambda message: opened.complaints.append(message.text) if message.type == "error" else None,
            )
            opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
            await opened.page.goto(url)
            yield opened
        finally:
            await browser.close()
