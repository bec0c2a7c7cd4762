"""The settings as documents."""

from __future__ import annotations

import json
from pathlib import Path

from callpool.configuration import reference, show
from callpool.settings import fields, load

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_in_docs_is_the_generated_one() -> None:
    """After a change to the settings: python -m callpool.configuration > docs/configuration.md."""
    assert PAGE.read_text() == reference()


def test_the_reference_names_every_setting_and_its_variable() -> None:
    """Each has a row of five cells with its prose."""
    rows = [line for line in reference().splitlines() if line.startswith("| `")]

    assert len(rows) == len(list(fields()))
    for row, (group, name, entry) in zip(rows, fields(), strict=True):
        assert row.startswith(f"| `{group}.{name}` | `{entry.metadata['env']}` | ")
        assert row.count(" | ") == 4
        assert row.endswith(f" | {entry.metadata['doc']} |")


def test_show_says_what_is_in_force_and_where_it_comes_from() -> None:
    """A setting that was given differs from one left at its default, even at the same value."""
    settings = load({"CALLPOOL_WEB_PORT": "9080", "CALLPOOL_WORKER_PORT": "8081"})

    rows = {row["setting"]: row for row in json.loads(show(settings, as_json=True))["settings"]}

    assert len(rows) == len(list(fields()))
    assert rows["web.port"] == {
        "setting": "web.port",
        "variable": "CALLPOOL_WEB_PORT",
        "value": 9080,
        "source": "given",
    }
    assert (rows["worker.port"]["value"], rows["worker.port"]["source"]) == (8081, "given")
    assert (rows["web.host"]["value"], rows["web.host"]["source"]) == ("127.0.0.1", "default")


def test_show_prints_a_line_for_each_setting() -> None:
    """For people: a table with a head, and the variables that no setting has."""
    settings = load({"CALLPOOL_WEB_PORT": "9080", "CALLPOOL_TYPO": "1"})

    lines = show(settings, as_json=False).splitlines()

    assert len(lines) == 1 + len(list(fields())) + 1
    assert ["web.port", "CALLPOOL_WEB_PORT", "given", "9080"] in [line.split() for line in lines]
    assert lines[-1] == "CALLPOOL_TYPO is not the variable of any setting"


def test_show_hides_secrets_and_passwords() -> None:
    """A secret shows that it is set, not what it is; a URL keeps all but its password."""
    settings = load(
        {
            "OPENAI_API_KEY": "sk-very-secret",
            "CALLPOOL_STORE_URL": "postgresql://callpool:hunter2@db.example/calls",
        }
    )

    for as_json in (True, False):
        shown = show(settings, as_json=as_json)
        assert "sk-very-secret" not in shown
        assert "hunter2" not in shown
        assert "postgresql://callpool:***@db.example/calls" in shown
    rows = {row["setting"]: row["value"] for row in json.loads(show(settings, as_json=True))["settings"]}
    assert (rows["openai.api_key"], rows["deepgram.api_key"]) == ("***", "")
