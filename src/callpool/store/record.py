"""A call record: how a call is kept, shown and exported. Times are aware datetimes, money is USD."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from callpool.call import Caller
from callpool.cost import Cost
from callpool.ending import Ending

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True)
class StageEntry:
    """The call entered a stage. Known by `stage` and `entered_at` together."""

    stage: str
    entered_at: datetime
    profile: str | None = None
    skipped: bool = False
    """Passed through without a question to the caller."""


@dataclass(frozen=True)
class ToolUse:
    """One function tool that the agent used. Its arguments and its answer are not kept."""

    name: str
    ok: bool
    ms: float | None = None
    started_at: datetime | None = None


@dataclass(frozen=True)
class LatencyMs:
    """What a turn's time went on, milliseconds; None: not known.

    `end_of_turn`, `stt_final` and `total` count from the caller's last voiced sample; `llm_first_token` and
    `tts_first_audio` are durations of their own, and so is `playout`: how long the agent was heard.
    """

    end_of_turn: float | None = None
    stt_final: float | None = None
    llm_first_token: float | None = None
    tts_first_audio: float | None = None
    total: float | None = None
    playout: float | None = None


@dataclass(frozen=True)
class Turn:
    """The caller spoke, the agent answered. Turn 0 is the greeting: it has no caller_text."""

    n: int
    stage: str
    caller_text: str | None = None
    agent_text: str | None = None
    interrupted: bool = False
    tools: tuple[ToolUse, ...] = ()
    latency_ms: LatencyMs = LatencyMs()
    cost_usd: float | None = None
    trace_id: str | None = None
    started_at: datetime | None = None
    """When the caller began to speak; of the greeting: when the agent did."""
    spoken_ms: float | None = None
    """How long the caller spoke, from their first voiced sample to the last."""


EventKind = Literal["barge_in", "provider_error", "budget"]


@dataclass(frozen=True)
class Event:
    """Something that happened in a call and is no turn, tool use, stage or job of its own."""

    at: datetime
    kind: EventKind
    turn_n: int
    """The turn in which it happened."""
    detail: str = ""
    """Of a barge-in: how long the agent took to be silent, such as `0.21 s`; of a provider's error: provider,
    part and kind, such as `openai llm 429`; of the budget: which limit. Nothing that anybody said."""


@dataclass(frozen=True)
class Job:
    """One subprocess that served the call."""

    job_id: str
    worker: str
    host: str
    pid: int
    started_at: datetime
    ended_at: datetime | None = None
    how: str | None = None
    """Why it ended, as a reason of `callpool.ending`: `goodbye`, `caller_left`, `job_died`, …"""


@dataclass(frozen=True)
class CallRecord:
    """All that is kept of a call."""

    call_id: str
    room: str
    agent_name: str
    caller: Caller
    language: str | None
    started_at: datetime
    ended_at: datetime | None = None
    ending: Ending | None = None
    stages: tuple[StageEntry, ...] = ()
    turns: tuple[Turn, ...] = ()
    cost: Cost = field(default_factory=Cost)
    jobs: tuple[Job, ...] = ()
    trace_id: str | None = None
    events: tuple[Event, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """The record as JSON data, in the shape of the call record contract; None where nothing is known."""
        document = {entry.name: _json(getattr(self, entry.name)) for entry in dataclasses.fields(self)}
        document["caller"] = {"kind": self.caller.kind, "identity": self.caller.identity or None}
        document["cost"] = {
            "total_usd": self.cost.total_usd,
            "by_stage": _json(self.cost.by("stage")),
            "by_provider": _json(self.cost.by("provider")),
            "items": _json(self.cost.items),
            "unpriced": _json(self.cost.unpriced),
        }
        return document


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, such as `2025-11-22T16:50:00.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(value: object) -> Json:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return utc_text(value)
        case tuple():
            return [_json(part) for part in value]
        case dict():
            return {str(key): _json(part) for key, part in value.items()}
        case _ if dataclasses.is_dataclass(value):
            return {entry.name: _json(getattr(value, entry.name)) for entry in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} has no place in a call record")
