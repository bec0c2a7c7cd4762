"""What the doctor found, and how it is told."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace

from callpool.checks import hide_passwords
from callpool.errors import CallpoolError

TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool | None
    """None: nothing is wrong, but it is worth knowing, or it could not be examined."""
    detail: str
    advice: str = ""
    """What to do about it."""


async def examined(name: str, check: Awaitable[Finding], timeout_s: float = TIMEOUT_S) -> Finding:
    """The finding of a check, whatever happens to it."""
    try:
        async with asyncio.timeout(timeout_s):
            return await check
    except TimeoutError:
        return Finding(
            name, False, f"no answer within {timeout_s:g} s", "see whether it hangs or is overloaded"
        )
    except CallpoolError as error:
        return Finding(name, False, str(error))
    except Exception as error:  # a check that breaks must not hide what the others found
        return Finding(name, False, f"could not be examined ({type(error).__name__}: {error})")


def told(findings: Sequence[Finding], *, as_json: bool) -> str:
    """The findings as lines for people or as one JSON document; no password in a URL survives."""
    shown = [
        replace(
            finding,
            detail=_one_line(hide_passwords(finding.detail)),
            advice=_one_line(hide_passwords(finding.advice)),
        )
        for finding in findings
    ]
    if as_json:
        document = {
            "ok": not failed(findings),
            "findings": [dataclasses.asdict(finding) for finding in shown],
        }
        return json.dumps(document, indent=2, ensure_ascii=False)
    width = max(len(finding.name) for finding in shown)
    marks = {True: "ok", None: "note", False: "FAIL"}
    return "\n".join(
        f"{marks[finding.ok]:<4}  {finding.name:<{width}}  {finding.detail}"
        + (f": {finding.advice}" if finding.advice else "")
        for finding in shown
    )


def failed(findings: Sequence[Finding]) -> bool:
    return any(finding.ok is False for finding in findings)


def _one_line(text: str) -> str:
    return " ".join(text.split())
