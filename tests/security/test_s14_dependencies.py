"""S14: few core dependencies, `litellm!=1.82.7,!=1.82.8`, floor 1.84; importing llmroute touches no
network and no litellm.
"""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import llmroute

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
#: No event of the audit hook `socket.*` may come, and no such module may be loaded.
GUARD = """
import sys
touched = []
sys.addaudithook(lambda event, args: touched.append(event) if event.startswith("socket.") else None)
{code}
print(sorted({{"litellm", "openai", "anthropic"}} & set(sys.modules)), touched)
"""


def _ran(code: str) -> str:
    command = [sys.executable, "-W", "ignore", "-c", GUARD.format(code=code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _modules() -> list[str]:
    found = pkgutil.walk_packages(llmroute.__path__, "llmroute.")
    return [module.name for module in found if not module.name.endswith("__main__")]


def test_importing_everything_touches_no_network_and_no_litellm() -> None:
    names = [name for name in _modules() if not re.search(r"\.lsp|watching", name)]
    assert len(names) > 200
    lines = "\n".join(f"import {name}" for name in names)
    assert _ran(lines) == "[] []\n"


def test_loading_and_deciding_touch_no_network() -> None:
    code = (
        "import llmroute; from llmroute.config.shipped import data_root\n"
        "router = llmroute.Router.load(data_root(), environment={'OPENAI_API_KEY': 'x'})\n"
        "assert router.decide('hi').winner is not None"
    )
    assert _ran(code) == "[] []\n"


def _fits(version: str) -> bool:
    """Whether the extra's requirement takes a release; only `>=` and `!=` occur in it."""
    (needs,) = PROJECT["optional-dependencies"]["litellm"]
    clauses = re.findall(r"(>=|!=)([\d.]+)", needs)
    assert needs == "litellm" + ",".join(operator + bound for operator, bound in clauses)
    parts = tuple(map(int, version.split(".")))
    return all(
        parts >= tuple(map(int, bound.split("."))) if operator == ">=" else version != bound
        for operator, bound in clauses
    )


@pytest.mark.parametrize("version", ["1.82.7", "1.82.8", "1.82.9", "1.83.14", "1.0.0"])
def test_releases_of_litellm_that_are_refused(version: str) -> None:
    assert not _fits(version)


@pytest.mark.parametrize("version", ["1.84.0", "1.110.2"])
def test_releases_of_litellm_that_are_taken(version: str) -> None:
    assert _fits(version)


def test_the_malicious_releases_stay_named() -> None:
    """Should the floor ever be lowered, they are still left out."""
    (needs,) = PROJECT["optional-dependencies"]["litellm"]
    assert "!=1.82.7" in needs
    assert "!=1.82.8" in needs


def test_the_core_has_few_dependencies() -> None:
    names = {re.split(r"[<>=!~\[; ]", needs)[0] for needs in PROJECT["dependencies"]}
    assert len(names) <= 8
    assert not names & {"litellm", "openai", "anthropic", "requests", "aiohttp", "pydantic"}
