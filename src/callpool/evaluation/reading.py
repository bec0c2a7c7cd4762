"""Scenario files: YAML in, `Scenario`s out, one line for whatever is wrong with them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

import yaml

from callpool.call import LANGUAGE
from callpool.ending import Reason, Result
from callpool.errors import SettingError
from callpool.evaluation.scenario import (
    CallerTurn,
    Expectation,
    Plain,
    RowCheck,
    Scenario,
    ToolExpectation,
)
from callpool.evaluation.wording import as_pattern

T = TypeVar("T")

KEYS = re.compile(r"[0-9*#A-D]+")
LONGEST_S = 3600.0

OF_SCENARIO = (
    "name",
    "description",
    "language",
    "turns",
    "rows",
    "ending",
    "stages",
    "says",
    "never_says",
    "never_tools",
    "judge",
)
OF_FILE = ("scenarios",)
"""The key of a file that names its list of scenarios."""
OF_TURN = ("say", "dtmf", "silence_s", "interrupt_after_s", "expect")
OF_EXPECT = ("stage", "tools", "never_tools", "says", "never_says", "within_ms", "judge")


class _Loader(yaml.SafeLoader):
    """YAML as a person who writes down what is said means it.

    By default `say: no` is a boolean, `dtmf: 012` the number ten, and a date an object.
    """


_Loader.yaml_implicit_resolvers = {}
for tag, expression, first in (
    ("bool", r"true|True|false|False", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(0|[1-9][0-9]*)\.[0-9]+", "-+0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{expression})$"), list(first))


def read_paths(paths: Sequence[Path]) -> list[Scenario]:
    """The scenarios of files and of the folders' files. Raises SettingError."""
    return [scenario for path in paths for file in _files(path) for scenario in read_file(file)]


def read_file(path: Path) -> list[Scenario]:
    """The scenarios of one file: one, a list, or several documents. Raises SettingError."""
    try:
        documents = list(yaml.load_all(path.read_text(encoding="utf-8"), _Loader))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise SettingError(str(path), "unreadable", f"a YAML file with a scenario ({_why(error)})") from error
    entries: list[object] = []
    for document in documents:
        if isinstance(document, dict) and set(document) == set(OF_FILE):
            document = document[OF_FILE[0]]
        entries += document if isinstance(document, list) else [] if document is None else [document]
    if not entries:
        raise SettingError(str(path), "empty", "a scenario, with `name` and `turns`")
    alone = len(entries) == 1
    return [
        _scenario(
            _Place(path, "" if alone else f"[{index}]"), entry, path.stem if alone else f"{path.stem} {index}"
        )
        for index, entry in enumerate(entries, 1)
    ]


def _why(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())


def _files(path: Path) -> list[Path]:
    expected = "a scenario file, or a folder with some (*.yaml)"
    if not path.is_dir():
        if not path.exists():
            raise SettingError("PATH", str(path), f"{expected} that exists")
        return [path]
    files = sorted(file for file in path.rglob("*") if file.suffix in (".yaml", ".yml"))
    if not files:
        raise SettingError("PATH", str(path), expected)
    return files


