"""A change is read back to the caller, and made once, after their yes.

The first call of a tool that changes something only keeps what is to be changed, as `case.pending`, and tells
the model what to read back. The change is made by a later call of the tool when

* the arguments are the same,
* the agent has spoken since then and the caller after that, not long ago, and
* the caller has not said a plain no meanwhile;

otherwise the change is read back anew. Whether what the caller said was a yes is the model's judgement.

Which yes it was is part of the change's key in the `writes` table: the call, the tool, its arguments and the
caller's turn in which they were read back. So a call that is repeated, in the same turn, after an
interruption that kept the result from the model, or from a job that took the call over, finds what was done.
Only when the model has had the result, the caller has spoken again and the tool is called once more, is the
same change a new one; it is read back as such.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from livekit.agents import RunContext

from callpool.call import Call
from callpool.history import caller_turns
from callpool_tools.business import Business, Intent, Result
from callpool_tools.case import PendingWrite, case_of
from callpool_tools.history import caller_words, was_answered, was_told
from callpool_tools.ledger import Ledger
from callpool_tools.phrases import say

GOOD_FOR_TURNS = 3
"""How often the caller may speak until a yes is no longer one to what was read back."""

_NO = re.compile(
    r"(?:^|[,.;:!?…])\W*(?:(?:oh|uh|um|eh|er|äh|ähm|hm+|ach|ay|well|wait|actually|also|pues|bueno|thanks)\W+)*"
    r"(?:no|nope|nah|nein|nee)\b(?!\W*(?:problem|worries|rush|hay problema))|"
    r"\b(?:do not|don'?t|never ?mind|forget (?:it|that|about)|cancel that|stop|not yet|changed my mind|"
    r"lieber nicht|doch nicht|bitte nicht|vergessen sie|vergiss|"
    r"mejor no|todavía no|olvíd[ae]lo|déjelo)\b",
    re.IGNORECASE,
)
"""A plain no in the languages that ship. One too many costs another question, one too few an order."""


@dataclass
class Change:
    """Something that a tool is to change, with the arguments that say what."""

    ctx: RunContext[Call]
    business: Business
    tool: str
    arguments: dict[str, Any]
    """Plain values, in the form in which they are compared."""
    on_made: Callable[[Result], None] = lambda result: None
    """Told what came of it, also when it was made before."""
    _done_before: bool = False

    async def result(self) -> str | None:
        """What came of it, when this very call was made before: then there is nothing left to do."""
        pending = self._pending
        if pending is None:
            return None
        made = await self.business.made(self._intent(pending))
        if made is None:
            return None
        result = self._told(made.result)
        later = made.caller_turns < caller_turns(self.ctx.session)
        self._done_before = later and was_told(self.ctx, self.tool, result)
        return None if self._done_before else result

    async def make(self, words: str, change: Callable[[Ledger], Awaitable[Result]]) -> str:
        """Make the change when the caller said yes to it; else have `words` read back.

        `words` say what is changed, in the caller's language.
        """
        pending = self._pending
        if pending is None or self._done_before or not self._may_be_yes(pending):
            return self._read_back(words)
        return self._told(
            await self.business.once(self._intent(pending), caller_turns(self.ctx.session), change)
        )

    @property
    def _pending(self) -> PendingWrite | None:
        pending = case_of(self.ctx).pending
        same = pending and (pending.tool, pending.arguments) == (self.tool, self.arguments)
        return pending if same else None

    def _intent(self, pending: PendingWrite) -> Intent:
        arguments = json.dumps(self.arguments, sort_keys=True, ensure_ascii=False)
        return Intent(self.ctx.userdata.call_id, f"{self.tool} {arguments} in turn {pending.caller_turns}")

    def _may_be_yes(self, pending: PendingWrite) -> bool:
        since = caller_words(self.ctx, pending.caller_turns)
        return (
            0 < len(since) <= GOOD_FOR_TURNS
            and was_answered(self.ctx, self.tool, pending.caller_turns)
            and not any(_NO.search(words) for words in since)
        )

    def _read_back(self, words: str) -> str:
        case_of(self.ctx).pending = PendingWrite(self.tool, self.arguments, caller_turns(self.ctx.session))
        if self._done_before:
            words = say("once_more", self.ctx.userdata.language, change=words)
        return (
            f"Ask the caller to confirm: {words.rstrip('.')}. Nothing is changed yet. "
            f"Call {self.tool} again with the same arguments only after the caller has said yes."
        )

    def _told(self, result: Result) -> str:
        self.on_made(result)
        return json.dumps(result, ensure_ascii=False)
