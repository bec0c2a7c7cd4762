"""The stand-in with tools that it has never seen, and no rules."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any, Literal

import pytest
from livekit.agents import function_tool
from pydantic import BaseModel, Field
from standin_caller import Caller

from callpool.local.behaviour import ToolUse
from callpool.local.standin.dialogue import NOT_DONE


@function_tool
async def book_table(party_size: int, day: str) -> None:
    """Book a table in the restaurant."""


@function_tool
async def set_thermostat(celsius: float, room: Literal["kitchen", "living_room", "bedroom"]) -> None:
    """Set the temperature of a room."""


@function_tool
async def set_lights(room: Literal["hall", "kitchen"], on: bool) -> None:
    """Switch the lights of a room on or off."""


@function_tool
async def get_weather(city: str) -> None:
    """Gets the weather forecast for a city."""


@function_tool
async def schedule_callback(phone_number: str, time: str, topic: str) -> None:
    """Schedules a callback.

    Args:
        phone_number: The ten digit phone number.
        time: When to call back.
        topic: What it is about.
    """


@function_tool
async def register_guest(full_name: str, email: str, nights: int, breakfast: bool = False) -> None:
    """Register a hotel guest."""


@function_tool
async def add_toppings(toppings: list[Literal["cheese", "olives", "ham"]]) -> None:
    """Add toppings to the pizza."""


@function_tool
async def report_outage(zip_code: Annotated[str, Field(pattern=r"^\d{5}$")]) -> None:
    """Report a power outage."""


@function_tool
async def cancel_subscription(account_number: str) -> None:
    """Cancel a subscription.

    Args:
        account_number: The account number, six digits.
    """


@function_tool
async def change_address(account_number: str, address: str) -> None:
    """Change the postal address of an account."""


@function_tool
async def forward_to_colleague(extension: str, reason: str) -> None:
    """Forward the caller to a colleague.

    Args:
        extension: The colleague's extension.
        reason: Why the caller wants to be forwarded.
    """


@function_tool
async def file_complaint(summary: str) -> None:
    """File a complaint.

    Args:
        summary: What the complaint is, in the caller's words.
    """


@function_tool
async def to_billing() -> None:
    """Hand the caller over to billing, for invoices and payments."""


@function_tool
async def hang_up() -> None:
    """Hang up the phone after a goodbye."""


class Car(BaseModel):
    wheels: int


@function_tool
async def build_car(car: Car) -> None:
    """Build a car."""


@pytest.mark.parametrize(
    ("tool", "sentence", "arguments"),
    [
        (book_table, "A table for six people on Saturday?", {"party_size": 6, "day": "Saturday"}),
        (book_table, "I'd like to reserve for 2 tomorrow, please.", {"party_size": 2, "day": "tomorrow"}),
        (
            set_thermostat,
            "Make the living room nineteen and a half degrees.",
            {"celsius": 19.5, "room": "living_room"},
        ),
        (set_thermostat, "Set the bedroom to minus four.", {"celsius": -4, "room": "bedroom"}),
        (set_lights, "Turn off the lights in the hall.", {"room": "hall", "on": False}),
        (get_weather, "Will there be rain in New York?", {"city": "New York"}),
        (add_toppings, "Put olives and ham on my pizza.", {"toppings": ["olives", "ham"]}),
        (report_outage, "We have an outage, zip code nine oh two one oh.", {"zip_code": "90210"}),
        (
            forward_to_colleague,
            "Forward me to extension 42, I want to discuss my rent.",
            {"extension": "42", "reason": "I want to discuss my rent"},
        ),
        (
            change_address,
            "Change the address of account 4711 to 9 Mill Lane, Dover.",
            {"account_number": "4711", "address": "9 Mill Lane, Dover"},
        ),
        (
            file_complaint,
            "I have to file a complaint. The lift was stuck again.",
            {"summary": "The lift was stuck again"},
        ),
        (to_billing, "There is something odd on my invoice.", {}),
    ],
)  # fmt: skip
def test_a_strange_tool_is_called_with_what_one_sentence_says(
    tool: Any, sentence: str, arguments: dict[str, object]
) -> None:
    """Name, description and schema are all that is known of the tool."""
    caller = Caller([tool])
    assert caller.called(sentence) == [(tool.info.name, arguments)]


def test_the_right_one_of_many_tools_is_called() -> None:
    """Each sentence finds its own tool among all of them."""
    tools = [book_table, set_thermostat, set_lights, get_weather, add_toppings, to_billing, hang_up]
    caller = Caller(tools)
    assert caller.called("Is it sunny in Lisbon?") == [("get_weather", {"city": "Lisbon"})]
    assert caller.called("Kitchen lights on, please.") == [("set_lights", {"room": "kitchen", "on": True})]
    assert caller.called("I want extra cheese as a topping.") == [("add_toppings", {"toppings": ["cheese"]})]
    assert caller.called("My payment did not arrive.") == [("to_billing", {})]
    assert caller.called("That was it, bye now.") == [("hang_up", {})]


def test_what_is_missing_is_asked_for_one_by_one() -> None:
    """The tool is called once the last answer is there, with all of them."""
    caller = Caller([schedule_callback])
    assert "phone number" in caller.say("Please call me back later, I need a callback.")
    assert "when to call back" in caller.say("two oh two, five five five, oh one double three")
    assert "what it is about" in caller.say("At half past four.")
    assert caller.calls == []
    assert caller.called("My leaking roof.") == [
        (
            "schedule_callback",
            {"phone_number": "2025550133", "time": "half past four", "topic": "leaking roof"},
        )
    ]


def test_an_optional_value_is_used_when_it_was_said_and_null_when_it_was_not() -> None:
    """Strict schemas list every parameter as required; those that may be null are never asked for."""
    caller = Caller([register_guest])
    caller.say("We need to register a guest.")
    caller.say("Maria Lopez.")
    caller.say("maria dot lopez at example dot com")
    guest = {"full_name": "Maria Lopez", "email": "maria.lopez@example.com"}
    assert caller.called("Two nights.") == [("register_guest", {**guest, "nights": 2, "breakfast": None})]
    other = Caller([register_guest])
    other.say("Register a guest with breakfast, please. My name is Ann Lee, ann@example.com.")
    assert other.called("Three.")[0][1] == {
        "full_name": "Ann Lee",
        "email": "ann@example.com",
        "nights": 3,
        "breakfast": True,
    }


def test_nothing_is_made_up() -> None:
    """Words that hold no value lead to the question again, never to a call."""
    caller = Caller([book_table, cancel_subscription])
    caller.say("Book a table.")
    for sentence in ("Well, let me think.", "Hmm.", "It is for my mother."):
        assert caller.called(sentence) == []


def test_two_wishes_in_one_sentence_are_two_calls() -> None:
    """Both tools are called in one answer; without parallel calls, one after the other."""
    sentence = "Set the bedroom to 18 degrees and book a table for three on Friday."
    expected = [
        ("set_thermostat", {"celsius": 18, "room": "bedroom"}),
        ("book_table", {"party_size": 3, "day": "Friday"}),
    ]
    together = Caller([book_table, set_thermostat])
    assert together.called(sentence) == expected
    assert len(together.messages) == 5  # the sentence, one message with both calls, two results, the answer
    one_by_one = Caller([book_table, set_thermostat])
    assert one_by_one.called(sentence, parallel=False) == expected
    assert len(one_by_one.messages) == 6


def test_one_wish_is_one_call() -> None:
    """A result does not lead to the same call again; a later wish does."""
    caller = Caller([get_weather], {"get_weather": json.dumps({"temperature": 21})})
    assert len(caller.called("What is the weather in Rome?")) == 1
    assert caller.called("Thank you.") == []
    assert len(caller.called("And the weather in Rome again, please?")) == 1


def test_a_new_wish_replaces_the_one_that_waits_for_an_answer() -> None:
    """Who asks for something else is not held to the first question."""
    caller = Caller([book_table, get_weather])
    caller.say("I want to book a table.")
    assert caller.called("Actually, how is the weather in Paris?") == [("get_weather", {"city": "Paris"})]


def test_a_wish_can_be_taken_back() -> None:
    """After "never mind" a number is no answer any more."""
    caller = Caller([book_table])
    caller.say("I want to book a table.")
    assert "What else" in caller.say("Oh, never mind.")
    assert caller.called("Five.") == []


def test_a_read_back_waits_for_a_yes() -> None:
    """A tool that wants confirmation is called again after a yes, and not after a no."""
    read_back = "Ask the caller to confirm: account 123456 ends today. Then call cancel_subscription again."
    caller = Caller([cancel_subscription], {"cancel_subscription": read_back})
    heard = caller.say("Cancel my subscription, account one two three four five six.")
    assert heard == "Account 1 2 3 4 5 6 ends today. Shall I go ahead?"
    assert caller.called("Yes, please.") == [("cancel_subscription", {"account_number": "123456"})]
    assert caller.called("No, don't.") == []


def test_a_number_that_was_refused_is_asked_for_again() -> None:
    """What a ToolError tells the model to ask is asked, and the next number is tried."""
    caller = Caller(
        [cancel_subscription],
        {
            "cancel_subscription": lambda account_number: (
                "It ends today."
                if account_number == "222222"
                else f"There is no account {account_number}. Ask the caller to read the number again, slowly."
            )
        },
    )
    heard = caller.say("Cancel the subscription of account 111111.")
    assert heard == "There is no account 1 1 1 1 1 1. Please read the number again, slowly."
    assert caller.say("Double two, double two, double two.") == "It ends today."


def test_a_result_that_names_another_tool_leads_to_it() -> None:
    """ "Call … first" is followed with what the caller has said already."""

    @function_tool
    async def check_identity(account_number: str, name: str) -> None:
        """Check who is calling."""

    caller = Caller(
        [cancel_subscription, check_identity],
        {"cancel_subscription": "The caller is not verified. Call check_identity first."},
    )
    assert "your name" in caller.say("Cancel my subscription, account 123456.")
    assert caller.called("Peter Brown.") == [
        ("check_identity", {"account_number": "123456", "name": "Peter Brown"})
    ]


def test_what_was_said_to_an_earlier_agent_is_not_asked_for_again() -> None:
    """After a hand-off the history holds words but no tool calls; the number in them still counts."""
    caller = Caller(
        [cancel_subscription],
        messages=[
            {"role": "user", "content": "It is about account 654321."},
            {"role": "assistant", "content": "And what is it that you want?"},
        ],
    )
    wish = "I would like to cancel the subscription."
    assert caller.called(wish) == [("cancel_subscription", {"account_number": "654321"})]


def test_the_sentence_that_caused_a_hand_off_is_answered() -> None:
    """The result of a tool that is no longer offered leaves the caller's words to the new agent."""
    call = {"id": "call_0", "type": "function", "function": {"name": "to_accounts", "arguments": "{}"}}
    caller = Caller(
        [cancel_subscription],
        messages=[
            {"role": "user", "content": "Cancel the subscription of account 123456."},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_0", "content": ""},
        ],
    )
    assert caller.ask().tools == (ToolUse("cancel_subscription", {"account_number": "123456"}),)


