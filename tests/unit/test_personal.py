"""What of a span leaves the machine."""

from __future__ import annotations

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, SpanContext, Status, StatusCode

from callpool.telemetry.personal import kept, without_personal

SAID = {
    "lk.pii.user_transcript": "my secret garden",
    "gen_ai.input.messages": "my secret garden",
    "lk.sip.h.x-from": "my secret garden",
    "exception.message": "no order of my secret garden",
    "lk.unknown_to_us": ["my", "secret", "garden"],
    "callpool.pii.caller_text": "my secret garden",
}
HARMLESS = {
    "lk.e2e_latency": 0.5,
    "lk.function_tool.name": "lookup_order",
    "callpool.stage": "greeting",
    "lk.interrupted": True,
    "lk.unknown_number": 7,
    "lk.numbers": (1.5, 2.5),
}


def test_what_callers_say_stays_here() -> None:
    """Under whatever key it comes: what is not known to be harmless is personal."""
    assert kept({**SAID, **HARMLESS}, personal=False) == HARMLESS


def test_what_callers_say_is_marked_where_it_may_leave() -> None:
    """Every key with something personal has a `pii` segment, and nothing is lost."""
    out = kept({**SAID, **HARMLESS}, personal=True)
    assert {key: value for key, value in out.items() if "pii" not in key.split(".")} == HARMLESS
    assert sorted(map(str, (value for key, value in out.items() if "pii" in key.split(".")))) == sorted(
        map(str, SAID.values())
    )


def test_events_links_and_the_status_are_looked_at_as_well() -> None:
    """The message of an exception is in all of them."""
    context = SpanContext(1, 2, is_remote=False)
    span = ReadableSpan(
        "function_tool",
        context,
        attributes={"exception.message": "garden"},
        events=[Event("exception", {"exception.message": "garden", "exception.type": "ToolError"})],
        links=[Link(context, {"note": "garden"})],
        status=Status(StatusCode.ERROR, "garden"),
    )

    out = without_personal(span, personal=False)

    assert "garden" not in out.to_json()
    assert out.events[0].attributes == {"exception.type": "ToolError"}
    assert out.status.status_code is StatusCode.ERROR
    assert out.context == context
