"""How a result is spoken: JSON as sentences, text as it is, and what a text tells the model to do, done."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from callpool.local.standin.dialogue import Done
from callpool.local.standin.gloss import language_of
from callpool.local.standin.rules import Rules, Sentence, WordGroup
from callpool.local.standin.values import named, say_digits, say_facts, say_value, sentence
from callpool.local.standin.words import stems

_LEVELS_AT_MOST = 8
"""What is nested deeper in a result is not told: nobody could follow it."""
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_MARKUP = re.compile(r"[*_`#>]+|\[([^\][]*)\]\([^)(]*\)")
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
    r"^(?:do not|don't|never|nothing (?:is|was)|wait|then wait|only|stop|keep|remember|"
    r"(?:go on|carry on|continue|proceed|go ahead|move on)\b|look (?:it|them) up|listen|speak to|use no|"
    r"if |once |when |after |before |until |"
    r"you (?:must|should|may))",
    re.IGNORECASE,
)
_QUOTED = re.compile(
    r"(?:^|(?<=[.!?:] ))(?:then |now |and |please )?(?:say|tell \w+(?: \w+)?|reply|answer|ask|read)\b"
    r"[^\"“.!?]{0,30}[\"“]([^\"”]+)[\"”]\.?",
    re.IGNORECASE,
)
"""Words that are to be said as they stand."""
_POLITE = re.compile(r"^(?:please|then|now|and|next|first|so|instead),?\s+", re.IGNORECASE)
_TO_CALLER = (
    (r"\b(?:the )?(?:caller|customer|user)(?:'s|s')\b|\btheir\b", "your"),
    (r"\b(?:the (?:caller|customer|user)|they) (?:is|are)\b", "you are"),
    (r"\b(?:the (?:caller|customer|user)|they) (?:has|have)\b", "you have"),
    (r"\b(?:the (?:caller|customer|user)|they) wants?\b", "you want"),
    (r"\bthe (?:caller|customer|user) (\w+[b-df-hj-np-tv-z])s\b", r"you \1"),
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
    offers: bool = False
    """The text ends with an offer: there is nothing to correct in what the tool was given."""


def tell(done: Done, question: str, rules: Rules, said_goodbye: bool = False) -> Told:
    """Speak one result. `question` is what the caller had said: facts that it names come alone."""
    value = _parse(done.result or "")
    if isinstance(value, Mapping):
        texts = [
            str(value[name]) for name in _TEXT_FIELDS if isinstance(value.get(name), str) and value[name]
        ]
        failed = bool(value.get("error")) or value.get("ok") is False or value.get("success") is False
        if ruled := _by_rule(value, rules.results.get(done.tool, ()), rules.language):
            more = {
                name: fact
                for name, fact in value.items()
                if fact and fact not in done.arguments.values() and str(fact) not in ruled
            }
            asked = say_facts(
                named({k: v for k, v in more.items() if say_value(k, v) not in ruled}, question)
            )
            return Told(f"{asked} {ruled}".strip())
        facts = _facts(
            {name: fact for name, fact in value.items() if name not in _TEXT_FIELDS}, done, question
        )
        followed = follow(" ".join(texts), rules, said_goodbye) if texts else Told("")
        text = " ".join(part for part in (followed.text, "" if failed else facts) if part)
        return Told(
            text or (rules.say.went_wrong if failed else rules.say.done),
            failed or followed.failed,
            followed.asks,
            followed.confirm,
        )
    if isinstance(value, str):
        followed = follow(value, rules, said_goodbye)
        said = stems(value)
        ruled = next(
            (
                each.say
                for each in rules.results.get(done.tool, ())
                if not each.fields and not each.when and (not each.words or _any(each.words, said))
            ),
            "",
        )
        if ruled:
            return replace(followed, text=ruled, asks=followed.asks or ruled.endswith("?"))
        return _in_language(followed, rules)
    spoken = "" if value is None else sentence(say_value("", value))
    return Told(spoken or rules.say.nothing_found)


def _in_language(told: Told, rules: Rules) -> Told:
    """An English text that no rule has words for, as what can be said of it in another language."""
    if rules.language == "en" or language_of(told.text, rules.language) == rules.language:
        return told
    if told.offers and rules.unsettled:
        return replace(told, text=rules.unsettled)
    return replace(told, text=rules.say.went_wrong if told.failed else rules.say.done)


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
        return Told(rules.say.nice_day if said_goodbye else rules.say.done)
    spoken: list[str] = []
    asks = goodbye = ordered = offers = False
    quoted = [match[1] for match in _QUOTED.finditer(text)]
    text = _QUOTED.sub(" ", text)
    plain = _MARKUP.sub(lambda match: match[1] or "", text.replace("\n", " ")).strip()
    for each in _SENTENCE_END.split(plain) if plain else []:
        bare = _POLITE.sub("", each.strip()).strip()
        if _CONFIRM.search(bare):
            # "Ask the caller to confirm: the new address is …" holds what is to be read back after the colon.
            spoken.append(to_caller(bare.partition(": ")[2]))
            continue
        match _order(bare, rules):
            case ("ask", request):
                spoken.append(request)
                asks = ordered = True
                offers = offers or bare.lower().startswith("offer")
            case ("say", words):
                spoken.append(words)
            case ("goodbye", _):
                spoken.append(rules.say.nice_day if said_goodbye else rules.goodbye or rules.say.goodbye)
                goodbye = True
            case ("silent", _):
                ordered = True
            case _:
                spoken.append(to_caller(each))
    confirm = _CONFIRM.search(text) is not None
    if confirm:
        spoken.append(rules.say.shall_i)
    # What is to be said word for word needs nothing beside it.
    words = say_digits(" ".join(sentence(each) for each in quoted or spoken if each), rules.language)
    failed = not confirm and not goodbye and (ordered or _FAILED.search(text) is not None)
    return Told(words or rules.say.done, failed, asks or words.endswith("?"), confirm, goodbye, offers)


def _order(said: str, rules: Rules) -> tuple[str, str]:
    """What a sentence tells the model to do: ("ask" | "say" | "goodbye" | "silent" | "", the words)."""
    if re.match(r"^(?:say|wish|bid)\b.*\bgood-?bye\b", said, re.IGNORECASE):
        return "goodbye", ""
    if quoted := re.match(
        r"^(?:say|tell \w+(?: \w+)?|reply|answer|read)\b[^\"“]*[\"“]([^\"”]+)[\"”]", said, re.IGNORECASE
    ):
        return "say", quoted[1]
    if match := re.match(rf"^apologi[sz]e\b(?: to {_CALLER})?(?: for (.+))?", said, re.IGNORECASE):
        return "say", rules.say.sorry
    if re.match(rf"^(?:tell|inform) {_CALLER}\b(?:,? and\b.*|[.!]*)$", said, re.IGNORECASE):
        return "silent", ""
    if match := re.match(
        rf"^(?:tell|inform|let) {_CALLER} (?:know )?(?:that |about )?(.+)$", said, re.IGNORECASE
    ):
        return "say", to_caller(match[1])
    if match := re.match(
        rf"^(?:politely )?(?:ask|have|get|request)\b(?: again)?(?: {_CALLER})?(?: again)? ?(.*)$",
        said,
        re.IGNORECASE,
    ):
        return "ask", _request(to_caller(match[1]).rstrip(" .!?"), rules)
    if match := re.match(rf"^offer (?:{_CALLER} )?(.+)$", said, re.IGNORECASE):
        offered = to_caller(match[1]).rstrip(" .!?")
        if person := re.match(r"^an? (.+?) to (talk|speak)(?: (?:to|with))?$", offered):
            return "ask", f"Would you like to {person[2]} to a {person[1]}?"
        return "ask", f"Would you like {f'me {offered}' if offered.startswith('to ') else offered}?"
    if re.match(r"^(?:call|use|run|invoke|try) (?:the )?`?\w+_?\w*`?", said, re.IGNORECASE) or _SILENT.match(
        said
    ):
        return "silent", ""
    if re.match(rf"^(?:confirm|read|repeat|check|verify|summari[sz]e)\b.*{_CALLER}", said, re.IGNORECASE):
        return "silent", ""
    return "", ""


def _request(words: str, rules: Rules) -> str:
    if match := re.match(r"^to (.+)$", words, re.IGNORECASE):
        return f"Please {match[1]}."
    if match := re.match(r"^for (.+)$", words, re.IGNORECASE):
        return f"Please tell me {re.sub(r'(?<=and) for', '', match[1])}."
    if match := re.match(
        r"^(how many|how much|which of|which|what) (?:of )?(.*you (?:want|need|like|mean).*)$", words
    ):
        return f"{match[1].capitalize()} {match[2].replace('you', 'do you', 1)}?"
    if re.match(r"^(?:which|what|who|how many|how much)\b", words, re.IGNORECASE) and len(words.split()) < 4:
        return f"{words}?"
    return f"Please tell me {re.sub('^if ', 'whether ', words)}." if words else rules.say.not_caught


def to_caller(text: str) -> str:
    """The text with the caller addressed: "the caller wants their money" gives "you want your money"."""
    for pattern, word in _TO_CALLER:
        text = re.sub(pattern, word, text, flags=re.IGNORECASE)
    return text


def _by_rule(value: Mapping[str, object], sentences: Sequence[Sentence], language: str) -> str:
    fields = {
        name: say_value(name, fact, language) for name, fact in value.items() if fact not in (None, "", [])
    }
    for each in sentences:
        usable = set(each.fields) <= set(fields) and not each.words
        if usable and all(str(value.get(name)) == wanted for name, wanted in each.when.items()):
            return str(each.say.format_map(fields))
    return ""


def _any(groups: Sequence[WordGroup], said: frozenset[str]) -> bool:
    return any(group.counts(said) for group in groups)


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
    return say_facts(named(facts, question) or facts)


def recall(done: Done, question: str) -> str:
    """The facts of an earlier result that a later question names; empty when there are none."""
    value = _parse(done.result or "")
    return say_facts(named(value, question)) if isinstance(value, Mapping) else ""
