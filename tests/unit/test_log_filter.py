"""Nothing secret and nothing personal gets through the log's filter, and what helps does."""

from __future__ import annotations

import asyncio
import logging
import string
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.agents import APIConnectionError, APIStatusError

from callpool import settings
from callpool.errors import SettingError, StoreAway
from callpool.provider_settings import LOCAL_KEY
from callpool.telemetry.constants import LEFT_OUT
from callpool.telemetry.failures import traced, without_texts
from callpool.telemetry.log_filter import LogFilter, fields_of
from callpool.telemetry.redaction import Redaction

KEY = "".join(["Qx7", "pass", "phrase", "Zw"])
"""A secret of the settings. Put together when it runs: what is written in the code is a constant of it."""
WORD = "".join(["mari", "gold", "s"])
"""What a caller said."""
NUMBER = "".join(["+49 151", " 234 56", " 78"])

OURS = logging.getLogger("callpool.of_the_test")
THEIRS = logging.getLogger("livekit.agents.of_the_test")


class Kept(logging.Handler):
    """The records that came through the filter."""

    def __init__(self, clean: LogFilter) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.others = False
        self.addFilter(clean)

    def emit(self, record: logging.LogRecord) -> None:
        if self.others or record.name != "asyncio":  # which tells of tasks of earlier tests
            self.records.append(record)

    @property
    def last(self) -> logging.LogRecord:
        return self.records[-1]

    @property
    def fields(self) -> dict[str, Any]:
        return fields_of(self.last)

    def told(self) -> str:
        """Everything in the last record, standard attributes included."""
        return repr(vars(self.last)) + logging.Formatter().format(self.last)


@pytest.fixture
def kept() -> Iterator[Kept]:
    """The handler of the root logger, with its filter."""
    handler = Kept(LogFilter(Redaction([KEY]), "worker", dict))
    root = logging.getLogger()
    before, root.handlers = root.handlers, [handler]
    level = root.level
    root.setLevel(logging.DEBUG)
    yield handler
    root.handlers = before
    root.setLevel(level)


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:
        return caught


def test_what_is_planted_is_found_without_the_filter() -> None:
    """The control: the handler keeps what it gets."""
    handler = Kept(LogFilter(Redaction(), "worker", dict))
    handler.filters.clear()
    record = logging.makeLogRecord({"msg": "said %s", "args": (WORD,), "key": {"in": [KEY]}})
    handler.handle(record)
    assert WORD in handler.told()
    assert KEY in handler.told()


SECRETS: dict[str, Callable[[logging.Logger], None]] = {
    "argument": lambda log: log.info("key %s", KEY),
    "message": lambda log: log.info(f"the key is {KEY}"),
    "field": lambda log: log.info("a call", extra={"detail": f"with {KEY}."}),
    "name of a field": lambda log: log.info("a call", extra={KEY: 1}),
    "nested": lambda log: log.info("a call", extra={"detail": {"a": [{"b": (KEY,)}], KEY: 1}}),
    "object": lambda log: log.info("a call", extra={"detail": Talkative(KEY)}),
    "exception": lambda log: log.error("a call", exc_info=raised(StoreAway(f"with {KEY}"))),
    "cause": lambda log: log.error("a call", exc_info=raised(OSError(KEY), ValueError(KEY))),
    "exception as a field": lambda log: log.error("a call", extra={"error": SettingError("X", KEY, "y")}),
    "stack": lambda log: log.error("a call", stack_info=True, extra={"detail": KEY}),
    "error of formatting": lambda log: log.info("%d", KEY),
}


class Talkative:
    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


@pytest.mark.parametrize("log", [OURS, THEIRS], ids=["ours", "theirs"])
@pytest.mark.parametrize("plant", SECRETS.values(), ids=SECRETS)
def test_no_secret_gets_through(kept: Kept, plant: Callable[[logging.Logger], None], log: Any) -> None:
    """Wherever in a record it is, and whoever logs it."""
    plant(log)
    assert len(kept.records) == 1
    assert KEY not in kept.told()


