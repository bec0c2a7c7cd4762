"""Order numbers in what a caller said: figures and words, in English, German and Spanish, with corrections.

Which number is meant when there are several: a number is five digits, neither more nor less. What was taken
back ("no, …", "not 12345") does not count, nor what is called a phone number or a postcode. When two numbers
are left, the one that was called an order counts; when that is none or both, there is no answer, for a caller
can be asked again but not be told about the wrong order.
"""

from __future__ import annotations

from collections.abc import Iterable

from callpool_tools.strands import Strand, strands

ORDER_DIGITS = 5


def digits(text: str) -> str:
    """Every digit of a text in order, after corrections; empty when there is none."""
    return "".join(strand.digits for strand in strands(text, ORDER_DIGITS))


def order_number_in(text: str, known: str = "") -> str | None:
    """The order number in a text: five digits, or None when there is none or it is not clear which.

    `known` is the number such as it was understood before: "no, the last one is six" changes it.
    """
    heard = [strand for strand in strands(text, ORDER_DIGITS, known) if strand.called != "other"]
    return _only(heard) or _only(strand for strand in heard if strand.called == "order")


def _only(heard: Iterable[Strand]) -> str | None:
    numbers = {number for strand in heard for number in strand.numbers}
    return numbers.pop() if len(numbers) == 1 else None