@pytest.mark.parametrize(
    ("result", "spoken"),
    [
        ('{"flight": "LH 1", "price_usd": 9.5}', "The flight is LH 1. The price is 9 dollars and 50 cents."),
        ("{'seat': '12A', 'gate': None}", "The seat is 12A."),
        ('["ham", "cheese", "olives"]', "Ham, cheese and olives."),
        ("[]", "I found nothing."),
        ('{"ok": true}', "Done."),
        ("17", "17."),
        ("It opens at nine.", "It opens at nine."),
        ('{"leaves": "2026-03-01T15:30:00"}', "The leaves are March 1st at 3 30 p.m."),
        ('{"reference_number": "80412"}', "The reference number is 8 0 4 1 2."),
        ("Tell the caller that their parcel is late.", "Your parcel is late."),
        ("Say goodbye to the caller.", "Goodbye, and thank you for calling."),
        ("It is busy. Offer to call the caller back.", "It is busy. Would you like me to call you back?"),
    ],
)  # fmt: skip
def test_a_result_is_spoken_in_plain_words(result: str, spoken: str) -> None:
    """JSON, Python's own notation and text, dates, money, numbers, and what a text tells the model to say."""
    assert Caller([get_weather], {"get_weather": result}).say("The weather in Oslo?") == spoken


