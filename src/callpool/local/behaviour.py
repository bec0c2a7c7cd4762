"""How the local providers are asked to behave: fixed latencies, injected faults, a script for the engines."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, cast, get_args

import yaml

from callpool.errors import SettingError
from callpool.provider_settings import PROVIDERS, Provider

FaultKind = Literal["429", "500", "hang", "drop", "garbage", "slow"]

SLOW_S = 3.0
"""What `slow` adds before the first result, seconds: long enough to be noticed, shorter than any time-out."""


@dataclass(frozen=True)
class Latency:
    """Fixed latencies, seconds. With one of them set the engines give way to a script."""

    stt_final: float = 0.15
    """From the last voiced sample to the final transcript."""
    ttft: float = 0.35
    """From the request to the first token."""
    ttfb: float = 0.09
    """From the text to the first audio."""

    @classmethod
    def parse(cls, text: str) -> Latency:
        """Read `stt_final=150,ttft=350,ttfb=90` (milliseconds; what is left out keeps its default)."""
        known = [entry.name for entry in fields(cls)]
        values: dict[str, float] = {}
        for part in text.split(","):
            name, equals, value = part.strip().partition("=")
            if not equals or name not in known or not value.isdecimal():
                raise SettingError(
                    "--latency", part.strip(), f"NAME=MILLISECONDS with NAME one of {', '.join(known)}"
                )
            values[name] = int(value) / 1000
        return cls(**values)


@dataclass(frozen=True)
class Fault:
    """One kind of failure and how often it strikes: a share of requests (0 to 1)."""

    kind: FaultKind
    rate: float
    provider: Provider | None = None
    """None: all three."""

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read `KIND:RATE` or `PROVIDER.KIND:RATE`, such as `500:0.1` or `openai.hang:1`."""
        name, colon, rate = text.partition(":")
        provider, dot, kind = name.rpartition(".")
        try:
            share = float(rate)
        except ValueError:
            share = -1.0
        if not colon or kind not in get_args(FaultKind) or not 0 <= share <= 1:
            kinds = ", ".join(get_args(FaultKind))
            raise SettingError("--fault", text, f"KIND:RATE with KIND one of {kinds} and RATE from 0 to 1")
        if dot and provider not in PROVIDERS:
            raise SettingError("--fault", text, f"a provider among {', '.join(PROVIDERS)} before the dot")
        return cls(cast(FaultKind, kind), share, cast(Provider, provider) if dot else None)


@dataclass(frozen=True)
class Heard:
    """What the speech-to-text hears for one utterance."""

    text: str
    language: str = "en"


@dataclass(frozen=True)
class ToolUse:
    """A tool call that the language model makes."""

    name: str
    arguments: dict[str, object]


@dataclass(frozen=True)
class Said:
    """What the language model answers to one request: words, tool calls, or both."""

    text: str = ""
    tools: tuple[ToolUse, ...] = ()


@dataclass(frozen=True)
class Script:
    """Stands where the engines stood.

    The n-th utterance of a connection is `hears[n]`; the answer to a conversation with n caller messages is
    `says[n-1]`. Past the end, the last entry repeats.
    """

    hears: Sequence[Heard] = (Heard("Hello, I have a question about my order."),)
    says: Sequence[Said] = (Said("Of course. I can help you with that. What is your order number?"),)

    @classmethod
    def read(cls, path: Path) -> Script:
        """Read a YAML file: `hears: [{text, language}]`, `says: [{text, tools: [{name, arguments}]}]`.

        Raises SettingError, also for a list without an entry.
        """
        try:
            document = yaml.safe_load(path.read_text())
            script = cls(
                hears=[
                    Heard(str(entry["text"]), str(entry.get("language", "en"))) for entry in document["hears"]
                ],
                says=[
                    Said(
                        str(entry.get("text", "")),
                        tuple(
                            ToolUse(tool["name"], dict(tool["arguments"])) for tool in entry.get("tools", ())
                        ),
                    )
                    for entry in document["says"]
                ],
            )
            if not script.hears or not script.says:
                raise ValueError("a list is empty")
        except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
            reason = " ".join(str(error).split())
            expected = f"a YAML file with lists `hears` and `says` ({type(error).__name__}: {reason})"
            raise SettingError("--script", str(path), expected) from error
        return script


@dataclass(frozen=True)
class Behaviour:
    """What `callpool providers` was asked for. `latency` is None while the engines run."""

    latency: Latency | None = None
    script: Script = field(default_factory=Script)
    faults: Sequence[Fault] = ()
    random: random.Random = field(default_factory=random.Random)

    def fault(self, provider: Provider) -> FaultKind | None:
        """Decide, once for a request, whether it fails and how."""
        for fault in self.faults:
            if fault.provider in (None, provider) and self.random.random() < fault.rate:
                return fault.kind
        return None
