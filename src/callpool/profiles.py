"""Profiles: named choices of speech to text, language model and text to speech, each with its fallbacks.

They come from profiles.yaml beside this module and from the file that a setting names. What of them can be
used follows from the settings: a provider without a key has no place in a chain.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal, get_args

from callpool.errors import SettingError
from callpool.provider_settings import PROVIDERS
from callpool.settings import Settings
from callpool.yaml_table import read_table

logger = logging.getLogger(__name__)

SHIPPED = Path(__file__).with_name("profiles.yaml")
LOCAL = "local"
"""What is recorded for a call or a stage whose models all run on this machine."""

Part = Literal["stt", "llm", "tts"]
PARTS: tuple[Part, ...] = get_args(Part)

SERVED_BY: Mapping[Part, tuple[str, ...]] = {
    "stt": ("deepgram", "cartesia"),
    "llm": ("openai", "groq"),
    "tts": ("cartesia", "elevenlabs", "deepgram"),
}
_MODEL_SETTING_IS_FOR: Mapping[str, Part] = {
    "deepgram": "stt",
    "openai": "llm",
    "groq": "llm",
    "cartesia": "tts",
    "elevenlabs": "tts",
}
PLUGINS = {"elevenlabs": "livekit.plugins.elevenlabs"}
"""What an optional provider is imported from. The others are imported by the pipeline in any case."""


@dataclass(frozen=True)
class Member:
    """A model of a provider."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"

    @property
    def is_local(self) -> bool:
        """Whether `callpool providers` stands in for the provider."""
        return self.model.startswith("local-")


@dataclass(frozen=True)
class Profile:
    """A choice of models. Each part names the first choice first, then its fallbacks in order."""

    name: str
    best_for: str
    stt: tuple[Member, ...]
    llm: tuple[Member, ...]
    tts: tuple[Member, ...]

    def part(self, part: Part) -> tuple[Member, ...]:
        return {"stt": self.stt, "llm": self.llm, "tts": self.tts}[part]

    @property
    def members(self) -> tuple[Member, ...]:
        return tuple(dict.fromkeys((*self.stt, *self.llm, *self.tts)))

    @property
    def label(self) -> str:
        """What the call's record says was in force."""
        return LOCAL if self.members and all(member.is_local for member in self.members) else self.name


