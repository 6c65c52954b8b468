"""Severities, fail levels and exit codes of `lint` and `test`, as the documentation has them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from llmroute.config.diagnostics import Severity
from tests.cli.conftest import Result, write_workspace

DOCS = Path(__file__).parents[2] / "docs"
ADDRESS = "http://127.0.0.1:9"
RULES = "policy: balanced\nrules:\n  - {name: a, weight: 1, prefer: target.provider == 'second'"
CLEAN = RULES + "}\n"
#: A file whose worst finding has the severity.
WORST = {
    "error": CLEAN.replace("weight", "wieght"),
    "warning": RULES + ", when: facts.tokens == '1'}\n",
    "note": CLEAN,
    "none": CLEAN,
}
UNDATED = "cost: {input: 1, output: 2}"
DATED = UNDATED.replace("}", f', source: list, date: "{datetime.now(UTC).date()}"}}')
TEST = "tests:\n  - {name: t, request: {}, expect: {provider: %s}}\n"


def _levels() -> list[str]:
    """Read the fail levels from the table of options."""
    row = next(line for line in _lines("cli.md") if line.startswith("| `--fail-level"))
    return re.findall(r"`(\w+)`", row.split("|")[2])


def _lines(page: str) -> list[str]:
    return (DOCS / page).read_text().splitlines()


def _codes(part: str) -> dict[int, str]:
    """Read the first table of exit codes behind a heading."""
    lines = _lines("cli.md")
    rest = lines[lines.index(part) :]
    table = rest[rest.index("| exit code | meaning |") + 2 :]
    rows = (row.split("|") for row in table[: table.index("")])
    return {int(row[1]): row[2].strip() for row in rows}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = write_workspace(tmp_path / "ws", {"first": ADDRESS, "second": ADDRESS}, CLEAN)
    for path in (made / "providers.d").iterdir():
        text = path.read_text().replace("locality: local", "locality: cloud")
        path.write_text(text.replace(UNDATED, DATED))
    return made


def _lint(here: Any, root: Path, *more: str) -> Result:
    """Lint without analyses: both targets of the workspace are alike."""
    result: Result = here("lint", str(root), "--no-analyses", *more)
    return result


def _severity(root: Path, worst: str) -> None:
    """Make the workspace such that this is the worst finding."""
    (root / "policies" / "balanced.yaml").write_text(WORST[worst])
    if worst == "note":  # a price of which nobody knows the day
        path = root / "providers.d" / "first.yaml"
        path.write_text(path.read_text().replace(DATED, UNDATED))


@pytest.mark.parametrize("worst", WORST)
def test_each_level_fails_from_its_severity_on(here: Any, root: Path, worst: str) -> None:
    levels, severities = _levels(), get_args(Severity)
    assert levels == [*severities, "never"]
    _severity(root, worst)
    found = json.loads(_lint(here, root, "--json").out)
    seen = {item["severity"] for item in found}
    assert min((severities.index(one) for one in seen), default=3) == [*WORST].index(worst)
    for level in levels:
        failing = severities[: severities.index(level) + 1] if level != "never" else ()
        code = _lint(here, root, "--fail-level", level).code
        assert code == (1 if seen & set(failing) else 0)
    default = _lint(here, root).code
    assert default == _lint(here, root, "--fail-level", "warning").code


def test_the_codes_of_lint(here: Any, root: Path) -> None:
    codes = _codes("## Lint")
    assert list(codes) == [0, 1, 2, 3]
    assert _lint(here, root).code == 0
    assert _lint(here, root, "--fix", "--diff").code == 0
    policy = root / "policies" / "balanced.yaml"
    policy.write_text(WORST["error"])
    assert "with `--fix --diff`: there is something to fix" in codes[1]
    assert _lint(here, root).code == 1
    assert _lint(here, root, "--fix", "--diff").code == 1
    assert "`--fix --diff`: nothing to fix" in codes[0]
    policy.write_text(WORST["warning"])
    assert _lint(here, root, "--fix", "--diff").code == 0
    assert here("lint", "absent.yaml").code == here("lint", "--fail-level", "all").code == 2
    assert "could not be read" in codes[3]
    (root / "policies" / "gone.yaml").symlink_to("nowhere")
    for more in ([], ["--fail-level", "never"], ["--fix", "--diff"], ["--json"]):
        assert _lint(here, root, *more).code == 3


def test_the_codes_of_test(here: Any, root: Path) -> None:
    described = " ".join(_lines("testing.md"))
    (told,) = re.findall(r"Exit codes: (0 all passed.*?)\.", described)
    assert [int(code) for code in re.findall(r"(?:^|, )(\d) ", told)] == [0, 1, 2, 3]
    policy = root / "policies" / "balanced.yaml"
    policy.write_text(CLEAN + TEST % "second")
    assert here("test", "--config", str(root)).code == 0
    assert here("test", "--config", str(root), "--threshold", "100").code == 0
    policy.write_text(CLEAN + TEST % "first")
    assert here("test", "--config", str(root)).code == 1
    assert here("test", "--config", str(root), "-k", "absent").code == 2
    assert here("test", "--config", str(root), "absent").code == 2
    policy.write_text(WORST["error"] + TEST % "second")
    assert here("test", "--config", str(root)).code == 3
    policy.write_text(CLEAN + TEST % "frist")
    assert here("test", "--config", str(root)).code == 3


def test_the_general_table_names_every_code() -> None:
    assert list(_codes("# The command line")) == [0, 1, 2, 3, 4]
