"""`callpool profiles`: which models each profile has, what it is best for, and what it costs.

`python -m callpool.matrix docs/profiles.md` writes the table in the documentation anew.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

import click

from callpool.columns import columns
from callpool.local.plan import LOCAL_MODELS
from callpool.measuring import Measured, measure_all
from callpool.prices import Prices
from callpool.profiles import PARTS, Part, Profiles
from callpool.provider_settings import PROVIDERS
from callpool.running import Running
from callpool.settings import Settings

BEGINS, ENDS = "<!-- matrix -->", "<!-- end of the matrix -->"
HEADINGS: Mapping[Part, str] = {"stt": "SPEECH TO TEXT", "llm": "LANGUAGE MODEL", "tts": "TEXT TO SPEECH"}


@dataclass(frozen=True)
class Row:
    """One profile."""

    name: str
    best_for: str
    default: bool
    members: Mapping[Part, Mapping[str, str]]
    """Each part's models in order, and why one cannot be used (empty: it can)."""
    usd_per_minute: float | None
    """A minute of talk with the first choices, by published prices. None: a price is not known."""
    usd_per_minute_now: float | None
    """The same for what can be used under these settings. None: nothing can, or a price is not known."""
    obstacle: str
    """Why the profile cannot be used; empty when it can."""
    measured: Measured | None = None

    def document(self) -> dict[str, object]:
        """The row for programs."""
        return {
            "profile": self.name,
            "best_for": self.best_for,
            "default": self.default,
            **{
                part: [{"model": name, "usable": not why, "why_not": why} for name, why in models.items()]
                for part, models in self.members.items()
            },
            "usd_per_minute": _rounded(self.usd_per_minute),
            "usd_per_minute_now": _rounded(self.usd_per_minute_now),
            "usable": not self.obstacle,
            "why_not": self.obstacle,
            "measured": self.measured.document() if self.measured else None,
        }


async def run(settings: Settings, *, as_json: bool, measure: bool) -> int:
    """Print the profiles. With `measure`, use each of them first, at the endpoints in force: the configured
    ones, and those of a running `callpool up`. Raises SettingError."""
    running = Running.find(settings.local.data_dir)
    if running and running.providers:
        settings = with_local_models(running.applied(settings))
    profiles = Profiles.read(settings)
    measured = await measure_all(settings, profiles) if measure else {}
    rows = matrix(profiles, Prices.read(settings), settings.profiles.name, measured)
    if as_json:
        click.echo(json.dumps([row.document() for row in rows], indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(table(rows)))
    return 0


def with_local_models(settings: Settings) -> Settings:
    """Name the models of the local providers, as `callpool up` does for its worker."""
    named = {
        provider: replace(getattr(settings, provider), model=LOCAL_MODELS[provider][1])
        for provider in PROVIDERS
        if settings.is_local(provider) and f"{provider}.model" not in settings.given
    }
    return replace(settings, **named, given=settings.given | {f"{provider}.model" for provider in named})


def matrix(
    profiles: Profiles, prices: Prices, default: str, measured: Mapping[str, Measured] | None = None
) -> list[Row]:
    """A row for each profile."""
    return [
        Row(
            name=name,
            best_for=written.best_for,
            default=name == default,
            members={
                part: {str(member): why for member, why in profiles.members(name, part).items()}
                for part in PARTS
            },
            usd_per_minute=prices.of_minute(written),
            usd_per_minute_now=prices.of_minute(profiles.usable(name)),
            obstacle=profiles.obstacle(name),
            measured=(measured or {}).get(name),
        )
        for name, written in profiles.written.items()
    ]


def table(rows: Sequence[Row]) -> list[str]:
    """The rows for people: fallbacks below the first choices, and models that cannot be used in brackets."""
    measured = any(row.measured for row in rows)
    heading = ["PROFILE", *HEADINGS.values(), "USD/MIN", "NOW"]
    cells = [heading + (["FIRST TOKEN", "FIRST AUDIO", "SCENARIOS"] if measured else [])]
    for row in rows:
        parts = ([f"({name})" if why else name for name, why in row.members[part].items()] for part in PARTS)
        for number, models in enumerate(zip_longest(*parts, fillvalue="")):
            first = number == 0
            price = [_usd(row.usd_per_minute), _usd(row.usd_per_minute_now)] if first else ["", ""]
            line = [f"{row.name}{' *' * row.default}" if first else "", *models, *price]
            if measured:
                line += row.measured.cells() if first and row.measured else ["-" if first else ""] * 3
            cells.append(line)
    lines = columns(cells)
    lines += ["", *(f"{row.name}: {row.best_for}" for row in rows), "", "* the default"]
    reasons: dict[str, list[str]] = {}
    for row in rows:
        for listed in row.members.values():
            for name, why in listed.items():
                if why and name not in reasons.setdefault(why, []):
                    reasons[why].append(name)
    lines += [f"({', '.join(names)}): {why}" for why, names in reasons.items()]
    if measured:
        lines += [f"{row.name}: {note}" for row in rows if row.measured for note in row.measured.notes]
    return lines


def markdown(profiles: Profiles, prices: Prices, default: str) -> str:
    """The table of the documentation: what is shipped, whatever the settings."""
    lines = [
        "| profile | best for | speech to text | language model | text to speech | USD a minute |",
        "|---|---|---|---|---|---|",
    ]
    for row in matrix(profiles, prices, default):
        models = ["<br>".join(row.members[part]) for part in PARTS]
        name = f"`{row.name}`{' (default)' * row.default}"
        lines.append(f"| {name} | {row.best_for} | {' | '.join(models)} | {_usd(row.usd_per_minute)} |")
    return "\n".join(lines)


def with_matrix(page: str) -> str:
    """A page of documentation with its table made anew."""
    settings = Settings()
    made = markdown(Profiles.read(settings), Prices.read(settings), settings.profiles.name)
    before, _, rest = page.partition(BEGINS)
    _, _, after = rest.partition(ENDS)
    return f"{before}{BEGINS}\n{made}\n{ENDS}{after}"


def _usd(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(with_matrix(page.read_text()))
