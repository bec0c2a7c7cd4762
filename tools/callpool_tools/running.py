"""What every tool keeps to: it takes five seconds at most, is never dead air, and fails with words.

A tool that breaks leaves the model with a `ToolError` that says what to do next; what broke is in the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from livekit.agents import RunContext, StopResponse, ToolError

from callpool.call import Call
from callpool.service_phrases import words_for
from callpool_tools.case import Case, case_of

P = ParamSpec("P")
R = TypeVar("R")
Tool = Callable[Concatenate[RunContext[Call], P], Coroutine[Any, Any, R]]

LIMIT_S = 5.0
"""How long a tool may take."""

FILLER_AFTER_S = 0.7
"""How long a caller waits for a tool in silence."""

ENOUGH_FAILURES = 2
"""So many tools that broke in a call, and the caller is offered a person."""

_OFFER = "Offer the caller a person to talk to."
_RETRY = "Then call {name} once more with the same arguments: nothing is done twice."

logger = logging.getLogger(__name__)


def bounded(tool: Tool[P, R]) -> Tool[P, R]:
    """Put a tool under these rules. Stands between `@function_tool` and the function."""
    name = getattr(tool, "__name__", "tool")

    @wraps(tool)
    async def run(ctx: RunContext[Call], /, *args: P.args, **kwargs: P.kwargs) -> R:
        case = case_of(ctx)
        try:
            async with (
                ctx.with_filler(words_for(ctx.session, "filler"), delay=FILLER_AFTER_S),
                asyncio.timeout(LIMIT_S),
            ):
                return await tool(ctx, *args, **kwargs)
        except (ToolError, StopResponse):
            raise
        except TimeoutError as error:
            logger.warning("tool took too long", extra={"action": "tool_timeout", "tool": name})
            raise _failure(case, name, "took too long") from error
        except Exception as error:
            logger.exception("tool failed", extra={"action": "tool_failed", "tool": name})
            raise _failure(case, name, "is out of order") from error

    return run


def _failure(case: Case, name: str, what: str) -> ToolError:
    case.failed_tools += 1
    then = _OFFER if case.failed_tools >= ENOUGH_FAILURES else _RETRY.format(name=name)
    return ToolError(f"{name} {what}. Apologize to the caller. {then}")
