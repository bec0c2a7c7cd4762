"""When a provider is left alone, and when it is asked again."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import generate_latest

from callpool.breaker import FAILURES, MOST_PAUSE_S, PAUSE_S, WITHIN_S, Breakers
from callpool.fallback.standing import AVOIDED_S, MOST_HONOURED_S, Standing
from callpool.line import Breaker, Observed, Resumed, decode, encode
from callpool.telemetry.metrics import WorkerMetrics


class Alarm:
    """What is to be done at a time, unless it is called off."""

    def __init__(self, do: Callable[[], None]) -> None:
        self.do = do

    def cancel(self) -> None:
        self.do = lambda: None


class Clock:
    """Time that a test moves, and what is to be done in it."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._due: list[tuple[float, Alarm]] = []

    def later(self, delay_s: float, do: Callable[[], None]) -> Alarm:
        self._due.append((self.now_s + delay_s, alarm := Alarm(do)))
        return alarm

    def move(self, by_s: float) -> None:
        self.now_s += by_s
        due, self._due = self._due, []
        for at_s, alarm in due:
            if at_s <= self.now_s:
                alarm.do()
            else:
                self._due.append((at_s, alarm))


def breakers() -> tuple[Breakers, Clock, list[bool]]:
    clock, told = Clock(), []
    made = Breakers(lambda change: told.append(change.open), clock=lambda: clock.now_s, later=clock.later)
    return made, clock, told


def seen(kind: str) -> Observed:
    return Observed("openai", "llm", kind)


def fail(of: Breakers, times: int = FAILURES) -> None:
    for _ in range(times):
        of.take(seen("5xx"))


def test_failures_in_a_row_open_a_breaker() -> None:
    """The jobs are told once."""
    made, _, told = breakers()
    fail(made, FAILURES - 1)
    assert told == []
    fail(made, 3)
    assert told == [True]


def test_an_answer_between_them_keeps_it_closed() -> None:
    """A provider that fails now and then is still the best there is."""
    made, _, told = breakers()
    for _ in range(5):
        fail(made, FAILURES - 1)
        made.take(seen("ok"))
    assert told == []


def test_failures_far_apart_keep_it_closed() -> None:
    """A worker with few calls hears of a failure now and then."""
    made, clock, told = breakers()
    for _ in range(5):
        fail(made, 1)
        clock.move(WITHIN_S)
    assert told == []


def test_after_a_pause_it_is_tried_and_opens_for_longer() -> None:
    """A single failure is enough then; a pause is a minute at most."""
    made, clock, told = breakers()
    fail(made)
    pause_s = PAUSE_S
    for _ in range(6):
        clock.move(pause_s - 0.1)
        assert told[-1] is True
        clock.move(0.1)
        assert told[-1] is False
        fail(made, 1)
        assert told[-1] is True
        pause_s = min(2 * pause_s, MOST_PAUSE_S)


def test_one_answer_closes_it() -> None:
    """And what follows is judged anew."""
    made, clock, told = breakers()
    fail(made)
    made.take(seen("ok"))
    assert told == [True, False]
    clock.move(PAUSE_S)
    fail(made, FAILURES - 1)
    assert told == [True, False]


def test_a_breaker_that_opens_again_stays_open_for_its_whole_pause() -> None:
    """The pause of an opening before it, which an answer ended, does not shorten it."""
    made, clock, told = breakers()
    fail(made)
    clock.move(1.0)
    made.take(seen("ok"))
    clock.move(3.5)
    fail(made)
    clock.move(PAUSE_S - 0.1)
    assert told == [True, False, True]
    clock.move(0.1)
    assert told == [True, False, True, False]


def test_each_part_of_a_provider_has_its_own() -> None:
    """Speech to text may work where the voice of the same provider does not."""
    told: list[tuple[str, str]] = []
    made = Breakers(lambda change: told.append((change.provider, change.part)), later=Clock().later)
    for _ in range(FAILURES):
        made.take(Observed("cartesia", "tts", "timeout"))
        made.take(Observed("cartesia", "stt", "ok"))
    assert told == [("cartesia", "tts")]
    assert {(one.part, one.open) for one in made.now} == {("tts", True), ("stt", False)}


def test_what_a_job_observed_crosses_the_line() -> None:
    """With its kind, which is no kind of message."""
    assert decode(encode(seen("5xx"))) == seen("5xx")


def test_metrics_count_failures_and_show_breakers() -> None:
    """By provider, with the jobs beside them."""
    metrics = WorkerMetrics(
        active_jobs=lambda: 2,
        capacity=lambda: 4,
        draining=lambda: False,
        refused=lambda: {"capacity": 3},
        draining_s=lambda: 61.0,
        drain_timeout_s=60.0,
        error_kinds=("5xx", "timeout"),
    )
    metrics.observe(seen("5xx"))
    metrics.observe(seen("ok"))
    metrics.set_breaker(Breaker("openai", "llm", open=True))
    metrics.count_resumed(Resumed("job_died"))
    page = generate_latest(metrics.registry).decode().splitlines()
    assert {
        "callpool_active_jobs 2.0",
        "callpool_job_capacity 4.0",
        "callpool_draining 0.0",
        'callpool_jobs_refused_total{reason="capacity"} 3.0',
        "callpool_draining_seconds 61.0",
        "callpool_drain_timeout_seconds 60.0",
        'callpool_resumed_calls_total{cause="job_died"} 1.0',
        'callpool_provider_errors_total{kind="5xx",provider="openai"} 1.0',
        'callpool_provider_breaker_open{part="llm",provider="openai"} 1.0',
    } <= set(page)
    assert {
        'callpool_resumed_calls_total{cause="worker_died"} 0.0',
        'callpool_provider_errors_total{kind="timeout",provider="openai"} 0.0',
        'callpool_calls_total{reason="goodbye",result="completed"} 0.0',
    } <= set(page), "Prometheus cannot tell that a series that begins at 1 was 0 before"


def test_a_provider_that_failed_comes_last_for_a_while() -> None:
    """Then it is asked first again, as the profile wants it."""
    clock = Clock()
    standing = Standing(clock=lambda: clock.now_s)
    standing.failed("openai", "llm", "5xx")
    assert standing.order(["openai", "groq"], "llm") == [1, 0]
    assert standing.order(["openai"], "llm") == [0]
    clock.now_s = AVOIDED_S
    assert standing.order(["openai", "groq"], "llm") == [0, 1]


def test_a_provider_whose_breaker_is_open_comes_last() -> None:
    """Other calls have found out."""
    standing = Standing()
    standing.take(Breaker("openai", "llm", open=True))
    assert standing.order(["openai", "groq"], "llm") == [1, 0]
    assert standing.order(["openai", "groq"], "stt") == [0, 1]
    standing.take(Breaker("openai", "llm", open=False))
    assert standing.order(["openai", "groq"], "llm") == [0, 1]


def test_a_provider_is_left_alone_for_as_long_as_it_asked() -> None:
    """Within reason: a call cannot stand still for minutes."""
    clock = Clock()
    standing = Standing(clock=lambda: clock.now_s)
    standing.failed("openai", "llm", "429", retry_after_s=3)
    assert standing.pause_s("openai", "llm") == 3
    standing.failed("openai", "llm", "429", retry_after_s=600)
    assert standing.pause_s("openai", "llm") == MOST_HONOURED_S
    standing.answered("openai", "llm")
    assert standing.pause_s("openai", "llm") == 0