def test_a_later_question_is_answered_from_an_earlier_result() -> None:
    """Facts that were returned before are told when their name is said."""
    result = json.dumps({"temperature": 4, "humidity": "60 percent", "wind": "strong"})
    caller = Caller([get_weather], {"get_weather": result})
    caller.say("How is the weather in Oslo?")
    assert caller.say("And the humidity?") == "The humidity is 60 percent."
    assert len(caller.calls) == 1


def test_manners() -> None:
    """Greetings, thanks, questions about itself, repeats and nonsense each get an answer that fits."""
    caller = Caller([book_table, get_weather])
    assert caller.say("Good morning!") == "Hello. How can I help you?"
    assert "automated assistant" in caller.say("Am I talking to a human? Are you a robot?")
    abilities = caller.say("So what can you do for me?")
    assert abilities == "I can book a table in the restaurant or get the weather forecast for a city."
    assert caller.say("Could you repeat that?") == abilities
    assert caller.say("Colourless green ideas sleep.").endswith(abilities)
    assert caller.say("Thanks a lot.").startswith("You are welcome.")
    assert caller.say("No.").startswith("Goodbye")


def test_a_goodbye_hangs_up_where_a_tool_can() -> None:
    """The farewell is said with the call, since nothing may follow it."""
    caller = Caller([book_table, hang_up], {"hang_up": ""})
    assert caller.say("Good-bye then.").startswith("Goodbye")
    assert caller.calls == [ToolUse("hang_up", {})]


