from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Program

STAYS = "request.metadata.privacy == 'private' && target.locality != 'local'"


def prove(here: Program, *arguments: str):
    return here("prove", *arguments, "--config", str(ROOT))


def test_the_shipped_policy_private_keeps_private_prompts_local(here: Program):
    done = prove(here, "private", "--never", STAYS)
    assert done.code == 0
    assert "proved" in done.out
    assert "VACUOUS" not in done.out


def test_so_does_every_shipped_policy(here: Program):
    done = prove(here, "--workspace", "--never", STAYS, "--json")
    assert done.code == 0
    proofs = json.loads(done.out)
    assert len(proofs) == 6
    assert {(p["outcome"], p["vacuous"]) for p in proofs} == {("proved", None)}


def test_the_shipped_policy_private_never_leaves_at_all(here: Program):
    assert prove(here, "private", "--always", "target.locality == 'local'").code == 0
    assert prove(here, "balanced", "--always", "target.locality == 'local'").code == 1


def test_a_counterexample_is_a_command_that_shows_it(here: Program):
    claim = "contains(request.tags, 'hard') && facts.tokens > `90000` && target.locality == 'cloud'"
    done = prove(here, "balanced", "--never", claim, "--json")
    assert done.code == 1
    example = json.loads(done.out)[0]["example"]
    words = shlex.split(example["command"])
    decided = here(*words[1:], "--json", "--config", str(ROOT))
    assert decided.code == 0
    ranking = [item["target"] for item in json.loads(decided.out)["ranking"]]
    assert example["target"] in ranking


def test_a_winner_is_shown_by_a_command(here: Program):
    done = prove(here, "cheapest", "--reachable", "openai/gpt-6-luna", "--json")
    assert done.code == 0
    words = shlex.split(json.loads(done.out)[0]["example"]["command"])
    decided = here(*words[1:], "--json", "--config", str(ROOT))
    assert json.loads(decided.out)["winner"] == "openai/gpt-6-luna"


def test_what_no_requirement_lets_through_is_not_reachable(here: Program):
    done = prove(here, "private", "--reachable", "openai/gpt-6-luna")
    assert done.code == 1
    assert "let the target through for no request" in done.out


def test_a_claim_about_nothing_is_vacuous(here: Program):
    done = prove(here, "private", "--never", "request.metadata.privacy == 'secret' && facts.tools")
    assert done.code == 0
    assert "VACUOUSLY" in done.out
    assert "no request meets the claim's premise" in done.out


@pytest.mark.parametrize(
    ("label", "options", "code"),
    [("secret", (), 0), ("secret", ("--strict",), 1), ("private", ("--strict",), 0)],
)
def test_strict_takes_no_proof_that_says_nothing(
    here: Program, label: str, options: tuple[str, ...], code: int
):
    claim = f"request.metadata.privacy == '{label}' && target.locality != 'local'"
    assert here("prove", "private", "--never", claim, *options).code == code


def test_what_is_not_decided_says_why(here: Program):
    done = prove(here, "private", "--never", "length(keys(request.metadata)) > `1`")
    assert done.code == 4
    assert "NOT DECIDED" in done.out
    assert "request.metadata is read as a whole" in done.out


def test_models_that_a_server_may_list_are_counted_in(here: Program):
    done = prove(here, "balanced", "--never", "target.provider == 'ollama' && "
                 "target.locality == 'cloud'")  # fmt: skip
    assert done.code == 1
    assert 'where ollama lists the model {"model": "any-model", "locality": "cloud"' in done.out


def test_policies_are_compared(here: Program, tmp_path: Path):
    renamed = (ROOT / "policies" / "cheapest.yaml").read_text()
    renamed = renamed.replace("policy: cheapest", "policy: mine").replace(
        "name: cheap", "name: low"
    )
    (tmp_path / "mine.yaml").write_text(renamed)
    same = prove(here, "cheapest", "--equivalent", str(tmp_path / "mine.yaml"))
    assert same.code == 0, same.out + same.err
    other = prove(here, "cheapest", "--equivalent", "balanced", "--json")
    assert other.code == 1
    words = shlex.split(json.loads(other.out)[0]["example"]["command"])
    won = [
        json.loads(here(*words[1:], "--policy", name, "--json", "--config", str(ROOT)).out)[
            "winner"
        ]
        for name in ("cheapest", "balanced")
    ]
    assert won[0] != won[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["private"], "required"),
        (["--never", "facts.tools"], "name a policy"),
        (["private", "--workspace", "--never", "facts.tools"], "not both"),
        (["private", "--never", "facts.tols"], 'did you mean "tools"'),
        (["private", "--never", "facts.tools &&"], "ends too early"),
        (["private", "--never", "request.metadata.privcy == 'x'"], 'did you mean "privacy"'),
        (["privat", "--never", "facts.tools"], 'did you mean "private"'),
        (["private", "--reachable", "openai"], "is a provider"),
        (["private", "--reachable", "openai/gpt-6-lina"], "did you mean"),
        (["private", "--never", "facts.tools", "--limit", "0"], "--limit is 0"),
        (["private", "--never", "facts.tools", "--always", "facts.tools"], "not allowed with"),
    ],
)
def test_wrong_usage_is_told(here: Program, arguments: list[str], told: str):
    done = prove(here, *arguments)
    assert done.code == 2
    assert told in done.err