WORDS: dict[str, Callable[[], None]] = {
    "argument": lambda: THEIRS.info("said %s", WORD),
    "named argument": lambda: THEIRS.info("said %(what)s", {"what": WORD}),
    "f-string": lambda: THEIRS.info(f"failed to say {WORD}, retrying"),
    "message": lambda: THEIRS.info(str.upper(WORD).lower()),
    "field": lambda: THEIRS.info("said", extra={"reason": WORD, "function": WORD, "error": WORD}),
    "room": lambda: THEIRS.info("said", extra={"room": WORD, "participant": WORD}),
    "pii": lambda: OURS.info("said", extra={"lk.pii.user_input": WORD, "pii": WORD}),
    "nested pii": lambda: OURS.info("said", extra={"detail": {"lk.pii.text": WORD, "identity": WORD}}),
    "personal": lambda: OURS.info("said", extra={"identity": WORD, "text": WORD, "room": WORD}),
    "argument of ours": lambda: OURS.info("said %s", WORD),
    "f-string of ours": lambda: OURS.info(f"said {WORD}"),
    "object": lambda: OURS.info("said", extra={"what": Talkative(WORD)}),
    "exception": lambda: THEIRS.error("said", exc_info=raised(ValueError(WORD))),
    "exception of ours": lambda: OURS.error("said", exc_info=raised(RuntimeError(WORD), KeyError(WORD))),
    "group": lambda: OURS.error("said", exc_info=raised(ExceptionGroup(WORD, [ValueError(WORD)]))),
    "exception as a field": lambda: OURS.error("said", extra={"error": APIConnectionError(WORD)}),
    "exception as an argument": lambda: THEIRS.error("it broke: %s", ValueError(WORD)),
    "body of an answer": lambda: OURS.error(
        "said", extra={"error": APIStatusError(WORD, status_code=503, body=WORD)}
    ),
    "text of the system's error": lambda: OURS.error("said", extra={"error": OSError(2, WORD, WORD)}),
}


@pytest.mark.parametrize("plant", WORDS.values(), ids=WORDS)
def test_no_word_of_a_caller_gets_through(kept: Kept, plant: Callable[[], None]) -> None:
    """In what the SDK and other libraries log, and in what we should not."""
    plant()
    assert len(kept.records) == 1
    assert WORD not in kept.told()


def test_a_number_of_a_caller_is_masked(kept: Kept) -> None:
    """In a text of ours, with an address of mail; also where an identifier is expected."""
    OURS.info("a call", extra={"detail": f"{NUMBER}, james@example.org", "call_id": "4915123456"})
    assert not set(string.digits) & set(kept.fields["detail"] + kept.fields["call_id"])
    assert "example" not in kept.told()


def test_what_helps_is_told(kept: Kept) -> None:
    """Identifiers, numbers, and how something failed."""
    OURS.warning(
        "a provider fails",
        extra={
            "action": "provider_failed",
            "call_id": "c_1234567",
            "url": "http://127.0.0.1:8090",
            "late_s": 1.5,
            "last": True,
            "kinds": ("timeout", "5xx"),
            "nothing": None,
            "error": raised(APIConnectionError("no"), raised(OSError(111, "x"))),
        },
    )
    assert kept.last.getMessage() == "a provider fails"
    assert kept.fields == {
        "process": "worker",
        "action": "provider_failed",
        "call_id": "c_1234567",
        "url": "http://127.0.0.1:8090",
        "late_s": 1.5,
        "last": True,
        "kinds": ["timeout", "5xx"],
        "error": "APIConnectionError < ConnectionRefusedError: [Errno 111] Connection refused",
    }


