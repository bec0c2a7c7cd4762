"""What a worker's calls will be counted under: series that are there, at 0, before the first call.

Prometheus takes the first value that it sees of a counter for its beginning: of a series that begins with 1,
the first event is never in any rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from callpool.metering import INFRASTRUCTURE
from callpool.profiles import Profiles
from callpool.settings import Settings
from callpool.stages import load_roster
from callpool.telemetry.otlp import Signal
from callpool.telemetry.turns import PHASES

Labels = tuple[str, ...]


def expected(settings: Settings) -> Iterator[tuple[str, Labels]]:
    """Metrics with their labels, for calls that ask for no profile. Raises SettingError."""
    profiles = Profiles.read(settings)
    own = profiles.of_call(None)
    for phase in PHASES:
        yield "callpool_turn_phase_seconds", (phase,)
    for signal in get_args(Signal):
        yield "callpool_telemetry_dropped_total", (signal,)
    for stage in load_roster(settings.worker.roster).stages:
        thinks = profiles.of_stage(None, stage.name, stage.profile)
        yield "callpool_turn_latency_seconds", (stage.name, thinks.label)
        for member in (*own.stt, *thinks.llm, *own.tts, INFRASTRUCTURE):
            if member != INFRASTRUCTURE or settings.costs.infrastructure_usd_per_minute:
                yield "callpool_cost_usd_total", (member.provider, member.model, stage.name)
