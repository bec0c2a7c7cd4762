"""Usage, as the SDK's plugins report it, times prices."""

from __future__ import annotations

import math
from typing import Any

import pytest
from livekit import rtc
from livekit.agents.metrics import LLMMetrics, STTMetrics, TTSMetrics

from callpool.cost import Cost
from callpool.metering import INFRASTRUCTURE, Meter
from callpool.prices import SHIPPED, Price, Prices, read_file
from callpool.profiles import Member
from callpool.store.record import Turn
from callpool.transcript import Transcript
from fake_session import FakeSession

MODEL = Member("openai", "gpt-4.1-mini")
EARS = Member("deepgram", "nova-3")
VOICE = Member("cartesia", "sonic-3")
PRICES = Prices(
    {
        str(MODEL): Price(input=0.40, cached_input=0.10, output=1.60),
        str(EARS): Price(audio_minute=0.0092),
        str(VOICE): Price(characters=30.0),
    }
)


class Call:
    """A metered call, by hand."""

    def __init__(self, infrastructure_usd_per_minute: float = 0.0) -> None:
        self.stage = "greeting"
        self.now_s = 0.0
        self.charged: list[tuple[float, Member, str]] = []
        self.meter = Meter(
            PRICES,
            lambda: self.stage,
            infrastructure_usd_per_minute=infrastructure_usd_per_minute,
            charged=lambda usd, member, stage: self.charged.append((usd, member, stage)),
            clock=lambda: self.now_s,
        )
        self._plugins: dict[Member, Any] = {}

    def reports(self, member: Member, metrics: object) -> None:
        plugin = self._plugins.get(member)
        if plugin is None:
            plugin = self._plugins[member] = rtc.EventEmitter[str]()
            self.meter.listen(member, plugin)
        plugin.emit("metrics_collected", metrics)

    def thinks(self, member: Member = MODEL, prompt: int = 1000, cached: int = 0, out: int = 50) -> None:
        self.reports(
            member,
            LLMMetrics(
                label="",
                request_id="",
                timestamp=0,
                duration=1,
                ttft=0.3,
                cancelled=False,
                completion_tokens=out,
                prompt_tokens=prompt,
                prompt_cached_tokens=cached,
                total_tokens=prompt + out,
                tokens_per_second=1,
            ),
        )

    def speaks(self, characters: int) -> None:
        self.reports(
            VOICE,
            TTSMetrics(
                label="",
                request_id="",
                timestamp=0,
                ttfb=0.1,
                duration=1,
                audio_duration=3,
                cancelled=False,
                characters_count=characters,
                streamed=True,
            ),
        )

    def hears(self, seconds: float) -> None:
        self.reports(
            EARS,
            STTMetrics(
                label="", request_id="", timestamp=0, duration=0, audio_duration=seconds, streamed=True
            ),
        )


def test_a_call_costs_what_a_hand_calculation_says() -> None:
    """Tokens by the million and cached ones apart, characters by the million, audio by the minute."""
    call = Call()
    call.hears(30)
    call.thinks(prompt=1000, cached=600, out=50)
    call.speaks(200)
    by_unit = {item.unit: item for item in call.meter.items()}
    assert {unit: (item.quantity, item.usd) for unit, item in by_unit.items()} == {
        "audio_s": (30, pytest.approx(0.0046)),
        "input_tokens": (400, pytest.approx(0.00016)),
        "cached_input_tokens": (600, pytest.approx(0.00006)),
        "output_tokens": (50, pytest.approx(0.00008)),
        "characters": (200, pytest.approx(0.006)),
    }
    assert by_unit["audio_s"].unit_price_usd == pytest.approx(0.0092 / 60)
    assert call.meter.total_usd == pytest.approx(0.0109)


def test_what_is_used_belongs_to_the_stage_of_the_moment() -> None:
    """One line for each stage, model and unit, however often it was used."""
    call = Call()
    call.thinks(out=10)
    call.thinks(out=10)
    call.stage = "closing"
    call.thinks(out=5)
    found = {(one.stage, one.unit): one.quantity for one in call.meter.items()}
    assert found[("greeting", "output_tokens")] == 20
    assert found[("closing", "output_tokens")] == 5


