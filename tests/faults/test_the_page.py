"""docs/reliability.md shows what the tests of this folder saw, and its examples are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmroute import Router
from scripts.faults import PAGE, formed
from tests.faults.table import LINES

_TABLE = re.compile(r"<!-- faults -->\n(.*?)<!-- end of faults -->", re.DOTALL)
_EXAMPLE = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
PROVIDER = """\
provider: mine
locality: cloud
endpoint:
  transport: http
  protocol: openai-chat
  base_url: https://api.example.com/v1
{endpoint}{rest}models: [{{model: m{model}}}]
"""
POLICY = "policy: balanced\nrules: [{name: cheap, weight: 1, prefer: price}]\n"


def _rows() -> list[list[str]]:
    found = _TABLE.search(PAGE.read_text(encoding="utf-8"))
    assert found
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in found[1].splitlines()[2:]]


def test_every_row_of_the_matrix_is_there() -> None:
    assert {int(row) for row, *_ in _rows()} == {*range(1, 80), 81, 82}


def test_what_was_seen_in_this_run_is_what_the_page_shows(request: pytest.FixtureRequest) -> None:
    lines = request.config.stash.get(LINES, [])
    shown = {
        (row, fault, expected, observed)
        for row, faults, expected, observed in _rows()
        for fault in faults.split("; ")
    }
    for line in lines:
        told = formed([line])[0]
        faults = (told["fault"], *(f"{told['fault']} ({w})" for w in ("streamed", "whole answer")))
        rest = (told["expected"], told["observed"])
        found = any((str(told["row"]), fault, *rest) in shown for fault in faults)
        assert found, f"run python scripts/faults.py: {told}"


def _examples() -> list[str]:
    return _EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))


def test_there_are_examples() -> None:
    text = "".join(_examples())
    for key in (
        "attempts", "max_price_ratio", "on_limit", "on_refusal", "retry_budget", "check_schema",
        "continuation", "hedge", "spread", "timeouts", "limits", "strict_model", "prefill",
    ):  # fmt: skip
        assert f"{key}:" in text


@pytest.mark.parametrize("example", _examples(), ids=lambda text: text.split(":")[0])
def test_examples_follow_the_schemas(tmp_path: Path, example: str) -> None:
    """Each is a part of a provider file (`endpoint`, `limits`, `models`) or of a policy."""
    (tmp_path / "providers.d").mkdir()
    (tmp_path / "policies").mkdir()
    values = {"endpoint": "", "rest": "", "model": ""}
    policy = POLICY
    if example.startswith("endpoint:\n"):
        values["endpoint"] = example.removeprefix("endpoint:\n")
    elif example.startswith("limits:"):
        values["rest"] = example
    elif example.startswith("models:"):
        inside = re.search(r"model: m, (.*)\}", example)
        assert inside
        values["model"] = f", {inside[1]}"
    else:
        policy += example
    (tmp_path / "providers.d" / "mine.yaml").write_text(PROVIDER.format(**values))
    (tmp_path / "policies" / "balanced.yaml").write_text(policy)
    with Router.load(tmp_path, environment={}) as router:
        assert router.policies == ("balanced",)
