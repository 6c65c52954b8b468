"""`providers`, `check`, the validation script and `demo`: what is up, and whether it answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llmroute.cli.demo.show import Outcome, judge
from llmroute.cli.demo.table import STEPS, Case, Kill
from llmroute.sim import Fault, SimFarm

ROOT = Path(__file__).parents[2]


def test_providers_tells_what_to_do(here: Any) -> None:
    result = here("providers")
    assert result.code == 0
    assert "✗ ollama (local, 0 models): nothing answers at" in result.out
    assert "→ run: ollama serve" in result.out
    assert "set OPENAI_API_KEY" in result.out


def test_providers_lists_models_and_prices(here: Any, pair: Any) -> None:
    result = here("providers", "--config", str(pair.root), "first")
    head, _, titles, row, _, legend = result.out.splitlines()
    assert head == "✓ first (local, 1 model)"
    assert titles.split()[:2] == ["TARGET", "STATUS"]
    assert row.split() == [
        "first/m", "usable", "local", "?", "1", "2", "0.35*", "tools,", "streaming,", "json_schema"
    ]  # fmt: skip
    assert legend == "* a prior by size, not a figure; ? unknown"
    unknown = here("providers", "--config", str(pair.root), "frist")
    assert unknown.code == 2
    assert 'did you mean "first"?' in unknown.err


def test_check_is_strict_only_if_asked(here: Any) -> None:
    assert here("check").code == 0
    strict = here("check", "--strict")
    assert strict.code == 1
    assert "✗ openai" in strict.out


def test_check_calls(here: Any, pair: Any) -> None:
    result = here("check", "--call", "--config", str(pair.root))
    assert result.code == 0
    assert "✓ first/m was called: 'm heard: Say OK.'" in result.out
    assert pair.first.inferences[0].body["max_tokens"] == 16
    pair.second.script(Fault.status(500), times=None)
    failed = here("check", "--call", "--config", str(pair.root), "--json")
    assert failed.code == 1
    calls = json.loads(failed.out)["calls"]
    assert [call["error"] is None for call in calls] == [True, False]
    assert len(pair.second.inferences) == 2


def test_check_of_broken_files(here: Any, pair: Any) -> None:
    path = pair.root / "providers.d" / "first.yaml"
    path.write_text(path.read_text().replace("locality: local", "locality: lokal"))
    result = here("check", "--config", str(pair.root))
    assert result.code == 1
    assert 'did you mean "local"?' in result.out


def _validate(folder: Path, tmp_path: Path, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "scripts/validate_all_providers.py", str(folder)],
        cwd=ROOT,
        env={"HOME": str(tmp_path), "PATH": "", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def test_the_script_reports_what_cannot_be_reached(tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9"
    code, out = _validate(ROOT, tmp_path, OLLAMA_HOST=nobody, LM_STUDIO_URL=nobody)
    assert code == 0
    assert "✓ providers.d/ollama.yaml" in out
    assert "- ollama was not reached: nothing answers at" in out
    assert out.endswith("reached 0 of 7 providers: none\n")


def test_the_script_calls_what_can_be_reached(pair: Any, tmp_path: Path) -> None:
    assert _validate(pair.root, tmp_path)[0] == 0
    pair.first.script(Fault.html())
    code, out = _validate(pair.root, tmp_path)
    assert code == 1
    assert "✗ first/m was called: " in out
    assert "reached 2 of 2 providers: first, second" in out


def test_the_script_fails_on_a_wrong_file(pair: Any, tmp_path: Path) -> None:
    (pair.root / "providers.d" / "bad.yaml").write_text("provider: bad\n")
    code, out = _validate(pair.root, tmp_path)
    assert code == 1
    assert "✗ providers.d/bad.yaml" in out


def test_the_demo_goes_as_its_table_says(process: Any) -> None:
    result = process("demo")
    cases = [step for step in STEPS if isinstance(step, Case)]
    assert len(cases) >= 10
    assert any(isinstance(step, Kill) for step in STEPS)
    assert (result.code, result.err) == (0, "")
    assert f"{len(cases)} of {len(cases)} requests went where the table says." in result.out
    assert "openai/gpt-6.1-terra failed: unavailable: " in result.out


def test_the_demo_as_json(process: Any) -> None:
    records = {item["name"]: item for item in json.loads(process("demo", "--json").out)}
    assert records["private"]["target"].startswith("ollama/")
    assert records["private again"]["target"].startswith("lm_studio/")
    assert '"private stays local" rules out' in records["private again"]["why"]


@pytest.mark.parametrize(
    ("target", "finish", "said"),
    [
        ("a/x", "stop", []),
        ("b/x", "stop", ["the target"]),
        ("a/x", "length", ["the finish reason"]),
    ],
)
def test_a_mismatch_is_seen(target: str, finish: Any, said: list[str]) -> None:
    from llmroute.types import Attempt, Response, Usage

    attempts = (Attempt(target, "ok", 0.0, 0.1),)
    response = Response("hi", finish, Usage(), "x", target, attempts=attempts)
    case = Case("name", "what", "balanced", "hi", "a/x")
    found = list(judge(Outcome(case, response, None, attempts)))
    assert [text.partition(":")[0] for text in found] == said


def test_sim_variables_point_a_workspace_at_the_farm(process: Any) -> None:
    with SimFarm(["anthropic"]) as farm:
        environment = {k: v for k, v in farm.environment().items() if k != "PATH"}
        result = process("run", "hi", **environment)
    assert result.err.startswith("anthropic/")
