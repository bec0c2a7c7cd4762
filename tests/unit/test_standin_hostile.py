"""Requests and results that no well-behaved client sends: the stand-in answers them, and soon."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from standin_caller import TODAY

from callpool.local.behaviour import Said, ToolUse
from callpool.local.standin import StandIn
from callpool.local.standin.answering import Question

LONG = 20_000
"""Characters, far more than a turn or a description has."""


def tool(
    properties: dict[str, object], description: str = "", definitions: dict[str, object] | None = None
) -> dict[str, object]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    if definitions:
        schema["$defs"] = definitions
    return {
        "type": "function",
        "function": {"name": "paint_house", "description": description, "parameters": schema},
    }


def answer(text: str, tools: list[dict[str, object]], *done: dict[str, object]) -> Said:
    return StandIn(today=lambda: TODAY).answer(Question([{"role": "user", "content": text}, *done], tools))


def told(result: str) -> str:
    """What is said about a result of the tool."""
    call = {"id": "call_0", "type": "function", "function": {"name": "paint_house", "arguments": "{}"}}
    return answer(
        "Paint the house.",
        [tool({})],
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_0", "content": result},
    ).text


@pytest.mark.parametrize(
    "function",
    [None, "paint_house", {"name": "paint_house", "arguments": {}}, {"name": None, "arguments": "[" * 9000}],
)
def test_a_call_without_a_readable_function_is_passed_over(function: Any) -> None:
    """The conversation goes on with what can be read of it."""
    said = answer(
        "Hello.",
        [],
        {"role": "assistant", "tool_calls": [{"id": "call_0", "function": function}]},
        {"role": "tool", "tool_call_id": "call_0", "content": "Done."},
    )
    assert said.text


@pytest.mark.parametrize(
    ("result", "spoken"),
    [
        ("{[1]: 2}", "{[1]: 2}."),
        ("{1: 2}", "The 1 is 2."),
        ("[" * 5000, f"{'[' * 5000}."),
        ("[" * 400 + "]" * 400, "I found nothing."),
        ('{"price_usd": NaN, "colour": "red"}', "The colour is red."),
        ('{"price_usd": 1e400, "colour": "red"}', "The colour is red."),
        (f'{{"price_usd": 1{"0" * 20}}}', f"The price is 1{' 0' * 20}."),
        (f"${'1' * 400}", f"$1{' 1' * 399}."),
    ],
    ids=["list as key", "number as key", "brackets", "nested", "nan", "infinite", "huge", "huge in text"],
)
def test_a_strange_result_is_spoken_as_far_as_it_can_be(result: str, spoken: str) -> None:
    """Keys that are no names, depths without end, numbers that are none."""
    assert told(result) == spoken


@pytest.mark.parametrize(
    "definition",
    [
        {"type": "array", "items": {"$ref": "#/$defs/wall"}},
        {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/wall"}, {"type": "null"}]}},
        {"type": "object", "properties": {"height": {"type": "integer"}}},
    ],
)
def test_a_list_of_lists_or_of_objects_is_not_driven(definition: dict[str, object]) -> None:
    """Also where the schema refers to it, or to itself."""
    walls = {"walls": {"type": "array", "items": {"$ref": "#/$defs/wall"}}}
    said = answer("Paint the house.", [tool(walls, definitions={"wall": definition})])
    assert said == Said("I am sorry, I did not understand that. What can I do for you?")


@pytest.mark.parametrize(
    ("name", "question"),
    [("двери", "Двери, yes or no?"), ("_", "Value, yes or no?"), ("", "Value, yes or no?")],
)
def test_a_parameter_is_asked_for_whatever_its_name(name: str, question: str) -> None:
    """Letters of any alphabet make a name; without any it is a value."""
    assert answer("Paint the house.", [tool({name: {"type": "boolean"}})]).text == question


def test_a_choice_is_heard_in_any_alphabet() -> None:
    """A letter beyond ASCII does not split a word."""
    said = answer("Paint the house crème.", [tool({"colour": {"enum": ["crème", "brown"]}})])
    assert said.tools == (ToolUse("paint_house", {"colour": "crème"}),)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": r"^\d{99999999999}$"},
        {"type": "string", "pattern": "(" * 3000 + r"\d"},
        {"type": "string", "description": f"{'9' * 5000} digits."},
        {"type": "integer", "minimum": 10**400},
        {"type": "integer"},
    ],
    ids=["repetition", "nested", "length", "minimum", "integer"],
)
def test_bounds_beyond_reason_are_no_bounds(schema: dict[str, object]) -> None:
    """Neither a schema nor a caller's endless number stops the conversation."""
    tools = [tool({"house_number": schema})]
    for number in ("12", "1" * 5000, f"{'1' * 5000} thousand"):
        said = answer(f"Paint the house number {number}.", tools)
        json.dumps([use.arguments for use in said.tools], allow_nan=False)
        assert said.text or said.tools


@pytest.mark.parametrize(
    "description", [f"The {'a' * 60}/y", f"The {'a ' * (LONG // 2)}/y", "x " * (LONG // 2), "." * LONG]
)
def test_a_long_description_takes_no_time(description: str) -> None:
    """Of a tool and of a parameter, within a second."""
    tools = [tool({"colour": {"type": "string", "description": description}}, description)]
    begun = time.process_time()

    answer("Paint the house.", tools)

    assert time.process_time() - begun < 1.0


@pytest.mark.parametrize(
    "piece", ["a", "_", "a.", "a dot ", ",", "no,", "# ", "thanks,", "[", "the ", "not ", "uh ", "-"]
)
def test_long_words_take_no_time(piece: str) -> None:
    """What a caller says and what a tool returns, within a second each."""
    email = [tool({"email": {"type": "string"}, "colour": {"type": "string"}})]
    begun = time.process_time()

    answer(f"Thanks, paint {piece * (LONG // len(piece))}/y", email)
    middle = time.process_time()
    told(piece * (LONG // len(piece)))

    assert middle - begun < 1.0
    assert time.process_time() - middle < 1.0
