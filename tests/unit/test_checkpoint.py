"""What a job leaves for the next one, and what that one says first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from livekit.agents.llm import ChatContext, ChatMessage, FunctionCall, FunctionCallOutput

from callpool.call import Call, Caller
from callpool.checkpoint import Checkpoint, Checkpoints, History, UnreadableCheckpoint
from callpool.resumption import Resumption, restore
from callpool.store.claims import Claim
from callpool.store.record import LatencyMs, ToolUse, Turn
from callpool.understanding import Understanding
from callpool_tools.case import Case, PendingWrite
from fake_session import FakeSession

CASE = Case(
    wish="where is my order",
    order_number="12345",
    name="James Miller",
    verified=["12345"],
    customers={"12345": "James Miller"},
    failed_verifications=1,
    pending=PendingWrite("cancel_order", {"order_number": "12345"}, caller_turns=3),
)
TURN = Turn(
    4,
    "problem_solving",
    caller_text="Cancel it.",
    tools=(ToolUse("cancel_order", True, 3.5),),
    latency_ms=LatencyMs(total=700),
)


def a_call() -> Call:
    return Call(
        "c_1",
        "call-c_1",
        "callpool",
        caller=Caller("phone", "sip_1"),
        language="de",
        chose_language=True,
        profile="quality",
        stage="problem_solving",
        state=CASE,
        refused_hand_offs=2,
        understanding=Understanding(misses=1, turn=3),
        started_at=datetime(2026, 11, 23, 12, 0, tzinfo=UTC),
    )


def a_history() -> ChatContext:
    history = ChatContext.empty()
    history.add_message(role="assistant", content="Hello. How can I help you?")
    history.add_message(role="user", content="Cancel my order.")
    history.insert([FunctionCall(call_id="f1", name="cancel_order", arguments="{}")])
    history.insert([FunctionCallOutput(call_id="f1", name="cancel_order", output="Ask.", is_error=False)])
    return history


def test_a_call_is_what_it_was() -> None:
    """State, stage, language, counts and every word survive the way through the store."""
    document = Checkpoint.of(a_call(), TURN, History().documents(a_history())).document()
    found = Checkpoint.read(document)
    call = Call("c_1", "call-c_1", "callpool", epoch=2, state=Case())
    history = found.restore(call)
    expected = a_call()
    expected.epoch = 2
    expected.before_s = call.before_s
    assert call == expected
    assert isinstance(call.state.pending, PendingWrite)
    assert found.turn == TURN
    assert history.is_equivalent(a_history_of(history))
    assert [item.type for item in history.items] == [
        "message",
        "message",
        "function_call",
        "function_call_output",
    ]


def test_a_history_that_grows_is_complete_and_as_new() -> None:
    """However it grew: items change for a while, are put in between, and go."""
    kept, history = History(), ChatContext.empty()
    for number in range(30):
        message = history.add_message(role="user", content=f"number {number}")
        kept.documents(history)
        message.interrupted = True
    history.items.insert(2, ChatMessage(role="assistant", content=["in between"]))
    del history.items[5]
    assert kept.documents(history) == History().documents(history)


def a_history_of(history: ChatContext) -> ChatContext:
    """The same, made anew with the ids that the first one has."""
    return ChatContext.from_dict(history.to_dict())


class Session:
    """Counts the answers that it was asked for."""

    replies = 0

    def generate_reply(self) -> None:
        self.replies += 1


def test_the_state_of_another_roster_is_refused() -> None:
    """After a change of roster a call begins anew rather than with half a state."""
    found = Checkpoint.read(Checkpoint.of(a_call(), TURN, []).document())
    with pytest.raises(UnreadableCheckpoint):
        found.restore(Call("c_1", "call-c_1", "callpool", state=3))


def test_a_call_in_a_stage_that_is_gone_begins_anew() -> None:
    """A roster may be renamed while calls go on; job after job would fail of the old name."""
    claim = Claim("taken", checkpoint=Checkpoint.of(a_call(), TURN, []).document())
    call = Call("c_1", "call-c_1", "callpool", epoch=2, state=Case())
    assert restore(call, claim, ["reception"]) == (None, None)
    assert (call.stage, call.state) == ("", Case())
    assert restore(call, claim, ["reception", "problem_solving"])[0] == TURN


@pytest.mark.parametrize("document", ["", "null", "{}", '{"stage": "greeting"}'])
def test_what_is_no_checkpoint_is_refused(document: str) -> None:
    """Another version may have written it."""
    with pytest.raises(UnreadableCheckpoint):
        Checkpoint.read(document)


def test_plain_state_needs_no_class() -> None:
    """A roster without a state of its own has a dictionary."""
    call = a_call()
    call.state = {"seats": 3}
    found = Checkpoint.read(Checkpoint.of(call, TURN, []).document())
    call = Call("c_1", "call-c_1", "callpool", state={})
    found.restore(call)
    assert call.state == {"seats": 3}


@pytest.mark.parametrize(
    ("said", "first_words", "answers"),
    [
        ([("assistant", "Hello. How can I help you?")], "moment. How can I help you?", False),
        ([("assistant", "It was shipped.")], "moment. Please go on.", False),
        ([("assistant", "Hello?"), ("user", "Where is it?")], "moment.", True),
        ([("assistant", "For 49.50 dollars. Shall I go ahead?")], "moment. Shall I go ahead?", False),
    ],
)
def test_the_next_job_apologizes_once_and_goes_on(
    said: list[tuple[str, str]], first_words: str, answers: bool
) -> None:
    """With the question that was asked last, or the answer that nobody gave."""
    history = ChatContext.empty()
    for role, words in said:
        history.add_message(role=role, content=words)  # type: ignore[arg-type]
    resumption = Resumption(Call("c_1", "call-c_1", "callpool"), history)
    assert resumption.words == f"I am sorry, we were cut off for a {first_words}"
    session = Session()
    resumption.go_on(session)  # type: ignore[arg-type]
    assert session.replies == int(answers)


def test_a_burst_of_events_leaves_the_newest_state() -> None:
    """What is written is made when it is written."""
    call = a_call()
    saved: list[Callable[[], str]] = []
    checkpoints = Checkpoints(call, lambda: TURN, saved.append)
    checkpoints.take()
    assert saved == [], "nothing has begun"
    session = FakeSession()
    session.history = a_history()
    checkpoints.follow(session)  # type: ignore[arg-type]
    session.emit("conversation_item_added", None)
    call.stage = "closing"
    assert Checkpoint.read(saved[-1]()).stage == "closing"
