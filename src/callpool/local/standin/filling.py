"""Finding the values of a tool's parameters in what the caller said. What was not said stays missing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches

from callpool.local.standin import calendar, english, phrases
from callpool.local.standin.offered import Kind, Parameter, Tool
from callpool.local.standin.spoken import LONGEST, Quantity, Span, digit_runs, digits_of, quantities
from callpool.local.standin.utterance import Found, Utterance
from callpool.local.standin.words import meaning, say_name, split_name, stem

_ORDER = (
    Kind.EMAIL,
    Kind.CHOICE,
    Kind.DATE,
    Kind.TIME,
    Kind.DIGITS,
    Kind.NUMBER,
    Kind.YES_NO,
    Kind.LANGUAGE,
    Kind.LIST,
    Kind.PERSON,
    Kind.SHORT,
    Kind.TEXT,
)
"""What is told apart most surely is looked for first, and its words are then taken."""
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_SPELT_EMAIL = re.compile(r"(?<!\w dot )\b([\w]+(?: dot [\w]+)*) at ([\w]+(?: dot [\w]+)+)\b", re.IGNORECASE)
_NEAR_WORDS = 3
"""How many words may stand between a number and the word that says what it is."""


@dataclass
class Filled:
    """What one utterance gives for one tool."""

    values: dict[str, object] = field(default_factory=dict)
    others: dict[str, list[object]] = field(default_factory=dict)
    """Further values for the same parameter ("orders 12345 and 67890")."""
    misheard: dict[str, str] = field(default_factory=dict)
    """Digits that are too few or too many."""


def fill(tool: Tool, text: str, today: date, asked: Parameter | None = None) -> Filled:
    """Fill what can be filled of a tool's parameters from one utterance."""
    filled = Filled()
    ranked = sorted(
        tool.parameters,
        key=lambda each: (
            asked is None or each.name != asked.name,
            # Its numbers are the street's, whatever else is asked for.
            "address" not in each.words,
            _ORDER.index(each.kind) if each.kind in _ORDER else 99,
        ),
    )
    taken_spans: tuple[Span, ...] = ()
    for parameter in ranked:
        said = Utterance(text, today, asked, taken_spans)
        found = [
            (value, span)
            for value, span in _find(parameter, said, tool)
            if value is not None and said.free(span)
        ]
        if found:
            filled.values[parameter.name] = found[0][0]
            filled.others[parameter.name] = [value for value, _ in found[1:]]
            several = parameter.kind in (Kind.DIGITS, Kind.CHOICE, Kind.DATE, Kind.LIST)
            taken_spans += tuple(span for _, span in (found if several else found[:1]))
        elif parameter.kind is Kind.DIGITS and (wrong := _wrong_length(parameter, said)):
            filled.misheard[parameter.name] = wrong
    return filled


def _find(parameter: Parameter, said: Utterance, tool: Tool) -> Found:
    match parameter.kind:
        case Kind.DIGITS:
            yield from _digits(parameter, said)
        case Kind.NUMBER:
            yield from _numbers(parameter, said, tool)
        case Kind.CHOICE:
            yield from _choices(parameter, said)
        case Kind.YES_NO:
            yield from _yes_no(parameter, said)
        case Kind.DATE:
            yield from _days(parameter, said)
        case Kind.TIME:
            yield from _times(parameter, said)
        case Kind.EMAIL:
            yield from _emails(said)
        case Kind.PERSON:
            yield from phrases.names(parameter, said)
        case Kind.LANGUAGE:
            for match in re.finditer(r"[^\W\d_]+", said.text):
                if match[0].lower() in english.LANGUAGES:
                    yield match[0].capitalize(), match.span()
        case Kind.LIST:
            yield from _lists(parameter, said, tool)
        case Kind.SHORT:
            yield from phrases.short(parameter, said)
        case Kind.TEXT:
            yield from phrases.texts(parameter, said, tool)


def _near(parameter: Parameter, said: Utterance, span: Span) -> bool:
    """Whether a word of the parameter's name stands right before or after a place in the text."""
    names = {meaning(word) for word in parameter.words if word not in ("number", "id", "code")} or {"number"}
    # "I want to order two" is no order number two.
    lead = english.ORDER_VERB.sub(r"\1 buy", said.text[: span[0]])
    before = re.findall(r"[^\W_]+", lead)[-_NEAR_WORDS:]
    after = re.findall(r"[^\W_]+", said.text[span[1] :])[:_NEAR_WORDS]
    return bool(names & {meaning(word) for word in [*before, *after]})


