"""Prompts and phrases are complete: every stage, every language, and no tool that its agent lacks."""

from __future__ import annotations

import re
from importlib import resources

import pytest
import yaml
from livekit.agents import llm

import callpool_agents
from callpool.call import Call
from callpool.hand_off import Conversation, Handover
from callpool_agents import prompts
from callpool_agents.roster import LANGUAGES, ROSTER, STAGES

FOLDER = resources.files(callpool_agents)
STAGE_NAMES = [stage.name for stage in STAGES]
KNOWN = "Known already"


def tools_of(name: str) -> set[str]:
    """The tools that a stage's agent offers."""
    call = Call("c_1", room="call-1", agent_name="callpool", state=ROSTER.new_state())
    business = ROSTER.open_business("sqlite+aiosqlite:///nowhere.db")
    agent = ROSTER.stage(name).agent(Handover(Conversation(call, ROSTER, business)))
    return set(llm.ToolContext(agent.tools).function_tools)


def named_in(text: str) -> set[str]:
    """What a prompt writes as code, which tools alone are."""
    return set(re.findall(r"`([^`]*)`", text))


@pytest.mark.parametrize("name", STAGE_NAMES)
def test_a_stage_has_a_prompt_of_its_own_in_every_language(name: str) -> None:
    """Under the same heading, by which the offline rules find theirs."""
    texts = [prompts.read(name, language) for language in LANGUAGES]
    assert len(set(texts)) == len(LANGUAGES), "a language fell back to another's prompt"
    heading = "# " + name.replace("_", " ").capitalize()
    assert [text.splitlines()[0] for text in texts] == [heading] * len(LANGUAGES)


@pytest.mark.parametrize("name", STAGE_NAMES)
def test_a_prompt_names_the_tools_of_its_agent_and_no_others(name: str) -> None:
    """Each of them, in each language: a tool that no prompt mentions is used at the wrong time, if at all."""
    for language in LANGUAGES:
        assert named_in(prompts.read(name, language)) == tools_of(name), language


def test_no_prompt_belongs_to_nobody() -> None:
    """A file that no stage reads is a file that somebody edits in vain."""
    files = {file.name for file in FOLDER.iterdir() if file.name.endswith(".md")}
    assert files == {f"{name}.{language}.md" for name in STAGE_NAMES for language in LANGUAGES}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["data_collection", "verification", "problem_solving"])
def test_a_prompt_that_speaks_of_what_is_known_uses_its_heading(name: str, language: str) -> None:
    """The heading under which it is appended, in the same words."""
    call = Call("c_1", room="call-1", agent_name="callpool", language=language, state=ROSTER.new_state())
    call.state.order_number = "12345"
    text = prompts.of(name)(call)
    assert text.count(KNOWN) == 2
    assert text.endswith(f"## {KNOWN}\n\n- order number: 1 2 3 4 5\n")


def test_a_region_gets_the_prompt_of_its_language() -> None:
    """Swiss callers are answered in German."""
    call = Call("c_1", room="call-1", agent_name="callpool", language="de-CH", state=ROSTER.new_state())
    assert prompts.of("closing")(call) == prompts.read("closing", "de")


def test_every_phrase_is_there_in_every_language() -> None:
    """And said in one way each."""
    table = yaml.safe_load(FOLDER.joinpath("phrases.yaml").read_text())
    assert set(table) == set(LANGUAGES)
    keys = set(table["en"])
    for language in LANGUAGES:
        assert set(table[language]) == keys, language
        assert all(words.strip() for words in table[language].values())
    for key in keys:
        assert len({table[language][key] for language in LANGUAGES}) == len(LANGUAGES), key


def test_the_first_words_of_a_call_are_those_that_are_promised() -> None:
    """The README, the tests over real calls and the caller's expectations name them."""
    call = Call("c_1", room="call-1", agent_name="callpool")
    greeting = ROSTER.first_stage("callpool").greeting
    assert greeting is not None
    assert greeting(call) == "Hello, thank you for calling. How can I help you?"
