"""Where settings come from, and which values are refused."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import pytest

from callpool.errors import SettingError
from callpool.provider_settings import LOCAL_KEY
from callpool.secrets import Secret
from callpool.settings import Settings, fields, load


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No callpool.toml of this checkout has a say."""
    monkeypatch.chdir(tmp_path)


def test_without_anything_given_every_setting_has_its_default() -> None:
    """Nothing is needed to start on one machine."""
    settings = load({})

    assert settings == Settings()
    assert settings.given == frozenset()


def test_a_flag_beats_the_environment_and_the_environment_beats_the_file(tmp_path: Path) -> None:
    """The last one that was given wins; a flag that was not given has no say."""
    (tmp_path / "callpool.toml").write_text("[web]\nport = 1\ncalls_per_minute = 2\nhost = '127.0.0.2'\n")
    env = {"CALLPOOL_WEB_PORT": "3", "CALLPOOL_WEB_CALLS_PER_MINUTE": "4"}

    settings = load(env, flags={"web.port": 5, "web.calls_per_minute": None})

    assert (settings.web.port, settings.web.calls_per_minute, settings.web.host) == (5, 4, "127.0.0.2")
    assert settings.given == {"web.port", "web.calls_per_minute", "web.host"}


def test_an_empty_variable_counts_as_not_set() -> None:
    """Compose files and charts pass empty strings for what was left out."""
    assert load({"CALLPOOL_WEB_PORT": "", "OPENAI_API_KEY": " "}) == Settings()


def test_an_empty_text_in_the_file_counts_as_not_set(tmp_path: Path) -> None:
    """A key that was left empty keeps the local provider; no real one is called with the placeholder."""
    (tmp_path / "callpool.toml").write_text(
        "[deepgram]\napi_key = ''\nmodel = ' '\n[local]\ndata_dir = ''\n[store]\nurl = ''\n"
    )

    settings = load({})

    assert settings == Settings()
    assert settings.is_local("deepgram")


def test_variables_are_unique() -> None:
    """Two settings with one variable could not be told apart."""
    variables = [entry.metadata["env"] for _, _, entry in fields()]

    assert len(set(variables)) == len(variables)


def test_every_default_is_valid() -> None:
    """A default that its own check refuses could not be written down by hand."""
    refused = [
        (group, name, entry.metadata["check"](entry.default))
        for group, name, entry in fields()
        if entry.metadata["check"] is not None and entry.metadata["check"](entry.default) is not None
    ]

    assert refused == []


