"""The mutants of `bench/mutate_configs.py`: what the operators do, and a small run of it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import yaml

from bench.mutate_configs import Shop, Verdict
from bench.mutation_requests import COUNT, requests
from bench.mutation_sites import File
from bench.mutations import OPERATORS, Mutant, draw, shipped_files
from llmroute.config.diagnostics import Diagnostic
from llmroute.lab.testing.testing import Results

ROOT = Path(__file__).resolve().parents[2]
TEXT = """\
policy: p # a name
let:
  hard: >-
    contains(request.tags, 'hard')
    || facts.tools
require:
  - name: here
    # only at home
    target: target.locality == 'local'
rules:
  - {name: cheap, weight: 30, prefer: price}
  - name: smart
    weight: 2.5
    prefer: quality
select: {tie_break: [cost, target]}
"""
FILE = File("policies/p.yaml", "policy", TEXT)


def _all(name: str, tries: int = 12) -> set[str]:
    """Return every text that an operator makes of the file, with some variants of each place."""
    operator, made = OPERATORS[name], set()
    for site in operator.sites(FILE):
        for seed in range(tries):
            text = TEXT
            for start, end, new in sorted(operator.edits(FILE, site, Random(seed)), reverse=True):
                text = text[:start] + new + text[end:]
            made.add(text)
    return made


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("drop_key", "policy: p # a name\nlet:", "let:"),
        ("drop_key", "- name: here\n    # only at home\n    target", "- target"),
        ("drop_key", "{name: cheap, weight: 30, prefer: price}", "{name: cheap, weight: 30}"),
        ("drop_key", "\nselect: {tie_break: [cost, target]}", ""),
        ("drop_key", "{tie_break: [cost, target]}", "{}"),
        ("drop_item", "[cost, target]", "[target]"),
        ("drop_item", "- {name: cheap, weight: 30, prefer: price}\n  - name", "- name"),
        ("drop_item", "\n  - name: smart\n    weight: 2.5\n    prefer: quality", ""),
        ("rename_key", "weight: 30", "when: 30"),
        ("rename_key", "select:", "fallback:"),
        ("swap_keys", "weight: 30, prefer: price", "prefer: 30, weight: price"),
        ("misspell_key", "tie_break", "tie-break"),
        ("misspell_value", "[cost,", "[csot,"),
        ("misspell_value", "prefer: price", "prefer: Price"),
        ("retype_value", "weight: 30", 'weight: "30"'),
        ("retype_value", "[cost, target]", '"cost"'),
        ("change_number_type", "weight: 30", "weight: 30.0"),
        ("change_number_type", "weight: 2.5", "weight: 2"),
        ("change_number_type", "weight: 2.5", "weight: '2.5'"),
        ("swap_operator", "== 'local'", "!= 'local'"),
        ("swap_operator", "|| facts", "&& facts"),
    ],
)
def test_an_operator_makes_one_fault_and_keeps_the_rest(name: str, old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    assert TEXT.replace(old, new) in _all(name, 60)


@pytest.mark.parametrize("name", OPERATORS)
def test_mutants_are_yaml(name: str) -> None:
    made = _all(name)
    assert made
    assert all(isinstance(yaml.safe_load(text), dict) for text in made)


def test_mutants_differ_and_come_from_the_seed() -> None:
    files = shipped_files(ROOT)
    mutants = draw(files, 200, 7)
    assert mutants == draw(files, 200, 7)
    assert mutants != draw(files, 200, 8)
    assert len({(mutant.file, mutant.text) for mutant in mutants}) == 200
    assert {mutant.operator for mutant in mutants} == set(OPERATORS)
    assert {mutant.kind for mutant in mutants} == {"provider", "policy", "workspace"}


def test_the_requests_are_fixed() -> None:
    assert len(requests()) == COUNT == 500
    assert requests() == requests()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("mutants") / "shop")


def test_a_small_run(shop: Shop) -> None:
    verdicts = [shop.judge(mutant) for mutant in draw(shipped_files(ROOT), 40, 3)]
    assert [verdict.traceback for verdict in verdicts if verdict.traceback] == []
    assert sum(not verdict.loads for verdict in verdicts) > 15
    changed = [verdict for verdict in verdicts if verdict.changed]
    assert {verdict.loads for verdict in changed} == {True, False}
    assert sum(verdict.caught for verdict in changed) >= 0.95 * len(changed)


def _judged(shop: Shop, file: str, old: str, new: str) -> Verdict:
    text = (ROOT / file).read_text("utf-8")
    assert text.count(old) >= 1
    return shop.judge(Mutant("by_hand", file, "policy", "", text.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("policies/private.yaml", "Local models only", "Only local models", False),
        ("policies/private.yaml", "attempts: 3", "attempts: 4", False),
        ("policies/private.yaml", "on_limit: wait", "on_limit: queue", True),
        ("policies/private.yaml", "== 'local'", "!= 'local'", True),
    ],
)
def test_what_changes_meaning(shop: Shop, file: str, old: str, new: str, changed: bool) -> None:
    verdict = _judged(shop, file, old, new)
    assert (verdict.traceback, verdict.changed) == (None, changed)
    assert verdict.caught == changed


def test_what_nobody_is_told_of_is_not_caught(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A note alone does not count, nor does a finding that the shipped files have, too."""
    note = Diagnostic("price-output", "note", "policies/private.yaml", 1, 1, "a note")
    known = next(iter(shop._known))
    severity, rule, file, message = known
    monkeypatch.setattr(
        "bench.mutate_configs.judged",
        lambda *_, **__: [note, Diagnostic(rule, severity, file, 9, 9, message)],  # type: ignore[arg-type]
    )
    monkeypatch.setattr("bench.mutate_configs.run_tests", lambda _: Results(None, ()))  # type: ignore[arg-type]
    verdict = _judged(shop, "policies/private.yaml", "== 'local'", "!= 'local'")
    assert (verdict.traceback, verdict.changed, verdict.caught) == (None, True, False)
