"""How a result is spoken: JSON as sentences, text as it is, and what a text tells the model to do, done."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from callpool.local.standin import english
from callpool.local.standin.calendar import say_date, say_time
from callpool.local.standin.dialogue import Done
from callpool.local.standin.rules import Rules, Sentence
from callpool.local.standin.words import meanings, say_name, split_name

_FACTS_AT_MOST = 5
_LISTED_AT_MOST = 3
_LEVELS_AT_MOST = 8
"""What is nested deeper in a result is not told: nobody could follow it."""
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_ISO_TIME = re.compile(
    r"\b(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}):(\d{2})(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?\b"
)
_MARKUP = re.compile(r"[*_`#>]+|\[([^\][]*)\]\([^)(]*\)")
_MONEY = re.compile(r"\$(\d{1,15})(?:\.(\d{2}))?\b")
_FAILED = re.compile(
    r"\b(error|failed|failure|invalid|unknown|not (found|valid|possible|exist)|"
    r"no (such|order|match|record|\w+ (found|matches))|"
    r"cannot|could not|can't|does not|did not|must|wrong)\b|^there is no\b",
    re.IGNORECASE,
)
_CONFIRM = re.compile(
    r"\b(to confirm|confirm (it|this|that|with|the)|confirmation (is )?(needed|required|first)|"
    r"read (it|this|them|that) back|for a yes|(says|said|hears?|after a) yes|to agree)\b",
    re.IGNORECASE,
)
_CALLER = r"(?:the |a )?(?:caller|customer|user|client|them|him or her|him|her)"
_SILENT = re.compile(
    r"^(?:do not|don't|never|wait|then wait|only|stop|keep|remember|if |once |when |after |before |until |"
    r"you (?:must|should|may))",
    re.IGNORECASE,
)
_POLITE = re.compile(r"^(?:please|then|now|and|next|first|so|instead),?\s+", re.IGNORECASE)
_TO_CALLER = (
    (r"\b(?:the )?(?:caller|customer|user)(?:'s|s')\b|\btheir\b", "your"),
    (r"\b(?:the (?:caller|customer|user)|they) (?:is|are)\b", "you are"),
    (r"\b(?:the (?:caller|customer|user)|they) (?:has|have)\b", "you have"),
    (r"\b(?:the (?:caller|customer|user)|they) wants?\b", "you want"),
    (r"\b(?:the (?:caller|customer|user)|they|them)\b", "you"),
)
_TEXT_FIELDS = ("message", "error", "detail", "details", "say", "instruction", "instructions", "hint", "next")


@dataclass(frozen=True)
class Told:
    """What a result becomes."""

    text: str
    failed: bool = False
    asks: bool = False
    """The text ends with a question or a request to the caller."""
    confirm: bool = False
    """The tool wants the caller's yes before it acts."""
    says_goodbye: bool = False


def tell(done: Done, question: str, rules: Rules, said_goodbye: bool = False) -> Told:
    """Speak one result. `question` is what the caller had said: facts that it names come alone."""
    value = _parse(done.result or "")
    if isinstance(value, Mapping):
        texts = [
            str(value[name]) for name in _TEXT_FIELDS if isinstance(value.get(name), str) and value[name]
        ]
        failed = bool(value.get("error")) or value.get("ok") is False or value.get("success") is False
        if sentence := _by_rule(value, rules.results.get(done.tool, ())):
            return Told(sentence)
        facts = _facts(
            {name: fact for name, fact in value.items() if name not in _TEXT_FIELDS}, done, question
        )
        followed = follow(" ".join(texts), rules, said_goodbye) if texts else Told("")
        text = " ".join(part for part in (followed.text, "" if failed else facts) if part)
        return Told(
            text or (english.Say.went_wrong if failed else english.Say.done),
            failed or followed.failed,
            followed.asks,
            followed.confirm,
        )
    if isinstance(value, str):
        return follow(value, rules, said_goodbye)
    spoken = "" if value is None else _sentence(_say_value("", value))
    return Told(spoken or english.Say.nothing_found)


def _parse(result: str) -> object:
    text = result.strip()
    try:
        value = json.loads(text) if text[:1] in '{["' or text in ("null", "true", "false") else text
        return _speakable(value)
    except (ValueError, RecursionError):
        pass
    try:
        # A tool that returns a dict without serialising it reaches the model as Python writes it.
        return _speakable(ast.literal_eval(text))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return text


def _speakable(value: object, levels: int = _LEVELS_AT_MOST) -> object:
    """The value with names for keys, and without the numbers and the depths that no sentence can hold."""
    match value:
        case Mapping():
            return {str(key): _speakable(each, levels - 1) for key, each in value.items()} if levels else ""
        case list():
            return [_speakable(each, levels - 1) for each in value] if levels else ""
        case float() if not math.isfinite(value):
            return ""
        case int() if abs(value) >= 10**15:
            return str(value)
    return value


