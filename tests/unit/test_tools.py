"""The tools as a model is offered them: name, types and docstring make the schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from livekit.agents import FunctionTool
from livekit.agents.llm.utils import build_legacy_openai_schema

from callpool_tools.business import Business
from callpool_tools.changes import change_tools
from callpool_tools.orders import order_tools
from callpool_tools.tickets import open_ticket_tool
from callpool_tools.transfer import transfer_call_tool
from callpool_tools.verification import verify_caller_tool

SCHEMAS: dict[str, tuple[str, dict[str, str], list[str]]] = {
    "lookup_order": ("Look up an order", {"order_number": "string"}, ["order_number"]),
    "delivery_status": ("Tell where an order is", {"order_number": "string"}, ["order_number"]),
    "place_order": (
        "Place an order for a product",
        {"item": "string", "quantity": "integer"},
        ["item", "quantity"],
    ),
    "reorder": (
        "Order the same item again",
        {"order_number": "string", "quantity": "integer"},
        ["order_number", "quantity"],
    ),
    "change_address": (
        "Change the address that an order is sent to",
        {"order_number": "string", "address": "string"},
        ["order_number", "address"],
    ),
    "cancel_order": ("Cancel an order", {"order_number": "string"}, ["order_number"]),
    "open_ticket": ("Open a ticket", {"summary": "string"}, ["summary"]),
    "verify_caller": (
        "Verify that an order belongs to the caller",
        {"order_number": "string", "name": "string"},
        ["order_number", "name"],
    ),
    "transfer_call": ("Transfer the call to a person", {"agent_id": "string", "reason": "string"}, []),
}
"""Each tool's first words, its parameters' types, and those that must be given."""


def shop_tools() -> Iterator[FunctionTool[Any, Any]]:
    business = Business("sqlite+aiosqlite:///never-opened.db")
    yield from order_tools(business, unverified_to="data_collection")
    yield from change_tools(business, unverified_to="data_collection")
    yield open_ticket_tool(business)
    yield verify_caller_tool(business, to="problem_solving", give_up_to="human_transfer")
    yield transfer_call_tool(business, to="human_transfer")


TOOLS = {tool.info.name: tool for tool in shop_tools()}


def test_these_are_all_tools() -> None:
    """None is left out here."""
    assert set(TOOLS) == set(SCHEMAS)


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schema_comes_from_the_function(name: str) -> None:
    """Its name, its signature's types and defaults, and its docstring's first words."""
    words, types, required = SCHEMAS[name]
    schema = build_legacy_openai_schema(TOOLS[name])["function"]
    parameters = schema["parameters"]
    assert schema["name"] == name
    assert schema["description"].startswith(words)
    assert {key: value["type"] for key, value in parameters["properties"].items()} == types
    assert parameters.get("required", []) == required


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_parameter_is_described_for_the_model(name: str) -> None:
    """By the docstring; the call's context is none of the model's business."""
    properties = build_legacy_openai_schema(TOOLS[name])["function"]["parameters"]["properties"]
    assert all(len(each["description"]) > 10 for each in properties.values())
    assert "ctx" not in properties
    assert "Args:" not in build_legacy_openai_schema(TOOLS[name])["function"]["description"]
