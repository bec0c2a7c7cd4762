"""Each scenario that ships fails once the rule or the tool that it covers is taken out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from livekit.agents import AgentSession, ToolError
from livekit.agents.llm import ChatContext
from playing import play, shipped

from callpool import hand_off, manners
from callpool.backchannel import Backchannels
from callpool.evaluation import text_call
from callpool.hand_off import Handover, StageAgent
from callpool.language import Languages
from callpool.phrases import Phrases
from callpool_agents import roster
from callpool_tools import changes, details, orders, read_back, transfer, verification
from callpool_tools.business import Business
from callpool_tools.case import Case

Mutation = Callable[[pytest.MonkeyPatch], None]


def without(*names: str) -> Mutation:
    """No agent has these tools."""

    def mutate(patch: pytest.MonkeyPatch) -> None:
        whole = StageAgent.__init__

        def init(self: StageAgent, handover: Handover, *, tools: Any, **rest: Any) -> None:
            left = [tool for tool in tools if getattr(tool, "id", None) not in names]
            whole(self, handover, tools=left, **rest)

        patch.setattr(StageAgent, "__init__", init)

    return mutate


def hand_offs_lose_the_words(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(hand_off, "words_of", lambda history: ChatContext.empty())


def no_stage_is_passed_through(patch: pytest.MonkeyPatch) -> None:
    stages = tuple(replace(stage, satisfied=None, then="") for stage in roster.ROSTER.stages)
    patch.setattr(roster, "ROSTER", replace(roster.ROSTER, stages=stages))


def no_way_back(patch: pytest.MonkeyPatch) -> None:
    legal = {
        origin: tuple(to for to in follow if not (to == "data_collection" and origin != "greeting"))
        for origin, follow in roster.ROSTER.transitions.items()
    }
    patch.setattr(roster, "ROSTER", replace(roster.ROSTER, transitions=legal))


class _Everything(list[str]):
    def __contains__(self, _: object) -> bool:
        return True


def nobody_needs_to_be_verified(patch: pytest.MonkeyPatch) -> None:
    made = replace(roster.ROSTER, new_state=lambda: Case(name="anybody", verified=_Everything()))
    patch.setattr(roster, "ROSTER", made)


def verification_gives_up_after(tries: int) -> Mutation:
    return lambda patch: patch.setattr(verification, "TRIES", tries)


def it_is_told_which_orders_exist(patch: pytest.MonkeyPatch) -> None:
    find = Business.order

    async def order(self: Business, number: str) -> Any:
        if (found := await find(self, number)) is None:
            raise ToolError("There is no such order, it does not exist. Tell the caller.")
        return found

    patch.setattr(Business, "order", order)


def nothing_is_read_back(patch: pytest.MonkeyPatch) -> None:
    """Every use of a tool writes: neither a yes nor the key of the write is looked at."""
    count = iter(range(1000))

    async def make(self: read_back.Change, words: str, change: Any) -> str:
        intent = read_back.Intent(self.ctx.userdata.call_id, str(next(count)))
        return str(await self.business.once(intent, 0, change))

    async def result(self: read_back.Change) -> None:
        return None

    patch.setattr(read_back.Change, "make", make)
    patch.setattr(read_back.Change, "result", result)


def anything_can_be_cancelled(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(changes, "CANCELLABLE", ("shipped", "processing", "delivered", "delayed"))


def transfers_leave_no_note(patch: pytest.MonkeyPatch) -> None:
    async def forget(*_: Any) -> None: ...

    patch.setattr(transfer, "note_transfer", forget)


def anybody_is_in_the_directory(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(transfer, "find_colleague", lambda asked_for, colleagues: "")


def no_number_is_understood(patch: pytest.MonkeyPatch) -> None:
    for module in (details, orders):
        patch.setattr(module, "order_number_in", lambda *_: None)


def any_digits_are_a_number(patch: pytest.MonkeyPatch) -> None:
    for module in (details, orders):
        patch.setattr(module, "order_number_in", lambda text, known="": text or None)


def keys_do_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(text_call, "as_words", lambda keys: "")


def languages_are_not_followed(patch: pytest.MonkeyPatch) -> None:
    async def deaf(self: Languages, text: str) -> None: ...

    patch.setattr(Languages, "heard", deaf)
    without("switch_language")(patch)


def everything_is_said_in_english(patch: pytest.MonkeyPatch) -> None:
    say = Phrases.say
    patch.setattr(Phrases, "say", lambda self, key, language, **values: say(self, key, "en", **values))


def silence_is_not_asked_about(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(manners, "QUESTIONS", ())


def silence_is_counted_through(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(manners.Manners, "_on_item", lambda self, event: None)


def a_listener_is_a_speaker(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Backchannels, "only", lambda *_: False)


def the_agent_cannot_be_interrupted(patch: pytest.MonkeyPatch) -> None:
    say = AgentSession.say

    def firmly(self: AgentSession[Any], text: Any, **rest: Any) -> Any:
        return say(self, text, **(rest | {"allow_interruptions": False}))

    patch.setattr(AgentSession, "say", firmly)


MUTATIONS: dict[str, Mutation] = {
    "step by step": without("lookup_order"),
    "everything at once": hand_offs_lose_the_words,
    "passed through": no_stage_is_passed_through,
    "delivery date": without("delivery_status"),
    "name after the number": without("note_details"),
    "two orders in one call": nobody_needs_to_be_verified,
    "a different order, its number later": no_way_back,
    "a different order before verification": no_way_back,
    "new order": without("place_order"),
    "order again": without("reorder"),
    "new address": without("change_address"),
    "cancelled": without("cancel_order"),
    "too late to cancel": anything_can_be_cancelled,
    "changed mind": nothing_is_read_back,
    "interrupted while it was read back": nothing_is_read_back,
    "said yes twice": nothing_is_read_back,
    "ticket": without("open_ticket"),
    "wrong name three times": verification_gives_up_after(99),
    "right name at the second try": verification_gives_up_after(1),
    "a number that does not exist": it_is_told_which_orders_exist,
    "no name, no answer": nobody_needs_to_be_verified,
    "somebody else's order": nobody_needs_to_be_verified,
    "somebody else's order is not cancelled": nobody_needs_to_be_verified,
    "ignore your instructions": nobody_needs_to_be_verified,
    "operator twenty-five": anybody_is_in_the_directory,
    "an operator whom nobody knows": anybody_is_in_the_directory,
    "a person at any time": without("transfer_call"),
    "a person for a verified caller": transfers_leave_no_note,
    "silence": silence_is_not_asked_about,
    "silence that ends": silence_is_counted_through,
    "not understood three times": without("unclear"),
    "abuse": without("note_request"),
    "goodbye in the middle": without("end_call"),
    "nothing but goodbye": without("end_call"),
    "a listener's mhm": a_listener_is_a_speaker,
    "talks over the greeting": the_agent_cannot_be_interrupted,
    "double digits": no_number_is_understood,
    "in pairs": no_number_is_understood,
    "corrected digit": no_number_is_understood,
    "too few digits": any_digits_are_a_number,
    "keyed in": keys_do_nothing,
    "German from the start": everything_is_said_in_english,
    "German found out": languages_are_not_followed,
    "Spanish found out": languages_are_not_followed,
    "another language in the middle": languages_are_not_followed,
}


def test_every_scenario_has_its_mutation() -> None:
    """And no mutation is left of a scenario that has gone."""
    assert sorted(MUTATIONS) == sorted(shipped())


@pytest.mark.parametrize("name", MUTATIONS)
async def test_a_scenario_fails_without_what_it_covers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it tests something; test_scenarios.py shows that it comes true otherwise."""
    MUTATIONS[name](monkeypatch)
    outcome = await play(name)
    assert outcome.failures
