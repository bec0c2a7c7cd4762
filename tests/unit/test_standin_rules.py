"""The rules beside the shop's agents: wishes in words that no rule holds; and rules that are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from standin_caller import Caller

import callpool_agents
from callpool.call import Call
from callpool.errors import SettingError
from callpool.hand_off import Conversation, Handover, StageAgent
from callpool.local.behaviour import Said
from callpool.local.standin import StandIn
from callpool_agents.data_collection import DataCollection
from callpool_agents.greeting import Greeting
from callpool_agents.problem_solving import ProblemSolving
from callpool_agents.roster import ROSTER
from callpool_agents.verification import Verification

AGENTS = Path(callpool_agents.__file__).parent
MODEL = StandIn.load([AGENTS])


def caller_of(agent: type[StageAgent], **known: str) -> Caller:
    """A caller of one stage, with the tools and the prompt that it has."""
    call = Call(call_id="c_1", room="call-1", agent_name="callpool", state=ROSTER.new_state())
    for name, value in known.items():
        setattr(call.state, name, value)
    made = agent(
        Handover(Conversation(call, ROSTER, ROSTER.open_business("sqlite+aiosqlite:///never-opened.db")))
    )  # type: ignore[call-arg]
    tools: list[Any] = list(made.tools)
    return Caller(tools, model=MODEL, system=str(made.instructions))


WORDINGS = {
    "delivery_status": [
        "Where is my parcel?",
        "Has it shipped yet?",
        "I haven't received anything so far.",
        "When will it get here?",
        "Any idea when my package turns up?",
        "Could you track it for me?",
        "It still hasn't arrived.",
        "How long will it take?",
        "It should have been here last week.",
        "Is it on its way?",
        "What's the status of my order?",
        "Why is it so late?",
        "Has the courier got it already?",
        "Do you know whether it was dispatched?",
        "I am still waiting for it.",
        "When can I expect it?",
        "What's happening with my order?",
        "Did you send it already?",
    ],
    "lookup_order": [
        "What exactly did I order?",
        "How much did I pay?",
        "What was the price?",
        "Can you give me the details?",
        "Which address is it going to?",
        "How many did I buy?",
        "What did it cost in all?",
        "Tell me about my order.",
        "Can you look up my order?",
        "What items are in it?",
        "It's about my order.",
        "I'd like some information on my purchase.",
        "Could you check my order, please?",
        "What is the total?",
        "I have a question about my order.",
    ],
    "cancel_order": [
        "Please cancel it.",
        "Can you cancel my order?",
        "I'd like to cancel.",
        "I don't want it any more.",
        "I no longer need it.",
        "Could we call the order off?",
        "I want to stop the order.",
        "I do not need that any more.",
        "Is it too late to cancel?",
        "I've decided I don't want the jacket.",
        "Let's cancel the whole thing.",
        "I no longer want this.",
        "We don't need it after all.",
        "Please annul the order.",
        "Cancellation, please.",
    ],
    "change_address": [
        "The address is wrong.",
        "I've moved.",
        "I need to change where it's going, to 4 Oak Street in Dayton.",
        "Can you send it to 4 Oak Street in Dayton?",
        "I gave you the wrong address.",
        "Ship it to 4 Oak Street, Dayton instead.",
        "Please deliver to 4 Oak Street in Dayton.",
        "I want it delivered somewhere else.",
        "Can I have a different delivery address?",
        "We are moving house.",
        "Could you redirect it?",
        "My address has changed.",
        "It has to go to a different place.",
        "Update the address, please.",
        "The shipping address needs changing.",
    ],
    "reorder": [
        "Same again, please.",
        "I'd like to reorder.",
        "Can I order that again?",
        "Send me another one.",
        "I want the same thing once more.",
        "Could I get one more of those?",
        "I'd like to repeat the order.",
        "Another one of these, please.",
        "I'd like more of them.",
        "Let me have the same order again.",
        "I want to buy it again.",
        "Please order it once more.",
        "I'd like a second one.",
        "The same one again.",
        "Can you place the same order?",
    ],
    "place_order": [
        "I want to buy two desk lamps.",
        "I'd like to order a coffee grinder.",
        "Can I get three rain jackets?",
        "I need two coffee grinders.",
        "Let me order something new.",
        "I would like to place an order.",
        "I'd like to make a new order.",
        "Could you send me two desk lamps?",
        "I'll take four coffee grinders.",
        "I want to purchase headphones.",
        "Give me two rain jackets.",
        "Do you sell desk lamps?",
        "I'd like to have five desk lamps.",
        "Put in a new order for me.",
        "I am looking to buy walking shoes.",
    ],
    "open_ticket": [
        "I'd like to send it back.",
        "I want my money back.",
        "It arrived broken.",
        "The lamp is damaged.",
        "It doesn't work.",
        "I want to make a complaint.",
        "You sent me the wrong item.",
        "There is a part missing.",
        "Can I return it?",
        "I need a refund.",
        "It stopped working after a day.",
        "The bill is not correct.",
        "I was charged twice.",
        "It is faulty.",
        "It came with a scratch.",
        "I'd like to exchange it.",
    ],
    "transfer_call": [
        "I'd like to speak to a person.",
        "Connect me to somebody in billing.",
        "Put me through to your supervisor.",
        "Can I have a human, please?",
        "Operator.",
        "I want a real person.",
        "Could I speak with a colleague of yours?",
        "Let me talk to the manager.",
        "Transfer me, please.",
        "I need to talk to someone.",
        "Get me a representative.",
        "I don't want to talk to a robot.",
        "Customer service, please.",
        "I would rather talk to a live agent.",
        "Is there anybody I can speak to? I want to speak to somebody.",
    ],
}


@pytest.mark.parametrize(
    ("tool", "sentence"), [(tool, sentence) for tool, each in WORDINGS.items() for sentence in each]
)
def test_a_wish_finds_its_tool_in_any_words(tool: str, sentence: str) -> None:
    """The tool is called at once, or what it lacks is asked for; no other tool is called."""
    caller = caller_of(ProblemSolving, order_number="13579", name="Susan Clark", verified=["13579"])  # type: ignore[arg-type]
    called = [name for name, _ in caller.called(sentence)]
    if not called:
        question = str(caller.messages[-1]["content"])
        asked = {
            "place_order": ["How many", "What would you like to order"],
            "reorder": ["How many"],
            "change_address": ["new address"],
            "open_ticket": ["What is the problem"],
        }
        assert any(words in question for words in asked.get(tool, [])), question
    else:
        assert called[0] == tool


@pytest.mark.parametrize(
    "sentence",
    [
        "I was wondering about my parcel.",
        "My headphones crackle.",
        "Can you cancel something for me?",
        "Hi, it is about a delivery.",
        "I want my money back!",
        "Somebody stole my package.",
        "I'd like two lamps.",
    ],
)
def test_the_greeting_takes_down_any_request(sentence: str) -> None:
    """In the caller's own words."""
    ((tool, arguments),) = caller_of(Greeting).called(sentence)
    assert (tool, arguments["request"]) == ("note_request", sentence)


