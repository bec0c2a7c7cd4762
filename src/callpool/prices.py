"""Published list prices of models, and what a minute of talk costs by them. Money is USD."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from callpool.errors import SettingError
from callpool.profiles import PARTS, Member, Part, Profile
from callpool.settings import Settings
from callpool.yaml_table import read_table

SHIPPED = Path(__file__).with_name("prices.yaml")

TURNS_PER_MINUTE = 4
"""A minute of talk: the caller and the agent speak half of it each, in this many turns. Speech to text
listens all of the time."""
REQUESTS_PER_TURN = 1.5
"""Every second turn uses a tool, so that the language model is asked twice."""
INPUT_TOKENS = 1500
"""Of a request: instructions, tools, the conversation so far. None of it is taken to be cached, so the real
price is lower."""
OUTPUT_TOKENS = 45
"""Of a request: a sentence or two, or a tool call."""
CHARACTERS_PER_MINUTE = 450
"""What the agent says in half a minute: 75 words of 6 characters, blanks included."""


Unit = Literal["input_tokens", "cached_input_tokens", "output_tokens", "characters", "audio_s", "job_minutes"]
"""What is counted. Tokens that were cached are counted apart from the others."""


@dataclass(frozen=True)
class Price:
    """What a model costs. None: not charged for, or not known."""

    input: float | None = None
    """A million tokens."""
    cached_input: float | None = None
    """A million tokens that the provider had read before."""
    output: float | None = None
    """A million tokens."""
    characters: float | None = None
    """A million characters spoken."""
    audio_minute: float | None = None
    """A minute of audio that is listened to."""
    seen: date | None = None
    """When the source said so."""
    source: str = ""
    note: str = ""

    def of_unit(self, unit: Unit) -> float | None:
        """What one token, character or second costs; None when the price says nothing about it."""
        match unit:
            case "input_tokens":
                return _each(self.input, 1e6)
            case "cached_input_tokens":  # providers without such a price charge for them as for others
                return _each(self.input if self.cached_input is None else self.cached_input, 1e6)
            case "output_tokens":
                return _each(self.output, 1e6)
            case "characters":
                return _each(self.characters, 1e6)
            case "audio_s":
                return _each(self.audio_minute, 60)
            case "job_minutes":
                return None

    def of_minute(self, part: Part) -> float | None:
        """What a minute of talk costs for this part; None when the price says nothing about it."""
        match part:
            case "stt":
                return self.audio_minute
            case "tts":
                return None if self.characters is None else self.characters * CHARACTERS_PER_MINUTE / 1e6
            case "llm":
                if self.input is None or self.output is None:
                    return None
                request = (self.input * INPUT_TOKENS + self.output * OUTPUT_TOKENS) / 1e6
                return request * TURNS_PER_MINUTE * REQUESTS_PER_TURN


def _each(price: float | None, units: float) -> float | None:
    return None if price is None else price / units


FREE = Price(input=0.0, cached_input=0.0, output=0.0, characters=0.0, audio_minute=0.0)
"""Models that run on this machine, wherever they are reached."""

_NUMBERS = ("input", "cached_input", "output", "characters", "audio_minute")
_KNOWN = tuple(field.name for field in dataclasses.fields(Price))


class Prices:
    """The prices of models."""

    def __init__(self, by_model: Mapping[str, Price]) -> None:
        self.by_model = by_model
        """`provider/model` to price."""

    @classmethod
    def read(cls, settings: Settings) -> Prices:
        """The shipped prices and those of the settings' file. Raises SettingError."""
        prices = read_file(SHIPPED)
        if settings.profiles.prices_file:
            prices |= read_file(Path(settings.profiles.prices_file).expanduser())
        return cls(prices)

    def of(self, member: Member) -> Price | None:
        """The price of a model; None when it is not known."""
        return FREE if member.is_local else self.by_model.get(str(member))

    def of_minute(self, profile: Profile) -> float | None:
        """What a minute of talk costs with the first choices of a profile; None when a price is missing."""
        total = 0.0
        for part in PARTS:
            members = profile.part(part)
            price = self.of(members[0]) if members else None
            cost = price.of_minute(part) if price else None
            if cost is None:
                return None
            total += cost
        return total


def read_file(path: Path) -> dict[str, Price]:
    """The prices of a file, by `provider/model`. Raises SettingError."""
    table = read_table("CALLPOOL_PRICES_FILE", path, "prices by PROVIDER/MODEL")
    return {model: _price(f"{path.name}: {model}", entry) for model, entry in table.items()}


def _price(where: str, entry: object) -> Price:
    if not isinstance(entry, dict) or set(entry) - set(_KNOWN):
        raise SettingError(where, entry, f"a price with {', '.join(_KNOWN)}")
    for name in _NUMBERS:
        value = entry.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
            raise SettingError(f"{where}.{name}", value, "an amount of USD")
    if not isinstance(entry.get("seen"), date):
        raise SettingError(f"{where}.seen", entry.get("seen", ""), "the day of the price, such as 2026-06-21")
    values: dict[str, Any] = {name: entry[name] for name in (*_NUMBERS, "seen") if name in entry}
    return Price(**values, source=str(entry.get("source", "")), note=str(entry.get("note", "")))