def follow(text: str, rules: Rules, said_goodbye: bool = False) -> Told:
    """Speak a text: sentences to the caller as they are, sentences to the model as what they ask for."""
    text = re.sub(r"^error:\s*", "", text, flags=re.IGNORECASE)
    if not text:
        return Told(english.Say.nice_day if said_goodbye else english.Say.done)
    spoken: list[str] = []
    asks = goodbye = ordered = False
    for sentence in _SENTENCE_END.split(
        _MARKUP.sub(lambda match: match[1] or "", text.replace("\n", " ")).strip()
    ):
        bare = _POLITE.sub("", sentence.strip()).strip()
        if _CONFIRM.search(bare):
            # "Ask the caller to confirm: the new address is …" holds what is to be read back after the colon.
            spoken.append(to_caller(bare.partition(": ")[2]))
            continue
        match _order(bare):
            case ("ask", request):
                spoken.append(request)
                asks = ordered = True
            case ("say", words):
                spoken.append(words)
            case ("goodbye", _):
                spoken.append(english.Say.nice_day if said_goodbye else rules.goodbye or english.Say.goodbye)
                goodbye = True
            case ("silent", _):
                ordered = True
            case _:
                spoken.append(to_caller(sentence))
    confirm = _CONFIRM.search(text) is not None
    if confirm:
        spoken.append(english.Say.shall_i)
    words = say_digits(" ".join(_sentence(each) for each in spoken if each))
    failed = not confirm and not goodbye and (ordered or _FAILED.search(text) is not None)
    return Told(words or english.Say.done, failed, asks or words.endswith("?"), confirm, goodbye)


def _order(sentence: str) -> tuple[str, str]:
    """What a sentence tells the model to do: ("ask" | "say" | "goodbye" | "silent" | "", the words)."""
    if re.match(r"^(?:say|wish|bid)\b.*\bgood-?bye\b", sentence, re.IGNORECASE):
        return "goodbye", ""
    if quoted := re.match(
        r"^(?:say|tell \w+(?: \w+)?|reply|answer|read)\b[^\"“]*[\"“]([^\"”]+)[\"”]", sentence, re.IGNORECASE
    ):
        return "say", quoted[1]
    if match := re.match(rf"^apologi[sz]e\b(?: to {_CALLER})?(?: for (.+))?", sentence, re.IGNORECASE):
        return "say", english.Say.sorry
    if match := re.match(
        rf"^(?:tell|inform|let) {_CALLER} (?:know )?(?:that |about )?(.+)$", sentence, re.IGNORECASE
    ):
        return "say", to_caller(match[1])
    if match := re.match(
        rf"^(?:politely )?(?:ask|have|get|request)\b(?: again)?(?: {_CALLER})?(?: again)? ?(.*)$",
        sentence,
        re.IGNORECASE,
    ):
        return "ask", _request(to_caller(match[1]).rstrip(" .!?"))
    if match := re.match(rf"^offer (?:{_CALLER} )?(.+)$", sentence, re.IGNORECASE):
        offered = to_caller(match[1]).rstrip(" .!?")
        return "ask", f"Would you like {f'me {offered}' if offered.startswith('to ') else offered}?"
    if re.match(
        r"^(?:call|use|run|invoke|try) (?:the )?`?\w+_?\w*`?", sentence, re.IGNORECASE
    ) or _SILENT.match(sentence):
        return "silent", ""
    if re.match(rf"^(?:confirm|read|repeat|check|verify|summari[sz]e)\b.*{_CALLER}", sentence, re.IGNORECASE):
        return "silent", ""
    return "", ""


def _request(words: str) -> str:
    if match := re.match(r"^to (.+)$", words, re.IGNORECASE):
        return f"Please {match[1]}."
    if match := re.match(r"^for (.+)$", words, re.IGNORECASE):
        return f"Please tell me {match[1]}."
    if re.match(r"^(?:which|what|who|how many|how much)\b", words, re.IGNORECASE) and len(words.split()) < 4:
        return f"{words}?"
    return f"Please tell me {re.sub('^if ', 'whether ', words)}." if words else english.Say.not_caught


def to_caller(text: str) -> str:
    """The text with the caller addressed: "the caller wants their money" gives "you want your money"."""
    for pattern, word in _TO_CALLER:
        text = re.sub(pattern, word, text, flags=re.IGNORECASE)
    return text