class _Place:
    """Where in a file something stands, so that an error can say so. Turns are counted from 1."""

    def __init__(self, file: Path, path: str) -> None:
        self.file = file
        self._path = path

    def at(self, key: str) -> _Place:
        return _Place(self.file, f"{self._path}.{key}" if self._path else key)

    def number(self, index: int) -> _Place:
        return _Place(self.file, f"{self._path}[{index}]")

    def wrong(self, value: object, expected: str) -> SettingError:
        return SettingError(str(self), value, expected)

    def __str__(self) -> str:
        return f"{self.file}: {self._path}" if self._path else str(self.file)

    def mapping(self, value: object, keys: Sequence[str]) -> Mapping[str, Any]:
        """A mapping with no other keys than these."""
        choices = ", ".join(keys)
        if not isinstance(value, dict):
            raise self.wrong(value, f"a mapping with {choices}")
        for key in value:
            if key not in keys:
                raise SettingError(f"{self}: a key", key, f"one of {choices}")
        return value

    def text(self, value: object) -> str:
        if isinstance(value, bool | list | dict) or value is None or not str(value).strip():
            raise self.wrong(value, "text")
        return str(value).strip()

    def texts(self, value: object) -> tuple[str, ...]:
        """One text or a list of them."""
        return tuple(self._each(value, _Place.text))

    def words(self, value: object) -> tuple[str, ...]:
        """Texts that stand for what is said: words, or a regular expression between slashes."""
        return tuple(self._each(value, _Place._word))

    def _word(self, value: object) -> str:
        text = self.text(value)
        try:
            as_pattern(text)
        except re.error as error:
            raise self.wrong(text, f"words, or a regular expression between slashes ({error})") from error
        return text

    def _each(self, value: object, read: Callable[[_Place, object], T]) -> Iterator[T]:
        if not isinstance(value, list):
            yield read(self, value)
            return
        for index, part in enumerate(value, 1):
            yield read(self.number(index), part)

    def number_up_to(self, value: object, most: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            raise self.wrong(value, f"a number from 0 to {most:g}")
        if not math.isfinite(value):
            raise self.wrong(value, f"a number from 0 to {most:g}")
        return float(value)


def _scenario(place: _Place, value: object, name: str) -> Scenario:
    given = place.mapping(value, OF_SCENARIO)
    turns = given.get("turns")
    if not isinstance(turns, list) or not turns:
        raise place.at("turns").wrong(
            "" if turns is None else turns, f"a list of turns, each with some of {', '.join(OF_TURN)}"
        )
    result, reason = _ending(place.at("ending"), given["ending"]) if given.get("ending") else (None, None)
    return Scenario(
        name=place.at("name").text(given["name"]) if "name" in given else name,
        file=str(place.file),
        description=place.at("description").text(given["description"]) if given.get("description") else "",
        language=_language(place.at("language"), given["language"]) if given.get("language") else "",
        turns=tuple(_turn(place.at("turns").number(index), turn) for index, turn in enumerate(turns, 1)),
        rows=_rows(place.at("rows"), given.get("rows")),
        result=result,
        reason=reason,
        stages=place.at("stages").texts(given["stages"]) if given.get("stages") else (),
        says=place.at("says").words(given["says"]) if given.get("says") else (),
        never_says=place.at("never_says").words(given["never_says"]) if given.get("never_says") else (),
        never_tools=_tools(place.at("never_tools"), given.get("never_tools")),
        judge=place.at("judge").texts(given["judge"]) if given.get("judge") else (),
    )


def _language(place: _Place, value: object) -> str:
    text = place.text(value)
    if not LANGUAGE.fullmatch(text):
        raise place.wrong(text, "a language such as en or de-CH")
    return text


def _turn(place: _Place, value: object) -> CallerTurn:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return CallerTurn(say=place.text(value))
    given = place.mapping(value, OF_TURN)
    dtmf = place.at("dtmf").text(given["dtmf"]).replace(" ", "") if "dtmf" in given else ""
    if dtmf and not KEYS.fullmatch(dtmf):
        raise place.at("dtmf").wrong(dtmf, "keys of a telephone: 0 to 9, *, #, A to D")
    turn = CallerTurn(
        say=place.at("say").text(given["say"]) if "say" in given else "",
        dtmf=dtmf,
        silence_s=_optional(place, given, "silence_s", LONGEST_S) or 0.0,
        interrupt_after_s=_optional(place, given, "interrupt_after_s", LONGEST_S),
        expect=_expectation(place.at("expect"), given["expect"]) if given.get("expect") else Expectation(),
    )
    if not (turn.say or turn.dtmf or turn.silence_s or given.get("expect")):
        raise place.wrong(value, "a turn with say, dtmf or silence_s")
    if turn.interrupt_after_s is not None and not (turn.say or turn.dtmf):
        raise place.at("interrupt_after_s").wrong(turn.interrupt_after_s, "a turn that also has say or dtmf")
    return turn


def _optional(place: _Place, given: Mapping[str, Any], key: str, most: float) -> float | None:
    return place.at(key).number_up_to(given[key], most) if given.get(key) is not None else None


def _expectation(place: _Place, value: object) -> Expectation:
    given = place.mapping(value, OF_EXPECT)
    stage = given.get("stage")
    stages = place.at("stage").texts(stage) if stage else ()
    tools = given.get("tools")
    return Expectation(
        stage=stages[0] if isinstance(stage, str) else "",
        stages=stages if isinstance(stage, list) else (),
        tools=None if tools is None else _tools(place.at("tools"), tools),
        never_tools=_tools(place.at("never_tools"), given.get("never_tools")),
        says=place.at("says").words(given["says"]) if given.get("says") else (),
        never_says=place.at("never_says").words(given["never_says"]) if given.get("never_says") else (),
        within_ms=_optional(place, given, "within_ms", LONGEST_S * 1000),
        judge=place.at("judge").texts(given["judge"]) if given.get("judge") else (),
    )


def _tools(place: _Place, value: object) -> tuple[ToolExpectation, ...]:
    """One tool or a list of them."""
    return tuple(place._each(value, _tool)) if value is not None else ()


def _tool(place: _Place, value: object) -> ToolExpectation:
    if isinstance(value, str):
        return ToolExpectation(place.text(value))
    given = place.mapping(value, ("name", "args"))
    args = given.get("args") or {}
    if not isinstance(args, dict):
        raise place.at("args").wrong(args, "a mapping from arguments to values")
    for name, words in args.items():
        if isinstance(words, str):
            place.at("args").at(str(name))._word(words or "-")
    return ToolExpectation(
        place.at("name").text(given.get("name")), {str(name): words for name, words in args.items()}
    )


def _rows(place: _Place, value: object) -> tuple[RowCheck, ...]:
    checks = []
    for index, entry in enumerate(value if isinstance(value, list) else [value] if value else [], 1):
        here = place.number(index)
        given = here.mapping(entry, ("sql", "equals"))
        if "equals" not in given:
            raise here.at("equals").wrong("", "a value, a row, or a list of rows")
        checks.append(RowCheck(here.at("sql").text(given.get("sql")), cast(Plain, given["equals"])))
    return tuple(checks)


def _ending(place: _Place, value: object) -> tuple[Result | None, Reason | None]:
    """`completed`, `completed/goodbye`, or `{result, reason}`."""
    if isinstance(value, dict):
        given = place.mapping(value, ("result", "reason"))
    else:
        result, _, reason = place.text(value).partition("/")
        given = {"result": result.strip(), "reason": reason.strip()}
    return (
        cast("Result | None", _one_of(place.at("result"), given.get("result"), get_args(Result))),
        cast("Reason | None", _one_of(place.at("reason"), given.get("reason"), get_args(Reason))),
    )


def _one_of(place: _Place, value: object, choices: Sequence[str]) -> str | None:
    if value is None or value == "":
        return None
    if value not in choices:
        raise place.wrong(value, f"one of {', '.join(choices)}")
    return str(value)
