"""The settings as documents: those in force (`callpool config show`), and docs/configuration.md.

`python -m callpool.configuration > docs/configuration.md` writes the reference anew.
"""

from __future__ import annotations

import json
import sys
import typing
from pathlib import Path

from callpool.checks import hide_passwords
from callpool.columns import columns
from callpool.secrets import Secret
from callpool.settings import Settings, fields

HIDDEN = "***"

INTRODUCTION = """\
# Configuration

Generated from the settings in `src/callpool` by `python -m callpool.configuration > docs/configuration.md`.

A setting comes from `callpool.toml` in the working directory (or the file named by `--config`), then from
the environment, then from a flag of the command; the last one wins. In the file a setting is a name in its
group:

```toml
[worker]
warm_processes = 4

[web]
port = 9080
```

The same in the environment is `CALLPOOL_WARM_PROCESSES=4 CALLPOOL_WEB_PORT=9080`. A variable that is empty
counts as not set, and so does an empty text in the file, unless the setting must not be empty. Truth is
`true` or `false`; a list is an array in the file, and separated by commas in the environment. A value that
cannot be used stops a command with exit code 2 and one line that names the setting, its value and what would
be valid. `callpool config show` prints what is in force and where it comes from.

The value of a secret may be the secret itself, or where it is found: `file:///run/secrets/name` (a file that
holds nothing else) or `env://NAME`.

Servers of the Model Context Protocol are described in the file only, each in a table of its own. Their tools
are offered to the agents of the stages that it names:

```toml
[mcp.inventory]
url = "https://inventory.example.com/mcp"  # or: command = "program --argument", with env = { NAME = "…" }
stages = ["problem_solving"]
tools = ["stock_level"]                    # only these; without it, all that the server has
token = "env://INVENTORY_TOKEN"            # sent as `Authorization: Bearer …`; headers = { … } sends others
transport = "sse"                          # told from the address when left out, else `streamable_http`
```

A server that is away costs no caller anything: its tools are left out. A tool that does not answer within
5 s is given up. Such tools know nothing of the shop's verification: offer private data to stages after it.
"""

_KINDS = {str: "text", int: "whole number", float: "number", bool: "truth", Path: "path", Secret: "secret"}


def show(settings: Settings, as_json: bool) -> str:
    """Every setting with its variable, its value and whether it was given; secrets stay hidden."""
    rows = [
        {
            "setting": f"{group}.{name}",
            "variable": entry.metadata["env"],
            "value": _visible(getattr(getattr(settings, group), name)),
            "source": "given" if f"{group}.{name}" in settings.given else "default",
        }
        for group, name, entry in fields()
    ]
    servers = [
        {"server": server.name, "stages": list(server.stages), "address": server.url or server.command[0]}
        for server in settings.mcp
    ]
    if as_json:
        return json.dumps(
            {"mcp": servers, "settings": rows, "unknown_variables": list(settings.unknown)}, indent=2
        )
    table = [("SETTING", "VARIABLE", "SOURCE", "VALUE")]
    table += [(row["setting"], row["variable"], row["source"], _text(row["value"])) for row in rows]
    unknown = [f"{variable} is not the variable of any setting" for variable in settings.unknown]
    offered = [
        f"mcp.{server['server']}: {server['address']} for {', '.join(server['stages'])}" for server in servers
    ]
    return "\n".join([*columns(table), *offered, *unknown])


def reference() -> str:
    """The text of docs/configuration.md."""
    parts = [INTRODUCTION]
    groups = typing.get_type_hints(Settings)
    seen = ""
    for group, name, entry in fields():
        if group != seen:
            seen = group
            parts.append(f"\n## {group}\n\n{(groups[group].__doc__ or '').strip()}\n\n")
            parts.append("| setting | variable | value | default | meaning |\n|---|---|---|---|---|\n")
        kind = typing.get_type_hints(groups[group])[name]
        default = _text(_visible(entry.default))
        cells = [
            f"`{group}.{name}`",
            f"`{entry.metadata['env']}`",
            _KINDS.get(kind, "list"),
            f"`{default}`" if default else "",
            entry.metadata["doc"],
        ]
        parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    return "".join(parts)


def _visible(value: object) -> object:
    match value:
        case Secret():
            return HIDDEN if value else ""
        case str():
            return hide_passwords(value)
        case Path():
            return str(value)
        case tuple():
            return [_visible(part) for part in value]
    return value


def _text(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case list():
            return ",".join(map(str, value))
    return str(value)


if __name__ == "__main__":
    sys.stdout.write(reference())
