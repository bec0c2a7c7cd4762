"""The stages of the shop, and which may follow which."""

from __future__ import annotations

from callpool.hand_off import StageAgent
from callpool.stages import Roster, Stage
from callpool_agents import phrases, prompts
from callpool_agents.data_collection import DataCollection, has_details
from callpool_agents.greeting import Greeting, greeting
from callpool_agents.leaving import Closing, HumanTransfer, to_person
from callpool_agents.problem_solving import ProblemSolving
from callpool_agents.verification import Verification, is_verified
from callpool_tools.business import Business
from callpool_tools.case import Case
from callpool_tools.digits import ORDER_DIGITS

LANGUAGES = ("en", "de", "es")

STAGES: tuple[Stage[StageAgent, Business], ...] = (
    Stage("greeting", Greeting, greeting=greeting, profile="fast"),
    Stage("data_collection", DataCollection, satisfied=has_details, then="verification", profile="fast"),
    Stage("verification", Verification, satisfied=is_verified, then="problem_solving", profile="fast"),
    Stage("problem_solving", ProblemSolving, profile="quality"),
    Stage("human_transfer", HumanTransfer, profile="fast"),
    Stage("closing", Closing, profile="fast"),
)

ENDS = ("human_transfer", "closing")

TRANSITIONS = {
    "greeting": ("data_collection", *ENDS),
    "data_collection": ("verification", *ENDS),
    # Back where a caller would go: "no, a different order".
    "verification": ("problem_solving", "data_collection", *ENDS),
    "problem_solving": ("data_collection", *ENDS),
}


def open_business(url: str) -> Business:
    for stage in STAGES:
        for language in LANGUAGES:
            prompts.read(stage.name, language)
    phrases.load()
    return Business(url)


ROSTER = Roster(
    stages=STAGES,
    first={"callpool": "greeting"},
    transitions=TRANSITIONS,
    open_business=open_business,
    prepare=Business.prepare,
    close_business=Business.aclose,
    new_state=Case,
    keypad_digits=ORDER_DIGITS,
    to_person=to_person,
)
