"""The order tool, as the model sees it and as it answers."""

import json
from typing import Any

import pytest
from livekit.agents import FunctionTool, ToolError
from livekit.agents.llm.utils import build_legacy_openai_schema

from callpool_tools.orders import Orders, digits, order_tools


@pytest.fixture
def lookup_order() -> FunctionTool[Any, Any]:
    return order_tools(Orders.sample())[0]


async def test_an_order_is_found_by_its_digits(lookup_order: FunctionTool[Any, Any]) -> None:
    """What the tool returns comes from the table, and holds nothing about the person."""
    found = json.loads(await lookup_order(None, order_number="1 2 3 4 5"))
    assert found == {
        "order_number": "12345",
        "item": "wireless headphones",
        "quantity": 1,
        "status": "shipped",
        "carrier": "Parcel Express",
        "eta": "2026-12-02",
    }


@pytest.mark.parametrize(("number", "word"), [("99999", "no order"), ("123", "5 digits"), ("", "5 digits")])
async def test_a_wrong_number_tells_the_model_what_to_do(
    lookup_order: FunctionTool[Any, Any], number: str, word: str
) -> None:
    """An error the model can act on: ask again."""
    with pytest.raises(ToolError, match=word) as error:
        await lookup_order(None, order_number=number)
    assert "Ask the caller" in error.value.message


@pytest.mark.parametrize(
    ("spoken", "number"),
    [
        ("12345", "12345"),
        ("12,345", "12345"),
        ("one two three", "123"),
        ("one, oh, five", "105"),
        ("nought double two one", "0221"),
        ("treble five, nil, triple 7", "5550777"),
        ("one twenty-three fourty five", "12345"),
        ("twenty oh one", "2001"),
        ("double twelve, double 12", "1212"),
        ("one double", "1"),
        ("no idea", ""),
    ],
)
def test_digits_are_read_however_they_were_said(spoken: str, number: str) -> None:
    """Speech to text writes numbers in many ways."""
    assert digits(spoken) == number


def test_the_schema_comes_from_the_function(lookup_order: FunctionTool[Any, Any]) -> None:
    """Name, types and docstring are what the model is offered."""
    schema = build_legacy_openai_schema(lookup_order)["function"]
    assert schema["name"] == "lookup_order"
    assert schema["description"].startswith("Look up an order")
    assert schema["parameters"]["properties"]["order_number"]["type"] == "string"
    assert "five digits" in schema["parameters"]["properties"]["order_number"]["description"]
