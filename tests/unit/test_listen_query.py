"""What a Deepgram query asks for."""

from __future__ import annotations

import pytest

from callpool.local.listen_query import DEFAULT_ENDPOINTING_MS, ListenQuery, QueryError


@pytest.mark.parametrize(
    ("given", "endpointing_ms"),
    [({}, DEFAULT_ENDPOINTING_MS), ({"endpointing": "false"}, None), ({"endpointing": "300"}, 300)],
)
def test_endpointing_is_a_time_or_switched_off(given: dict[str, str], endpointing_ms: int | None) -> None:
    """A number is milliseconds, `false` is never, and the service's own default stands for nothing."""
    assert ListenQuery.parse(given).endpointing_ms == endpointing_ms


@pytest.mark.parametrize("name", ["punctuate", "smart_format"])
def test_either_option_asks_for_formatted_text(name: str) -> None:
    """Punctuation comes with both options, as at the service."""
    assert ListenQuery.parse({name: "true"}).formatted
    assert not ListenQuery.parse({name: "false"}).formatted


def test_parameters_for_other_features_are_ignored() -> None:
    """What the engine cannot do does not stop a client that asks for it."""
    assert ListenQuery.parse({"diarize": "true", "keyterm": "order", "mip_opt_out": "false"}).model == "base"


@pytest.mark.parametrize("model", ["nova-3", "nova-2-phonecall", "base", "whisper-large", "local-moonshine"])
def test_any_name_of_a_model_is_accepted(model: str) -> None:
    """The engine stays the same, so a name only has to look like one."""
    assert ListenQuery.parse({"model": model}).model == model


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", "nova three"),
        ("sample_rate", "1000000"),
        ("sample_rate", "-16000"),
        ("sample_rate", "１６０００"),
        ("channels", "0"),
        ("endpointing", "-1"),
        ("punctuate", "TRUE"),
        ("encoding", "mulaw"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused(name: str, value: str) -> None:
    """The client gets to know, rather than another result than it asked for."""
    with pytest.raises(QueryError):
        ListenQuery.parse({name: value})