@pytest.mark.parametrize(
    ("variable", "value", "field", "parsed"),
    [
        ("CALLPOOL_STORE_PLAIN_TEXTS", "Yes", "store.plain_texts", True),
        ("CALLPOOL_STORE_PLAIN_TEXTS", "off", "store.plain_texts", False),
        ("CALLPOOL_ENDPOINTING_MIN_S", "0.5", "turns.endpointing_min_s", 0.5),
        (
            "CALLPOOL_WEB_ALLOWED_ORIGINS",
            "https://a.example, https://b.example,",
            "web.allowed_origins",
            ("https://a.example", "https://b.example"),
        ),
        ("CALLPOOL_DATA_DIR", "~/calls", "local.data_dir", Path("~/calls").expanduser()),
        ("CALLPOOL_AGENT_NAME", " front-desk ", "worker.agent_name", "front-desk"),
        ("OPENAI_API_KEY", "sk-1", "openai.api_key", Secret("sk-1")),
    ],
)
def test_a_variable_becomes_a_typed_value(variable: str, value: str, field: str, parsed: object) -> None:
    """Spaces around a value do not count."""
    group, name = field.split(".")

    assert getattr(getattr(load({variable: value}), group), name) == parsed


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("CALLPOOL_WEB_PORT", "eighty", "a whole number"),
        ("CALLPOOL_WEB_PORT", "8.5", "a whole number"),
        ("CALLPOOL_WEB_PORT", "70000", "a port from 0 to 65535"),
        ("CALLPOOL_ENDPOINTING_MIN_S", "soon", "a number"),
        ("CALLPOOL_ENDPOINTING_MIN_S", "-1", "a number from 0 to 10"),
        ("CALLPOOL_ENDPOINTING_MIN_S", "nan", "a number from 0 to 10"),
        ("CALLPOOL_ENDPOINTING_MIN_S", "inf", "a number from 0 to 10"),
        ("CALLPOOL_ENDPOINTING_MIN_S", "300", "a number from 0 to 10"),
        ("CALLPOOL_ENDPOINTING_MAX_S", "1500", "a number from 0 to 10"),
        ("CALLPOOL_INTERRUPTION_S", "180", "a number from 0.05 to 5"),
        ("CALLPOOL_FALSE_INTERRUPTION_S", "1500", "a number from 0 to 10"),
        ("CALLPOOL_JOB_MEMORY_LIMIT_MB", "2", "0 (no limit), or a number of at least 256"),
        ("CALLPOOL_JOB_MEMORY_LIMIT_MB", "-1", "0 (no limit), or a number of at least 256"),
        ("CALLPOOL_CAPACITY", "-1", "a number of at least 0"),
        ("CALLPOOL_LANGUAGES", "deutsch", "ISO 639-1 codes, such as en,de,es, each of them once"),
        ("CALLPOOL_LANGUAGES", "en,de,en", "ISO 639-1 codes, such as en,de,es, each of them once"),
        ("CALLPOOL_ROSTER", ".roster", "a module with a ROSTER, such as callpool_agents.roster"),
        ("CALLPOOL_ROSTER", "agents..roster", "a module with a ROSTER, such as callpool_agents.roster"),
        ("CALLPOOL_WEB_HOST", "..", "a host name or an address of this machine"),
        ("CALLPOOL_WORKER_HOST", "a" * 64 + ".example", "a host name or an address of this machine"),
        ("CALLPOOL_RETURN_S", "1e300", "a number from 0 to 3600"),
        ("CALLPOOL_WEB_TOKEN_TTL_S", "99999999999999999999", "a number from 10 to 86400"),
        ("CALLPOOL_DATA_DIR", "~nobody-of-this-name/calls", "a path"),
        ("CALLPOOL_STORE_PLAIN_TEXTS", "maybe", "true or false"),
        ("LIVEKIT_URL", "localhost:7880", "an address that starts with ws://"),
        ("LIVEKIT_URL", "ws://localhost:port", "an address that starts with ws://"),
        ("DEEPGRAM_BASE_URL", "http://127.0.0.1:9000/v1", "an origin without a path"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:9000", "an address that ends in /v1"),
        ("DEEPGRAM_BASE_URL", "http://127.0.0.1:9000?x=1", "an address without blanks, ? and #"),
        ("DEEPGRAM_BASE_URL", "http://127.0.0.1:9000/#x", "an address without blanks, ? and #"),
        ("CARTESIA_BASE_URL", "http://exa mple", "an address without blanks, ? and #"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:9000/v1?", "an address without blanks, ? and #"),
        ("CALLPOOL_AGENT_NAME", "front desk", "1 to 64 letters"),
        ("CALLPOOL_STORE_URL", "mysql://db/calls", "sqlite:///PATH or postgresql://"),
        ("CALLPOOL_STORE_URL", "sqlite:///", "sqlite:///PATH or postgresql://"),
        ("CALLPOOL_STORE_URL", "sqlite:///:memory:", "sqlite:///PATH or postgresql://"),
        ("CALLPOOL_STORE_URL", "postgresql://db:port/calls", "sqlite:///PATH or postgresql://"),
        ("CALLPOOL_STORE_URL", "sqlite:///~nobody-of-this-name/x.db", "sqlite:///PATH or postgresql://"),
        ("CALLPOOL_WARM_PROCESSES", "-1", "a number of at least 0"),
        ("CALLPOOL_ENDPOINTING_MIN_S", "2", "at most CALLPOOL_ENDPOINTING_MAX_S, which is 1.5"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_in_one_line(variable: str, value: str, expected: str) -> None:
    """The line names the variable, the value and what would be valid."""
    with pytest.raises(SettingError) as error:
        load({variable: value})

    message = str(error.value)
    assert message.startswith(f"{variable} is {value!r}: expected {expected}")
    assert "\n" not in message
    assert error.value.exit_code == 2


def test_a_refused_url_does_not_show_its_password() -> None:
    """The line ends up in logs."""
    with pytest.raises(SettingError) as error:
        load({"CALLPOOL_STORE_URL": "postgres://callpool:hun/ter2@db.example/calls"})

    assert "postgres://callpool:***@db.example/calls" in str(error.value)


def test_a_flag_is_named_as_it_was_typed() -> None:
    """Not by the variable, which the person did not use."""
    with pytest.raises(SettingError, match=r"^--port is 70000: expected a port"):
        load({}, flags={"local.providers_port": 70000})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[webb]\nport = 1\n", r"callpool\.toml: \[webb\] is 'webb': expected one of livekit, "),
        ("[web]\nprot = 1\n", r"callpool\.toml: web\.prot is 'prot': expected one of host, port, "),
        ("[web]\nport = true\n", r"callpool\.toml: web\.port is True: expected a whole number"),
        ("[web]\nport = 'x'\n", r"callpool\.toml: web\.port is 'x': expected a whole number"),
        ("[web]\nport = 1.5\n", r"callpool\.toml: web\.port is 1\.5: expected a whole number"),
        ("[web]\nhost = ''\n", r"callpool\.toml: web\.host is not set: expected a host name or an address"),
        ("[web]\nhost = 5\n", r"callpool\.toml: web\.host is 5: expected text in quotes"),
        (
            "[worker]\nagent_name = true\n",
            r"callpool\.toml: worker\.agent_name is True: expected text in quotes",
        ),
        (
            "[deepgram]\nmodel = ['a', 'b']\n",
            r"callpool\.toml: deepgram\.model is \['a', 'b'\]: expected text in quotes",
        ),
        ("[local]\ndata_dir = true\n", r"callpool\.toml: local\.data_dir is True: expected a path"),
        (
            "[web]\nallowed_origins = [1]\n",
            r"callpool\.toml: web\.allowed_origins is \[1\]: expected a list of texts in quotes",
        ),
        ("[web]\nallowed_origins = 1\n", r"web\.allowed_origins is 1: expected a list of texts in quotes"),
        (
            "[openai]\napi_key = 1234\n",
            r"callpool\.toml: openai\.api_key is '\*\*\*': expected text in quotes",
        ),
        ("[openai]\nbase_url = ''\n", r"callpool\.toml: openai\.base_url is not set: expected an address"),
        ("[web]\nport = " + "9" * 5000, r"callpool\.toml is 'unreadable': expected a TOML file"),
        ("a = " + "[" * 10_000, r"callpool\.toml is 'unreadable': expected a TOML file"),
        ("web = 5\n", r"callpool\.toml: \[web\] is 'web': expected"),
        ("[web\n", r"callpool\.toml is 'unreadable': expected a TOML file"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    """With the file's name, the setting and the valid choices."""
    (tmp_path / "callpool.toml").write_text(text)

    with pytest.raises(SettingError, match=message):
        load({})


def test_a_file_that_was_asked_for_must_exist(tmp_path: Path) -> None:
    """A missing default file is fine, a missing `--config` is not."""
    with pytest.raises(SettingError, match=r"^--config is '.*other\.toml': expected a file that exists"):
        load({}, file=tmp_path / "other.toml")


def test_lists_and_numbers_in_the_file_keep_their_types(tmp_path: Path) -> None:
    """TOML has types of its own."""
    (tmp_path / "callpool.toml").write_text(
        "[web]\nallowed_origins = ['https://a.example']\n[turns]\nreturn_s = 5\n[store]\nplain_texts = true\n"
    )

    settings = load({})

    assert settings.web.allowed_origins == ("https://a.example",)
    assert settings.turns.return_s == 5.0
    assert settings.store.plain_texts is True


def test_secrets_come_from_files_and_other_variables(tmp_path: Path) -> None:
    """The value of a secret setting may say where the secret is."""
    (tmp_path / "key").write_text("from-file\n")

    settings = load(
        {"OPENAI_API_KEY": f"file://{tmp_path}/key", "DEEPGRAM_API_KEY": "env://OTHER", "OTHER": "from-env"}
    )

    assert settings.openai.api_key.reveal() == "from-file"
    assert settings.deepgram.api_key.reveal() == "from-env"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("file:///does/not/exist", r"a readable file with the secret in it \(No such file or directory\)"),
        ("env://NOT_THERE", r"the name of an environment variable \(NOT_THERE is unset\)"),
        ("env://EMPTY", r"the name of an environment variable \(EMPTY is empty\)"),
        ("file://empty", r"a file with the secret in it \(it is empty\)"),
        ("gopher://vault/key", r"is 'gopher://…': expected a plain value"),
    ],
)
def test_a_secret_that_cannot_be_found_is_refused(tmp_path: Path, value: str, message: str) -> None:
    """The line names the place, never a secret."""
    (tmp_path / "empty").write_text("\n")

    with pytest.raises(SettingError, match=message):
        load({"OPENAI_API_KEY": value, "EMPTY": " "})


def test_a_secret_does_not_show_itself() -> None:
    """Not in the text of the settings, which may end up in a log or a traceback."""
    settings = load({"OPENAI_API_KEY": "sk-very-secret", "LIVEKIT_API_SECRET": "top-secret"})

    assert "secret" not in repr(settings).replace("api_secret", "")
    assert settings.openai.api_key.reveal() == "sk-very-secret"


def test_unknown_variables_of_ours_are_noticed() -> None:
    """A typing error in a name would otherwise go unseen; other programs' variables do not count."""
    assert load({"CALLPOOL_WEB_PROT": "1", "PATH": "/bin"}).unknown == ("CALLPOOL_WEB_PROT",)


def test_settings_reach_other_processes_as_they_are() -> None:
    """They are handed to job processes, and nobody can change them on the way."""
    settings = load({"OPENAI_API_KEY": "sk-1", "CALLPOOL_WEB_PORT": "1"})

    assert pickle.loads(pickle.dumps(settings)) == settings
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.web.port = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("sqlite:////data/calls.db", "sqlite+aiosqlite:////data/calls.db"),
        ("sqlite:///calls.db", "sqlite+aiosqlite:///{here}/calls.db"),
        ("sqlite+aiosqlite:///a/calls.db?timeout=5", "sqlite+aiosqlite:///{here}/a/calls.db?timeout=5"),
        ("sqlite:///~/calls.db", "sqlite+aiosqlite:///{home}/calls.db"),
        ("postgresql://u:p@db/calls", "postgresql+asyncpg://u:p@db/calls"),
        ("postgresql://db/~calls", "postgresql+asyncpg://db/~calls"),
        ("postgresql+asyncpg://db/calls", "postgresql+asyncpg://db/calls"),
        ("", "sqlite+aiosqlite:///{here}/.callpool/callpool.db"),
    ],
)
def test_the_store_url_has_its_driver_and_an_absolute_path(tmp_path: Path, given: str, url: str) -> None:
    """Every process opens the same file, wherever it was started."""
    expected = url.format(here=tmp_path.resolve(), home=Path.home().resolve())
    assert load({"CALLPOOL_STORE_URL": given}).store_url == expected


