"""What a budget does to a call to the shop: its agents, tools and database, without LiveKit."""

from __future__ import annotations

import asyncio
from pathlib import Path

from shop import ShopCall, open_shop
from sqlalchemy import create_engine, text

from callpool import ending, settings
from callpool.hand_off import WRAP_UP
from callpool.language_models import LanguageModels
from callpool.metering import Meter
from callpool.prices import Prices
from callpool.profiles import Member, Profiles
from callpool.thrift import REASON, Thrift

KEYS = {
    "OPENAI_API_KEY": "k",
    "GROQ_API_KEY": "k",
    "DEEPGRAM_API_KEY": "k",
    "CARTESIA_API_KEY": "k",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
}


def thrift_of(call: ShopCall, before_usd: float = 0.0, **env: str) -> Thrift:
    loaded = settings.load(env)
    profiles = Profiles.read(loaded)
    meter = Meter(Prices.read(loaded), lambda: call.call.stage)
    models = LanguageModels(loaded, profiles)
    return Thrift(
        call.session, call.conversation, meter, models, profiles, before_usd, lambda limit, usd: None
    )


async def test_a_person_is_given_the_call_without_a_model(tmp_path: Path) -> None:
    """What they need is in the table, the caller hears who takes over, and the call has ended."""
    async with open_shop(tmp_path) as shop, shop.call() as call:
        await call.say("Where is my order? The number is one two three four five.")
        answers = len(call.session.history.items)
        assert await thrift_of(call).put_through()
        async with asyncio.timeout(10):
            while call.call.ending is None:  # the stage's agent says so when it enters
                await asyncio.sleep(0.01)
        added = call.session.history.items[answers:]
    assert call.call.ending == ending.TRANSFERRED
    assert call.call.stage == "human_transfer"
    assert not [item for item in added if item.type == "function_call"]
    with create_engine(f"sqlite:///{tmp_path / 'shop.db'}").connect() as database:
        (row,) = database.execute(text("SELECT reason, summary FROM transfers")).all()
    assert row.reason == REASON
    assert "12345" in row.summary


async def test_agents_are_told_to_come_to_an_end(tmp_path: Path) -> None:
    """The one that speaks now, and whoever follows it."""
    async with open_shop(tmp_path) as shop, shop.call() as call:
        assert WRAP_UP not in call.session.current_agent.instructions
        await thrift_of(call).wrap_up()
        assert WRAP_UP in call.session.current_agent.instructions
        before = call.session.current_agent
        await call.say("Where is my order?")
        assert call.session.current_agent is not before
        assert WRAP_UP in call.session.current_agent.instructions


async def test_the_economy_profile_answers_from_now_on(tmp_path: Path) -> None:
    """Whichever stage asks; where it cannot be used, that is said."""
    async with open_shop(tmp_path) as shop, shop.call() as call:
        assert not thrift_of(call).economize()
        thrift = thrift_of(call, **KEYS)
        assert thrift.economize()
        cheap = thrift.models.for_profile(thrift.profiles.of_call("economy"))
        quality = thrift.models.for_profile(thrift.profiles.of_call("quality"))
        assert quality.instead is cheap  # type: ignore[attr-defined]
        assert cheap.instead is None  # type: ignore[attr-defined]


async def test_what_other_jobs_have_spent_counts(tmp_path: Path) -> None:
    """A call that is taken up has no new budget."""
    async with open_shop(tmp_path) as shop, shop.call() as call:
        thrift = thrift_of(call, before_usd=0.5)
        thrift.meter.use(Member("openai", "gpt-4.1-mini"), "output_tokens", 1_000_000)
        assert thrift.spent_usd() == 0.5 + 1.6
