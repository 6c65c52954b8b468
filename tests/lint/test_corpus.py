"""Files as people get them wrong give exactly the findings that they should; right ones give none.

The expectations were worked out from the documentation, not taken from what lint said.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from llmroute.config.diagnostics import Diagnostic
from llmroute.lint.check import lint
from llmroute.lint.registry import rules
from llmroute.lint.rules import RULES
from tests.lint.corpuscase import CORPUS, Case, Expected, cases

ROOT = CORPUS.parents[2]
FAULTY = {case.name: case for case in cases("faulty")}
CORRECT = {case.name: case for case in cases("correct")}
#: What no file can bring about now: keywords and roots of later schemas, a path that is not there.
UNREACHED = {"file-missing", "let-shadows-root", "schema-other"}
#: What depends on the machine (tables of prices, the day), and is no fault of the files.
OF_MACHINE = {"model-retired", "price-drift"}
ANALYSES = {rule.name for rule in rules() if rule.analyses}


def _analysed(case: Case) -> bool:
    """Whether the rules that evaluate policies run: small examples are full of idle targets."""
    return not case.expected or any(item.rule in ANALYSES for item in case.expected)


def _found(case: Case, root: Path) -> list[Diagnostic]:
    for module in case.needs:
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    wanted = {item.rule for item in case.expected}
    environment = None if case.alone else case.environment
    found = lint([case.write(root)], environment, analyses=_analysed(case))
    return [item for item in found if item.rule in wanted or item.rule not in OF_MACHINE]


def _told(file: str, root: Path) -> str:
    path = Path(file).absolute()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else file


def _meets(item: Diagnostic, wanted: Expected, root: Path) -> bool:
    here = (_told(item.file, root), item.line, item.col, item.rule)
    return here == wanted.place and wanted.words in f"{item.message}\n{item.help}"


@pytest.mark.parametrize("name", [*FAULTY])
def test_faulty_file_gives_exactly_what_is_expected(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    case = FAULTY[name]
    found = _found(case, tmp_path)
    missing = [one for one in case.expected if not any(_meets(i, one, tmp_path) for i in found)]
    extra = [i for i in found if not any(_meets(i, one, tmp_path) for one in case.expected)]
    told = "\n".join(map(str, found))
    assert not missing, f"not found: {missing}\n{told}"
    assert not extra, told
    assert len(found) == len(case.expected), told


@pytest.mark.parametrize("name", CORRECT)
def test_correct_file_gives_nothing(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    case = CORRECT[name]
    assert not case.expected
    assert [str(item) for item in _found(case, tmp_path)] == []


def test_corpus_is_large_enough_and_says_what_it_expects():
    assert len(FAULTY) >= 150
    assert len(CORRECT) >= 30
    assert [name for name, case in FAULTY.items() if not case.expected] == []


def test_every_rule_has_two_cases():
    told = [rule for case in FAULTY.values() for rule in {item.rule for item in case.expected}]
    assert [rule for rule in RULES if told.count(rule) < 2 and rule not in UNREACHED] == []


def test_case_lies_in_the_folder_of_a_rule_that_it_expects():
    wrong = [
        name
        for name, case in FAULTY.items()
        if name.split("/")[1] not in {item.rule for item in case.expected}
    ]
    assert wrong == []


def _sample():
    usual = [name for name, case in FAULTY.items() if not case.needs]
    return usual[:: len(usual) // 12]


@pytest.mark.parametrize("name", _sample())
def test_command_tells_the_same_places(name, tmp_path):
    case = FAULTY[name]
    command = [sys.executable, "-m", "llmroute.cli", "lint", "--format", "json"]
    command += [str(case.write(tmp_path)), *([] if _analysed(case) else ["--no-analyses"])]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        env={**os.environ, **case.environment},
        check=False,
    )
    assert done.returncode in (0, 1, 3), done.stderr
    assert "Traceback" not in done.stderr
    told = [
        (_told(item["file"], tmp_path), item["line"], item["col"], item["rule"])
        for item in json.loads(done.stdout)
        if item["rule"] not in OF_MACHINE
    ]
    assert sorted(told) == sorted(one.place for one in case.expected)