def test_a_goodbye_that_was_misheard_hangs_up_too() -> None:
    """ "To buy." is what the local engine hears for a lone goodbye; "to buy a lamp" is no farewell."""
    assert Caller([hang_up]).called("To buy.") == [("hang_up", {})]
    assert Caller([hang_up]).called("Thank you, the bay.") == [("hang_up", {})]
    assert Caller([hang_up]).called("I came to buy a lamp.") == []


def test_nobody_has_spoken_yet() -> None:
    """Without a word from the caller it greets."""
    assert Caller([book_table]).ask().text == "Hello. How can I help you?"


def test_an_instruction_at_the_end_is_followed() -> None:
    """A system message after the conversation says what to tell the caller next."""
    caller = Caller([book_table])
    caller.say("Hello.")
    caller.messages.append({"role": "system", "content": "Ask the caller whether they are still there."})
    assert caller.ask().text == "Please tell me whether you are still there."


def test_tool_choice_is_obeyed() -> None:
    """None forbids tools, a name or "required" forces one, and what was not said is left out."""
    caller = Caller([book_table, get_weather])
    caller.messages.append({"role": "user", "content": "A table for four, please."})
    assert caller.ask("none").tools == ()
    assert caller.ask("required").tools == (ToolUse("book_table", {"party_size": 4}),)
    assert caller.ask(named="get_weather").tools == (ToolUse("get_weather", {}),)


def test_a_tool_that_needs_an_object_is_never_called_by_itself() -> None:
    """What cannot be said in an answer is not driven."""
    assert Caller([build_car]).called("Please build a car with four wheels.") == []


def test_the_same_conversation_always_gets_the_same_answer() -> None:
    """Nothing is drawn by chance and nothing is kept between requests."""
    sentences = ["A table please.", "For nine.", "On Monday.", "What can you do?"]
    one, two = Caller([book_table, get_weather]), Caller([book_table, get_weather])
    assert [one.say(each) for each in sentences] == [two.say(each) for each in sentences]


def test_a_long_conversation_costs_little_more_than_a_short_one() -> None:
    """The work for an answer grows slower than the talk: about 2.3 times in 20 turns, with room for noise."""
    tools = [
        book_table, set_thermostat, set_lights, get_weather, schedule_callback, register_guest, add_toppings,
        report_outage, cancel_subscription, change_address, forward_to_colleague, file_complaint,
    ]  # fmt: skip
    caller = Caller(tools, {"get_weather": json.dumps({"temperature": 20})})
    spent_s = []
    for number in range(20):
        caller.say(f"What is the weather in Rome, and I still have {number} other questions for you?")
        started_s = time.process_time()
        caller.ask()
        spent_s.append(time.process_time() - started_s)
    assert max(spent_s[-3:]) < 10 * max(spent_s[:3])


def test_a_hand_off_that_the_caller_talked_over_is_tried_again() -> None:
    """The SDK says of its tool that it did not happen; the caller's next words are about the same."""

    @function_tool
    async def to_billing(reason: str) -> None:
        """Connect the caller with the billing department.

        Args:
            reason: What they want to talk about.
        """

    caller = Caller([to_billing])
    caller.messages = [
        {"role": "user", "content": "Please connect me with billing, I was charged twice."},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "1",
                    "type": "function",
                    "function": {"name": "to_billing", "arguments": '{"reason": "I was charged twice"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": f"the agent handoff was {NOT_DONE}"},
        {"role": "user", "content": "Billing, please."},
    ]
    assert [use.name for use in caller.ask().tools] == ["to_billing"]
