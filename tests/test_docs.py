"""The documentation shows what the program does."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from llmroute import Router
from llmroute.config.shipped import data_root

ROOT = Path(__file__).resolve().parent.parent


def test_every_shown_file_and_output_is_current():
    done = subprocess.run(
        [sys.executable, "scripts/docs.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def shipped(monkeypatch):
    """The shipped workspace, its providers simulated."""
    from llmroute.sim import SimFarm

    with SimFarm() as farm:
        monkeypatch.chdir(data_root())
        for name, value in farm.environment().items():
            monkeypatch.setenv(name, value)
        yield farm


def test_the_quickstart_runs(shipped, capsys):
    runpy.run_path(str(ROOT / "docs/examples/quickstart.py"))
    out = capsys.readouterr().out
    assert "heard: Why is the sky blue?" in out
    assert "heard: Tell me a story" in out
    assert "policy balanced" in out


def test_the_async_quickstart_runs(shipped, capsys):
    runpy.run_path(str(ROOT / "docs/examples/quickstart_async.py"))
    out = capsys.readouterr().out
    assert "heard: Tell me a story" in out
    assert re.search(r"^ollama/\S+ ok None$", out, re.MULTILINE)
    assert re.search(r"heard: Why is the sky blue\? \d+ 0$", out, re.MULTILINE)


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text()):
        if "://" not in link:
            assert ((ROOT / page).parent / link).exists(), f"{page}: {link}"


def test_the_examples_are_a_workspace_without_findings():
    with Router.load(ROOT / "docs" / "examples", environment={}) as router:
        assert router.policies == ("thrifty",)
