"""The settings themselves, and the running `callpool up` that they lead to."""

from __future__ import annotations

import importlib.util

import aiohttp

from callpool.caller.speech import why
from callpool.doctor.finding import Finding
from callpool.running import UP_FILE, Running
from callpool.settings import Settings

MAKE_UP = "run `make up`"


def configuration(settings: Settings) -> list[Finding]:
    """What was set, and variables that no setting has."""
    given = ", ".join(sorted(settings.given)) or "nothing, so all is at its default"
    findings = [Finding("configuration", True, f"readable; set: {given}")]
    findings += [
        Finding(
            "configuration",
            None,
            f"{variable} is the variable of no setting",
            "look for a typing error; `callpool config show` lists them all",
        )
        for variable in settings.unknown
    ]
    return findings


async def roster(settings: Settings) -> Finding:
    """Whether the module with the agents is there; it is not imported, the packages around it are."""
    name = settings.worker.roster
    try:
        there = importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        there = False
    if there:
        return Finding("roster", True, name)
    return Finding(
        "roster", False, f"there is no module {name}", "set CALLPOOL_ROSTER to a module that can be imported"
    )


def up(settings: Settings, running: Running | None) -> Finding:
    """Whether a `callpool up` is there to be examined."""
    if running is not None:
        return Finding("callpool up", True, f"running, with its page at {running.web}")
    stale = (settings.local.data_dir / UP_FILE).exists()
    detail = "not running" + (" (it left an up.json behind)" if stale else "")
    return Finding("callpool up", None, f"{detail}; the settings are examined instead", MAKE_UP)


async def answers(http: aiohttp.ClientSession, name: str, url: str) -> Finding:
    """Whether a part of the running service answers on its port."""
    try:
        async with http.get(url) as answer:
            if answer.status == 200:
                return Finding(name, True, f"{url} answers")
            detail = f"{url} answers {answer.status}"
    except aiohttp.ClientError as error:
        detail = f"{url} cannot be reached ({why(error)})"
    return Finding(
        name, False, detail, "look at the log of `callpool up`, or stop it and run `make up` again"
    )
