"""The questions for what is missing, and what the stand-in says it can do."""

from __future__ import annotations

import re
from collections.abc import Sequence

from callpool.local.standin import english
from callpool.local.standin.offered import Kind, Parameter, Tool
from callpool.local.standin.rules import Rules
from callpool.local.standin.telling import to_caller
from callpool.local.standin.words import say_name, split_name, stem, stems

_ABILITIES_AT_MOST = 3
_CHOICES_AT_MOST = 6
_NOUN_PHRASE = re.compile(r"^(?:the|a|an|your)(?:\s+[\w'-]+){1,7}$", re.IGNORECASE)


def question(tool: Tool, parameter: Parameter, rules: Rules) -> str:
    """How to ask for one parameter: the rule's words, else words made from its description or name."""
    for key in (f"{tool.name}.{parameter.name}", parameter.name):
        if key in rules.questions:
            return rules.questions[key]
    text = re.split(r"(?<=[.?!])\s|[,;:(]", parameter.description.strip(), maxsplit=1)[0].strip()
    if parameter.description.strip().endswith("?"):
        return parameter.description.strip()
    name = _noun(parameter)
    if parameter.kind is Kind.DIGITS:
        return f"What is the {name}?"
    if parameter.kind is Kind.CHOICE:
        choices = [say_name(str(choice)) for choice in parameter.choices[:_CHOICES_AT_MOST]]
        return f"Which {name}: {', '.join(choices[:-1])}{' or ' if len(choices) > 1 else ''}{choices[-1]}?"
    if parameter.kind is Kind.YES_NO:
        return _yes_no(text, name, rules)
    text = re.sub(
        r"\b(?:the |a )?(?:caller|customer|user)(?:'s|s')\b", "your", text.rstrip(" ."), flags=re.IGNORECASE
    )
    if match := re.match(r"^what (.+) (is|are)$", text, re.IGNORECASE):
        return f"What {match[2]} {match[1]}?"
    if re.match(r"^(?:why|where|when|who|how(?! m)|what (?:it|they|this))\b", text, re.IGNORECASE):
        return f"Please tell me {to_caller(text[0].lower() + text[1:])}."
    if re.match(r"^(?:which|what|how many|how much)\b", text, re.IGNORECASE):
        return f"{text[0].upper()}{text[1:]}?"
    if parameter.kind is Kind.PERSON:
        return "What is your name?" if name in ("name", "who") else f"What is the {name}?"
    if _NOUN_PHRASE.match(text) and not re.search(r"\b(?:to|that|which|when|if)\b", text):
        return f"What is {re.sub('^(a|an) ', 'the ', text[0].lower() + text[1:])}?"
    if parameter.kind is Kind.NUMBER and (counted := _counted(parameter)):
        return f"How many {counted}?"
    if parameter.kind is Kind.DATE:
        return "For which day?" if name in ("day", "date", "when") else f"What is the {name}?"
    if parameter.kind is Kind.TIME:
        return "At what time?" if name == "time" else f"What is the {name}?"
    if parameter.kind is Kind.LIST:
        return f"Which {name}?"
    return f"What is the {name}?"


def asks_for(words: str, names: Sequence[str]) -> bool:
    """Whether words of the agent's ask for something of this name, in a question or a request."""
    asking = [each for each in re.split(r"(?<=[.!])\s+", words) if english.ASKING.search(each)]
    wanted = [stem(name) for name in names]
    return any(set(wanted) <= stems(each) for each in asking) if wanted else False


def ask_again(heard: str, parameter: Parameter, rules: Rules) -> str:
    """How to ask for digits that were too few or too many."""
    name = _noun(parameter)
    if rules.language != "en":
        name = rules.questions.get(f"{parameter.name}.noun", name)
    count = ""
    if parameter.lengths and parameter.lengths[0] == parameter.lengths[1]:
        names = {number: word for word, number in reversed((english.UNITS | english.TEENS).items())}
        count = rules.say.digits_of.format(names.get(parameter.lengths[0], parameter.lengths[0]))
    return f"{rules.say.heard_digits.format(' '.join(heard))} {rules.say.say_digits.format(count, name)}"


def _noun(parameter: Parameter) -> str:
    words = ["number" if word == "id" else word for word in parameter.words]
    return " ".join(words) or "value"


def _counted(parameter: Parameter) -> str:
    """What is counted or measured, when the name tells: `passengers`, `celsius`, `duration_minutes`."""
    last = parameter.words[-1] if parameter.words else ""
    if last in ("celsius", "fahrenheit", "kelvin"):
        return f"degrees {last}"
    plural = last.endswith("s") and not last.endswith("ss")
    return last if plural else ""


def _yes_no(text: str, name: str, rules: Rules) -> str:
    if match := re.match(
        r"^(?:whether|if) (?:the (?:caller|customer|user)|they|you) (want|need|agree|like)s?\b(.*?)\.?$",
        text,
        re.IGNORECASE,
    ):
        return f"Do you {match[1]}{match[2]}?"
    if match := re.match(r"^(?:whether|if) to (.+?)\.?$", text, re.IGNORECASE):
        return f"Shall I {match[1]}?"
    if stem(name.split()[-1]) in ("confirm",):
        return rules.say.shall_i
    return f"{name[0].upper()}{name[1:]}, yes or no?"


def abilities(tools: Sequence[Tool], rules: Rules) -> str:
    """One sentence that says what can be done."""
    if rules.help:
        return rules.help
    can = [_ability(tool) for tool in tools if tool.drivable and not tool.is_goodbye][:_ABILITIES_AT_MOST]
    if not can:
        return rules.say.what_else
    return rules.say.can_help.format(f"{', '.join(can[:-1])}{' or ' if len(can) > 1 else ''}{can[-1]}")


def _ability(tool: Tool) -> str:
    """What a tool does, from its description: "Looks up an order." gives "look up an order"."""
    text = re.split(r"[,;:(]| (?:when|once|if|after|as soon)\b", tool.first_sentence, maxsplit=1)[0].strip(
        " ."
    )
    words = text.split()
    if not 2 <= len(words) <= 12 or re.match(r"^(?:use|call|this|the|a|an|tool)\b", text, re.IGNORECASE):
        return " ".join(split_name(tool.name))
    verb = words[0].lower()
    if verb.endswith("s") and not verb.endswith("ss"):
        verb = re.sub(r"(?<=[sxzh])es$|s$", "", verb)
    rest = re.sub(r"\b(?:the )?(?:caller|customer|user)(?:'s|s')\b", "your", " ".join(words[1:]))
    return f"{verb} {rest}"
