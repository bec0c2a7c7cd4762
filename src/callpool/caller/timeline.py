"""What happened in a call, as a person reads it and as a program does."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

Who = Literal["caller", "agent", "note"]


@dataclass(frozen=True)
class Entry:
    """One thing that was said, or a note. Seconds count from the moment the caller had joined."""

    at_s: float
    who: Who
    text: str | None
    """None: it could be heard, but no provider could tell the words."""
    end_s: float | None = None
    gap_ms: int | None = None
    """From the caller's last voiced 10 ms to the agent's first audible one; below 0: the agent cut in."""

    def line(self) -> str:
        """The entry as one line of text."""
        gap = "" if self.gap_ms is None else f"{self.gap_ms} ms"
        words = "(words unknown)" if self.text is None else self.text
        return f"{self.at_s:7.2f} s  {self.who:<6}  {gap:>8}  {words}"


@dataclass
class Timeline:
    """A call as its caller noticed it."""

    call_id: str = ""
    room: str = ""
    answered: bool = False
    first_audio_ms: int | None = None
    """From the moment the caller had joined to the agent's first audible 10 ms."""
    agent_hung_up: bool = False
    unanswered: int = 0
    """Sentences that got no answer."""
    duration_s: float = 0.0
    entries: list[Entry] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        return dataclasses.asdict(self)

    def summary(self) -> str:
        """The last line of the report for people."""
        gaps = sorted(entry.gap_ms for entry in self.entries if entry.gap_ms is not None)
        parts = [f"{self.duration_s:.1f} s"]
        if self.first_audio_ms is not None:
            parts.append(f"first audio {self.first_audio_ms} ms after joining")
        if gaps:
            parts.append(f"gaps {gaps[0]} to {gaps[-1]} ms, median {gaps[len(gaps) // 2]} ms")
        return f"{self.call_id or self.room}: {'; '.join(parts)}"
