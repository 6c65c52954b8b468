"""`init`, `lint`, `schema`: making workspaces and checking their files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from llmroute.sim import Sim


def test_init_makes_a_workspace_that_lints_clean(process: Any, tmp_path: Path) -> None:
    made = process("init", "new")
    assert made.code == 0
    root = tmp_path / "new"
    linted = process("lint", cwd=root)
    assert linted.code == 0
    assert "error" not in linted.out
    files = sorted(root.rglob("*.yaml"))
    assert {path.stem for path in files} >= {"llmroute", "openai", "balanced", "private"}
    for path in files:
        header = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())
        assert header is not None, path
        assert json.loads((path.parent / header[1]).read_text())["$schema"]


def test_init_overwrites_nothing(here: Any, tmp_path: Path) -> None:
    assert here("init").code == 0
    mine = tmp_path / "providers.d" / "ollama.yaml"
    mine.write_text(mine.read_text() + "# mine\n")
    (tmp_path / "policies" / "fastest.yaml").unlink()
    again = here("init")
    assert again.code == 0
    assert "kept providers.d/ollama.yaml, which was there" in again.out
    assert "made policies/fastest.yaml" in again.out
    assert mine.read_text().endswith("# mine\n")


def test_init_with_named_providers(here: Any, tmp_path: Path) -> None:
    assert here("init", "--provider", "ollama", "--provider", "anthropic").code == 0
    names = sorted(path.name for path in (tmp_path / "providers.d").iterdir())
    assert names == ["anthropic.yaml", "ollama.yaml"]
    assert (tmp_path / "policies" / "balanced.yaml").is_file()


def test_init_adds_a_provider_to_the_workspace_around(
    here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert here("init", "--provider", "ollama").code == 0
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    with Sim("openai", models=["big/model:1"], key="k") as server:
        url = f"{server.url}/v1"
        arguments = ("--base-url", url, "--model", "big/model:1", "--key", "MY_KEY")
        result = here("init", "--provider", "my-groq=openai-compatible", *arguments)
        assert result.code == 0
        assert list((tmp_path / "deep").iterdir()) == []
        monkeypatch.setenv("MY_KEY", "k")
        answer = here("run", "--target", "my-groq/big/model:1", "hi")
    assert (answer.code, answer.out) == (0, "big/model:1 heard: hi\n")
    assert server.inferences[0].headers["authorization"] == "Bearer k"


def test_a_generic_provider_may_discover_its_models(here: Any, tmp_path: Path) -> None:
    with Sim("openai", models=["one", "two"]) as server:
        arguments = ("--provider", "box=openai-compatible", "--base-url", f"{server.url}/v1")
        assert here("init", *arguments).code == 0
        listed = json.loads(here("providers", "--json", "box").out)
    assert [model["target"] for model in listed[0]["models"]] == ["box/one", "box/two"]
    assert listed[0]["locality"] == "local"
    assert listed[0]["models"][0]["price"] == {"input": 0, "output": 0}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--provider", "olama"], 'did you mean "ollama"?'),
        (["--provider", "x=openai-compatible"], "add --base-url"),
        (["--provider", "X Y=ollama"], "is no name for a provider"),
        (["--base-url", "https://x.example/v1"], "belong to one NAME=openai-compatible"),
        (
            ["--provider", "x=openai-compatible", "--base-url", "http://x.example/v1"],
            "write https://",
        ),
        (["--provider", "x=openai-compatible", "--base-url", "nonsense"], "write https://HOST"),
    ],
)
def test_init_refuses_what_cannot_be_meant(
    here: Any, tmp_path: Path, arguments: list[str], said: str
) -> None:
    result = here("init", *arguments)
    assert result.code == 2
    assert said in result.err
    assert list(tmp_path.iterdir()) == []


def test_a_new_provider_may_still_lack_its_price(here: Any, tmp_path: Path) -> None:
    url = ("--base-url", "https://api.groq.com/openai/v1")
    result = here("init", "--provider", "groq=openai-compatible", *url, "--model", "m")
    assert (result.code, "[price-missing]" in result.err) == (0, True)
    (tmp_path / "policies" / "broken.yaml").write_text("policy: broken\nruls: []\n")
    assert here("init", "--provider", "ollama").code == 1


def test_init_where_a_file_is_in_the_way(here: Any, tmp_path: Path) -> None:
    (tmp_path / "schemas").write_text("")
    result = here("init")
    assert result.code == 2
    assert "Traceback" not in result.err


@pytest.mark.parametrize("name", ["provider", "policy", "workspace"])
def test_schema_prints_the_schema(here: Any, name: str) -> None:
    result = here("schema", name)
    assert json.loads(result.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert result.out == (Path(__file__).parents[2] / "schemas" / f"{name}.schema.json").read_text()


def test_lint_json_is_flat(here: Any, tmp_path: Path) -> None:
    assert here("init", "--provider", "openai").code == 0
    found = json.loads(here("lint", "--json", "--no-analyses").out)
    assert [item["rule"] for item in found] == ["secret-unset"]
    assert found[0]["severity"] == "note"
    assert found[0]["file"] == "providers.d/openai.yaml"
    assert all(not isinstance(value, dict | list) for value in found[0].values())


def test_lint_rules_lists_them(here: Any) -> None:
    assert "schema-unknown-key" in here("lint", "--rules").out
    assert json.loads(here("lint", "--rules", "--json").out)["yaml-tab"]


def test_lint_of_a_path_that_is_not_there(here: Any) -> None:
    result = here("lint", "absent.yaml")
    assert (result.code, result.out) == (2, "")
    assert "absent.yaml: there is no such file or folder" in result.err


def test_init_leaves_the_tests_of_shipped_policies_where_their_providers_are(
    here: Any, tmp_path: Path
) -> None:
    assert here("init", "--provider", "ollama").code == 0
    assert list((tmp_path / "policies").glob("*.yaml"))
    assert not list((tmp_path / "policies").glob("*.test.yaml"))
