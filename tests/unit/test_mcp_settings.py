"""How callpool.toml describes MCP servers, and what it is told when it does not."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from callpool.errors import SettingError
from callpool.mcp_settings import McpServer
from callpool.secrets import Secret
from callpool.settings import Settings, load


def described(tmp_path: Path, table: str) -> Settings:
    file = tmp_path / "callpool.toml"
    file.write_text(f"[mcp.stock]\n{table}\n")
    return load({"KEY": "k3y"}, file=file)


def test_an_address_with_its_secrets(tmp_path: Path) -> None:
    """A token is a header of its own; nothing secret is shown."""
    settings = described(
        tmp_path,
        'url = "https://stock.example/mcp"\nstages = ["desk", "office"]\ntools = "level"\n'
        'token = "env://KEY"\nheaders = { X-Tenant = "7" }',
    )
    assert settings.mcp == (
        McpServer(
            name="stock",
            stages=("desk", "office"),
            url="https://stock.example/mcp",
            tools=("level",),
            headers=(("X-Tenant", Secret("7")), ("Authorization", Secret("Bearer k3y"))),
        ),
    )
    assert "k3y" not in repr(settings)
    assert pickle.loads(pickle.dumps(settings)) == settings, "job processes are given it"


@pytest.mark.parametrize(
    ("table", "transport"),
    [
        ('url = "http://localhost/mcp"', "streamable_http"),
        ('url = "http://localhost/"', "streamable_http"),
        ('url = "http://localhost/sse"', "sse"),
        ('url = "http://localhost/events"\ntransport = "sse"', "sse"),
        ('command = "stock --read-only"', "stdio"),
    ],
)
def test_how_it_is_spoken_to(tmp_path: Path, table: str, transport: str) -> None:
    """Given, or told from the address."""
    assert described(tmp_path, f'{table}\nstages = "desk"').mcp[0].transport == transport


def test_a_command_is_a_list_or_a_line(tmp_path: Path) -> None:
    """A line is split as a shell does it."""
    expected = ("stock", "--shop", "main street")
    line = described(tmp_path, "command = \"stock --shop 'main street'\"\nstages = 'desk'")
    parts = described(tmp_path, 'command = ["stock", "--shop", "main street"]\nstages = "desk"')
    assert line.mcp[0].command == parts.mcp[0].command == expected


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('url = "http://localhost/mcp"', "mcp.stock.stages is not set: expected the stages"),
        ('stages = "desk"', "mcp.stock.url is not set: expected an address, or else a command"),
        ('stages = "desk"\nurl = "http://a"\ncommand = "b"', "and not both"),
        ('stages = "desk"\nurl = "ftp://a"', "expected an address that starts with http"),
        ('stages = "desk"\nurl = 5', "mcp.stock.url is 5: expected text in quotes"),
        ('stages = [5]\nurl = "http://a"', "mcp.stock.stages is [5]: expected a list of texts"),
        (
            'stages = "desk"\nurl = "http://a"\ntransport = "smoke"',
            "expected streamable_http or sse",
        ),
        ('stages = "desk"\nurl = "http://a"\nenv = { A = "b" }', "expected none for a server with a url"),
        ('stages = "desk"\ncommand = "a"\ntoken = "b"', "expected none for a server with a command"),
        ('stages = "desk"\ncommand = "a \'b"', "expected a command line"),
        ('stages = "desk"\nurl = "http://a"\nheaders = { "a b" = "c" }', "expected the name of a header"),
        ('stages = "desk"\nurl = "http://a"\nheaders = "secret"', "'***': expected a table of names"),
        ('stages = "desk"\nurl = "http://a"\nheaders = { a = 5 }', "headers.a is '***': expected text"),
        ('stages = "desk"\nurl = "http://a"\nheaders = { a = "b\\nc" }', "expected a value of one line"),
        ('stages = "desk"\nurl = "http://a"\ntoken = "env://GONE"', "mcp.stock.token"),
        ('stages = "desk"\nurl = "http://a"\nspeed = 5', "expected one of stages, url"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, table: str, message: str) -> None:
    """One line with the setting and what would be valid, and never a secret."""
    with pytest.raises(SettingError) as error:
        described(tmp_path, table)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("mcp = 5", "callpool.toml: mcp is 5: expected tables such as [mcp.inventory]"),
        ("[mcp]\nstock = 5", "mcp.stock is 5: expected a table such as [mcp.stock]"),
        ('[mcp."my stock"]\nurl = "http://a"', "expected a name of letters"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, toml: str, message: str) -> None:
    """The shape of the file itself."""
    file = tmp_path / "callpool.toml"
    file.write_text(toml)
    with pytest.raises(SettingError) as error:
        load({}, file=file)
    assert message in str(error.value)
