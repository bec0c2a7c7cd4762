"""How the stand-in tells where an order is."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import callpool_agents

RULES = Path(callpool_agents.__file__).parent / "problem_solving.yaml"


@pytest.mark.parametrize("language", ["en", "de", "es"])
@pytest.mark.parametrize("status", ["shipped", "processing", "delivered", "delayed", "cancelled"])
def test_an_answer_about_a_delivery_names_the_item(language: str, status: str) -> None:
    """A caller with two orders knows which one is meant."""
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))["languages"][language]["results"][
        "delivery_status"
    ]
    first = next(rule for rule in rules if rule.get("when") == {"status": status})
    assert "{item}" in first["say"]
