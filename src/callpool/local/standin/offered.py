"""The tools that a request offers, read from their JSON schemas."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from callpool.local.standin import english
from callpool.local.standin.words import split_name

Schema = Mapping[str, object]


class Kind(Enum):
    """How a value is said, which decides how it is found in speech."""

    DIGITS = auto()
    """Read out digit by digit; only the sequence matters."""
    NUMBER = auto()
    CHOICE = auto()
    YES_NO = auto()
    DATE = auto()
    TIME = auto()
    EMAIL = auto()
    PERSON = auto()
    LANGUAGE = auto()
    TEXT = auto()
    """The caller's own words, whole clauses of them."""
    SHORT = auto()
    """A word or a few."""
    LIST = auto()
    OBJECT = auto()
    """Cannot be said in one answer: not driven."""


@dataclass(frozen=True)
class Parameter:
    name: str
    kind: Kind
    description: str = ""
    required: bool = True
    nullable: bool = False
    json_type: str = "string"
    choices: tuple[object, ...] = ()
    lengths: tuple[int, int] | None = None
    """Fewest and most digits, where that is known."""
    pattern: str = ""
    format: str = ""
    minimum: float | None = None
    maximum: float | None = None
    item: Parameter | None = None

    @property
    def words(self) -> list[str]:
        return split_name(self.name)

    @property
    def needed(self) -> bool:
        return self.required and not self.nullable


@dataclass(frozen=True)
class Tool:
    name: str
    description: str = ""
    parameters: tuple[Parameter, ...] = ()

    @property
    def needed(self) -> tuple[Parameter, ...]:
        return tuple(parameter for parameter in self.parameters if parameter.needed)

    @property
    def drivable(self) -> bool:
        return all(parameter.kind is not Kind.OBJECT for parameter in self.needed)

    @property
    def is_goodbye(self) -> bool:
        """Whether calling it ends the call."""
        text = f"{' '.join(split_name(self.name))} {self.first_sentence.lower()}"
        return not self.needed and english.GOODBYE_TOOL.search(text) is not None

    @property
    def first_sentence(self) -> str:
        return re.split(r"(?<=[.:!?])\s|\n\n", self.description.strip(), maxsplit=1)[0].strip()


def read_tools(definitions: Sequence[Mapping[str, object]]) -> list[Tool]:
    """Read `tools` of a request. What is no function is left out."""
    tools: list[Tool] = []
    for definition in definitions:
        function = definition.get("function")
        if isinstance(function, Mapping):
            schema = _mapping(function.get("parameters"))
            required = _list(schema.get("required"))
            tools.append(
                Tool(
                    str(function.get("name", "")),
                    str(function.get("description") or ""),
                    tuple(
                        _parameter(name, _mapping(entry), name in required, schema)
                        for name, entry in _mapping(schema.get("properties")).items()
                    ),
                )
            )
    return tools


def _parameter(name: str, entry: Schema, required: bool, root: Schema) -> Parameter:
    entry, nullable = _resolve(entry, root)
    json_type = str(entry.get("type") or ("object" if "properties" in entry else "string"))
    choices = tuple(_list(entry.get("enum")) or ([entry["const"]] if "const" in entry else []))
    description = str(entry.get("description") or "").strip()
    item, _ = _resolve(_mapping(entry.get("items")), root)
    kind = _kind(name, json_type, entry, item, bool(choices))
    return Parameter(
        name=name,
        kind=kind,
        description=description,
        required=required and "default" not in entry,
        nullable=nullable or None in choices,
        json_type=json_type,
        choices=tuple(choice for choice in choices if choice is not None),
        lengths=_lengths(entry, description),
        pattern=str(entry.get("pattern") or ""),
        format=str(entry.get("format") or ""),
        minimum=_bound(entry, "minimum", "exclusiveMinimum"),
        maximum=_bound(entry, "maximum", "exclusiveMaximum"),
        item=_parameter(_singular(name), item, True, root) if kind is Kind.LIST else None,
    )


