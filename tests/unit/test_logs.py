"""Logs as programs and people read them, and what is bound to a call."""

from __future__ import annotations

import ast
import io
import logging
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from livekit.agents.ipc.log_queue import LogQueueHandler, LogQueueListener
from livekit.agents.utils.aio import duplex_unix
from opentelemetry.sdk.trace import TracerProvider
from structlog.contextvars import bound_contextvars

import callpool
from callpool import settings
from callpool.call import Call, call_in
from callpool.telemetry import log_context
from callpool.telemetry.logs import formatter, set_up_logs_of_job
from log_capture import logging_to, records

WORD = "".join(["mari", "gold", "s"])
log = logging.getLogger("callpool.of_the_test")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def call() -> Call:
    return Call("c_1", "call-c_1", "callpool", stage="triage")


def test_a_line_is_a_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    """With when, how bad, what, from where, and the fields."""
    with logging_to("dispatcher"):
        before = datetime.now(UTC)
        log.warning("a call\nis late", extra={"action": "late", "late_s": 1.5, "calls": ["c_1"], "how": "ü"})
        [line] = records(capsys)
    assert list(line)[:5] == ["timestamp", "level", "event", "logger", "process"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["timestamp"])
    assert abs((datetime.fromisoformat(line.pop("timestamp")) - before).total_seconds()) < 5
    assert line == {
        "level": "warning",
        "event": "a call\nis late",
        "logger": "callpool.of_the_test",
        "process": "dispatcher",
        "action": "late",
        "late_s": 1.5,
        "calls": ["c_1"],
        "how": "ü",
    }


