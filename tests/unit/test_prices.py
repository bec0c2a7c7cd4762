"""Prices of models, and the matrix of profiles that shows them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from callpool import settings
from callpool.errors import SettingError
from callpool.matrix import matrix, run, table, with_local_models, with_matrix
from callpool.measuring import Measured
from callpool.prices import Price, Prices
from callpool.profiles import Member, Profiles

KEYS = {"DEEPGRAM_API_KEY": "a", "OPENAI_API_KEY": "b", "CARTESIA_API_KEY": "c"}
DOCS = Path(__file__).parents[2] / "docs"


def prices(env: dict[str, str] | None = None) -> Prices:
    return Prices.read(settings.load(env or {}))


def test_every_model_of_the_shipped_profiles_has_a_price_for_its_part() -> None:
    """With the page and the day on which it was so."""
    shipped, known = Profiles.read(settings.load({})), prices()
    for profile in shipped.written.values():
        assert known.of_minute(profile) is not None
        for member in profile.members:
            price = known.of(member)
            assert price is not None, member
            assert member.is_local or (price.source.startswith("https://") and price.seen is not None)


def test_no_price_is_from_the_future() -> None:
    """A day that is yet to come was not looked up."""
    assert all(price.seen is None or price.seen <= date.today() for price in prices().by_model.values())


@pytest.mark.parametrize("provider", ["deepgram", "openai", "cartesia"])
def test_local_models_cost_nothing_wherever_they_are_reached(provider: str) -> None:
    """Their base URL may be any."""
    price = prices().of(Member(provider, "local-anything"))
    assert price is not None
    assert [price.of_minute(part) for part in ("stt", "llm", "tts")] == [0.0, 0.0, 0.0]


def test_a_minute_of_talk_is_priced_by_the_assumptions_of_the_documentation() -> None:
    """Six requests of 1,500 tokens in and 45 out; 450 characters; a minute that is listened to."""
    price = Price(input=1.0, output=10.0, characters=100.0, audio_minute=0.01)
    assert price.of_minute("llm") == pytest.approx(6 * (1500 * 1.0 + 45 * 10.0) / 1e6)
    assert price.of_minute("tts") == pytest.approx(450 * 100.0 / 1e6)
    assert price.of_minute("stt") == 0.01


def test_a_profile_with_an_unknown_price_has_none() -> None:
    """A sum without one of its parts would be a lie."""
    known = prices(KEYS | {"CALLPOOL_OPENAI_MODEL": "house-model"})
    profiles = Profiles.read(settings.load(KEYS | {"CALLPOOL_OPENAI_MODEL": "house-model"}))
    assert known.of_minute(profiles.usable("balanced")) is None


def test_a_file_of_prices_adds_and_replaces(tmp_path: Path) -> None:
    """The shipped ones stay beside them."""
    file = tmp_path / "ours.yaml"
    file.write_text(
        "openai/house-model: {input: 1, output: 2, seen: 2026-01-01}\n"
        "openai/gpt-4.1: {input: 3, output: 4, seen: 2026-01-01}\n"
    )
    ours = prices({"CALLPOOL_PRICES_FILE": str(file)})
    large, house = ours.of(Member("openai", "gpt-4.1")), ours.of(Member("openai", "house-model"))
    assert large is not None
    assert house is not None
    assert (large.input, house.output) == (3, 2)
    assert ours.of(Member("openai", "gpt-4.1-mini")) is not None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("- a", "CALLPOOL_PRICES_FILE"),
        ("a: [", "CALLPOOL_PRICES_FILE"),
        ("openai/x: {input: much, seen: 2026-01-01}", r"ours\.yaml: openai/x\.input is 'much'"),
        ("openai/x: {input: -1, seen: 2026-01-01}", r"ours\.yaml: openai/x\.input is -1"),
        ("openai/x: {input: 1}", r"ours\.yaml: openai/x\.seen is not set"),
        ("openai/x: {tokens: 1, seen: 2026-01-01}", r"ours\.yaml: openai/x is"),
    ],
)
def test_a_file_of_prices_that_cannot_be_used_is_refused(tmp_path: Path, text: str, named: str) -> None:
    """In one line that names the place."""
    file = tmp_path / "ours.yaml"
    file.write_text(text)
    with pytest.raises(SettingError, match=named) as refusal:
        prices({"CALLPOOL_PRICES_FILE": str(file)})
    assert "\n" not in str(refusal.value)


def test_the_table_in_the_documentation_is_current() -> None:
    """`python -m callpool.matrix docs/profiles.md` makes it anew."""
    page = (DOCS / "profiles.md").read_text()
    assert with_matrix(page) == page
    assert "| `balanced` (default) |" in page


def test_the_matrix_marks_what_cannot_be_used_and_says_why() -> None:
    """In brackets, with the reasons below."""
    profiles = Profiles.read(settings.load(KEYS))
    text = "\n".join(table(matrix(profiles, prices(), "balanced")))
    assert "balanced *" in text
    assert "(groq/llama-3.3-70b-versatile)" in text
    assert "GROQ_API_KEY is not set" in text
    assert "(openai/gpt-4.1-mini)" not in text


def test_a_measured_matrix_has_what_was_measured() -> None:
    """And a dash where nothing was."""
    profiles = Profiles.read(settings.load(KEYS))
    measured = {"balanced": Measured(123.4, None, 41, 43, ("cartesia/sonic-3 failed: no",))}
    lines = table(matrix(profiles, prices(), "balanced", measured))
    assert lines[0].endswith("FIRST TOKEN  FIRST AUDIO  SCENARIOS")
    assert lines[1].split()[-4:] == ["123", "ms", "-", "41/43"]
    assert lines[-1] == "balanced: cartesia/sonic-3 failed: no"


async def test_the_command_prints_one_document_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With each model's reason, and no price where nothing can be used."""
    made = settings.load({"CALLPOOL_DATA_DIR": str(tmp_path)})
    assert await run(made, as_json=True, measure=False) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["profile"] for row in rows] == ["balanced", "fast", "quality", "economy", "local"]
    assert rows[0]["llm"][0] == {
        "model": "openai/gpt-4.1-mini",
        "usable": False,
        "why_not": "OPENAI_API_KEY is not set",
    }
    assert rows[0]["usd_per_minute"] > 0
    assert rows[0]["usd_per_minute_now"] is None
    assert rows[0]["measured"] is None


def test_a_running_up_is_shown_with_the_models_it_runs() -> None:
    """Those of its providers that stand in for one without a key."""
    made = with_local_models(settings.load({"OPENAI_API_KEY": "b"}))
    assert (made.deepgram.model, made.openai.model) == ("local-moonshine", "gpt-4.1-mini")
    assert "deepgram.model" in made.given
