"""The dispatcher's queue, agenda and census."""

from __future__ import annotations

from callpool.dispatcher.agenda import Agenda
from callpool.dispatcher.census import DISTRUST_S, OFTEN_S, SELDOM_S, TOLD_S, YOUNG_S, Census
from callpool.dispatcher.queue import Pending, Queue
from callpool.dispatcher.sight import Listed


def test_the_longest_waiting_is_next() -> None:
    """As many as there is room for, dispatches on their way counted."""
    queue = Queue()
    for room, since_ms in (("b", 2), ("c", 3), ("a", 1)):
        queue.put(room, since_ms, ready_s=0, now_s=10)
    assert list(queue.next(2, 10)) == ["a", "b"]
    queue.expect("a", Pending(epoch=1, until_s=12))
    assert list(queue.next(2, 10)) == ["b"]
    assert list(queue.next(1, 10)) == []


def test_one_that_cannot_be_served_yet_keeps_nobody_waiting() -> None:
    """Its turn comes when it can."""
    queue = Queue()
    queue.put("a", 1, ready_s=20, now_s=10)
    queue.put("b", 2, ready_s=0, now_s=10)
    assert list(queue.next(1, 10)) == ["b"]
    assert list(queue.next(1, 20)) == ["a"]


def test_a_dispatch_that_was_not_answered_holds_no_place() -> None:
    """After its time another room may have it."""
    queue = Queue()
    queue.put("a", 1, ready_s=15, now_s=10)
    queue.expect("a", Pending(epoch=1, until_s=11.5))
    queue.put("b", 2, ready_s=0, now_s=10)
    assert list(queue.next(1, 11)) == []
    assert list(queue.next(1, 12)) == ["b"]


def test_a_queue_says_when_it_has_changed() -> None:
    """Not when a room is put where it is."""
    queue = Queue()
    queue.put("a", 1, ready_s=0, now_s=10)
    queue.changed = False
    queue.put("a", 1, ready_s=5, now_s=11)
    assert not queue.changed
    queue.remove("a")
    assert queue.changed
    assert queue.rooms == []


def test_a_wait_begins_once() -> None:
    """Also when an older caller comes back into the room."""
    queue = Queue()
    queue.put("a", 5, ready_s=0, now_s=10)
    queue.put("a", 3, ready_s=0, now_s=20)
    assert queue.oldest_wait_s(25) == 15
    queue.remove("a")
    assert queue.oldest_wait_s(25) == 0


def test_a_room_is_due_at_the_earliest_time() -> None:
    """Once, however often it was asked for."""
    agenda = Agenda()
    agenda.mark("a", 30)
    agenda.mark("a", 10)
    agenda.mark("a", 20)
    agenda.mark("b", 15)
    assert agenda.pop(9) is None
    assert [agenda.pop(40), agenda.pop(40), agenda.pop(40)] == ["a", "b", None]


def test_a_struck_room_is_not_due() -> None:
    """Until it is asked for again."""
    agenda = Agenda()
    agenda.mark("a", 10)
    agenda.strike("a")
    assert agenda.pop(40) is None
    agenda.mark("a", 50)
    assert agenda.pop(50) == "a"


def room(name: str, people: int = 1, sid: str = "RM") -> Listed:
    return Listed(name, sid, people)


def test_only_what_differs_is_looked_at() -> None:
    """New rooms, others of the same name, and those whose callers came or went."""
    census = Census()
    assert census.take([room("a"), room("b"), room("c"), room("d")], 0) == (["a", "b", "c", "d"], [])
    later = [room("a"), room("b", people=2), room("c", sid="RM_2")]
    assert census.take(later, 100) == (["b", "c"], ["d"])


def test_rooms_are_listed_often_until_a_webhook_comes() -> None:
    """And again when one was missed."""
    census = Census()
    census.take([room("a")], 0)
    assert census.pause_s(0, 0) == OFTEN_S
    census.told("a", "RM", 1)
    assert census.pause_s(0, 1) == SELDOM_S
    census.take([room("a"), room("b")], 31)
    census.take([room("a"), room("b")], 61)
    assert census.pause_s(0, 61) == OFTEN_S
    assert census.pause_s(0, 61 + DISTRUST_S) == SELDOM_S


def test_a_webhook_may_come_a_little_later_than_the_list() -> None:
    """Or earlier: the server's list lags."""
    census = Census()
    census.told("a", "RM", 0)
    census.take([room("a")], 0)
    census.take([room("a"), room("b")], 30)
    census.told("b", "RM", 30.5)
    census.take([room("a"), room("b"), room("c")], 60)
    census.told("c", "RM", 60.5)
    census.told("d", "RM_4", 88)
    census.take([room("a"), room("b"), room("c"), room("d")], 88 + TOLD_S - 1)
    census.take([room("a"), room("b"), room("c"), room("d")], 130)
    assert not census.often(130)


def test_a_room_that_came_and_went_between_two_lists_was_told_of() -> None:
    """However long before the second one."""
    census = Census()
    census.told("a", "RM", 0)
    census.take([room("a")], 1)
    census.told("b", "RM_2", 25)
    census.take([room("a"), room("b")], 31)
    census.told("b", "RM_2", 40)
    census.take([room("a")], 61)
    census.take([room("a")], 91)
    assert not census.often(91)


def test_a_list_that_takes_long_is_asked_for_less_often() -> None:
    """It takes a twentieth of the time at most."""
    assert Census().pause_s(2.0, 0) == 40


def test_a_young_room_is_looked_at_while_there_are_no_webhooks() -> None:
    """Its caller is listed seconds after they joined."""
    census = Census()
    census.take([], 0)
    assert census.take([room("a", people=0)], 1) == (["a"], [])
    assert census.take([room("a", people=0)], 2) == (["a"], [])
    assert census.take([room("a", people=0)], 2 + YOUNG_S) == ([], [])