@pytest.mark.parametrize(
    "sentence",
    ["Hello.", "Good evening!", "How are you?", "Who am I talking to?", "I have a question.", "Hold on."],
)
def test_small_talk_is_no_request(sentence: str) -> None:
    """It is answered, and nothing is taken down."""
    caller = caller_of(Greeting)
    assert caller.say(sentence)
    assert caller.calls == []


@pytest.mark.parametrize(
    "answer",
    [
        "James Miller",
        "It's James Miller.",
        "My name is James Miller.",
        "Yes, this is James Miller speaking.",
        "James Miller here.",
        "The name's Miller, James Miller.",
        "Mr. James Miller",
        "you can find it under James Miller",
        "It is on the name of James Miller.",
        "James Milner, M-I-L-L-E-R",
        "first name James, last name Miller",
        "That would be James Miller.",
        "I am James Miller.",
        "james miller",
        "James Miller is my name.",
    ],
)
def test_a_name_is_heard_however_it_is_said(answer: str) -> None:
    """The number is known: the name is all that was asked for."""
    caller = caller_of(DataCollection, order_number="12345", wish="Where is it?")
    caller.messages = [
        {"role": "user", "content": "Where is order 12345?"},
        {"role": "assistant", "content": "May I have your first and last name, please?"},
    ]
    expected = {"order_number": "12345", "name": "James Miller"}
    assert caller.called(answer) == [("note_details", expected)]


