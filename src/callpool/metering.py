"""What a call costs while it goes on: usage, as the SDK's plugins report it, times prices.

The plugins' own name of their provider is the host that they talk to; here a model is known by its profile's
name (`openai/gpt-4.1-mini`), whatever its address.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from livekit.agents.metrics import LLMMetrics, STTMetrics, TTSMetrics

from callpool.cost import CostItem
from callpool.prices import Prices, Unit
from callpool.profiles import Member

logger = logging.getLogger(__name__)

INFRASTRUCTURE = Member("callpool", "infrastructure")
"""Machines and network, by the minute."""

CHARACTERS_PER_TOKEN = 4
"""Of English, by OpenAI's rule of thumb. Only for what is not reported yet."""

Charged = Callable[[float, Member, str], None]
"""Told what a use has cost, USD, of which model, in which stage."""


@dataclass(frozen=True)
class Settled:
    """What is known of a turn by now."""

    usd: float
    first_token_s: float | None
    """How long the first language model took that was asked since the last time, seconds."""


class Meter:
    """Counts what one job uses.

    A use counts for the turn of which something becomes known next: an answer is often begun before the
    caller's turn is over. So the turns' costs add up to the call's, whenever they are written.
    """

    def __init__(
        self,
        prices: Prices,
        stage: Callable[[], str],
        *,
        infrastructure_usd_per_minute: float = 0.0,
        charged: Charged = lambda usd, member, stage: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`stage`: the call's, as it stands."""
        self._prices = prices
        self._stage = stage
        self._infrastructure_usd = infrastructure_usd_per_minute
        self._charged = charged
        self._clock = clock
        self._counted_until = clock()
        self._in_stage = stage()
        self._quantities: dict[tuple[str, Member, Unit], float] = {}
        self._turns_usd: dict[int, float] = {}
        self._unsettled_usd: list[float] = []
        self._first_token_s: float | None = None
        self._unpriced: set[Member] = set()

    def carry_over(self, n: int, usd: float | None) -> None:
        """Another job has spent this on the n-th turn, which goes on here."""
        self._turns_usd[n] = usd or 0.0

    def listen(self, member: Member, plugin: Any) -> None:
        """Count what a plugin reports: an `llm.LLM`, `stt.STT` or `tts.TTS`."""
        plugin.on("metrics_collected", lambda metrics: self._on_metrics(member, metrics))

    def use(self, member: Member, unit: Unit, quantity: float, stage: str | None = None) -> None:
        """Count a use of a model. `stage`: the present one, unless it is said."""
        if quantity <= 0:
            return
        stage = stage or self._stage()
        key = (stage, member, unit)
        self._quantities[key] = self._quantities.get(key, 0.0) + quantity
        price_usd = self._price_usd(member, unit)
        if price_usd is None:
            self._note_unpriced(member)
            return
        usd = quantity * price_usd
        self._unsettled_usd.append(usd)
        self._charged(usd, member, stage)

    def settle(self, n: int) -> Settled:
        """Something became known of the n-th turn: all that is open counts for it."""
        self.count_time()
        self._turns_usd[n] = math.fsum([self._turns_usd.get(n, 0.0), *self._unsettled_usd])
        self._unsettled_usd.clear()
        first_token_s, self._first_token_s = self._first_token_s, None
        return Settled(self._turns_usd[n], first_token_s)

    def enter(self, stage: str) -> None:
        """The call has come to another stage: the time until now belongs to the one before."""
        self.count_time()
        self._in_stage = stage

    def count_time(self) -> None:
        """Count the infrastructure until now."""
        now = self._clock()
        minutes, self._counted_until = (now - self._counted_until) / 60, now
        if self._infrastructure_usd:
            self.use(INFRASTRUCTURE, "job_minutes", minutes, self._in_stage or self._stage())

    def turn_usd(self, n: int) -> float | None:
        """What the n-th turn has cost; None: it was not settled here."""
        return self._turns_usd.get(n)

    @property
    def total_usd(self) -> float:
        """What this job has spent."""
        return math.fsum(item.usd or 0.0 for item in self.items())

    def estimate_usd(self, member: Member, characters: int) -> float:
        """What an answer that goes on will have cost, as far as it has come."""
        price_usd = self._price_usd(member, "output_tokens")
        return (price_usd or 0.0) * characters / CHARACTERS_PER_TOKEN

    def items(self) -> tuple[CostItem, ...]:
        """All of it, by stage, model and unit."""
        return tuple(self._items())

    def _items(self) -> Iterator[CostItem]:
        for (stage, member, unit), quantity in self._quantities.items():
            price_usd = self._price_usd(member, unit)
            usd = None if price_usd is None else quantity * price_usd
            yield CostItem(stage, member.provider, member.model, unit, quantity, usd, price_usd)

    def _price_usd(self, member: Member, unit: Unit) -> float | None:
        if member == INFRASTRUCTURE:
            return self._infrastructure_usd
        price = self._prices.of(member)
        return None if price is None else price.of_unit(unit)

    def _note_unpriced(self, member: Member) -> None:
        if member not in self._unpriced:
            self._unpriced.add(member)
            logger.warning("a model has no price", extra={"action": "unpriced", "model": str(member)})

    def _on_metrics(self, member: Member, metrics: object) -> None:
        match metrics:
            case LLMMetrics():
                cached = metrics.prompt_cached_tokens
                self.use(member, "input_tokens", metrics.prompt_tokens - cached)
                self.use(member, "cached_input_tokens", cached)
                self.use(member, "output_tokens", metrics.completion_tokens)
                if self._first_token_s is None and metrics.ttft >= 0:
                    self._first_token_s = metrics.ttft
            case TTSMetrics():
                self.use(member, "characters", metrics.characters_count)
            case STTMetrics():
                self.use(member, "audio_s", metrics.audio_duration)