class Profiles:
    """All profiles, as far as the settings make them usable."""

    def __init__(self, settings: Settings, written: Mapping[str, Profile]) -> None:
        self.written = written
        """As their files name them, whatever can be used of it."""
        self._settings = settings
        self._usable = {name: self._resolve(profile) for name, profile in written.items()}
        self._told: set[str] = set()

    @classmethod
    def read(cls, settings: Settings) -> Profiles:
        """Read the shipped profiles and those of the settings' file.

        Raises SettingError: for a file that cannot be used, and for a name that no profile has.
        """
        written = read_file(SHIPPED)
        if settings.profiles.file:
            written |= read_file(Path(settings.profiles.file).expanduser())
        profiles = cls(settings, written)
        profiles._known("CALLPOOL_PROFILE", settings.profiles.name)
        for stage, name in profiles._by_setting.items():
            profiles._known("CALLPOOL_STAGE_PROFILES", name, f"{stage}={name}")
        return profiles

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.written)

    def usable(self, name: str) -> Profile:
        """What can be used of a profile. Raises SettingError for a name that no profile has."""
        return self._usable[self._known("profile", name)]

    def members(self, name: str, part: Part) -> dict[Member, str]:
        """The members of a part in order, each with why it cannot be used (empty: it can)."""
        as_set = dict.fromkeys(self._as_set(part, member) for member in self.written[name].part(part))
        return {member: self._obstacle(part, member) for member in as_set}

    def left_out(self) -> dict[Member, str]:
        """The members that no call can use, and why."""
        return {
            member: why
            for name in self.names
            for part in PARTS
            for member, why in self.members(name, part).items()
            if why
        }

    def of_call(self, asked: str | None) -> Profile:
        """The profile whose ears and voice a call has: the one asked for, else the settings' one."""
        if asked is not None and not self.obstacle(asked):
            return self._usable[asked]
        if asked is not None:
            self._tell_once("a profile that cannot be used was asked for", asked)
        return self._usable[self._settings.profiles.name]

    def of_stage(self, asked: str | None, stage: str, own: str | None = None) -> Profile:
        """The profile whose language model a stage has.

        `asked`: the profile that was asked for the whole call, which goes before everything else; `own`: the
        one that the roster gives the stage, which the settings may overrule.
        """
        if asked is not None and not self.obstacle(asked, ("llm",)):
            return self._usable[asked]
        name = self._by_setting.get(stage, own)
        if name is None:
            return self.of_call(None)
        if not self.obstacle(name, ("llm",)):
            return self._usable[name]
        self._tell_once("a stage's profile cannot be used", name)
        return self.of_call(None)

    def obstacle(self, name: str, parts: Iterable[Part] = PARTS) -> str:
        """Why a profile cannot be used, as what would be valid; empty when it can."""
        if name not in self._usable:
            return f"one of {', '.join(self.names)}"
        for part in parts:
            if not self._usable[name].part(part):
                return self._missing(name, part)[1]
        return ""

    def check(self) -> None:
        """Refuse settings with which the first call would fail, or would silently use fallbacks alone.

        Optional providers may lack a key, and the rest of the chain stands in. Raises SettingError.
        """
        needed = [(self._settings.profiles.name, part) for part in PARTS]
        for name, part in (*needed, *((name, "llm") for name in self._by_setting.values())):
            first = self._first_required(name, part)
            if not self._usable[name].part(part) or not self._has_access(first.provider):
                variable, expected = self._missing(name, part)
                raise SettingError(variable, "", expected)

    def report(self) -> None:
        """Log what was left out, a line for each reason."""
        reasons: dict[str, list[str]] = {}
        for member, why in self.left_out().items():
            reasons.setdefault(why, []).append(str(member))
        for why, members in reasons.items():
            logger.info(
                "models of profiles are left out",
                extra={"action": "profile_members_left_out", "members": members, "reason": why},
            )

    @property
    def _by_setting(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for pair in self._settings.profiles.stages)

    def _known(self, setting: str, name: str, value: str = "") -> str:
        if name not in self.written:
            raise SettingError(setting, value or name, f"a profile among {', '.join(self.names)}")
        return name

    def _resolve(self, profile: Profile) -> Profile:
        stt, llm, tts = (
            tuple(member for member, why in self.members(profile.name, part).items() if not why)
            for part in PARTS
        )
        return replace(profile, stt=stt, llm=llm, tts=tts)

    def _as_set(self, part: Part, member: Member) -> Member:
        """The member, with the model that a setting names in the place of the profile's own."""
        given = f"{member.provider}.model" in self._settings.given
        if not given or _MODEL_SETTING_IS_FOR[member.provider] != part:
            return member
        return replace(member, model=getattr(self._settings, member.provider).model)

    def _obstacle(self, part: Part, member: Member) -> str:
        group = getattr(self._settings, member.provider)
        own_url = group.base_url != type(group).base_url
        if not self._has_access(member.provider):
            return f"{key_variable(self._settings, member.provider)} is not set"
        if member.is_local and not own_url:
            return "only `callpool providers` serves it"
        if own_url and _MODEL_SETTING_IS_FOR[member.provider] != part:
            return f"an endpoint of one's own for {member.provider} need not serve it"
        if (plugin := PLUGINS.get(member.provider)) and importlib.util.find_spec(plugin) is None:
            return f"the extra `{member.provider}` is not installed"
        return ""

    def _has_access(self, provider: str) -> bool:
        group = getattr(self._settings, provider)
        given = {f"{provider}.api_key", f"{provider}.base_url"} & self._settings.given
        return bool(given or group.api_key or group.base_url != type(group).base_url)

    def _first_required(self, name: str, part: Part) -> Member:
        members = self.written[name].part(part)
        return next((one for one in members if one.provider in PROVIDERS), members[0])

    def _missing(self, name: str, part: Part) -> tuple[str, str]:
        """The variable that would give a profile this part, and what is expected of it."""
        member = self._first_required(name, part)
        variable = key_variable(self._settings, member.provider)
        if self._has_access(member.provider):
            why = self._obstacle(part, self._as_set(part, member))
            return "CALLPOOL_PROFILE", f"a profile whose models can be used ({name}: {member}: {why})"
        base_url = variable.removesuffix("_API_KEY") + "_BASE_URL"
        return variable, f"a key, or an endpoint in {base_url} (`callpool up` brings local ones)"

    def _tell_once(self, message: str, name: str) -> None:
        if name not in self._told:
            self._told.add(name)
            logger.warning(
                message,
                extra={
                    "action": "profile_unusable",
                    # One that was asked for may be any text of a stranger's.
                    "profile": name if name in self.written else None,
                    "expected": self.obstacle(name),
                },
            )


def key_variable(settings: Settings, provider: str) -> str:
    """The environment variable of a provider's key."""
    entry = next(one for one in fields(getattr(settings, provider)) if one.name == "api_key")
    variable: str = entry.metadata["env"]
    return variable


def plugins(settings: Settings) -> tuple[str, ...]:
    """The modules of optional providers that calls may use, to be imported before any caller waits.

    Raises SettingError.
    """
    profiles = Profiles.read(settings)
    used = {member.provider for name in profiles.names for member in profiles.usable(name).members}
    return tuple(module for provider, module in PLUGINS.items() if provider in used)


def read_file(path: Path) -> dict[str, Profile]:
    """The profiles of a file. Raises SettingError."""
    table = read_table("CALLPOOL_PROFILES_FILE", path, "profiles by name")
    return {name: _profile(path.name, name, entry) for name, entry in table.items()}


def _profile(file: str, name: str, entry: object) -> Profile:
    where = f"{file}: {name}"
    known = ("best_for", *PARTS)
    if not isinstance(entry, dict) or set(entry) - set(known):
        raise SettingError(where, entry, f"a profile with {', '.join(known)}")
    parts = {part: _members(f"{where}.{part}", part, entry.get(part)) for part in PARTS}
    best_for = entry.get("best_for", "")
    if not isinstance(best_for, str):
        raise SettingError(f"{where}.best_for", best_for, "a sentence")
    return Profile(name, best_for, parts["stt"], parts["llm"], parts["tts"])


def _members(where: str, part: Part, listed: object) -> tuple[Member, ...]:
    providers = SERVED_BY[part]
    expected = f"a list of PROVIDER/MODEL with PROVIDER one of {', '.join(providers)}"
    if not isinstance(listed, list) or not listed:
        raise SettingError(where, "" if listed is None else listed, expected)
    members = []
    for text in listed:
        provider, _, model = str(text).partition("/")
        if provider not in providers or not model:
            raise SettingError(where, text, expected)
        members.append(Member(provider, model))
    return tuple(members)
