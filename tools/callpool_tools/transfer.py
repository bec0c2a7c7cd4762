"""Giving a call to a person: whom, and what they need to know."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from livekit.agents import Agent, AgentSession, FunctionTool, RunContext, ToolError, function_tool

from callpool.call import Call
from callpool.hand_off import hand_off
from callpool_tools.business import Business
from callpool_tools.case import Case, case_of
from callpool_tools.digits import digits
from callpool_tools.history import caller_words, words_in
from callpool_tools.records import Colleague, Transfer
from callpool_tools.running import bounded

_LAST_SENTENCES = 3

_ANYBODY = re.compile(
    r"\b(?:an?|any|the|to|with|for|me|please|person|human|being|someone|somebody|anyone|anybody|whoever|who|is|"
    r"free|real|operator|agent|representative|colleague|staff|member|employee|department|support|service|"
    r"customer|number|extension|desk|team|bitte|mensch(?:en)?|mitarbeiter(?:in)?|jemand(?:en)?|eine[nm]?|der|die|das|"
    r"abteilung|persona|por|favor|none|null|available|humano|agente|operador|operadora|alguien|una?|el|la)\b"
)
"""Words that name nobody in particular."""


def transfer_call_tool(business: Business, to: str) -> FunctionTool[Any, Any]:
    """`transfer_call(agent_id, reason)`: notes what the person needs, and goes to the stage `to`."""

    @function_tool
    @bounded
    async def transfer_call(ctx: RunContext[Call], agent_id: str = "", reason: str = "") -> Agent:
        """Transfer the call to a person. Call this when the caller asks for one, or accepts the offer of one.

        Args:
            agent_id: The number or department of the person asked for; empty: whoever is free.
            reason: What the caller wants to talk about.
        """
        case = case_of(ctx)
        case.transfer_to = find_colleague(agent_id, await business.colleagues())
        case.transfer_reason = " ".join(reason.split())
        return await hand_off(ctx, to, first=partial(note_transfer, ctx, business))

    return transfer_call


async def note_transfer(ctx: RunContext[Call], business: Business, last_request: str = "") -> None:
    """Keep what a person needs to take the call over. `last_request`: what was said last, unless given."""
    await _note(ctx.userdata, case_of(ctx), business, caller_words(ctx), last_request)


async def put_through(session: AgentSession[Call], business: Business, reason: str) -> None:
    """Keep the same where no tool runs, and the call goes to a person for a reason of the service's own."""
    call = session.userdata
    case: Case = call.state
    case.transfer_reason = case.transfer_reason or reason
    await _note(call, case, business, words_in(session), "")


async def _note(call: Call, case: Case, business: Business, words: Sequence[str], last_request: str) -> None:
    said = [one for one in words if one.strip()]
    await business.note_transfer(
        Transfer(
            call_id=call.call_id,
            agent_id=case.transfer_to,
            reason=case.transfer_reason or case.wish,
            summary=_summary(case, said[-_LAST_SENTENCES:]),
            language=call.language,
            verified=case.is_verified,
            last_request=last_request or (said[-1] if said else case.wish),
            order_number=case.order_number,
        )
    )


def find_colleague(asked_for: str, colleagues: Sequence[Colleague]) -> str:
    """The id of the person asked for by number ("operator twenty-five"), name or department; empty: anybody.

    Raises ToolError, which lists who is there.
    """
    if number := digits(asked_for):
        if any(each.agent_id == number for each in colleagues):
            return number
    else:
        named = set(re.findall(r"[^\W\d_]+", _ANYBODY.sub(" ", asked_for.casefold())))
        if not named:
            return ""
        fitting = [
            each.agent_id
            for each in colleagues
            if named & {*each.department.casefold().split(), *each.name.casefold().split()}
        ]
        if len(fitting) == 1:
            return fitting[0]
    there = ", ".join(f"{each.agent_id} ({each.department})" for each in colleagues)
    raise ToolError(
        f"Nobody is listed as {asked_for[:40]!r}. The directory has {there}. "
        "Ask the caller which of these they want. Call transfer_call without agent_id for whoever is free."
    )


def _summary(case: Case, last_sentences: Sequence[str]) -> str:
    verified = "verified" if case.is_verified else "not verified"
    facts = (
        f"Caller: {case.customer or 'name unknown'}, {verified}.",
        f"Order: {case.order_number}." if case.order_number else "",
        f"Request: {case.wish.rstrip(' .')}." if case.wish else "",
        f"Reason: {case.transfer_reason.rstrip(' .')}." if case.transfer_reason else "",
        f"Failed verifications: {case.failed_verifications}." if case.failed_verifications else "",
        f"Said last: {' / '.join(last_sentences)}" if last_sentences else "",
    )
    return " ".join(fact for fact in facts if fact)
