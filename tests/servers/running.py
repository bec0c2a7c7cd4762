"""A Jaeger and an OpenTelemetry Collector on loopback, with what deploy/ ships."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from building import built

from processes import LOOPBACK, until

DEPLOY = Path(__file__).parents[2] / "deploy"


@dataclass(frozen=True)
class Jaeger:
    """A running Jaeger."""

    query: str
    otlp: str

    def trace(self, trace_id: str) -> list[dict[str, Any]]:
        """The spans of a trace; none: it does not know it."""
        try:
            with urllib.request.urlopen(f"{self.query}/api/traces/{trace_id}", timeout=5) as answer:
                document = json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return []
            raise
        return [span for trace in document["data"] for span in trace["spans"]]


def tags(span: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a span, as Jaeger gives them."""
    return {tag["key"]: tag["value"] for tag in span["tags"]}


@dataclass(frozen=True)
class Collector:
    """A running collector: where it takes OTLP over HTTP and over gRPC, and where it tells metrics."""

    otlp: str
    grpc: str
    metrics: str


@contextmanager
def jaeger(folder: Path, free_port: Callable[[], int]) -> Iterator[Jaeger]:
    """All of its ports are on loopback."""
    names = (
        "query.http-server",
        "query.grpc-server",
        "collector.otlp.http",
        "collector.otlp.grpc",
        "collector.http-server",
        "collector.grpc-server",
        "admin.http",
    )
    ports = {name: free_port() for name in names}
    options = [f"--{name}.host-port={LOOPBACK}:{port}" for name, port in ports.items()]
    agents = ("jaeger-compact", "jaeger-binary", "zipkin-compact")
    options += [f"--processor.{name}.server-host-port={LOOPBACK}:{free_port()}" for name in agents]
    options.append(f"--http-server.host-port={LOOPBACK}:{free_port()}")
    query = f"http://{LOOPBACK}:{ports['query.http-server']}"
    with running(folder / "jaeger.log", [str(built("jaeger")), *options], {}, f"{query}/api/services"):
        yield Jaeger(query, f"http://{LOOPBACK}:{ports['collector.otlp.http']}")


@contextmanager
def collector(
    folder: Path, free_port: Callable[[], int], traces_to: str, logs_to: str, **env: str
) -> Iterator[Collector]:
    """With the shipped configuration, but for the ports."""
    http, grpc, metrics = free_port(), free_port(), free_port()
    changed = (
        f"receivers::otlp::protocols::grpc::endpoint: {LOOPBACK}:{grpc}",
        f"receivers::otlp::protocols::http::endpoint: {LOOPBACK}:{http}",
        f"exporters::prometheus::endpoint: {LOOPBACK}:{metrics}",
        "service::telemetry::metrics::level: none",
        "service::telemetry::metrics::readers: []",
    )
    files = (DEPLOY / "collector" / "collector.yaml", DEPLOY / "collector" / "to-jaeger.yaml")
    options = [f"--config={path}" for path in files] + [f"--config=yaml:{change}" for change in changed]
    env = {"CALLPOOL_TRACES_TO": traces_to, "CALLPOOL_LOGS_TO": logs_to, **env}
    where = f"http://{LOOPBACK}:{metrics}/metrics"
    with running(folder / "collector.log", [str(built("collector")), *options], env, where):
        yield Collector(f"http://{LOOPBACK}:{http}", f"http://{LOOPBACK}:{grpc}", where)


@contextmanager
def running(log: Path, command: Sequence[str], env: dict[str, str], answers: str) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, env={**os.environ, **env}, stdout=output, stderr=output)

    def ready() -> bool:
        assert process.poll() is None, f"{command[0]} ended:\n{log.read_text()[-3000:]}"
        try:
            with urllib.request.urlopen(answers, timeout=1):
                return True
        except (urllib.error.URLError, OSError):
            return False

    try:
        until(ready, f"{answers} answers", 30)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