def _by_rule(value: Mapping[str, object], sentences: Sequence[Sentence]) -> str:
    for sentence in sentences:
        fields = {name: _say_value(name, fact) for name, fact in value.items() if fact not in (None, "", [])}
        usable = set(sentence.fields) <= set(fields)
        if usable and all(str(value.get(name)) == wanted for name, wanted in sentence.when.items()):
            return str(sentence.say.format_map(fields))
    return ""


def _facts(value: Mapping[str, object], done: Done, question: str) -> str:
    """The facts of a result: those the caller named, else all but what the caller had said anyway."""
    told = {str(argument) for argument in done.arguments.values()}
    facts = {
        name: fact
        for name, fact in value.items()
        if fact not in (None, "", [], {})
        and not (name in done.arguments and str(fact) in told)
        and name not in ("ok", "success")
    }
    return _say_facts(_named(facts, question) or facts)


def recall(done: Done, question: str) -> str:
    """The facts of an earlier result that a later question names; empty when there are none."""
    value = _parse(done.result or "")
    return _say_facts(_named(value, question)) if isinstance(value, Mapping) else ""


def _named(facts: Mapping[str, object], question: str) -> dict[str, object]:
    asked = set(meanings(question))
    return {name: fact for name, fact in facts.items() if fact and asked & set(meanings(say_name(name)))}


def _say_facts(facts: Mapping[str, object]) -> str:
    return " ".join(_fact(name, fact) for name, fact in list(facts.items())[:_FACTS_AT_MOST])


def _fact(name: str, fact: object) -> str:
    spoken_name = " ".join(word for word in split_name(name) if word != "usd")
    match fact:
        case True:
            return _sentence(f"{spoken_name}: yes")
        case False:
            return _sentence(f"{spoken_name}: no")
        case list() as entries if all(isinstance(entry, Mapping) for entry in entries):
            return _sentence(_say_value(name, fact))
        case Mapping() as inner:
            return " ".join(
                _fact(f"{name}_{key}", each) for key, each in list(inner.items())[:_FACTS_AT_MOST]
            )
    plural = spoken_name.endswith("s") and not spoken_name.endswith(("ss", "us"))
    verb = "are" if plural or (isinstance(fact, list) and len(fact) > 1) else "is"
    return _sentence(f"the {spoken_name} {verb} {_say_value(name, fact)}")


def _say_value(name: str, value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | float():
            words = split_name(name)
            if set(words) & {"usd", "price", "total"} and "usd" in words:
                return _money(float(value))
            return (
                say_digits(str(value))
                if set(words) & english.DIGIT_NAMES
                else f"{value:g}"
                if isinstance(value, float)
                else str(value)
            )
        case str():
            if set(split_name(name)) & english.DIGIT_NAMES and re.fullmatch(r"\+?\d+", value):
                return " ".join(value.replace("+", "")) if len(value) > 1 else value
            return say_digits(value.replace("_", " "))
        case list() as entries if entries and all(isinstance(entry, Mapping) for entry in entries):
            first = [
                ", ".join(_say_value(key, each) for key, each in entry.items() if each not in (None, ""))
                for entry in entries
            ]
            more = len(entries) - _LISTED_AT_MOST
            return ". ".join(first[:_LISTED_AT_MOST]) + (f". And {more} more" if more > 0 else "")
        case list() as entries:
            spoken = [_say_value(name, entry) for entry in entries]
            return f"{', '.join(spoken[:-1])} and {spoken[-1]}" if len(spoken) > 1 else "".join(spoken)
        case Mapping() as inner:
            return ", ".join(f"{say_name(key)} {_say_value(key, each)}" for key, each in inner.items())
    return str(value)


def _money(usd: float) -> str:
    dollars, cents = divmod(round(usd * 100), 100)
    return f"{dollars} dollars{f' and {cents} cents' if cents else ''}"


def say_digits(text: str) -> str:
    """The text as a voice should read it: dates as words, money in full, long numbers digit by digit."""
    text = _ISO_TIME.sub(_spoken_time, text)
    text = _MONEY.sub(lambda match: _money(float(f"{match[1]}.{match[2] or 0}")), text)
    text = re.sub(r"(?<![\w.,])\+?(\d{5,})(?![\w]|[.,]\d)", lambda match: " ".join(match[1]), text)
    return re.sub(r"\s+", " ", text).strip()


def _spoken_time(match: re.Match[str]) -> str:
    try:
        moment = datetime.fromisoformat(f"{match[1]}T{match[2] or '00'}:{match[3] or '00'}")
    except ValueError:
        return match[0]
    day = say_date(date(moment.year, moment.month, moment.day))
    return f"{day} at {say_time(moment.hour, moment.minute)}" if match[2] else day


def _sentence(words: str) -> str:
    words = words.strip()
    if not words:
        return ""
    return words[0].upper() + words[1:] + ("" if words[-1] in ".!?" else ".")
