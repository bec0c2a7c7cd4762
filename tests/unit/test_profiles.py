"""Profiles: what each is made of under which settings, and which one is in force."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from callpool import settings, worker
from callpool.errors import SettingError
from callpool.profiles import Profile, Profiles, plugins

KEYS = {"DEEPGRAM_API_KEY": "a", "OPENAI_API_KEY": "b", "CARTESIA_API_KEY": "c"}
ALL_KEYS = KEYS | {"GROQ_API_KEY": "g", "ELEVEN_API_KEY": "e"}
LOCAL = {
    "DEEPGRAM_API_KEY": "local",
    "DEEPGRAM_BASE_URL": "http://127.0.0.1:8090",
    "CALLPOOL_DEEPGRAM_MODEL": "local-moonshine",
    "OPENAI_API_KEY": "local",
    "OPENAI_BASE_URL": "http://127.0.0.1:8090/v1",
    "CALLPOOL_OPENAI_MODEL": "local-standin",
    "CARTESIA_API_KEY": "local",
    "CARTESIA_BASE_URL": "http://127.0.0.1:8090",
    "CALLPOOL_CARTESIA_MODEL": "local-piper",
}
"""What `callpool up` gives its worker when there is no key."""
SHIPPED = ("balanced", "fast", "quality", "economy", "local")

OWN = """
night:
  best_for: Nights.
  stt: [deepgram/nova-3]
  llm: [groq/llama-3.1-8b-instant]
  tts: [cartesia/sonic-3]
"""


def profiles(env: dict[str, str]) -> Profiles:
    return Profiles.read(settings.load(env))


def models(profile: Profile) -> list[list[str]]:
    return [[str(member) for member in part] for part in (profile.stt, profile.llm, profile.tts)]


def test_five_profiles_ship() -> None:
    """Each says what it is best for."""
    shipped = profiles({})
    assert shipped.names == SHIPPED
    assert all(profile.best_for for profile in shipped.written.values())


def test_the_default_profile_uses_three_providers_and_no_other() -> None:
    """Whoever has these keys has a service."""
    default = profiles(ALL_KEYS).of_call(None)
    assert default.name == "balanced"
    assert {member.provider for member in default.members} == {"deepgram", "openai", "cartesia"}


def test_members_without_a_key_are_left_out() -> None:
    """The others keep their order."""
    with_keys, without = profiles(ALL_KEYS), profiles(KEYS)
    assert models(with_keys.usable("fast"))[1] == ["groq/llama-3.3-70b-versatile", "openai/gpt-4.1-mini"]
    assert models(without.usable("fast"))[1] == ["openai/gpt-4.1-mini"]
    assert models(with_keys.usable("quality"))[2][0].startswith("elevenlabs/")
    assert models(without.usable("quality"))[2][0].startswith("cartesia/")


def test_what_is_left_out_is_logged_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    """One line for each reason, whatever number of profiles it touches."""
    with caplog.at_level(logging.INFO):
        profiles(KEYS).report()
    reasons = [record.reason for record in caplog.records]  # type: ignore[attr-defined]
    assert sorted(reasons) == sorted(set(reasons))
    assert {"GROQ_API_KEY is not set", "ELEVEN_API_KEY is not set"} <= set(reasons)


@pytest.mark.parametrize("name", SHIPPED)
def test_without_keys_every_profile_runs_on_this_machine(name: str) -> None:
    """`callpool up` names local models, and each profile has them once and is recorded as local."""
    local = profiles(LOCAL)
    assert models(local.usable(name)) == [
        ["deepgram/local-moonshine"],
        ["openai/local-standin"],
        ["cartesia/local-piper"],
    ]
    assert local.usable(name).label == "local"
    local.check()


def test_a_call_with_one_real_provider_is_not_recorded_as_local() -> None:
    """The record names the profile as soon as anything of it runs elsewhere."""
    mixed = {key: value for key, value in LOCAL.items() if "OPENAI" not in key} | {"OPENAI_API_KEY": "b"}
    assert profiles(mixed).of_stage(None, "greeting", "fast").label == "fast"


def test_a_model_that_the_settings_name_replaces_the_profiles_own() -> None:
    """That of the same provider, once, in every profile."""
    own = profiles(KEYS | {"CALLPOOL_OPENAI_MODEL": "house-model"})
    assert models(own.usable("quality"))[1] == ["openai/house-model"]
    assert models(own.usable("balanced"))[1] == ["openai/house-model"]


def test_a_self_hosted_provider_serves_only_what_it_is_configured_for() -> None:
    """A speech-to-text server at DEEPGRAM_BASE_URL is not taken for a voice."""
    own = profiles(KEYS | {"DEEPGRAM_BASE_URL": "http://127.0.0.1:9000"})
    assert models(own.usable("balanced"))[2] == ["cartesia/sonic-3"]


def test_the_local_profile_needs_the_local_providers() -> None:
    """The real ones do not have its models."""
    with pytest.raises(SettingError, match=r"CALLPOOL_PROFILE is not set: expected a profile whose models"):
        profiles(KEYS | {"CALLPOOL_PROFILE": "local"}).check()


@pytest.mark.parametrize("missing", KEYS)
def test_a_default_profile_that_lacks_a_part_is_refused(missing: str) -> None:
    """By the name of the key: a fallback is no first choice that nobody noticed was missing."""
    env = {key: value for key, value in KEYS.items() if key != missing}
    with pytest.raises(SettingError, match=f"{missing} is not set: expected a key, or an endpoint in"):
        profiles(env).check()


def test_a_key_that_the_default_profile_does_without_is_not_required(tmp_path: Path) -> None:
    """Required is what it takes to answer a call."""
    file = tmp_path / "own.yaml"
    file.write_text(OWN)
    env = KEYS | {"GROQ_API_KEY": "g", "CALLPOOL_PROFILES_FILE": str(file), "CALLPOOL_PROFILE": "night"}
    del env["OPENAI_API_KEY"]
    profiles(env).check()


@pytest.mark.parametrize(
    ("asked", "by_setting", "of_roster", "in_force"),
    [
        ("economy", "problem_solving=fast", "quality", "economy"),
        (None, "problem_solving=fast", "quality", "fast"),
        (None, "greeting=fast", "quality", "quality"),
        (None, "greeting=fast", None, "balanced"),
        (None, "", None, "balanced"),
        ("nobody", "", "quality", "quality"),
        ("local", "", "quality", "quality"),
        (None, "", "local", "balanced"),
    ],
)
def test_the_nearest_wish_decides(
    asked: str | None, by_setting: str, of_roster: str | None, in_force: str
) -> None:
    """The call's, the setting's for the stage, the roster's, the default; what cannot be used is no wish."""
    chosen = profiles(KEYS | {"CALLPOOL_STAGE_PROFILES": by_setting})
    assert chosen.of_stage(asked, "problem_solving", of_roster).name == in_force