def test_what_no_request_makes_the_winner_is_told_in_seconds(here: Program):
    done = prove(here, "cheapest", "--reachable", "anthropic/claude-opus-5")
    assert done.code == 1
    assert "another target is ahead of it for every request, whatever is measured" in done.out


BEYOND = (
    ("private", "--never", "now.weekday == `7` && target.provider == 'ollama'"),
    ("balanced", "--never", "now.hour == `3` && contains(request.tags, 'x')"),
    ("balanced", "--always", "live.success > `0.5` || request.stream"),
    ("cheapest", "--reachable", "openai_litellm/gpt-6-luna"),
    ("balanced", "--never", "target.id == 'ollama/any-model' && target.locality == 'cloud'"),
    ("balanced", "--never", "request.metadata.privacy != 'private' && facts.turns > `2`"),
    ("balanced", "--reachable", "ollama/llama3.1:8b"),
)


@pytest.mark.parametrize("claim", BEYOND, ids=" ".join)
def test_every_counterexample_is_reproduced_from_its_file(
    here: Program, tmp_path: Path, claim: tuple[str, ...]
):
    done = prove(here, *claim, "--json", "--save-situation", "case.json")
    proof = json.loads(done.out)[0]
    assert done.code == (0 if proof["outcome"] == "proved" else 1)
    saved = (tmp_path / "case.json").read_text()
    assert json.loads(saved) == proof["example"]["situation"]
    ways = [
        here("decide", "--situation", "case.json", "--json", "--config", str(ROOT)),
        here("decide", "--situation", "-", "--json", "--config", str(ROOT), stdin=saved),
        here("decide", "--situation", "-", "--json", "--config", str(ROOT), stdin=done.out),
    ]
    assert {(way.code, way.err) for way in ways} == {(0, "")}
    assert len({way.out for way in ways}) == 1
    decided = json.loads(ways[0].out)
    ranking = [item["target"] for item in decided["ranking"]]
    assert proof["example"]["target"] in ranking
    if claim[1] == "--reachable":
        assert decided["winner"] == proof["example"]["target"]


def test_the_text_says_how_to_reproduce(here: Program):
    claim = ("balanced", "--never", "now.hour == `3` && contains(request.tags, 'x')")
    assert "--save-situation FILE keeps it for: llmroute decide" in prove(here, *claim).out
    done = prove(here, *claim, "--save-situation", "my case.json")
    assert "  llmroute decide --situation 'my case.json'" in done.out.splitlines()
    assert here("decide", "--situation", "my case.json", "--config", str(ROOT)).code == 0


def test_nothing_is_saved_without_an_example(here: Program, tmp_path: Path):
    done = prove(here, "private", "--never", STAYS, "--save-situation", "case.json")
    assert done.code == 0
    assert "there is no example to save" in done.err
    assert not (tmp_path / "case.json").exists()
    done = prove(here, "balanced", "--never", "target.id", "--save-situation", "no/such/case.json")
    assert done.code == 2
    assert "cannot write" in done.err


def test_broken_files_are_no_counterexample(here: Program, tmp_path: Path):
    (tmp_path / "providers.d").mkdir()
    (tmp_path / "providers.d" / "x.yaml").write_text("provider: x\nlocality: nowhere\n")
    done = here("prove", "--workspace", "--never", "facts.code", "--config", str(tmp_path))
    assert done.code == 3
    assert "nothing was proved" in done.err
    data = here(
        "prove", "--workspace", "--never", "facts.code", "--config", str(tmp_path), "--json"
    )
    assert json.loads(data.out)["findings"]
