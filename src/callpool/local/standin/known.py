"""What the instructions say is known already, so that nobody is asked for it again.

A prompt may end with such a list:

    ## Known already

    - order number: 1 2 3 4 5
    - name: James Miller
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from callpool.local.standin.offered import Kind, Parameter

REQUEST = "request"
"""The fact that holds what the caller wants, in their own words."""
_SECTION = re.compile(r"^##\s+Known already\s*$(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL | re.IGNORECASE)
_FACT = re.compile(r"^\s*[-*]\s+([^:\n]+):[ \t]*(.+?)\s*$", re.MULTILINE)


def known_facts(instructions: Iterable[str]) -> dict[str, str]:
    """Fact to value, such as the newest list has them."""
    facts: dict[str, str] = {}
    for text in instructions:
        for section in _SECTION.findall(text):
            facts |= {name.strip().lower(): value for name, value in _FACT.findall(section)}
    return facts


def known_value(facts: dict[str, str], parameter: Parameter) -> object | None:
    """The value that the facts have for a parameter: by its name, or a person's by the last word of it."""
    words = parameter.words
    names = [" ".join(words)] + ([words[-1]] if parameter.kind is Kind.PERSON and words else [])
    value = next((facts[name] for name in names if name in facts), None)
    if value is None or parameter.kind not in (Kind.DIGITS, Kind.PERSON, Kind.EMAIL):
        return None
    if parameter.kind is not Kind.DIGITS:
        return value
    digits = re.sub(r"\D", "", value)
    return (int(digits) if parameter.json_type == "integer" else digits) if digits else None