def _digits(parameter: Parameter, said: Utterance) -> Found:
    lengths = parameter.lengths
    candidates = [
        heard for run in digit_runs(said.text) if said.free(run.span) for heard in digits_of(run, lengths)
    ]
    dates = [day.span for day in calendar.days(said.text, said.today)]
    fitting: list[tuple[bool, int, str, Span]] = []
    for heard in candidates:
        near = (
            _near(parameter, said, heard.span) or "number" in said.text[: heard.span[0]].lower().split()[-2:]
        )
        long_enough = said.is_asked(parameter) or near or len(heard.digits) >= 3
        if lengths:
            long_enough = lengths[0] <= len(heard.digits) <= lengths[1]
        too_long = lengths is None and len(heard.digits) > LONGEST
        in_date = any(start <= heard.span[0] < end for start, end in dates)
        if long_enough and not too_long and not in_date and _matches(parameter, heard.digits):
            fitting.append((not near, -len(heard.digits) if lengths is None else 0, heard.digits, heard.span))
    ranked = sorted(fitting, key=lambda each: (each[0], each[1]))
    for _, _, digits, span in (each for each in ranked if len(each[2]) == len(ranked[0][2])):
        yield (int(digits) if parameter.json_type == "integer" else digits), span


def _wrong_length(parameter: Parameter, said: Utterance) -> str:
    if parameter.lengths is None:
        return ""
    heard = [
        each.digits
        for run in digit_runs(said.text)
        if said.free(run.span)
        for each in digits_of(run, parameter.lengths)
    ]
    longest = max(heard, key=len, default="")
    return longest if said.is_asked(parameter) or len(longest) >= 3 else ""


def _matches(parameter: Parameter, text: str) -> bool:
    try:
        return not parameter.pattern or re.search(parameter.pattern, text) is not None
    except (re.error, ValueError, OverflowError, RecursionError):
        return True


def _numbers(parameter: Parameter, said: Utterance, tool: Tool) -> Found:
    others = [each for each in tool.parameters if each.kind is Kind.NUMBER and each.name != parameter.name]
    taken = [each.span for each in calendar.days(said.text, said.today)]
    taken += [each.span for each in calendar.times(said.text)]
    found = [
        quantity
        for quantity in quantities(said.text)
        if said.free(quantity.span)
        and not (_counts(parameter) and _is_code_or_price(said.text, quantity))
        and (parameter.minimum is None or quantity.value >= parameter.minimum)
        and (parameter.maximum is None or quantity.value <= parameter.maximum)
        and (parameter.json_type != "integer" or quantity.value.is_integer())
        and (
            said.is_asked(parameter)
            or all(quantity.span[1] <= start or end <= quantity.span[0] for start, end in taken)
        )
    ]
    if (
        not found
        and _counts(parameter)
        and any(set(each.words) & english.GOODS_NAMES for each in tool.needed)
    ):
        for match in english.ONE_OF.finditer(said.text):
            yield _number(parameter, 1.0), match.span("one")
    if said.is_asked(parameter) and not found:
        bare = re.sub(r"\W", "", said.text.lower())
        if digit := english.SOUNDS_LIKE.get(bare):
            yield _number(parameter, float(digit)), said.whole
        return
    found = [each for each in found if not any(_near(other, said, each.span) for other in others)] or (
        [] if others else found
    )
    for quantity in sorted(found, key=lambda each: not _near(parameter, said, each.span)):
        yield _number(parameter, quantity.value), quantity.span


def _counts(parameter: Parameter) -> bool:
    """Whether it is how many of something, and no measure of it."""
    return bool(set(parameter.words) & english.QUANTITY_NAMES)


def _is_code_or_price(text: str, quantity: Quantity) -> bool:
    return quantity.value >= english.LONG_CODE or english.MONEY.match(text, quantity.span[1]) is not None


def _number(parameter: Parameter, value: float) -> object:
    plain = int(value) if value.is_integer() else value
    return str(plain) if parameter.json_type == "string" else plain


