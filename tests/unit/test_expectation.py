"""Series that are there before the first call."""

from __future__ import annotations

from callpool import settings
from callpool.expectation import expected
from callpool.telemetry.metrics import OF_JOBS, WorkerMetrics


def test_every_stage_is_there_with_its_models_before_the_first_call() -> None:
    """At 0, with the labels that jobs will use."""
    loaded = settings.load({"OPENAI_API_KEY": "k", "DEEPGRAM_API_KEY": "k", "CARTESIA_API_KEY": "k"})
    metrics = WorkerMetrics(active_jobs=lambda: 0, capacity=lambda: 1, draining=lambda: False, refused=dict)
    for metric, labels in expected(loaded):
        assert len(labels) == len(OF_JOBS[metric].labels)
        metrics.begin(metric, labels)
    value = metrics.registry.get_sample_value
    greeting = {"stage": "greeting", "profile": "fast"}
    assert value("callpool_turn_latency_seconds_count", greeting) == 0
    quality = {"provider": "openai", "model": "gpt-4.1", "stage": "problem_solving"}
    assert value("callpool_cost_usd_total", quality) == 0
    assert value("callpool_turn_phase_seconds_count", {"phase": "playout"}) == 0


def test_the_infrastructure_is_there_where_it_costs_something() -> None:
    """And nowhere else."""
    free, priced = (
        {labels[:2] for metric, labels in expected(settings.load(env)) if metric == "callpool_cost_usd_total"}
        for env in ({}, {"CALLPOOL_INFRASTRUCTURE_USD_PER_MINUTE": "0.01"})
    )
    assert priced - free == {("callpool", "infrastructure")}
