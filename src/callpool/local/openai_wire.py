"""Chat Completions on the wire: requests read, or refused as the API refuses them."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from callpool.local.standin.answering import Choice, Question

CHARACTERS_A_TOKEN = 4
"""Tokens are estimated, one for each four characters begun: there is no tokenizer here."""
TOKENS_A_MESSAGE = 3
"""What the API adds for the frame of each message."""

_ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_FIELDS = """
messages model audio frequency_penalty function_call functions logit_bias logprobs
max_completion_tokens max_tokens metadata modalities moderation n parallel_tool_calls prediction
presence_penalty prompt_cache_key prompt_cache_options prompt_cache_retention reasoning_effort
response_format safety_identifier seed service_tier stop store stream stream_options temperature
tool_choice tools top_logprobs top_p user verbosity web_search_options
""".split()  # noqa: SIM905 - a list of this length is easier to read so

Json = dict[str, Any]


class Refused(Exception):
    """The request is refused with a status and OpenAI's error body."""

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"error": {"message": message, "type": kind, "param": param, "code": code}}


@dataclass(frozen=True)
class CompletionRequest:
    model: str
    question: Question
    stream: bool
    include_usage: bool
    tokens_at_most: int | None
    prompt_tokens: int

    @property
    def caller_messages(self) -> int:
        return sum(message.get("role") == "user" for message in self.question.messages)

    @property
    def after_tool(self) -> bool:
        return self.question.messages[-1].get("role") == "tool"

    @classmethod
    def read(cls, raw: bytes) -> CompletionRequest:
        """Raises Refused, worded as the API words it."""
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise Refused(
                400, "We could not parse the JSON body of your request. The body has to be a JSON object."
            )
        if unknown := next((name for name in body if name not in _FIELDS), None):
            raise Refused(400, f"Unknown parameter: '{unknown}'.", unknown, "unknown_parameter")
        model = body.get("model")
        if not isinstance(model, str) or not model:
            raise Refused(400, "you must provide a model parameter")
        messages = _messages(body)
        tools = _tools(body)
        choice, named = _choice(body, tools)
        stream = body.get("stream") is True
        options = _object(body, "stream_options")
        if options is not None and not stream:
            raise Refused(
                400,
                "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
                "stream_options",
            )
        if (_object(body, "response_format") or {}).get("type", "text") != "text":
            raise Refused(
                400,
                f"Invalid parameter: 'response_format' of this type is not supported with {model}, "
                "which a stand-in answers for.",
                "response_format",
            )
        if "parallel_tool_calls" in body and not tools:
            raise Refused(
                400,
                "'parallel_tool_calls' is only allowed when 'tools' are specified.",
                "parallel_tool_calls",
            )
        written = sum(TOKENS_A_MESSAGE + tokens(json.dumps(message)) for message in messages)
        return cls(
            model=model,
            question=Question(messages, tools, choice, named, body.get("parallel_tool_calls") is not False),
            stream=stream,
            include_usage=bool((options or {}).get("include_usage")),
            tokens_at_most=_limit(body),
            prompt_tokens=written + (tokens(json.dumps(tools)) if tools else 0),
        )


def _expected(param: str, wanted: str, value: object) -> Refused:
    names = {str: "a string", bool: "a boolean", int: "an integer", float: "a decimal", list: "an array"}
    got = "null" if value is None else names.get(type(value), "an object")
    return Refused(
        400, f"Invalid type for '{param}': expected {wanted}, but got {got} instead.", param, "invalid_type"
    )


