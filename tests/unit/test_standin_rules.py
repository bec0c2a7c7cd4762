"""The rules beside an agent: the ones that ship, and ones that are wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from standin_caller import Caller

import callpool_agents
from callpool.errors import SettingError
from callpool.local.behaviour import Said, ToolUse
from callpool.local.standin import StandIn
from callpool_tools.hang_up import end_call_tool
from callpool_tools.orders import Orders, order_tools

AGENTS = Path(callpool_agents.__file__).parent
ORDERS = Orders.sample()


def lookup(order_number: str) -> str:
    """What the tool returns, or the message of its error."""
    order = ORDERS.find(order_number)
    if order is None:
        digits = " ".join(order_number)
        return f"There is no order {digits}. Ask the caller to read it out again, digit by digit."
    known = {"order_number": order.number, "item": order.item, "quantity": order.quantity}
    known |= {"status": order.status, "carrier": order.carrier, "eta": order.eta}
    return json.dumps({name: value for name, value in known.items() if value})


@pytest.fixture
def caller() -> Caller:
    """Calls reception, with the tools and the prompt that it has."""
    return Caller(
        [*order_tools(ORDERS), *end_call_tool().tools],  # type: ignore[list-item]
        {"lookup_order": lookup, "end_call": "Say goodbye to the caller in one short sentence."},
        StandIn.load([AGENTS]),
        (AGENTS / "reception.md").read_text(),
    )


def test_reception_asks_for_the_number_and_tells_what_the_tool_returned(caller: Caller) -> None:
    """The whole of a short call."""
    assert caller.say("Good evening. Could you check on something I bought?") == "What is your order number?"
    assert caller.say("Sure, it's one two three, four five.") == (
        "It is on its way. Parcel Express should deliver your wireless headphones on December 2nd."
    )
    assert caller.say("And how about 67890?").startswith("It is being processed. Your coffee grinder")
    assert caller.say("Lovely, thanks. Bye!") == "Goodbye, and thank you for calling."
    assert caller.calls == [
        ToolUse("lookup_order", {"order_number": "12345"}),
        ToolUse("lookup_order", {"order_number": "67890"}),
        ToolUse("end_call", {}),
    ]


def test_a_number_that_is_too_short_is_asked_for_again(caller: Caller) -> None:
    """The tool is not called with four digits."""
    heard = caller.say("Track my parcel, it is order 1 2 3 4.")
    assert heard == (
        "Sorry, I heard 1 2 3 4. Please say the five digits of the order number again, one digit at a time."
    )
    assert caller.called("One three five seven nine.") == [("lookup_order", {"order_number": "13579"})]


def test_a_number_in_two_halves_is_put_together(caller: Caller) -> None:
    """Who pauses in the middle is not made to start again."""
    caller.say("My number is")
    caller.say("six seven eight")
    assert caller.called("nine oh") == [("lookup_order", {"order_number": "67890"})]


def test_an_unknown_order_is_asked_for_again(caller: Caller) -> None:
    """What the error tells the model to do is done, and the number is said digit by digit."""
    assert caller.say("When does the delivery for order 55555 come?") == (
        "There is no order 5 5 5 5 5. Please read it out again, digit by digit."
    )
    assert caller.called("It is 1-1-2-2-3.") == [("lookup_order", {"order_number": "11223"})]


def test_two_orders_are_looked_up_together(caller: Caller) -> None:
    """Two numbers in a sentence are two calls in one answer."""
    assert len(caller.called("I have two orders, 12345 and 24680, are they there yet?")) == 2


@pytest.mark.parametrize("number", ["12345", "67890", "24680", "13579", "11223", "44556"])
def test_every_order_is_told_without_digits_or_codes(caller: Caller, number: str) -> None:
    """Each status of the sample data has a sentence that a voice can read."""
    heard = caller.say(f"Where is order {number}?")
    order = ORDERS.find(number)
    assert order is not None
    assert order.item in heard
    assert number not in heard
    assert not order.eta or order.eta not in heard
    assert "{" not in heard
    assert "_" not in heard


def test_what_reception_cannot_do_is_said(caller: Caller) -> None:
    """A topic without a tool gets the rule's sentence, and nonsense what reception is for."""
    assert caller.say("I insist on a refund.") == "I am sorry, I can only look up orders."
    assert "where an order is" in caller.say("Sing me a song.")


def test_rules_apply_to_their_agent_only(caller: Caller) -> None:
    """Another agent's prompt leaves reception's rules aside."""
    caller.system = "# Billing\n\nYou talk about bills."
    assert caller.say("Track something for me.") != "What is your order number?"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("agent: [", "rules.yaml is 'unreadable'"),
        ("- just a list", "agent, languages"),
        ("languages: {}", "rules.yaml: agent is None: expected a text"),
        ("agent: a\nlanguages: {xx: {}}", "languages.xx is 'xx': expected one of en"),
        ("agent: a\nlanguages: {en: {intent: {}}}", "en.intent is 'intent': expected one of greeting"),
        ("agent: a\nlanguages: {en: {intents: {t: []}}}", "languages.en.intents.t is []: expected a list"),
        ("agent: a\nlanguages: {en: {intents: {t: [-no]}}}", "at least one word that must be said"),
        ("agent: a\nlanguages: {en: {results: {t: [{say: 'a {b'}]}}}", "results.t[0].say"),
        ("agent: a\nlanguages: {en: {results: {t: [{say: 'a {b.c}'}]}}}", "the name of a field"),
        ("agent: a\nlanguages: {en: {results: {t: [{say: 'a {b:d}'}]}}}", "is '{b:d}': expected the name of"),
        ("agent: a\nlanguages: {en: {results: {t: [{say: 'a {b!r}'}]}}}", "is '{b!r}': expected the name of"),
        ("agent: a\nlanguages: {en: {results: {t: [{say: 'a {}'}]}}}", "is '{}': expected the name of"),
        ("agent: a\nlanguages: {en: {questions: {p: 7}}}", "questions.p is 7: expected a text"),
        ("agent: a\nlanguages: {en: {talk: [{say: hi}]}}", "talk[0].words is None"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_refused_with_its_file_and_key(tmp_path: Path, text: str, named: str) -> None:
    """One line that says where and what would be valid."""
    (tmp_path / "rules.yaml").write_text(text)
    with pytest.raises(SettingError) as refused:
        StandIn.load([tmp_path])
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_folder_without_rules_is_fine(tmp_path: Path) -> None:
    """The tools alone have to do."""
    assert Caller([], model=StandIn.load([tmp_path])).ask() == Said("Hello. How can I help you?")
