"""The caller page in a real browser over a real LiveKit server, with a stand-in for the agent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from livekit import api
from page import CHROMIUM, Caption, caller_page
from playwright.async_api import expect
from stand_in import agent_in
from wire import wire_to

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"NO BROWSER: {CHROMIUM} is not installed"),
]

StartWeb = Callable[..., Any]


async def test_a_call_from_the_first_press_to_the_hang_up(web: StartWeb, livekit: Any) -> None:
    """Both sides are heard, the agent's state is followed, one button starts and ends, nothing is blocked."""
    async with caller_page(await web()) as page:
        await expect(page.hang_up).to_have_count(0)
        await expect(page.mute).to_be_hidden()
        room = await page.call()
        await expect(page.start).to_have_count(0)
        await page.shows("waiting")
        async with agent_in(room, livekit.url, livekit.key, livekit.secret) as agent:
            for state, shown in {
                "initializing": "waiting",
                "listening": "listening",
                "thinking": "thinking",
                "speaking": "speaking",
            }.items():
                await agent.become(state)
                await page.shows(shown)
            await page.hears_the_agent()
            await agent.hears(sound=True)
            await page.mute.click()
            await expect(page.mute).to_have_attribute("aria-pressed", "true")
            await agent.hears(sound=False)
            await page.mute.click()
            await agent.hears(sound=True)
            await page.hang_up.click()
            await page.shows("ended")
            await agent.is_left_alone()
        await expect(page.start).to_have_text("Call again")
        await expect(page.mute).to_be_hidden()
        await expect(page.page.locator("audio")).to_have_count(0)
        assert page.complaints == []


async def test_captions_are_one_element_a_sentence_and_live(web: StartWeb, livekit: Any) -> None:
    """The agent's words grow; what the caller seemed to say is rewritten in place until it is final."""
    async with caller_page(await web()) as page:
        room = await page.call()
        async with agent_in(room, livekit.url, livekit.key, livekit.secret) as agent:
            await page.shows("waiting")
            await agent.speaks("one", "Hello, ", "this is the shop. ", "How can ", "I help?")
            await page.says("agent", "How can I help?")
            await agent.understands("two", "where is", final=False)
            await page.says("caller", "where is")
            await agent.understands("two", "Where is my <b>order?", final=False)
            await page.says("caller", "Where is my <b>order?")
            await agent.understands("two", "Where is my order?", final=True)
            await page.says("caller", "Where is my order?")
            await agent.speaks("three", "One moment.")
            await page.says("agent", "One moment.")
            assert await page.captions() == [
                Caption("agent", "Hello, this is the shop."),
                Caption("agent", "How can I help?"),
                Caption("caller", "Where is my order?"),
                Caption("agent", "One moment."),
            ]
            await page.hang_up.click()
            await page.call()
            assert await page.captions() == []


async def test_the_agent_hangs_up(web: StartWeb, livekit: Any) -> None:
    """A deleted room is how calls end: no complaint."""
    async with caller_page(await web()) as page:
        room = await page.call()
        async with agent_in(room, livekit.url, livekit.key, livekit.secret) as agent:
            await agent.become("speaking")
            await page.shows("speaking")
            async with api.LiveKitAPI(livekit.url, livekit.key, livekit.secret) as server:
                await server.room.delete_room(api.DeleteRoomRequest(room=room))
            await page.shows("ended")
        await expect(page.notice).to_be_empty()
        await expect(page.start).to_be_enabled()


async def test_a_lost_connection_is_shown_and_mended(web: StartWeb, livekit: Any) -> None:
    """While the wire is cut the page says reconnecting; after that the same call goes on."""
    async with wire_to(livekit.port) as wire, caller_page(await web(f"ws://127.0.0.1:{wire.port}")) as page:
        room = await page.call()
        async with agent_in(room, livekit.url, livekit.key, livekit.secret) as agent:
            await agent.become("listening")
            await page.shows("listening")
            await wire.cut()
            await page.shows("reconnecting")
            await wire.mend()
            await page.shows("listening")
            await agent.speaks("one", "Welcome back.")
            await page.says("agent", "Welcome back.")
            await agent.hears(sound=True)


async def test_a_hang_up_while_the_call_is_set_up_ends_it(web: StartWeb) -> None:
    """The button works from the first moment on."""
    async with caller_page(await web()) as page:
        await page.page.route("**/api/calls", lambda route: None)
        await page.start.click()
        await page.shows("connecting")
        await page.hang_up.click()
        await page.shows("ended")
        await expect(page.notice).to_be_empty()


async def test_a_refused_microphone_is_explained(web: StartWeb) -> None:
    """The caller learns what to do, and no call was started for nothing."""
    async with caller_page(await web(), allowed=False) as page:
        await page.start.click()
        await page.shows("ended")
        await expect(page.notice).to_contain_text("The microphone is blocked.")
        await expect(page.start).to_be_enabled()


async def test_too_many_calls_are_explained(web: StartWeb) -> None:
    """The limit is told with the time to wait."""
    async with caller_page(await web(calls_per_minute=1)) as page:
        await page.call()
        await page.hang_up.click()
        await page.start.click()
        await expect(page.notice).to_contain_text("Too many calls were started from here. Try again in")


async def test_an_unreachable_voice_server_is_explained(web: StartWeb) -> None:
    """Nothing answers at the LiveKit address: one plain sentence."""
    async with caller_page(await web("ws://127.0.0.1:9")) as page:
        await page.call()
        await page.shows("ended", within_s=30)
        await expect(page.notice).to_contain_text("the voice server cannot be reached")


async def test_an_unreachable_web_server_is_explained(web: StartWeb) -> None:
    """The page was loaded, then the server went away."""
    async with caller_page(await web()) as page:
        await page.page.route("**/api/calls", lambda route: route.abort("connectionrefused"))
        await page.start.click()
        await page.shows("ended")
        await expect(page.notice).to_contain_text("The server cannot be reached.")
