"""Logs arrive at a real receiver of OTLP, clean and with their trace; one that is away holds nobody up."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from concurrent import futures
from dataclasses import dataclass, field

import grpc
import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as service
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as service_grpc

from callpool import settings
from callpool.telemetry import otlp_logs
from callpool.telemetry.otlp_logs import MOST_WAITING, OtlpLogs
from log_capture import logging_to
from otlp_receiver import otlp_receiver, values

KEY = "".join(["Qx7", "pass", "phrase", "Zw"])
WORD = "".join(["mari", "gold", "s"])
TRACE, SPAN = "ab" * 16, "cd" * 8
log = logging.getLogger("callpool.of_the_test")
theirs = logging.getLogger("livekit.agents.of_the_test")


def plant() -> None:
    """Secrets and words of a caller, wherever a record may have them."""
    error = ValueError(f"{WORD} {KEY}")
    log.error("planted %s", KEY, exc_info=error, extra={"detail": [{"a": KEY}], "lk.pii.text": WORD})
    theirs.error(f"they heard {WORD}, and {KEY}", exc_info=error, extra={"room": WORD, "label": KEY})
    theirs.error("they heard %s %s", WORD, KEY, stack_info=True, extra={"reason": WORD})


def test_a_record_arrives_with_its_trace_and_fields() -> None:
    """As the worker sends what jobs say: their ids are fields of the record."""
    with (
        otlp_receiver() as receiver,
        logging_to("worker", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_SERVICE_NAME="pool"),
    ):
        made_ns = time.time_ns()
        fields = {"action": "late", "trace_id": TRACE, "span_id": SPAN, "late_s": 1.5, "calls": ["c_1"]}
        log.warning("a call is late", extra=fields)
        receiver.until(lambda: receiver.logs, "a record")
    [record] = receiver.logs
    assert record.body.string_value == "a call is late"
    assert (record.severity_text, record.severity_number) == ("WARNING", SeverityNumber.WARN.value)
    assert (record.trace_id.hex(), record.span_id.hex()) == (TRACE, SPAN)
    assert record.time_unix_nano == pytest.approx(made_ns, abs=5e8)
    assert values(record.attributes) == {
        "logger": "callpool.of_the_test",
        "process": "worker",
        "action": "late",
        "late_s": 1.5,
        "calls": ["c_1"],
    }
    [request] = receiver.of("logs")
    resource = values(request.message.resource_logs[0].resource.attributes)
    assert (resource["service.name"], resource["callpool.role"]) == ("pool", "worker")


def test_nothing_secret_or_personal_arrives(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On stderr, or in any byte that was sent; without the filter both are full of it."""
    for clean in (False, True):
        with (
            otlp_receiver() as receiver,
            logging_to("worker", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OPENAI_API_KEY=KEY),
        ):
            if not clean:
                for handler in logging.getLogger().handlers:
                    handler.filters.clear()
            plant()
        said = capsys.readouterr().err
        assert len(receiver.logs) == 3
        assert said.count("planted") >= 1
        assert bool(receiver.holding(KEY)) == (KEY in said) == (not clean)
        assert bool(receiver.holding(WORD)) == (WORD in said) == (not clean)


def test_personal_data_stay_out_also_where_telemetry_may_have_them() -> None:
    """`telemetry.pii` is about traces."""
    with (
        otlp_receiver() as receiver,
        logging_to("worker", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, CALLPOOL_TELEMETRY_PII="true"),
    ):
        plant()
    assert len(receiver.logs) == 3
    assert not receiver.holding(WORD)


def test_headers_and_an_endpoint_for_logs_alone() -> None:
    """With its whole path, as OpenTelemetry defines it."""
    with (
        otlp_receiver() as receiver,
        logging_to(
            OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
            OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=f"{receiver.url}/v1/logs",
            OTEL_EXPORTER_OTLP_HEADERS="x-key=of-the-collector",
        ),
    ):
        log.info("a call")
    [request] = receiver.of("logs")
    assert request.headers["x-key"] == "of-the-collector"


def test_without_an_endpoint_nothing_is_sent() -> None:
    """There is no handler for it."""
    assert OtlpLogs.of(settings.load({}), "worker") is None


@dataclass
class GrpcReceiver(service_grpc.LogsServiceServicer):
    requests: list[service.ExportLogsServiceRequest] = field(default_factory=list)

    def Export(self, request: service.ExportLogsServiceRequest, context: object) -> object:
        self.requests.append(request)
        return service.ExportLogsServiceResponse()


def test_records_go_by_grpc_as_well() -> None:
    """By the standard variable."""
    receiver = GrpcReceiver()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    service_grpc.add_LogsServiceServicer_to_server(receiver, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with logging_to(
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}", OTEL_EXPORTER_OTLP_PROTOCOL="grpc"
    ):
        log.info("a call")
    server.stop(None).wait()
    [request] = receiver.requests
    assert request.resource_logs[0].scope_logs[0].log_records[0].body.string_value == "a call"


def test_records_that_a_full_queue_refuses_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the collector takes its time; logging goes on at once."""
    monkeypatch.setattr(otlp_logs, "FLUSH_S", 0.1)
    dropped: list[int] = []
    with otlp_receiver() as receiver:
        receiver.delay_s = 30.0
        with logging_to(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url) as exported:
            assert exported is not None
            began_s = time.monotonic()
            for _ in range(MOST_WAITING + 100):
                log.info("a call")
            assert time.monotonic() - began_s < 20
            exported.tell_dropped(dropped.append)
            assert sum(dropped) == 100
        assert sum(dropped) == MOST_WAITING + 100  # none was ever taken


def test_records_that_no_collector_takes_are_counted() -> None:
    """It is not there."""
    dropped: list[int] = []
    began_s = time.monotonic()
    with logging_to(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9") as exported:
        assert exported is not None
        exported.tell_dropped(dropped.append)
        log.info("a call")
        log.info("another call")
    assert time.monotonic() - began_s < 4
    assert sum(dropped) == 2


def test_what_the_exporter_says_is_not_sent() -> None:
    """It would be sent again and again."""
    with otlp_receiver() as receiver, logging_to(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url):
        logging.getLogger("opentelemetry.exporter.otlp").error("failed to export")
        logging.getLogger("urllib3.connectionpool").warning("retrying")
        log.info("a call")
    assert [record.body.string_value for record in receiver.logs] == ["a call"]


PROGRAM = """
import logging, sys
from callpool import settings
from callpool.telemetry.logs import set_up_logs
set_up_logs(settings.load(), "web")
logging.getLogger("callpool").info("last words")
"""


def test_the_last_words_of_a_process_are_sent() -> None:
    """Nobody has to close anything."""
    with otlp_receiver() as receiver:
        began_s = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=_environment(receiver.url),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert [record.body.string_value for record in receiver.logs] == ["last words"]
    assert time.monotonic() - began_s < 30


def test_a_collector_that_hangs_holds_no_process_up() -> None:
    """For longer than three seconds."""
    with otlp_receiver() as receiver:
        receiver.delay_s = 20.0
        program = PROGRAM + "import time; print(time.time(), flush=True)"
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=_environment(receiver.url),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert time.time() - float(done.stdout) < 4.5
        assert receiver.attempts == 1


def _environment(endpoint: str) -> dict[str, str]:
    return {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
