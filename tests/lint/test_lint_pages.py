"""Every rule is documented by examples that hold: the wrong one gives the finding."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from llmroute.lint import RULES, lint
from llmroute.lint.examples import write_example
from llmroute.lint.guide import page, parse

ROOT = Path(__file__).resolve().parents[2]
#: Rules that no small workspace can show: a missing folder, and what newer schemas may bring.
_NOT_SHOWN = {"file-missing", "let-shadows-root", "schema-other"}


def _found(example: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    root.mkdir()
    write_example(example, root)
    monkeypatch.chdir(root)
    return {item.rule: item.severity for item in lint([root], {})}


@pytest.mark.filterwarnings("ignore:deprecated string literal")
@pytest.mark.parametrize("rule", RULES)
def test_the_examples_hold(rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    item = page(rule)
    assert item.what.endswith(".")
    assert item.why
    if rule in _NOT_SHOWN:
        assert not item.wrong
        return
    if rule == "price-drift" and not any(map(find_spec, ("litellm", "genai_prices"))):
        pytest.skip("no table of prices is installed")
    wrong = _found(item.wrong, tmp_path / "wrong", monkeypatch)
    assert wrong.get(rule) == item.severity, wrong
    right = _found(item.right, tmp_path / "right", monkeypatch)
    assert rule not in right
    assert "error" not in right.values(), right


def test_the_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/lint_pages.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_reading_a_docstring() -> None:
    text = """What it finds.

    More on it.

    Wrong:
        ```yaml
        a: 1
          b: 2
        ```

    Right:

        a: 2

    Why: Because
    of this.
    """
    item = parse("x", "note", text)
    assert (item.what, item.more) == ("What it finds.", "More on it.")
    assert (item.wrong, item.right) == ("a: 1\n  b: 2\n", "a: 2\n")
    assert item.why == "Because\nof this."
