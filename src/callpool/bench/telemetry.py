"""`callpool bench telemetry`: what it costs a call to be looked at."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import click

from callpool.bench.pairs import both_services
from callpool.bench.ratio import Ratio
from callpool.columns import columns
from callpool.settings import Settings

LIMITS = {"turn latency": 1.03, "CPU per call": 1.05}
"""What the upper bound of each ratio may be, with telemetry to without."""


async def run(settings: Settings, *, count: int, gate: bool, as_json: bool) -> int:
    """Measure with `count` pairs of calls, print, and give the exit code. Raises CallpoolError."""
    with tempfile.TemporaryDirectory(prefix="callpool-bench-") as name:
        async with both_services(settings, Path(name)) as pair:
            off, on = await pair.measure(count)
    ratios = [
        Ratio.of("turn latency", off.turns_s, on.turns_s),
        Ratio.of("CPU per call", off.cpu_s, on.cpu_s),
    ]
    if as_json:
        click.echo(json.dumps([vars(one) | {"limit": LIMITS[one.name]} for one in ratios]))
    else:
        rows: list[tuple[str, ...]] = [
            ("TELEMETRY", "PAIRS", "OFF S", "ON S", "RATIO", "UPPER 95 %", "LIMIT")
        ]
        for one in ratios:
            figures = (one.without, one.with_it, one.middle, one.upper)
            rows.append(
                (one.name, str(one.pairs), *(f"{each:.3f}" for each in figures), f"{LIMITS[one.name]:g}")
            )
        for line in columns(rows):
            click.echo(line)
    too_much = [one.name for one in ratios if one.upper > LIMITS[one.name]]
    return 1 if gate and too_much else 0
