"""The inspector in a real browser: what staff see of calls."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from page import CHROMIUM, FLAGS
from playwright.async_api import Page, async_playwright, expect

from callpool.settings import load
from callpool.store.calls import Calls
from callpool.store.record import Turn
from callpool.web.inspector import application
from sample_call import record_sample

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(60),
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"NO BROWSER: {CHROMIUM} is not installed"),
]

BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
MARKUP = "<img src=x onerror=\"document.title='broken'\">"


@dataclass(frozen=True)
class Staff:
    """A page for staff over a store."""

    page: Page
    calls: Calls
    url: str


@pytest.fixture
async def staff(tmp_path: Path, bundle: Path) -> AsyncIterator[Staff]:
    settings = load(
        {
            "CALLPOOL_STORE_URL": f"sqlite:///{tmp_path}/callpool.db",
            "CALLPOOL_TRACE_URL": "http://127.0.0.1:16686/trace/{trace_id}",
        }
    )
    async with Calls(settings.store_url) as calls:
        await calls.open()
        await record_sample(calls, "c_sample", BEGAN)
        await record_sample(calls, "c_live", BEGAN + timedelta(minutes=1), turns=3, over=False)
        async with (
            TestServer(application(settings, calls), host="127.0.0.1") as server,
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
            page = await browser.new_page(viewport={"width": 1280, "height": 900})
            complaints: list[str] = []
            page.on("pageerror", lambda error: complaints.append(str(error)))
            yield Staff(page, calls, str(server.make_url("/")).rstrip("/"))
            if folder := os.environ.get("CALLPOOL_PICTURES"):  # `docs/inspector.png` is made so
                await page.screenshot(path=f"{folder}/inspector.png")
            await browser.close()
            assert complaints == []


async def test_the_list_is_narrowed_down(staff: Staff) -> None:
    """Newest first; a filter is part of the address."""
    page = staff.page
    await page.goto(staff.url)
    rows = page.locator("[data-testid=calls] tr")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("live")
    await page.get_by_test_id("filter-result").select_option("completed")
    await page.get_by_role("button", name="Show").click()
    await expect(rows).to_have_count(1)
    await expect(page).to_have_url(re.compile("result=completed"))
    await expect(rows.first).to_contain_text("resumed")


async def test_a_call_is_a_picture_with_its_words_beside_it(staff: Staff) -> None:
    """A turn that is chosen in one is shown in the other."""
    page = staff.page
    await page.goto(f"{staff.url}/calls/c_sample")
    await expect(page.locator("svg .turn")).to_have_count(8)
    for kind in ("caller", "end-of-turn", "llm", "tts", "agent"):
        assert await page.locator(f"svg rect.{kind}").count() >= 6, kind
    for kind in ("barge_in", "provider_error"):
        await expect(page.locator(f"svg .{kind}")).to_have_count(1)
    await expect(page.locator("svg .job")).to_have_count(2)
    await expect(page.get_by_test_id("facts")).to_contain_text("completed (goodbye)")
    await expect(page.get_by_test_id("costs")).to_contain_text("openai/gpt-4.1")
    await page.locator("svg .turn").nth(3).click()
    await expect(page.locator(".transcript .chosen")).to_contain_text("James Miller")
    link = await page.get_by_test_id("trace").get_attribute("href")
    assert link == "http://127.0.0.1:16686/trace/4bf92f3577b34da6a3ce929d0e0e4736"


async def test_a_call_that_goes_on_grows_by_itself(staff: Staff) -> None:
    """Nobody loads the page again; what a caller says is never markup."""
    page = staff.page
    await page.goto(f"{staff.url}/calls/c_live")
    await expect(page.get_by_test_id("status")).to_have_text("live")
    await expect(page.locator("svg .turn")).to_have_count(3)
    began = BEGAN + timedelta(seconds=80)
    await staff.calls.record_turn(
        "c_live", Turn(3, "closing", MARKUP, "I see.", started_at=began, spoken_ms=900)
    )
    await expect(page.locator("svg .turn")).to_have_count(4)
    await expect(page.get_by_test_id("transcript")).to_contain_text(MARKUP)
    assert await page.title() == "Calls"


async def test_the_list_follows_what_happens(staff: Staff) -> None:
    """A new call is there by itself, and one that ends says so."""
    await staff.page.goto(staff.url)
    rows = staff.page.locator("[data-testid=calls] tr")
    await expect(rows).to_have_count(2)
    await record_sample(staff.calls, "c_new", BEGAN + timedelta(minutes=2))
    await expect(rows).to_have_count(3)
    await expect(rows.first).to_contain_text("completed (goodbye)")


async def test_a_look_that_fails_is_tried_again(staff: Staff) -> None:
    """What was seen stays; the page says that it may be old."""
    page = staff.page
    await page.goto(f"{staff.url}/calls/c_live")
    status = page.get_by_test_id("status")
    await expect(status).to_have_text("live")
    await page.route("**/api/**", lambda route: route.abort())
    await expect(status).to_contain_text("out of date")
    await expect(page.locator("svg .turn")).to_have_count(3)
    await page.unroute("**/api/**")
    await expect(status).to_have_text("live")


@pytest.mark.parametrize("path", ["", "/calls/c_sample"])
async def test_the_pages_fit_a_phone(staff: Staff, path: str) -> None:
    """What is wide scrolls by itself, the page does not."""
    await staff.page.set_viewport_size({"width": 390, "height": 844})
    await staff.page.goto(staff.url + path)
    await expect(staff.page.locator("table").first).to_be_visible()
    assert await staff.page.evaluate("document.scrollingElement.scrollWidth") <= 390


async def test_what_cannot_be_shown_is_said(staff: Staff) -> None:
    """In one line."""
    await staff.page.goto(f"{staff.url}/calls/c_nobody")
    await expect(staff.page.get_by_test_id("problem")).to_contain_text("no call has the id or the room")
