"""`decide`: the same bytes each time, the caller's narrowing, and what is said where nobody can."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmroute.sim import SimFarm


def test_json_is_byte_identical_from_run_to_run(process: Any) -> None:
    arguments = ("decide", "--json", "--tag", "code", "--tag", "hard", "fix this bug")
    with SimFarm(["openai", "ollama"]) as farm:
        environment = {k: v for k, v in farm.environment().items() if k != "PATH"}
        runs = [process(*arguments, PYTHONHASHSEED=seed, **environment) for seed in ("1", "2")]
    assert runs[0].code == 0
    assert runs[0].out == runs[1].out
    decision = json.loads(runs[0].out)
    assert decision["winner"] == decision["ranking"][0]["target"]
    first = decision["ranking"][0]
    assert sum(item["points"] for item in first["contributions"]) == first["score"]


def test_the_explanation_is_printed(here: Any, pair: Any) -> None:
    result = here("decide", "--config", str(pair.root), "hi")
    assert (result.code, result.err) == (0, "")
    assert "→ first/m with 10 points, 10 ahead of second/m" in result.out
    assert pair.first.requests == []


def test_the_caller_narrows(here: Any, pair: Any) -> None:
    def winner(*options: str) -> str | None:
        result = here("decide", "--config", str(pair.root), "--json", *options, "hi")
        assert result.code == (0 if json.loads(result.out)["winner"] else 1)
        return str(json.loads(result.out)["winner"])

    assert winner("--target", "second") == "second/m"
    assert winner("--ignore", "first") == "second/m"
    assert winner("--only", "second/m,first/m") == "first/m"
    assert winner("--order", "second") == "second/m"
    assert winner("--locality", "cloud") == "None"
    assert winner("--require", "vision") == "None"
    assert winner("--require", "tools,json_schema", "--require", "streaming") == "first/m"
    assert winner("--require", "tools, vision") == "None"
    # About 8 tokens in at $1 and 10 out at $2 per million tokens: $0.000028.
    assert winner("--max-tokens", "10", "--max-cost", "0.00003") == "first/m"
    assert winner("--max-tokens", "10", "--max-cost", "0.00002") == "None"


def test_labels_have_their_declared_types(here: Any, pair: Any) -> None:
    (pair.root / "llmroute.yaml").write_text(
        "inputs:\n"
        "  level: {type: number}\n"
        "  urgent: {type: boolean}\n"
        "require:\n"
        "  - name: urgent ones go second\n"
        "    when: request.metadata.urgent && request.metadata.level > `2`\n"
        "    target: target.provider == 'second'\n"
    )
    options = ("decide", "--config", str(pair.root), "--json")
    labels = ("--metadata", "level=3", "--metadata", "urgent=true")
    assert json.loads(here(*options, *labels, "hi").out)["winner"] == "second/m"
    wrong = here(*options, "--metadata", "level=high", "hi")
    assert wrong.code == 2
    assert "it must be a number" in wrong.err


def test_nobody_is_eligible(here: Any) -> None:
    result = here("decide", "hi")
    assert (result.code, result.err) == (1, "")
    for said in ("no target is eligible", "set OPENAI_API_KEY", "ollama serve"):
        assert said in result.out
    assumed = here("decide", "--assume-usable", "--offline", "--json", "hi")
    assert (assumed.code, assumed.err) == (0, "")
    assert json.loads(assumed.out)["winner"]


@pytest.mark.parametrize("given", ["argument", "stdin", "dash"])
def test_the_prompt_comes_from_anywhere(process: Any, pair: Any, given: str) -> None:
    arguments = {"argument": ["hello there"], "stdin": [], "dash": ["-"]}[given]
    stdin = "" if given == "argument" else "hello there"
    result = process("decide", "--config", str(pair.root), "--json", *arguments, stdin=stdin)
    # 3 for the prompt, 4 for the message, 10 small letters × 0.063, 1 blank × 0.077 and
    # 2 beginnings of words × 0.676: 7 + 0.63 + 0.077 + 1.352 = 9.059.
    assert json.loads(result.out)["facts"]["tokens"] == 9


def test_what_costs_too_much_is_told_with_what_to_do(here: Any, pair: Any) -> None:
    result = here(
        "run", "--config", str(pair.root), "--max-tokens", "10", "--max-cost", "1e-5", "hi"
    )
    assert result.code == 1
    assert (
        "above the caller's $0.00001 → allow more, or ask with a smaller max_tokens" in result.err
    )
