"""`decide --situation`: the decision of a file, and what is said of a wrong one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ROOT, Program

PLAIN: dict[str, Any] = {"request": {"messages": [{"role": "user", "content": "hi"}]}}


def decide(here: Program, data: Any, *more: str):
    Path("case.json").write_text(data if isinstance(data, str) else json.dumps(data))
    return here("decide", "--situation", "case.json", "--config", str(ROOT), *more)


def test_measurements_and_time_are_those_of_the_file(here: Program):
    plain = json.loads(decide(here, PLAIN, "--json").out)
    slow = {plain["winner"]: {"success": 0.0, "first_token": 600, "headroom": 0}}
    other = json.loads(decide(here, {**PLAIN, "live": slow}, "--json").out)
    assert other["winner"] not in (None, plain["winner"])
    served = {**PLAIN, "served": other["winner"]}
    assert json.loads(decide(here, served, "--json").out)["ranking"][0]["score"]


def test_what_was_learned_is_that_of_the_file(here: Program):
    plain = json.loads(decide(here, PLAIN, "--json").out)
    learned = {"token_factor": 1.25, "outputs": {"chat": {"tokens": 5793, "answers": 12}}}
    data = {**PLAIN, "live": {"*": learned}}
    told = json.loads(decide(here, data, "--json").out)["ranking"][0]
    assert told["estimate"]["tokens_out"] == 5793
    assert told["learned_output"] == {"tokens": 5793, "answers": 12}
    assert plain["ranking"][0]["estimate"]["tokens_out"] != 5793
    assert "5,793 out (learned from 12 answers)" in decide(here, data).out


def test_a_listed_model_is_there(here: Program):
    listing = {"provider": "ollama", "model": {"model": "llama3.1:8b"}}
    private = {"messages": PLAIN["request"]["messages"], "metadata": {"privacy": "private"}}
    data = {"request": private, "discovered": listing}
    assert json.loads(decide(here, data, "--json").out)["winner"] == "ollama/llama3.1:8b"
    assert decide(here, {"request": private}).code == 1


def test_the_policy_is_the_files_unless_one_is_named(here: Program):
    data = {**PLAIN, "policy": "cheapest"}
    assert json.loads(decide(here, data, "--json").out)["policy"] == "cheapest"
    assert (
        json.loads(decide(here, data, "--json", "--policy", "fastest").out)["policy"] == "fastest"
    )
    assert "policy fastest" in decide(here, data, "--policy", "fastest").out


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("{", "case.json:1:2: no JSON"),
        ("[]", "case.json: the situation is []"),
        ({**PLAIN, "policy": "cheepest"}, 'did you mean "cheapest"'),
        ({**PLAIN, "served": "openai/gpt-6-lina"}, "case.json: there is no target"),
        ({**PLAIN, "live": {"opnai": {}}}, 'did you mean "openai"'),
        (
            {**PLAIN, "discovered": {"provider": "olama", "model": {"model": "m"}}},
            'case.json: there is no provider "olama"; did you mean "ollama"?',
        ),
        (
            {"request": {**PLAIN["request"], "metadata": {"privcy": "x"}}},
            'did you mean "privacy"',
        ),
    ],
)
def test_a_wrong_file_is_told(here: Program, data: Any, told: str):
    done = decide(here, data)
    assert (done.code, done.out) == (2, "")
    assert told in done.err


def test_wrong_use_is_told(here: Program):
    for option in ("--tag", "--user"):
        done = decide(here, PLAIN, option, "x")
        assert done.code == 2
        assert f"leave out {option}" in done.err
    done = here("decide", "hello", "--situation", "none.json", "--config", str(ROOT))
    assert "leave out a prompt" in done.err
    done = here("decide", "--situation", "none.json", "--config", str(ROOT))
    assert done.code == 2
    assert "cannot read none.json" in done.err