@pytest.mark.parametrize(
    "answer", ["Why do you need that?", "Hold on a second.", "Where is my order?", "Hello?"]
)
def test_what_is_no_name_is_not_taken_for_one(answer: str) -> None:
    """Nothing is made up: the name is asked for again."""
    caller = caller_of(DataCollection, order_number="12345", wish="Where is it?")
    caller.messages = [
        {"role": "user", "content": "Where is order 12345?"},
        {"role": "assistant", "content": "May I have your first and last name, please?"},
    ]
    assert "note_details" not in [name for name, _ in caller.called(answer)]


def test_what_is_known_already_is_used_at_once() -> None:
    """The values come from the prompt's list, though nobody has said them in these words."""
    caller = caller_of(Verification, order_number="12345", name="James Miller", wish="Where is it?")
    caller.results = {"verify_caller": "They do not belong together. Ask the caller for the name again."}
    caller.messages = [{"role": "user", "content": "Where is it?"}]
    said = caller.ask()
    assert said.text == "One moment, please."
    assert [(use.name, use.arguments) for use in said.tools] == [
        ("verify_caller", {"order_number": "12345", "name": "James Miller"})
    ]


def test_a_refused_tool_is_called_again_with_the_new_value() -> None:
    """What was not said anew stays; words without a value lead to no call."""
    refusal = "This number and this name do not belong together. Ask the caller for the name again."
    caller = caller_of(Verification, order_number="67890", name="James Miller", wish="Where is it?")
    caller.results = {"verify_caller": refusal}
    caller.say("James Miller")
    assert caller.called("Let me think.") == []
    assert caller.called("Sorry, Mary Johnson.") == [
        ("verify_caller", {"order_number": "67890", "name": "Mary Johnson"})
    ]


def test_calling_about_an_order_is_not_calling_it_off() -> None:
    """ "Off" and "of" are two words."""
    caller = caller_of(ProblemSolving, order_number="13579", name="Susan Clark", verified=["13579"])
    caller.results = {"delivery_status": '{"status": "shipped"}'}
    called = caller.called("I am calling about the delivery of order 13579.")
    assert called == [("delivery_status", {"order_number": "13579"})]


def test_rules_apply_to_their_agent_only() -> None:
    """Another agent's prompt leaves the shop's rules aside, unless it offers their purpose."""
    caller = caller_of(ProblemSolving, order_number="12345", verified=["12345"])  # type: ignore[arg-type]
    caller.system = "# Billing\n\nYou talk about bills."
    assert caller.say("Sing me a song.") != "I am afraid I cannot settle that myself."


def test_the_fixed_sentences_beside_the_agents_are_no_rules(tmp_path: Path) -> None:
    """`phrases.yaml` is the service's."""
    (tmp_path / "phrases.yaml").write_text("en: {greeting: Hello.}")
    assert StandIn.load([tmp_path])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("agent: [", "rules.yaml is 'unreadable'"),
        ("- just a list", "agent, purpose"),
        ("languages: {}", "rules.yaml: agent is None: expected a text"),
        ("agent: a\nlanguages: {xx: {}}", "languages.xx is 'xx': expected one of en, de, es"),
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