def test_a_record_of_the_sdk_keeps_what_is_harmless(kept: Kept) -> None:
    """Numbers and a few names of fields; of a message with values, what the code spells out."""
    error = raised(APIStatusError("no", status_code=503))
    THEIRS.warning(
        f"failed to generate LLM completion: {error}, retrying in {0.1}s",
        extra={"llm": "openai.LLM", "attempt": 2, "streamed": True, "call_id": "call_of_a_tool"},
    )
    assert kept.last.getMessage() == f"failed to generate LLM completion: {LEFT_OUT}, retrying in {LEFT_OUT}"
    assert kept.fields == {"process": "worker", "llm": "openai.LLM", "attempt": 2, "streamed": True}


def test_a_room_of_the_web_api_tells_the_call(kept: Kept) -> None:
    """Another one may be named after the caller's number."""
    OURS.info("a room", extra={"room": "call-c_Ab3dEfGh1"})
    assert kept.fields["call_id"] == "c_Ab3dEfGh1"
    OURS.info("a room", extra={"room": "call-_+4915123456_x"})
    assert set(kept.fields) == {"process"}


def test_a_traceback_keeps_kinds_and_places(kept: Kept) -> None:
    """Its frames, and the chain of what led to it."""
    OURS.error("it broke", exc_info=raised(RuntimeError(WORD), raised(KeyError(WORD))))
    told = kept.fields["exception"]
    assert told.index("KeyError") < told.index("RuntimeError")
    assert f'File "{__file__}", line ' in told
    assert ", in raised" in told
    assert kept.last.exc_info is None
    assert kept.last.exc_text is None


def test_a_traceback_that_is_a_text_already_loses_what_was_said() -> None:
    """One from a process that had no filter yet, over several lines."""
    text = "".join(traceback.format_exception(raised(ValueError(f"{WORD}\n{WORD}: {WORD}"), KeyError(WORD))))
    assert WORD in text
    assert WORD not in without_texts(text)
    assert without_texts(text).count("ValueError") == 1
    assert ", in raised" in without_texts(text)


def test_errors_say_what_may_be_said() -> None:
    """Those of ours, the system's number, a status; a server's address."""
    assert traced(StoreAway("the database x cannot be used: locked")).endswith("used: locked")
    key = aiohttp.client_reqrep.ConnectionKey("127.0.0.1", 9, False, None, None, None, None)
    away = aiohttp.ClientConnectorError(key, OSError(111, WORD))
    assert traced(away).endswith("ClientConnectorError: [Errno 111] Connection refused (127.0.0.1:9)")
    assert traced(APIStatusError(WORD, status_code=429)).endswith("APIStatusError: status_code 429")
    assert traced(StoreAway("call-_+4915123456 is gone")).endswith("call-_+********** is gone")


def test_a_record_from_a_job_is_not_taken_apart_again(kept: Kept) -> None:
    """The SDK adds fields to it in the worker: the name of the room among them."""
    OURS.info("call answered", extra={"action": "answered", "call_id": "c_1"})
    record = kept.last
    record.room, record.pid, record.job_id = WORD, 4711, "AJ_1"
    kept.handle(record)
    assert record.getMessage() == "call answered"
    assert kept.fields == {
        "process": "worker", "action": "answered", "call_id": "c_1", "pid": 4711, "job_id": "AJ_1"
    }  # fmt: skip


def test_a_record_that_cannot_be_read_says_so(kept: Kept) -> None:
    """And raises nothing where it was logged."""

    class Broken(dict[str, str]):
        def items(self) -> Any:
            raise RuntimeError(WORD)

    OURS.info("a call", extra={"detail": Broken(), "what": WORD})
    assert kept.last.getMessage() == "a log record could not be read"
    assert kept.fields == {"process": "worker", "error": "RuntimeError"}
    assert WORD not in kept.told()


async def test_what_a_forgotten_task_raised_stays_out(kept: Kept) -> None:
    """asyncio puts the exception's text into its message."""

    async def fail() -> None:
        raise ValueError(WORD)

    kept.others = True
    task = asyncio.create_task(fail())
    await asyncio.wait({task})
    del task
    assert kept.last.getMessage() == f"Task exception was never retrieved {LEFT_OUT}"
    assert "ValueError" in kept.fields["exception"]
    assert WORD not in kept.told()