def _missing(param: str) -> Refused:
    return Refused(400, f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def _object(body: Json, name: str) -> Json | None:
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise _expected(name, "an object", value)
    return value


def _messages(body: Json) -> list[Json]:
    messages = body.get("messages")
    if messages is None:
        raise _missing("messages")
    if not isinstance(messages, list):
        raise _expected("messages", "an array of objects", messages)
    if not messages:
        raise Refused(
            400,
            "Invalid 'messages': empty array. Expected an array with minimum length 1, "
            "but got an empty array instead.",
            "messages",
            "empty_array",
        )
    awaited: list[str] = []
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if not isinstance(message, dict):
            raise _expected(where, "an object", message)
        role = message.get("role")
        if role is None:
            raise _missing(f"{where}.role")
        if role not in _ROLES:
            named = ", ".join(f"'{each}'" for each in _ROLES[:-1])
            raise Refused(
                400,
                f"Invalid value: '{role}'. Supported values are: {named}, and '{_ROLES[-1]}'.",
                f"{where}.role",
                "invalid_value",
            )
        awaited = _tool_order(index, message, awaited)
        content = message.get("content")
        if content is None and not (
            role == "assistant" and (message.get("tool_calls") or message.get("refusal"))
        ):
            raise Refused(
                400,
                f"Invalid value for 'content': expected a string, got null. ({where}.content)",
                f"messages.[{index}].content",
            )
        if content is not None and not isinstance(content, (str, list)):
            raise _expected(f"{where}.content", "one of a string or array of objects", content)
    _all_answered(awaited)
    return messages


def _tool_order(index: int, message: Json, awaited: list[str]) -> list[str]:
    """Check that results follow the calls they belong to; returns the calls that still wait for theirs."""
    if message["role"] == "tool":
        if "tool_call_id" not in message:
            raise _missing(f"messages[{index}].tool_call_id")
        if message["tool_call_id"] not in awaited:
            raise Refused(
                400,
                "Invalid parameter: messages with role 'tool' must be a response to a preceeding message "
                "with 'tool_calls'.",
                f"messages.[{index}].role",
            )
        return [each for each in awaited if each != message["tool_call_id"]]
    _all_answered(awaited)
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list) or not all(isinstance(call, dict) and call.get("id") for call in calls):
        raise _missing(f"messages[{index}].tool_calls[0].id")
    for number, call in enumerate(calls):
        where = f"messages[{index}].tool_calls[{number}].function"
        function = call.get("function", {})
        if not isinstance(function, dict):
            raise _expected(where, "an object", function)
        for name in ("name", "arguments"):
            if function.get(name) is not None and not isinstance(function[name], str):
                raise _expected(f"{where}.{name}", "a string", function[name])
    return [str(call["id"]) for call in calls]


def _all_answered(awaited: Sequence[str]) -> None:
    if awaited:
        raise Refused(
            400,
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            "'tool_call_id'. The following tool_call_ids did not have response messages: "
            + ", ".join(awaited),
            "messages",
        )


def _tools(body: Json) -> list[Json]:
    tools = body.get("tools")
    if tools is None:
        return []
    if not isinstance(tools, list):
        raise _expected("tools", "an array of objects", tools)
    for index, tool in enumerate(tools):
        where = f"tools[{index}]"
        if not isinstance(tool, dict):
            raise _expected(where, "an object", tool)
        if tool.get("type") is None:
            raise _missing(f"{where}.type")
        if tool["type"] not in ("function", "custom"):
            message = f"Invalid value: '{tool['type']}'. Supported values are: 'function' and 'custom'."
            raise Refused(400, message, f"{where}.type", "invalid_value")
        if tool.get("function") is not None:
            _check_function(f"{where}.function", tool["function"])
        elif tool["type"] == "function":
            raise _missing(f"{where}.function")
    return tools


def _check_function(where: str, function: object) -> None:
    if not isinstance(function, dict):
        raise _expected(where, "an object", function)
    name = function.get("name")
    if not name:
        raise _missing(f"{where}.name")
    if not isinstance(name, str):
        raise _expected(f"{where}.name", "a string", name)
    if not isinstance(function.get("parameters") or {}, dict):
        raise _expected(f"{where}.parameters", "an object", function["parameters"])


def _choice(body: Json, tools: Sequence[Json]) -> tuple[Choice, str | None]:
    choice = body.get("tool_choice")
    if choice is not None and not tools:
        raise Refused(400, "'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
    match choice:
        case None | "auto":
            return "auto", None
        case "none":
            return "none", None
        case "required":
            return "required", None
        case {"type": "function", "function": {"name": str(name)}}:
            if all((tool.get("function") or {}).get("name") != name for tool in tools):
                raise Refused(400, f"Tool choice '{name}' not found in 'tools' parameter.", "tool_choice")
            return "auto", name
        case str():
            message = f"Invalid value: '{choice}'. Supported values are: 'none', 'auto', and 'required'."
            raise Refused(400, message, "tool_choice", "invalid_value")
    raise _expected("tool_choice", "one of a string or object", choice)


def _limit(body: Json) -> int | None:
    given = [name for name in ("max_tokens", "max_completion_tokens") if body.get(name) is not None]
    if len(given) == 2:
        raise Refused(
            400,
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            None,
            "invalid_parameter_combination",
        )
    if not given:
        return None
    value = body[given[0]]
    if not isinstance(value, int) or isinstance(value, bool):
        raise _expected(given[0], "an integer", value)
    if value < 1:
        raise Refused(
            400,
            f"Invalid '{given[0]}': integer below minimum value. "
            f"Expected a value >= 1, but got {value} instead.",
            given[0],
            "integer_below_min_value",
        )
    return value


def tokens(text: str) -> int:
    """An estimate of how many tokens a text has."""
    return -(-len(text) // CHARACTERS_A_TOKEN)


def new_id(prefix: str, length: int) -> str:
    letters = string.ascii_letters + string.digits
    return prefix + "".join(secrets.choice(letters) for _ in range(length))
