"""What happened, held against what was expected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callpool import ending
from callpool.ending import Result
from callpool.evaluation.checking import agrees, check
from callpool.evaluation.observed import ObservedCall, ObservedTool, ObservedTurn
from callpool.evaluation.scenario import CallerTurn, Expectation, Plain, Scenario, ToolExpectation

LOOKED_UP = ObservedTool("lookup_order", {"order_number": "1 2 3 4 5"})
VERIFIED = ObservedTool("verify_caller", {"order_number": "12345", "name": "James Miller"})


def observed() -> ObservedCall:
    """A call of one turn, in which the caller came from the greeting to problem solving."""
    turn = ObservedTurn(
        begins_in="greeting",
        ends_in="problem_solving",
        entered=["data_collection", "verification", "problem_solving"],
        tools=[VERIFIED, LOOKED_UP],
        said=["Thank you.", "Your headphones were shipped."],
        first_words_ms=420.0,
    )
    return ObservedCall(
        greeting="Hello!",
        turns=[turn],
        stages=["greeting", *turn.entered],
        ending=ending.GOODBYE,
    )


def check_turn(expect: Expectation) -> list[str]:
    return check(Scenario("s", "f", (CallerTurn(say="hi", expect=expect),)), observed())


@pytest.mark.parametrize(
    "expect",
    [
        Expectation(),
        Expectation(stage="problem_solving"),
        Expectation(stages=("data_collection", "problem_solving")),
        Expectation(stages=("greeting", "verification")),
        Expectation(tools=(ToolExpectation("lookup_order", {"order_number": 12345}),)),
        Expectation(tools=(ToolExpectation("verify_caller"), ToolExpectation("lookup_order"))),
        Expectation(says=("shipped", "thank you"), never_says=("Mary",)),
        Expectation(within_ms=420),
    ],
)
def test_what_came_true_is_no_failure(expect: Expectation) -> None:
    """Others may lie between stages and tools that are expected in order."""
    assert check_turn(expect) == []


@pytest.mark.parametrize(
    ("expect", "failure"),
    [
        (Expectation(stage="verification"), "stage: expected verification, was problem_solving"),
        (Expectation(stages=("verification", "data_collection")), "stage: expected verification → data_coll"),
        (Expectation(stages=("closing",)), "was greeting → data_collection → verification → problem_solving"),
        (Expectation(tools=()), "tools: expected none, called: verify_caller(order_number='12345'"),
        (
            Expectation(tools=(ToolExpectation("reorder"),)),
            "tools: expected reorder(), called: verify_caller",
        ),
        (
            Expectation(tools=(ToolExpectation("lookup_order"), ToolExpectation("verify_caller"))),
            "tools: expected verify_caller()",
        ),
        (
            Expectation(tools=(ToolExpectation("lookup_order"), ToolExpectation("lookup_order"))),
            "tools: expected lookup_order()",
        ),
        (
            Expectation(tools=(ToolExpectation("lookup_order", {"order_number": "12346"}),)),
            "tools: expected lookup_order(order_number='12346')",
        ),
        (
            Expectation(tools=(ToolExpectation("lookup_order", {"when": "now"}),)),
            "tools: expected lookup_order(when='now')",
        ),
        (
            Expectation(says=("delivered",)),
            "says: expected 'delivered', was said: \"Thank you. Your headphones",
        ),
        (Expectation(never_says=("headphones",)), "never_says: 'headphones' was said: \"Thank you."),
        (Expectation(within_ms=400), "within_ms: expected an answer within 400 ms, it came after 420 ms"),
    ],
)
def test_a_failure_names_the_expectation_and_what_was_there(expect: Expectation, failure: str) -> None:
    """With the turn in which it was."""
    (found,) = check_turn(expect)
    assert found.startswith('turn 1 ("hi"): ')
    assert failure in found


def test_a_turn_that_did_not_take_place_fails_once() -> None:
    """With the ending that came before it, and not again for every turn after it."""
    turns = (CallerTurn(say="hi"), CallerTurn(say="there"), CallerTurn(say="you"))
    (failure,) = check(Scenario("s", "f", turns), observed())
    assert failure == 'turn 2 ("there"): did not take place: the call was over before (completed/goodbye)'


def test_trouble_in_a_turn_fails_it() -> None:
    """Also where nothing was expected of it."""
    call = observed()
    call.turns[0].trouble = "the agent failed"
    assert check(Scenario("s", "f", (CallerTurn(say="hi"),)), call) == ['turn 1 ("hi"): the agent failed']


@pytest.mark.parametrize(
    ("wanted", "failures"),
    [
        ({"result": "completed"}, 0),
        ({"result": "completed", "reason": "goodbye"}, 0),
        ({"result": "transferred"}, 1),
        ({"reason": "caller_left"}, 1),
        ({"stages": ("greeting", "problem_solving")}, 0),
        ({"stages": ("problem_solving", "greeting")}, 1),
        ({"never_says": ("headphones",)}, 1),
        ({"never_says": ("hello",)}, 1),
        ({"says": ("hello", "shipped")}, 0),
        ({"says": ("goodbye",)}, 1),
    ],
)
def test_the_whole_call_is_checked(wanted: dict[str, object], failures: int) -> None:
    """Its ending, its stages, and all that was said in it, the greeting included."""
    scenario = replace(Scenario("s", "f", (CallerTurn(say="hi"),)), **wanted)  # type: ignore[arg-type]
    assert len(check(scenario, observed())) == failures


def test_a_first_turn_that_only_listens_hears_the_greeting() -> None:
    """So that a scenario can say what callers are greeted with."""
    call = ObservedCall(greeting="Hello!", turns=[ObservedTurn(begins_in="greeting")])
    expect = Expectation(says=("hello",))
    assert check(Scenario("s", "f", (CallerTurn(expect=expect),)), call) == []
    assert check(Scenario("s", "f", (CallerTurn(say="hi", expect=expect),)), call)


@pytest.mark.parametrize(
    ("wanted", "actual", "same"),
    [
        (2, 2, True),
        (2, "2", True),
        (2, "two", True),
        (2, 3, False),
        ("2", 2, True),
        (True, True, True),
        (True, 1, False),
        (None, None, True),
        (None, "", False),
        (["a", 1], ["A", 1], True),
        (["a"], ["a", "b"], False),
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"b": 1}, False),
    ],
)
def test_arguments_are_compared_by_value(wanted: Plain, actual: object, same: bool) -> None:
    """Mappings as subsets, lists entry by entry."""
    assert agrees(wanted, actual) == same


@pytest.mark.parametrize(
    ("tool", "fails"),
    [
        (ToolExpectation("cancel_order"), False),
        (ToolExpectation("lookup_order", {"order_number": 67890}), False),
        (ToolExpectation("lookup_order", {"order_number": 12345}), True),
        (ToolExpectation("verify_caller"), True),
    ],
)
def test_a_tool_that_must_not_be_called_fails_turn_and_call(tool: ToolExpectation, fails: bool) -> None:
    """With these arguments, where some are named."""
    assert bool(check_turn(Expectation(never_tools=(tool,)))) is fails
    assert bool(check(Scenario("s", "f", (CallerTurn("hi"),), never_tools=(tool,)), observed())) is fails


@pytest.mark.parametrize(
    ("result", "left", "fails"),
    [
        ("completed", CallerTurn("Bye."), False),
        ("completed", CallerTurn("Bye.", expect=Expectation(says=("bye",))), True),
        ("transferred", CallerTurn("Bye."), True),
        (None, CallerTurn("Bye."), True),
    ],
)
def test_words_may_be_left_over_after_the_ending_that_was_expected(
    result: Result | None, left: CallerTurn, fails: bool
) -> None:
    """But no expectation."""
    assert bool(check(Scenario("s", "f", (CallerTurn("hi"), left), result=result), observed())) is fails