def _choices(parameter: Parameter, said: Utterance) -> Found:
    roots = [(match.span(), stem(match[0])) for match in re.finditer(r"[^\W_]+", said.text)]
    amounts = quantities(said.text)
    found: list[tuple[int, int, object, Span]] = []
    for choice in parameter.choices:
        if isinstance(choice, (int, float)) and not isinstance(choice, bool):
            found += [(0, each.span[0], choice, each.span) for each in amounts if each.value == choice]
            continue
        wanted = [stem(word) for word in split_name(str(choice))]
        for at in range(len(roots) - len(wanted) + 1):
            if wanted and [root for _, root in roots[at : at + len(wanted)]] == wanted:
                span = (roots[at][0][0], roots[at + len(wanted) - 1][0][1])
                found.append((-len(wanted), span[0], choice, span))
    taken: list[Span] = []
    for _, _, choice, span in sorted(found, key=lambda each: (each[0], each[1])):
        if all(span[1] <= start or end <= span[0] for start, end in taken):
            taken.append(span)
            yield choice, span
    if not found and said.is_asked(parameter):
        names = {say_name(str(choice)): choice for choice in parameter.choices}
        for close in get_close_matches(
            english.LEAD_IN.sub("", said.text.lower()).strip(" .!?,"), names, 1, 0.7
        ):
            yield names[close], said.whole


def _yes_no(parameter: Parameter, said: Utterance) -> Found:
    lowered = said.text.lower()
    if said.is_asked(parameter):
        if match := english.NO.search(lowered):
            yield False, match.span()
        elif match := english.YES.search(lowered):
            yield True, match.span()
    if set(parameter.words) & english.SWITCH_NAMES and (switch := english.SWITCH.search(lowered)):
        yield switch[1] == "on", switch.span()
    wanted = [meaning(word) for word in parameter.words if word not in english.STOP_WORDS and len(word) > 2]
    spoken = [(match.span(), meaning(match[0])) for match in re.finditer(r"[^\W\d_]+", lowered)]
    spans = [span for span, word in spoken if word in wanted]
    if wanted and len({word for _, word in spoken if word in wanted}) == len(set(wanted)):
        yield english.NEGATION.search(lowered[: spans[0][0]]) is None, (spans[0][0], spans[-1][1])


def _days(parameter: Parameter, said: Utterance) -> Found:
    iso = parameter.format == "date" or re.search(r"YYYY-MM-DD|ISO 8601", parameter.description) is not None
    for day in calendar.days(said.text, said.today):
        yield (day.day.isoformat() if iso else day.words), day.span


def _times(parameter: Parameter, said: Utterance) -> Found:
    exact = parameter.format == "time" or re.search(r"HH:MM", parameter.description) is not None
    form = "{:02d}:{:02d}:00" if parameter.format == "time" else "{:02d}:{:02d}"
    found = list(calendar.times(said.text))
    if not found and said.is_asked(parameter):
        found = [
            calendar.TimeOfDay(said.text[span[0] : span[1]], int(value) * 60, span)
            for value, span in ((each.value, each.span) for each in quantities(said.text))
            if 0 <= value < 24
        ]
    for time in found:
        yield (form.format(*divmod(time.minutes, 60)) if exact else time.words), time.span


def _emails(said: Utterance) -> Found:
    for match in _EMAIL.finditer(said.text):
        yield match[0].rstrip("."), match.span()
    for match in _SPELT_EMAIL.finditer(said.text):
        local, domain = (re.sub(r" dot ", ".", part, flags=re.IGNORECASE) for part in match.groups())
        yield f"{local}@{domain}".lower(), match.span()


def _lists(parameter: Parameter, said: Utterance, tool: Tool) -> Found:
    item = parameter.item
    if item is None:
        return
    if item.kind in (Kind.CHOICE, Kind.DIGITS, Kind.DATE, Kind.EMAIL):
        asked = Utterance(said.text, said.today, item if said.is_asked(parameter) else None, said.taken)
        values = [value for value, span in _find(item, asked, tool) if said.free(span)]
        if values:
            yield values, said.whole if said.is_asked(parameter) else (0, 0)
    elif said.is_asked(parameter):
        answer = english.LEAD_IN.sub("", said.left()).strip(" .!?")
        parts = [english.LEAD_IN.sub("", part).strip() for part in re.split(r",|\band\b", answer)]
        values = [_convert(item, part) for part in parts if part]
        yield ([value for value in values if value is not None] or None), said.whole


def _convert(item: Parameter, text: str) -> object:
    if item.kind is not Kind.NUMBER:
        return text
    found = quantities(text)
    return _number(item, found[0].value) if found else None