def test_fields_do_not_replace_what_a_line_has(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever they are called."""
    with logging_to():
        log.info("a call", extra={"event": "x", "level": "x", "timestamp": "x", "logger": "x"})
        [line] = records(capsys)
    assert (line["event"], line["level"], line["logger"]) == ("a call", "info", "callpool.of_the_test")
    assert line["timestamp"] != "x"


def test_a_line_of_text_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """A clock, the message, its fields; an exception below."""
    with logging_to(CALLPOOL_LOG_FORMAT="text"):
        log.info("a call ends", extra={"action": "ended", "why": "a\nb"})
        try:
            raise RuntimeError(WORD)
        except RuntimeError:
            log.exception("it broke")
        lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} INFO    a call ends action=ended why=a\\nb", lines[0])
    assert re.fullmatch(r"\S+ ERROR   it broke", lines[1])
    assert lines[2] == "Traceback (most recent call last):"
    assert lines[-1] == "RuntimeError"


@pytest.mark.parametrize(
    ("log_format", "stream", "begins"),
    [
        ("auto", io.StringIO(), "{"),
        ("auto", Terminal(), r"\d\d:"),
        ("json", Terminal(), "{"),
        ("text", io.StringIO(), r"\d\d:"),
    ],
)
def test_the_format_fits_the_reader(log_format: str, stream: io.StringIO, begins: str) -> None:
    """Left to itself: text on a terminal, JSON elsewhere. Colour is for terminals alone."""
    record = logging.makeLogRecord({"msg": "a call", "levelno": logging.ERROR, "levelname": "ERROR"})
    line = formatter(log_format, stream).format(record)
    assert re.match(begins, line)
    assert ("\x1b[31m" in line) == (log_format != "json" and stream.isatty())


def test_the_level_is_a_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """What is below it is not written."""
    with logging_to(CALLPOOL_LOG_LEVEL="warning"):
        log.info("a call")
        log.warning("a late call")
        assert [line["event"] for line in records(capsys)] == ["a late call"]


def test_what_nobody_caught_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """By the main thread or another one, without what it says."""
    with logging_to():
        thread = threading.Thread(target=lambda: [][0 * len(WORD)])
        thread.start()
        thread.join()
        error = ValueError(WORD)
        sys.excepthook(ValueError, error, None)
        text = capsys.readouterr().err
    assert text.count('"action": "uncaught"') == 2
    assert "IndexError" in text
    assert "ValueError" in text
    assert WORD not in text


def test_a_job_binds_its_call(capsys: pytest.CaptureFixture[str]) -> None:
    """Its stage is the one at the moment, its span the one in which the code runs."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with logging_to("job"):
        log.info("before")
        one = call()
        one.trace_id = "ab" * 16
        log_context.bind(one, "AJ_1")
        log.info("first")
        one.stage = "billing"
        with tracer.start_as_current_span("turn") as span:
            logging.getLogger("livekit.agents").info("second", extra={"call_id": "of a tool"})
        before, first, second = records(capsys)
    assert not {"call_id", "stage", "trace_id"} & set(before)
    assert (first["call_id"], first["job_id"], first["stage"]) == ("c_1", "AJ_1", "triage")
    assert (first["trace_id"], "span_id" in first) == ("ab" * 16, False)
    assert (second["call_id"], second["stage"]) == ("c_1", "billing")
    context = span.get_span_context()
    assert second["trace_id"] == f"{context.trace_id:032x}"
    assert second["span_id"] == f"{context.span_id:016x}"


def test_a_process_of_many_calls_binds_them_where_it_serves_them(capsys: pytest.CaptureFixture[str]) -> None:
    """As the web process and the dispatcher do."""
    with logging_to("web"):
        with bound_contextvars(call_id="c_2"):
            log.info("inside")
        log.info("outside")
        inside, outside = records(capsys)
    assert inside["call_id"] == "c_2"
    assert "call_id" not in outside


@contextmanager
def sdk_queue() -> Iterator[logging.Handler]:
    """What carries a job's records to its worker: the SDK's own handler and listener, on two sockets."""
    ours, theirs = socket.socketpair()

    def add_fields(record: logging.LogRecord) -> None:
        vars(record).update(pid=4711, job_id="AJ_1", room=WORD)

    listener = LogQueueListener(duplex_unix._Duplex.open(ours), add_fields)
    listener.start()
    handler = LogQueueHandler(duplex_unix._Duplex.open(theirs))
    try:
        yield handler
    finally:
        handler.close()
        handler.thread.join(5)
        listener.stop()


def test_a_record_of_a_job_arrives_at_its_worker(capsys: pytest.CaptureFixture[str]) -> None:
    """Cleaned before it leaves, with when it was made, and with nothing personal that the SDK adds."""
    with logging_to("worker"), sdk_queue() as queue:
        worker = logging.getLogger().handlers
        logging.getLogger().handlers = [queue]
        set_up_logs_of_job(settings.load({"OPENAI_API_KEY": "the-key-of-openai"}))
        log_context.bind(replace(call(), trace_id="ab" * 16), "AJ_1")
        made_s = time.time()
        try:
            raise RuntimeError(WORD)
        except RuntimeError as error:
            log.exception("it broke", extra={"detail": "with the-key-of-openai", "error": error})
        logging.getLogger().handlers = worker
        queue.close()
        lines: list[dict[str, object]] = []
        deadline = time.monotonic() + 5
        while not lines and time.monotonic() < deadline:
            lines = records(capsys)
    [line] = lines
    at = datetime.fromisoformat(str(line.pop("timestamp"))).timestamp()
    assert at == pytest.approx(made_s, abs=0.5)
    exception = str(line.pop("exception"))
    assert exception.endswith("RuntimeError")
    assert "Traceback" in exception
    assert line == {
        "level": "error",
        "event": "it broke",
        "logger": "callpool.of_the_test",
        "process": "job",
        "call_id": "c_1",
        "job_id": "AJ_1",
        "stage": "triage",
        "trace_id": "ab" * 16,
        "detail": "with ***",
        "error": "RuntimeError",
        "pid": 4711,
    }


def test_the_room_of_a_call_of_the_web_api_names_it() -> None:
    """Any other one says nothing that may be logged."""
    assert call_in("call-c_Ab3dEfGh1") == "c_Ab3dEfGh1"
    assert call_in("call-_+4915123456_x") is None
    assert call_in("4915123456") is None


@pytest.mark.parametrize("package", [Path(callpool.__file__).parent], ids=["callpool"])
def test_every_message_of_ours_is_a_constant(package: Path) -> None:
    """Of any other one the filter leaves nothing."""
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    messages = [
        (path.name, node.lineno, node.args[0])
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "logger"
        and node.func.attr in levels
    ]
    assert len(messages) > 60
    passed_on = {("profiles.py", "message"), ("clips.py", "what")}
    strange = [
        (name, line, ast.unparse(message))
        for name, line, message in messages
        if not isinstance(message, ast.Constant | ast.IfExp) and (name, ast.unparse(message)) not in passed_on
    ]
    assert strange == []