def test_a_profile_asked_for_decides_the_voice_of_the_call() -> None:
    """And an unknown one leaves it as it was, with a warning."""
    assert profiles(KEYS).of_call("economy").tts[0].provider == "deepgram"
    assert profiles(KEYS).of_call("nobody").name == "balanced"


def test_a_wish_that_cannot_be_met_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Not for every call."""
    chosen = profiles(KEYS)
    for _ in range(3):
        chosen.of_call("nobody")
    assert [record.message for record in caplog.records] == ["a profile that cannot be used was asked for"]


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("CALLPOOL_PROFILE", "best", "CALLPOOL_PROFILE is 'best'"),
        ("CALLPOOL_STAGE_PROFILES", "closing=best", "CALLPOOL_STAGE_PROFILES is 'closing=best'"),
    ],
)
def test_an_unknown_name_in_the_settings_is_refused(variable: str, value: str, named: str) -> None:
    """In one line, with the names there are."""
    with pytest.raises(SettingError) as refusal:
        profiles({variable: value})
    assert str(refusal.value) == f"{named}: expected a profile among {', '.join(SHIPPED)}"


def test_a_profile_for_a_stage_that_the_roster_lacks_is_refused() -> None:
    """A typing error there would quietly leave the stage with the model of the call."""
    pair = ["LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"]
    chosen = settings.load(
        KEYS | dict.fromkeys(pair, "x") | {"CALLPOOL_STAGE_PROFILES": "greeting=fast,problem_solvin=quality"}
    )
    with pytest.raises(SettingError, match="is 'problem_solvin=quality': expected a stage among greeting, "):
        worker.check(chosen)


def test_pairs_of_stage_and_profile_are_asked_for() -> None:
    """A profile alone says nothing about a stage."""
    with pytest.raises(SettingError, match="STAGE=PROFILE"):
        settings.load({"CALLPOOL_STAGE_PROFILES": "quality"})


def test_a_file_adds_profiles_and_replaces_those_of_its_names(tmp_path: Path) -> None:
    """The shipped ones stay beside them."""
    file = tmp_path / "own.yaml"
    file.write_text(OWN + OWN.replace("night", "fast"))
    own = profiles(ALL_KEYS | {"CALLPOOL_PROFILES_FILE": str(file)})
    assert own.names == (*SHIPPED, "night")
    assert models(own.usable("fast"))[1] == ["groq/llama-3.1-8b-instant"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("- a", "CALLPOOL_PROFILES_FILE"),
        ("a: [", "CALLPOOL_PROFILES_FILE"),
        ("a: {stt: [deepgram/x], llm: [openai/y]}", r"own\.yaml: a\.tts is not set"),
        ("a: {voice: x}", r"own\.yaml: a is"),
        ("a: {stt: [openai/x]}", r"own\.yaml: a\.stt is 'openai/x'.*deepgram, cartesia"),
        ("a: {best_for: 1, stt: [deepgram/x], llm: [openai/y], tts: [cartesia/z]}", r"a\.best_for is 1"),
        ("a: {stt: [deepgram]}", r"own\.yaml: a\.stt is 'deepgram'"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, named: str) -> None:
    """In one line that names the place."""
    file = tmp_path / "own.yaml"
    file.write_text(text)
    with pytest.raises(SettingError, match=named) as refusal:
        profiles({"CALLPOOL_PROFILES_FILE": str(file)})
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_not_there_is_refused() -> None:
    """By the setting that names it."""
    with pytest.raises(SettingError, match="CALLPOOL_PROFILES_FILE is '/nowhere/x'"):
        profiles({"CALLPOOL_PROFILES_FILE": "/nowhere/x"})


def test_an_optional_plugin_is_imported_only_where_it_is_used() -> None:
    """Without the key nobody needs the extra."""
    assert plugins(settings.load(KEYS)) == ()
    assert plugins(settings.load(ALL_KEYS)) == ("livekit.plugins.elevenlabs",)
