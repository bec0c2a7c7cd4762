"""What of a span may leave this machine: nothing that a caller said or is, unless settings allow it.

A number or a truth value is kept under any key. A text is kept under keys that are known to hold none of what
callers say or are, or, where settings allow it, under a key with a `pii` segment. The SDK marks most of its
keys so, but not those whose names a convention fixes (`gen_ai.input.messages`), nor what a telephone exchange
sent (`lk.sip.…`), nor the messages of exceptions: therefore a list of what is harmless, and none of what is
not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, Status
from opentelemetry.util.types import AttributeValue

PERSONAL = "pii"
"""The segment of a key that marks what is personal."""

HARMLESS = frozenset(
    {
        "job_id",
        "room_id",
        "error.type",
        "exception.type",
        "gen_ai.agent.name",
        "gen_ai.operation.name",
        "gen_ai.output.type",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "gen_ai.response.finish_reasons",
        "gen_ai.response.id",
        "gen_ai.response.model",
        "gen_ai.tool.call.id",
        "gen_ai.tool.name",
        "gen_ai.tool.type",
        "gen_ai.workflow.name",
        "http.request.method",
        "http.route",
        "lk.agent_label",
        "lk.agent_name",
        "lk.blocking.import",
        "lk.blocking.severity",
        "lk.blocking.stack",
        "lk.blocking.task",
        "lk.callback.name",
        "lk.close_reason",
        "lk.connection_state",
        "lk.disconnect_reason",
        "lk.dispatch_id",
        "lk.eou.language",
        "lk.eou.outcome",
        "lk.eou.source",
        "lk.fallback.label",
        "lk.function_tool.id",
        "lk.function_tool.name",
        "lk.function_tools",
        "lk.generation_id",
        "lk.input.base_span_id",
        "lk.interruption.source",
        "lk.is_interruption",
        "lk.job.agent_id",
        "lk.job.worker_id",
        "lk.job_id",
        "lk.new_state",
        "lk.old_state",
        "lk.parent_generation_id",
        "lk.participant_id",
        "lk.participant_kind",
        "lk.previous_agent_label",
        "lk.provider_request_ids",
        "lk.room_sid",
        "lk.shutdown.reason",
        "lk.speech_id",
        "lk.stt.events",
        "lk.tool_sets",
        "lk.track_sid",
        "lk.track_source",
        "lk.tts.label",
    }
)
"""Keys whose texts are made by programs: names, ids, states, times."""
OURS = "callpool."
"""Before our own keys, which are personal only where they say so."""


def kept(attributes: Mapping[str, AttributeValue] | None, *, personal: bool) -> dict[str, AttributeValue]:
    """The attributes that may be exported. `personal`: with what callers say and are, under `pii` keys."""
    result: dict[str, AttributeValue] = {}
    for key, value in (attributes or {}).items():
        if PERSONAL in key.split("."):
            if personal:
                result[key] = value
        elif not _is_text(value) or key in HARMLESS or key.startswith(OURS):
            result[key] = value
        elif personal:
            result[f"{PERSONAL}.{key}"] = value
    return result


def without_personal(span: ReadableSpan, *, personal: bool) -> ReadableSpan:
    """A copy of a span that has ended, with what may be exported of it."""
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=kept(span.attributes, personal=personal),
        events=[
            Event(event.name, kept(event.attributes, personal=personal), event.timestamp)
            for event in span.events
        ],
        links=[Link(link.context, kept(link.attributes, personal=personal)) for link in span.links],
        kind=span.kind,
        # Its description is the message of an exception.
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _is_text(value: AttributeValue) -> bool:
    return isinstance(value, str | bytes) or (
        isinstance(value, Sequence) and any(isinstance(part, str | bytes) for part in value)
    )
