"""What a dispatch says about a call."""

import json

import pytest

from callpool import ending
from callpool.call import DEFAULT_LANGUAGE, Call, from_dispatch


def dispatched(metadata: str, *languages: str) -> Call:
    return from_dispatch(
        metadata, name="c_RM_1", room="call-1", agent_name="callpool", languages=languages or ("en",)
    )


def test_the_web_api_names_the_call() -> None:
    """Call id, language and kind of caller come with the dispatch."""
    metadata = {"call_id": "c_abc", "language": "de", "caller": {"kind": "synthetic"}, "profile": "fast"}
    call = dispatched(json.dumps(metadata), "en", "de")
    assert (call.call_id, call.language, call.caller.kind) == ("c_abc", "de", "synthetic")
    assert (call.profile, call.chose_language) == ("fast", True)


def test_a_language_that_is_not_spoken_is_not_begun_in() -> None:
    """The call begins in the first of those that are."""
    for languages, language in ((("de", "en"), "de"), (("en", "fr"), "fr")):
        call = dispatched(json.dumps({"language": "fr"}), *languages)
        assert (call.language, call.chose_language) == (language, language == "fr")


@pytest.mark.parametrize(
    "metadata",
    [
        "",
        "not json",
        "[]",
        "7",
        "[" * 20_000,
        '{"call_id": 7, "language": "", "caller": "x"}',
        '{"call_id": "../x"}',
    ],
)
def test_what_cannot_be_used_is_passed_over(metadata: str) -> None:
    """Whoever dispatches by other means gets a call all the same, named after its room."""
    call = dispatched(metadata)
    assert (call.call_id, call.language, call.caller.kind) == ("c_RM_1", DEFAULT_LANGUAGE, "browser")


def test_a_call_of_the_web_api_is_known_by_its_room() -> None:
    """Its caller makes the room by joining it."""
    metadata = json.dumps({"call_id": "c_abc"})
    assert from_dispatch(metadata, name="c_RM_1", room="call-c_abc", agent_name="callpool").was_invited
    assert not dispatched(metadata).was_invited
    assert not dispatched("").was_invited


def test_the_first_ending_stands() -> None:
    """The disconnect that follows a goodbye does not make it an abandoned call."""
    call = dispatched("")
    call.end(ending.GOODBYE)
    call.end(ending.CALLER_LEFT)
    assert call.ending == ending.GOODBYE
