"""Names by their sound: what the local ears make of them passes, other people do not."""

from __future__ import annotations

from itertools import product

import pytest

from callpool_tools.names import sounds_like

CUSTOMERS = ("James Miller", "Mary Johnson", "Peter Brown", "Susan Clark", "Thomas Weber", "Ana Garcia")

HEARD = {
    "James Miller": ("Jane Smiller", "jane's miller", "Jean's mower", "James Mower", "Jane Smower"),
    "Mary Johnson": ("mary johnson", "Merry Jonson", "Mary John's son", "Marry Johnson"),
    "Peter Brown": ("Peter brown", "Peter Braun", "Peter Browne"),
    "Susan Clark": ("Susan Clarke", "Suzan Clark", "Susanne Clark", "Clark Susan"),
    "Thomas Weber": (
        "Thomas Vaber",
        "Thomas Webber",
        "Tomas Veber",
        "However, Thomas Webber",
        "Weber Thomas",
    ),
    "Ana Garcia": ("Anagar Sia", "Hanagar Sia", "on a Garcia", "Onagarsia", "Anagarsiya", "Anna García"),
}
"""Heard by Moonshine from Piper's voice, alone and in sentences, with noise and without; or typed."""


def _words(text: str) -> list[str]:
    return text.split()


FIRST_NAMES = _words(
    "Amanda Amy Andrew Angela Anthony Betty Carol Charles Daniel David Deborah Donald Dorothy Elena "
    "Elizabeth Emily Emma Eric Eva Frank Gary George Hans Harry Helen Jack Jacob James Jane Janet "
    "Jason Jean Jennifer Jessica Jim John Jorge Jose Joseph Juan Karen Kevin Klaus Larry Laura Linda "
    "Lisa Lucia Luis Margaret Maria Marie Mark Mary Matthew Melissa Michael Nancy Olivia Pamela "
    "Patricia Patrick Paul Pedro Pete Peter Petra Rachel Rebecca Richard Robert Ronald Ruth Samuel "
    "Sandra Sarah Scott Sharon Stefan Stephen Steven Susan Thomas Tim Timothy Tom Virginia William"
)

LAST_NAMES = _words(
    "Adams Allen Anderson Baker Barnes Bauer Becker Black Bowen Brand Brown Campbell Carey Carson "
    "Carter Clark Clay Davis Fischer Flores Garcia Garza Gonzalez Grace Grant Gray Green Hall Harris "
    "Hernandez Hill Hiller Hoffmann Jackson Jensen Johansen Johnson Jonas Jones Keller King Klein "
    "Koch Lee Lewis Lopez Martin Martinez Mayer Meyer Miller Mills Milner Mitchell Moore Nelson "
    "Nguyen Perez Ramirez Richter Rivera Roberts Robinson Rodriguez Sanchez Schmidt Schneider Schulz "
    "Scott Smith Taylor Thomas Thompson Torres Wagner Walker Weaver Weber Webster White Williams "
    "Wilson Wolf Wright Young"
)


@pytest.mark.parametrize(
    ("heard", "name"), [(heard, name) for name, all_heard in HEARD.items() for heard in (name, *all_heard)]
)
def test_what_the_ears_make_of_a_name_passes(heard: str, name: str) -> None:
    """Cut in other places, spelled in other ways, with one similar sound."""
    assert sounds_like(heard, name)


@pytest.mark.parametrize("name", CUSTOMERS)
def test_first_and_last_name_may_come_in_any_order(name: str) -> None:
    """With a comma, and with the last name said twice, as in "Miller, James Miller"."""
    first, last = name.split()
    assert sounds_like(f"{last}, {first}", name)
    assert sounds_like(f"{last}, {first} {last}", name)


def test_no_other_common_name_passes() -> None:
    """Every first name with every last name, the customers' own among them, against every customer."""
    everybody = {f"{first} {last}" for first, last in product(FIRST_NAMES, LAST_NAMES)}
    assert set(CUSTOMERS) - everybody == {"Ana Garcia"}
    passed = {(other, name) for other in everybody for name in CUSTOMERS if sounds_like(other, name)}
    assert passed == {(name, name) for name in CUSTOMERS if name != "Ana Garcia"}


@pytest.mark.parametrize(("heard", "name"), list(product(HEARD, HEARD)))
def test_no_customer_passes_for_another(heard: str, name: str) -> None:
    """Nor does anything that the ears make of their name."""
    if heard != name:
        assert not any(sounds_like(each, name) for each in (heard, *HEARD[heard]))


@pytest.mark.parametrize("name", CUSTOMERS)
def test_half_a_name_is_not_enough(name: str) -> None:
    """Neither the last nor the first one, nor one of them twice."""
    first, last = name.split()
    for half in (first, last, f"{last} {last}", f"Mrs {last}", f"{first[0]} {last}"):
        assert not sounds_like(half, name)


@pytest.mark.parametrize(
    "heard",
    ["", " ", "12345", "?!", "' OR 1=1; --", "%", "*", "\N{GREEK SMALL LETTER ALPHA}", " ".join(CUSTOMERS)],
)
def test_what_is_no_name_never_passes(heard: str) -> None:
    """Nor do all the names at once."""
    assert not any(sounds_like(heard, name) for name in CUSTOMERS)


def test_accents_and_case_do_not_count() -> None:
    """Spelling is the model's, not the caller's."""
    assert sounds_like("ANA GARCÍA", "Ana Garcia")
    assert sounds_like("jose nunez", "José Núñez")