def test_the_logging_function_is_found_by_its_frame() -> None:
    """What `constants` rests on: a private function, and the attributes of a record."""
    record = OURS.makeRecord(OURS.name, logging.INFO, __file__, 1, "x", (), None, "f")
    assert (record.pathname, record.funcName) == (__file__, "f")
    assert sys._getframe().f_code.co_filename == __file__


LOOKING_SECRET = (
    "Authorization: Bearer abc.def-123",
    "header Token 0123456789abcdef",
    "api_key=0123456789",
    '{"password": "a-b-c"}',
    "postgresql://me:pa55word@host/db",
    "sk-proj-abcdefgh1234",
    "sk_car_abcdefgh1234",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE0123\n-----END RSA PRIVATE KEY-----",
    "wss://host/rtc?access_token=abcdef0123",
)


@pytest.mark.parametrize("text", LOOKING_SECRET)
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    """Without being in any setting."""
    hidden = Redaction().hide(text)
    assert "***" in hidden
    for part in ("abc.def", "0123", "a-b-c", "pa55", "abcdefgh", "eyJ", "c2ln", "MIIE"):
        assert part not in hidden


@pytest.mark.parametrize(
    "text", ["3 tokens were used", "a token of trust", "basic troubleshooting", "DEEPGRAM_API_KEY is not set"]
)
def test_ordinary_words_stay(text: str) -> None:
    """Also those that secrets are called by."""
    assert Redaction().hide(text) == text


def test_every_secret_of_the_settings_is_known() -> None:
    """Keys, headers one by one, passwords in URLs; the placeholder for no key is none."""
    found = settings.load(
        {
            "LIVEKIT_API_SECRET": "one-of-livekit",
            "DEEPGRAM_API_KEY": "two-of-deepgram",
            "OPENAI_API_KEY": LOCAL_KEY,
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20three-of-otlp,dd-key=four-of-otlp",
            "CALLPOOL_STORE_URL": "postgresql://me:five%2Fof-store@127.0.0.1/calls",
        }
    )
    redaction = Redaction.of(found)
    for secret in ("one-of-livekit", "two-of-deepgram", "three-of-otlp", "four-of-otlp", "five/of-store"):
        assert redaction.hide(f"it is {secret}.") == "it is ***."
    assert redaction.hide(f"a {LOCAL_KEY} one") == f"a {LOCAL_KEY} one"


PLACES: tuple[Callable[[str], None], ...] = (
    lambda secret: OURS.info("a call", extra={"detail": f"with {secret} in it"}),
    lambda secret: OURS.info("a call", extra={"detail": repr([secret]), "deep": {"a": [secret]}}),
    lambda secret: OURS.info(f"a call with {secret}"),
    lambda secret: THEIRS.info("a call", extra={"label": secret}),
    lambda secret: OURS.error("a call", exc_info=raised(StoreAway(f"with {secret}"))),
    lambda secret: OURS.error("a call", extra={"error": SettingError("X", secret, "else")}),
)


@given(
    secret=st.text(st.characters(codec="utf-8"), min_size=8, max_size=60).filter(
        lambda text: text == text.strip() and len(set(text)) > 3 and "***" not in text
    ),
    place=st.sampled_from(PLACES),
)
def test_no_secret_survives_whatever_it_is_made_of(secret: str, place: Callable[[str], None]) -> None:
    """Quotation marks, backslashes, other alphabets, digits."""
    handler = Kept(LogFilter(Redaction([secret]), "worker", dict))
    root = logging.getLogger()
    before, root.handlers = root.handlers, [handler]
    level = root.level
    root.setLevel(logging.INFO)
    try:
        place(secret)
    finally:
        root.handlers = before
        root.setLevel(level)
    assert handler.last.getMessage()
    told = [handler.last.getMessage(), *_texts(handler.fields)]
    assert not [text for text in told if secret in text or repr(secret)[1:-1] in text]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from (key, *_texts(one))
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str):
        yield value