def test_a_provider_is_local_until_it_has_a_key_or_an_address() -> None:
    """Either one switches the local stand-in off."""
    assert load({}).is_local("openai")
    assert not load({"OPENAI_API_KEY": "sk-1"}).is_local("openai")
    assert not load({"OPENAI_BASE_URL": "http://127.0.0.1:11434/v1"}).is_local("openai")
    assert load({"OPENAI_API_KEY": "sk-1"}).is_local("deepgram")


def test_a_provider_without_a_key_is_sent_a_placeholder() -> None:
    """Self-hosted ones want a header, whatever is in it."""
    settings = load({"OPENAI_BASE_URL": "http://127.0.0.1:11434/v1", "DEEPGRAM_API_KEY": "dg-1"})

    assert (settings.openai.key, settings.deepgram.key) == (LOCAL_KEY, "dg-1")


@pytest.mark.parametrize("missing", ["LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"])
def test_half_a_key_pair_is_named(missing: str) -> None:
    """Nothing can be signed with it."""
    pair = {"LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": "secret"}
    load(pair).livekit.check_key_pair()

    with pytest.raises(SettingError, match=f"^{missing} is not set: expected the "):
        load(pair | {missing: ""}).livekit.check_key_pair()


def test_callers_are_sent_to_the_public_address_where_there_is_one() -> None:
    """Workers may reach LiveKit by another way than browsers."""
    assert load({"LIVEKIT_URL": "ws://inside:7880"}).caller_livekit_url == "ws://inside:7880"
    assert (
        load(
            {"LIVEKIT_URL": "ws://inside:7880", "CALLPOOL_PUBLIC_LIVEKIT_URL": "wss://calls.example"}
        ).caller_livekit_url
        == "wss://calls.example"
    )
