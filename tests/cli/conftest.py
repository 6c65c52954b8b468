"""A workspace of two providers on simulators, and the program as a process or in this one."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from llmroute.cli import main
from llmroute.sim import Sim

ROOT = Path(__file__).resolve().parents[2]
#: A port where nobody listens: the local servers of the machine must not answer in a test.
NOBODY = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Result:
    """What a run of the program gave."""

    code: int
    out: str
    err: str


Program = Callable[..., Result]


def bare_environment(home: Path, **more: str) -> dict[str, str]:
    """An environment without keys, in which no local server is up."""
    bare = {"HOME": str(home), "PATH": os.defpath, "PYTHONPATH": str(ROOT)}
    return {**bare, "OLLAMA_HOST": NOBODY, "LM_STUDIO_URL": NOBODY, **more}


@pytest.fixture
def process(tmp_path: Path) -> Program:
    """Run the program as a process of its own, with a bare environment."""

    def run(*arguments: str, stdin: str = "", cwd: Path = tmp_path, **more: str) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "llmroute.cli", *arguments],
            input=stdin,
            cwd=cwd,
            env=bare_environment(tmp_path, **more),
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Program:
    """Run the program in this process, in an empty folder and a bare environment."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in bare_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, stdin: str = "") -> Result:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = main(arguments)
        told = capsys.readouterr()
        return Result(code, told.out, told.err)

    return run


PROVIDER = """\
provider: {name}
locality: local
endpoint:
  transport: http
  protocol: openai-chat
  base_url: {url}/v1
  auth: none
  timeouts: {{connect: 1s, first_token: 300ms, idle: 1s, total: 5s}}
models:
  - model: m
    capabilities: {{streaming: true, tools: true, json_schema: true}}
    cost: {{input: 1, output: 2}}
"""
POLICY = """\
policy: balanced
rules:
  - name: first things first
    weight: 10
    prefer: target.provider == 'first'
"""


def write_workspace(root: Path, providers: Mapping[str, str], policy: str = POLICY) -> Path:
    """Write provider files (name → address) and one policy."""
    (root / "providers.d").mkdir(parents=True)
    (root / "policies").mkdir()
    for name, url in providers.items():
        text = PROVIDER.format(name=name, url=url)
        (root / "providers.d" / f"{name}.yaml").write_text(text)
    (root / "policies" / "balanced.yaml").write_text(policy)
    return root


@dataclass(frozen=True)
class Pair:
    """Two providers that serve the model `m`; the policy prefers the first."""

    root: Path
    first: Sim
    second: Sim


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with Sim("openai", models=["m"]) as first, Sim("openai", models=["m"]) as second:
        root = write_workspace(tmp_path / "ws", {"first": first.url, "second": second.url})
        yield Pair(root, first, second)