def test_the_turns_of_a_call_cost_what_the_call_costs() -> None:
    """An answer that was begun before the caller's turn was over counts for it, and nothing counts twice."""
    call = Call(infrastructure_usd_per_minute=0.02)
    call.speaks(50)
    call.now_s = 3.0
    turns = [call.meter.settle(0)]
    for n in (1, 2, 3):
        call.now_s += 7.1
        call.thinks(prompt=1000 + n)
        call.hears(5.0)
        turns.append(call.meter.settle(n))
    call.hears(2.5)
    call.now_s += 1.3
    turns[-1] = call.meter.settle(3)
    cost = Cost(call.meter.items())
    assert cost.total_usd is not None
    assert math.fsum(turn.usd for turn in turns) == pytest.approx(cost.total_usd, abs=1e-12)
    assert math.fsum(usd for usd, _, _ in call.charged) == pytest.approx(cost.total_usd, abs=1e-12)
    assert call.meter.turn_usd(2) == turns[2].usd


def test_a_turn_that_another_job_began_keeps_what_it_had_cost() -> None:
    """The items are each job's own."""
    call = Call()
    call.meter.carry_over(4, 0.25)
    call.hears(60)
    assert call.meter.settle(4).usd == pytest.approx(0.2592)
    assert call.meter.total_usd == pytest.approx(0.0092)


def test_models_of_this_machine_cost_nothing_and_are_counted() -> None:
    """0 is not the same as unknown."""
    call = Call()
    call.thinks(Member("openai", "local-standin"), prompt=10, out=3)
    assert {(one.unit, one.quantity, one.usd) for one in call.meter.items()} == {
        ("input_tokens", 10, 0.0),
        ("output_tokens", 3, 0.0),
    }


def test_a_model_without_a_price_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Its quantities are known, its cost is not, and the sum says so."""
    call = Call()
    for _ in range(3):
        call.thinks(Member("openai", "gpt-of-tomorrow"))
    cost = Cost(call.meter.items())
    assert cost.unpriced == ("openai/gpt-of-tomorrow",)
    assert {item.usd for item in cost.items} == {None}
    assert [record.getMessage() for record in caplog.records] == ["a model has no price"]


def test_the_share_of_the_infrastructure_goes_by_time() -> None:
    """To the stage in which the time passed."""
    call = Call(infrastructure_usd_per_minute=0.06)
    call.now_s = 30
    call.meter.settle(0)
    call.meter.enter("closing")
    call.now_s = 90
    call.meter.settle(1)
    found = {(one.stage, one.quantity, one.usd) for one in call.meter.items()}
    assert found == {("greeting", 0.5, 0.03), ("closing", 1.0, 0.06)}
    assert {one.provider for one in call.meter.items()} == {INFRASTRUCTURE.provider}


def test_the_time_until_a_hand_off_belongs_to_the_stage_before_it() -> None:
    """Also where nothing else happened in it."""
    call = Call(infrastructure_usd_per_minute=0.06)
    call.now_s = 50
    call.stage = "orders"  # the call's stage moves first
    call.meter.enter("orders")
    call.now_s = 60
    call.meter.settle(1)
    minutes = {one.stage: one.quantity for one in call.meter.items()}
    assert minutes == {"greeting": pytest.approx(50 / 60), "orders": pytest.approx(10 / 60)}


def test_what_is_written_of_a_call_always_adds_up() -> None:
    """A job may die between the caller's words and the answer, after which nothing more is written."""
    call = Call()
    saved: list[Turn] = []
    session: Any = FakeSession()
    Transcript(session.userdata, saved.append, settle=call.meter.settle).follow(session)
    session.add("assistant", "Hello.")
    call.thinks()
    session.add("user", "Where is it?")
    assert saved[-1].cost_usd == pytest.approx(call.meter.total_usd)
    call.thinks()
    session.add("assistant", "On its way.")
    assert saved[-1].cost_usd == pytest.approx(call.meter.total_usd)
    assert saved[-1].latency_ms.llm_first_token == 300, "of a fixed sentence: the model's that used a tool"


def test_the_first_token_is_that_of_the_first_request_of_a_turn() -> None:
    """Known also of a turn whose answer is a fixed sentence."""
    call = Call()
    call.thinks()
    assert call.meter.settle(1).first_token_s == 0.3
    assert call.meter.settle(2).first_token_s is None


@pytest.mark.parametrize(("model", "price"), read_file(SHIPPED).items())
def test_every_shipped_price_prices_a_unit(model: str, price: Price) -> None:
    """A line of the table that no usage finds would be a typing error."""
    assert any(price.of_unit(unit) for unit in ("input_tokens", "characters", "audio_s")), model  # type: ignore[arg-type]