def _resolve(entry: Schema, root: Schema) -> tuple[Schema, bool]:
    """Follow references, and take the one alternative that is not null."""
    nullable = False
    for _ in range(10):
        alternatives = _list(entry.get("anyOf") or entry.get("oneOf") or entry.get("allOf"))
        if reference := entry.get("$ref"):
            target: object = root
            for step in str(reference).lstrip("#/").split("/"):
                target = _mapping(target).get(step)
            entry = {**_mapping(target), **{key: value for key, value in entry.items() if key != "$ref"}}
        elif alternatives:
            real = [_mapping(each) for each in alternatives if _mapping(each).get("type") != "null"]
            nullable = nullable or len(real) < len(alternatives)
            rest = {key: value for key, value in entry.items() if key not in ("anyOf", "oneOf", "allOf")}
            entry = {**real[0], **rest} if len(real) == 1 else {**rest, "type": "object"}
        elif isinstance(kinds := entry.get("type"), list):
            real_kinds = [kind for kind in kinds if kind != "null"]
            nullable = nullable or len(real_kinds) < len(kinds)
            entry = {**entry, "type": real_kinds[0] if real_kinds else "string"}
        else:
            break
    return entry, nullable


def _kind(name: str, json_type: str, entry: Schema, item: Schema, has_choices: bool) -> Kind:
    words = split_name(name)
    last = words[-1] if words else ""
    if has_choices:
        return Kind.CHOICE
    match json_type:
        case "boolean":
            return Kind.YES_NO
        case "array":
            nested = item.get("type") in ("object", "array") or "properties" in item or "items" in item
            return Kind.OBJECT if nested else Kind.LIST
        case "object":
            return Kind.OBJECT
        case "integer":
            return Kind.DIGITS if last in english.DIGIT_NAMES else Kind.NUMBER
        case "number":
            return Kind.NUMBER
    form, pattern = str(entry.get("format") or ""), str(entry.get("pattern") or "")
    if form in ("date", "time", "email"):
        return Kind[form.upper()]
    if re.search(r"\\d|\[0-9\]", pattern) and not re.search(r"[A-Za-z]", re.sub(r"\\d|\\s", "", pattern)):
        return Kind.DIGITS
    if "email" in words or "mail" in words:
        return Kind.EMAIL
    for names, kind in (
        (english.DIGIT_NAMES, Kind.DIGITS),
        (english.QUANTITY_NAMES, Kind.NUMBER if last != "size" else Kind.SHORT),
        (english.DATE_NAMES, Kind.DATE),
        (english.TIME_NAMES, Kind.TIME),
        (english.TEXT_NAMES, Kind.TEXT),
    ):
        if last in names:
            return kind
    if last in ("language", "lang"):
        return Kind.LANGUAGE
    if last in english.PERSON_NAMES and not set(words) & english.THING_NAMES:
        return Kind.PERSON
    return Kind.SHORT


def _lengths(entry: Schema, description: str) -> tuple[int, int] | None:
    """How many digits there are: from the pattern, else from words such as "five digits" or "6-digit"."""
    pattern = str(entry.get("pattern") or "")
    if match := re.fullmatch(r"\^?(?:\\d|\[0-9\])\{(\d{1,3})(,(\d{1,3}))?\}\$?", pattern):
        return int(match[1]), int(match[3] or match[1])
    counts = "|".join([*english.UNITS, *english.TEENS, r"\d{1,3}"])
    if match := re.search(rf"\b({counts})(?:(?: to |-| or )({counts}))?[- ]digits?\b", description.lower()):
        least = _count(match[1])
        return least, _count(match[2]) if match[2] else least
    return None


def _count(word: str) -> int:
    return int(word) if word.isdigit() else (english.UNITS | english.TEENS)[word]


def _bound(entry: Schema, *keys: str) -> float | None:
    return next((value for key in keys if isinstance(value := entry.get(key), (int, float))), None)


def _singular(name: str) -> str:
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
