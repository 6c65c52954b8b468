"""Put faults into the shipped files; lint or the shipped tests must catch those that matter.

    python bench/mutate_configs.py [--mutants N] [--seed S] [--show-missed] [--jobs N]

Each mutant is one shipped file (provider, policy or llmroute.yaml) with one fault by one of the
operators in mutations.py. It changes meaning if the workspace no longer loads, or if for one of the
500 requests of mutation_requests.py a ranking, a reason of rejection or an estimate differs, or
what an answer costs. It is caught if `llmroute lint` reports an error or a warning that the shipped
files do not have, or if a shipped test fails. What cannot be told counts as changed and missed. The
last line is one JSON object; the status is 1 if less than 95 % are caught or there was a traceback.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.mutation_effects import Effects
from bench.mutations import Mutant, draw, shipped_files
from llmroute.config.workspace import read_workspace
from llmroute.lab.testing.testing import run_tests
from llmroute.lint.check import judged

__all__ = ["Shop", "Verdict", "main"]

_ROOT = Path(__file__).resolve().parent.parent
_PARTS = ("providers.d", "policies", "llmroute.yaml")
_WANTED = 0.95


class Verdict(NamedTuple):
    """What became of one mutant; `loads` is false where lint reports an error."""

    mutant: Mutant
    loads: bool
    changed: bool
    lint: tuple[str, ...] = ()
    tests: bool = False
    traceback: str | None = None

    @property
    def caught(self) -> bool:
        """Whether lint or a test told of it."""
        return bool(self.lint) or self.tests


class Shop:
    """A copy of the shipped files in which one mutant after the other is judged."""

    def __init__(self, folder: Path) -> None:
        self._root = folder
        folder.mkdir(exist_ok=True)
        for part in _PARTS:
            source, place = _ROOT / part, folder / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, place)
        workspace, found = read_workspace(folder, {})
        self._known = {_words(item) for item in judged(workspace, found, analyses=True)}
        self._shipped = Effects(workspace)
        failed = [outcome.case.title for outcome in run_tests(workspace).failed]
        serious = [word for word in self._known if word[0] != "note"]
        if failed or serious:
            raise SystemExit(f"the shipped files are at fault: {failed} {serious}")

    def judge(self, mutant: Mutant) -> Verdict:
        """Judge one mutant; the files are as before afterwards."""
        path = self._root / mutant.file
        before = path.read_text("utf-8")
        path.write_text(mutant.text, "utf-8")
        try:
            return self._judged(mutant)
        except Exception:  # noqa: BLE001 - that there is none is to be shown
            return Verdict(mutant, True, True, traceback=traceback.format_exc())
        finally:
            path.write_text(before, "utf-8")

    def _judged(self, mutant: Mutant) -> Verdict:
        workspace, found = read_workspace(self._root, {})
        news = [i for i in judged(workspace, found, analyses=True) if _words(i) not in self._known]
        rules = tuple(sorted({item.rule for item in news if item.severity != "note"}))
        if any(item.severity == "error" for item in news):
            return Verdict(mutant, False, True, rules)
        ran = run_tests(workspace)
        fails = bool(ran.failed or ran.broken)
        return Verdict(mutant, True, Effects(workspace).differs(self._shipped), rules, fails)


def _words(item: Any) -> tuple[str, str, str, str]:
    return item.severity, item.rule, item.file, item.message


def _judge_all(mutants: Sequence[Mutant]) -> list[Verdict]:
    with TemporaryDirectory() as folder:
        shop = Shop(Path(folder))
        return [shop.judge(mutant) for mutant in mutants]


def _in_parallel(mutants: Sequence[Mutant], jobs: int) -> list[Verdict]:
    if jobs <= 1:
        return _judge_all(mutants)
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        parts = pool.map(_judge_all, [mutants[start::jobs] for start in range(jobs)])
    return [verdict for part in parts for verdict in part]


def _table(title: str, groups: Iterable[tuple[str, list[Verdict]]]) -> None:
    columns = ("mutants", "changed", "load", "lint", "tests", "missed", "caught")
    print(f"\n{title:22}" + "".join(f"{name:>9}" for name in columns))
    for name, verdicts in groups:
        told = _summary(verdicts)
        share = "-" if told["caught"] is None else f"{100 * told['caught']:.1f} %"
        shown = "".join(f"{told[column]:>9}" for column in columns[:-1])
        print(f"{name:22}{shown}{share:>9}")


def _summary(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Count; `load` are those of the changed ones that load, `tests` those that lint let pass."""
    changed = [verdict for verdict in verdicts if verdict.changed]
    missed = sum(not verdict.caught for verdict in changed)
    return {
        "mutants": len(verdicts),
        "changed": len(changed),
        "load": sum(verdict.loads for verdict in changed),
        "lint": sum(bool(verdict.lint) for verdict in changed),
        "tests": sum(verdict.tests and not verdict.lint for verdict in changed),
        "missed": missed,
        "caught": round(1 - missed / len(changed), 4) if changed else None,
    }


def _by(verdicts: Sequence[Verdict], key: str) -> list[tuple[str, list[Verdict]]]:
    names = sorted({getattr(verdict.mutant, key) for verdict in verdicts})
    return [(n, [v for v in verdicts if getattr(v.mutant, key) == n]) for n in names]


def _report(verdicts: Sequence[Verdict], *, show_missed: bool) -> None:
    _table("OPERATOR", _by(verdicts, "operator"))
    _table("KIND OF FILE", _by(verdicts, "kind"))
    rules = Counter(rule for v in verdicts if v.loads and v.changed for rule in v.lint)
    print(
        "\nwarnings about mutants that load:", ", ".join(f"{r} {n}" for r, n in rules.most_common())
    )
    for verdict in verdicts:
        if verdict.traceback:
            print(f"\nTRACEBACK {verdict.mutant}\n{verdict.traceback}")
        elif show_missed and verdict.changed and not verdict.caught:
            print(f"missed {verdict.mutant}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show-missed", action="store_true")
    return parser.parse_args()


def main() -> int:
    options, started = _options(), time.perf_counter()
    mutants = draw(shipped_files(_ROOT), options.mutants, options.seed)
    verdicts = _in_parallel(mutants, options.jobs)
    _report(verdicts, show_missed=options.show_missed)
    summary, valid = _summary(verdicts), _summary([v for v in verdicts if v.loads])
    crashes = sum(verdict.traceback is not None for verdict in verdicts)
    told = {
        "seed": options.seed,
        **summary,
        "caught_of_those_that_load": valid["caught"],
        "tracebacks": crashes,
        "seconds": round(time.perf_counter() - started, 1),
    }
    print(json.dumps(told))
    return int(crashes > 0 or (summary["caught"] or 0) < _WANTED)


if __name__ == "__main__":
    sys.exit(main())
