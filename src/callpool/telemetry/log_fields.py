"""The names of log fields: whose texts may be told as they are, whose may be told at all, whose never."""

from __future__ import annotations

IDENTIFIERS = frozenset(
    {
        "agent",
        "agent_name",
        "call_id",
        "calls",
        "cartesia_context_id",
        "context_id",
        "dispatch_id",
        "host",
        "job_id",
        "members",
        "model",
        "modules",
        "path",
        "provider",
        "request",
        "request_id",
        "room_id",
        "span_id",
        "speech_id",
        "store",
        "stream_id",
        "trace_id",
        "url",
        "variable",
        "version",
        "webhooks",
        "worker",
        "worker_id",
    }
)
"""Of our own: their digits are no caller's, and are not masked."""
HARMLESS = frozenset(
    {
        "agent_name",
        "cartesia_context_id",
        "context_id",
        "dispatch_id",
        "error_type",
        "exception_type",
        "job_id",
        "label",
        "llm",
        "model",
        "plugin",
        "protocol",
        "provider",
        "region",
        "request_id",
        "room_id",
        "speech_id",
        "stream_id",
        "stt",
        "tts",
        "version",
        "worker_id",
    }
)
"""Of other packages: their texts are told. The SDK puts what callers say and are into others, such as `room`,
`participant`, `function`, `arguments`, `error` and `reason`."""
PERSONAL = frozenset(
    {
        "address",
        "agent_text",
        "arguments",
        "caller",
        "caller_text",
        "email",
        "identity",
        "metadata",
        "name",
        "output",
        "participant",
        "phone",
        "phone_number",
        "text",
        "transcript",
        "user_input",
        "words_said",
    }
)
"""Of our own, if somebody makes them in spite of the rules: they are left out."""


def is_personal(field: str) -> bool:
    """Whether a field may hold what a caller said or is: the SDK marks such keys with a `pii` segment."""
    return "pii" in field.split(".") or field in PERSONAL
