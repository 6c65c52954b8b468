"""The options that editors offer are those that a call takes."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest

from llmroute import Request, Route, Router
from llmroute.options import CallOptions, DecideFields, RequestFields, RouteFields


def test_every_field_of_a_request_but_its_messages_is_offered() -> None:
    assert set(get_type_hints(RequestFields)) == {f.name for f in fields(Request)} - {"messages"}
    assert set(get_type_hints(RouteFields)) == {f.name for f in fields(Route)}


@pytest.mark.parametrize("call", [Router.acomplete, Router.astream])
def test_plain_and_async_calls_take_the_same(call: object) -> None:
    told = inspect.signature(call).parameters.values()  # type: ignore[arg-type]
    own = {item.name for item in told if item.kind is item.KEYWORD_ONLY}
    assert set(get_type_hints(CallOptions)) == own | set(get_type_hints(DecideFields))


WRONG = """
from llmroute import Router

def asks(router: Router) -> None:
    router.complete("hi", tags="code", route={"only": ["openai"]}, timeout=3)
    router.complete("hi", polcy="x")
    router.stream("hi", max_tokens="5")
    router.decide("hi", tmperature=1)
"""


def test_a_type_checker_finds_what_is_misspelt(tmp_path: Path) -> None:
    (tmp_path / "asks.py").write_text(WRONG)
    (tmp_path / "mypy.ini").write_text("[mypy]\nfollow_imports = silent\n")
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "asks.py"]
    root = Path(__file__).resolve().parents[1]
    env = {**os.environ, "MYPYPATH": str(root)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    found = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert [line.split(":")[1] for line in found] == ["6", "7", "8"]
    assert 'did you mean "policy"?' in found[0]
