"""`llmroute test`: run the tests of policies; nothing is called."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmroute.cli.output import dump, note
from llmroute.cli.parser import Commands
from llmroute.errors import UsageError

if TYPE_CHECKING:
    from llmroute.config.diagnostics import Diagnostic
    from llmroute.config.workspace import Workspace
    from llmroute.lab.testing.testing import Case, Coverage, Outcome

__all__ = ["add"]

_FINE, _FAILED, _BROKEN = 0, 1, 3


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "test",
        _run,
        "Run the tests of policies; no model is called",
        [
            "llmroute test                              # every policy of the workspace",
            "llmroute test private -k code              # one policy, tests with code in the name",
            "llmroute test policies/private.test.yaml   # one file",
            "llmroute test --coverage --threshold 100 --junit report.xml",
            "",
            "exit codes: 0 all passed, 1 a test failed or coverage is too low, 2 wrong usage,",
            "            3 a file is wrong, so that no test was run",
        ],
    )
    parser.add_argument(
        "what", metavar="PATH|POLICY", nargs="*", help="files, folders, policies (default: all)"
    )
    parser.add_argument("-k", metavar="TEXT", help="only tests whose `policy: name` contains it")
    parser.add_argument(
        "--coverage", action="store_true", help="show which rules, requirements, targets were seen"
    )
    parser.add_argument(
        "--threshold", metavar="PCT", type=float, help="fail where less than this is covered"
    )
    parser.add_argument("--junit", metavar="FILE", help="write a JUnit XML report")
    parser.add_argument("--watch", action="store_true", help="run again when a file changes")


def _run(args: Namespace) -> int:
    if args.threshold is not None and not 0 <= args.threshold <= 100:
        raise UsageError(f"--threshold is {args.threshold:g}; it must be from 0 to 100")
    if args.watch:
        from llmroute.cli.watching import watch

        paths = _paths(args)
        return watch([*paths, _root(args, paths)], lambda: _once(args))
    return _once(args)


def _once(args: Namespace) -> int:
    """Read everything, run what is meant, print it."""
    from llmroute.lab.testing.testing import run_tests

    paths = _paths(args)
    workspace, broken = _read(_root(args, paths))
    if broken:
        return _report_broken(args, broken)
    wanted = _wanted(args, workspace)
    files = [path for path in paths if path.is_file() and path.name.endswith(".test.yaml")]
    results = run_tests(workspace, files=files, chosen=wanted.takes)
    if results.broken:
        return _report_broken(args, results.broken)
    _refuse_none(args, results.outcomes)
    coverage = None
    if args.coverage or args.threshold is not None:
        policies = wanted.policies.union(outcome.case.policy for outcome in results.outcomes)
        coverage = results.coverage(sorted(policies))
    _report(args, results.outcomes, coverage)
    low = coverage is not None and coverage.percent < (args.threshold or 0)
    return _FAILED if results.failed or low else _FINE


def _paths(args: Namespace) -> list[Path]:
    return [Path(text) for text in args.what if _is_path(text)]


def _is_path(text: str) -> bool:
    """Whether a file or folder is meant; a policy's name has no ending and may follow `policy/`."""
    return text.endswith((".yaml", ".yml")) or Path(text).exists()


def _root(args: Namespace, paths: Sequence[Path]) -> Path:
    """Return the workspace: of --config, else around the paths, else around the current folder.

    Raises:
        UsageError: there is none, or more than one.

    """
    from llmroute.config.workspace import find_root

    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: there is no such file or folder")
    if args.config:
        if not Path(args.config).is_dir():
            raise UsageError(f"{args.config}: there is no such workspace folder")
        return Path(args.config)
    roots = {find_root(path if path.is_dir() else path.parent) for path in paths}
    if len(roots) > 1:
        listed = ", ".join(sorted(map(str, roots)))
        raise UsageError(f"the paths are of several workspaces ({listed}); test one at a time")
    return next(iter(roots), None) or find_root()


def _read(root: Path) -> tuple[Workspace, list[Diagnostic]]:
    """Read a workspace, with its errors."""
    from llmroute.config.workspace import read_workspace
    from llmroute.policy.check import check_expressions

    workspace, found = read_workspace(root)
    found += check_expressions(workspace)
    return workspace, [item for item in found if item.severity == "error"]


@dataclass(frozen=True)
class _Wanted:
    """Which tests the arguments mean: those of policies, and those in files and folders."""

    policies: frozenset[str]
    places: frozenset[Path]
    text: str

    def takes(self, case: Case) -> bool:
        """Whether a test is meant."""
        path = case.document.path.resolve()
        there = any(path.is_relative_to(place) for place in self.places)
        return (there or case.policy in self.policies) and self.text in case.title.casefold()


def _wanted(args: Namespace, workspace: Workspace) -> _Wanted:
    """Return what the arguments mean; without any, every policy that the workspace holds.

    Raises:
        UsageError: a name or file is no policy of the workspace.

    """
    from llmroute.router import Router

    policies: set[str] = set()
    places: set[Path] = set()
    router = Router(workspace)
    for text in args.what or [str(workspace.root)]:
        path = Path(text).resolve()
        if not _is_path(text):
            policies.add(router.policy(text).name)
        elif path.is_dir():
            policies.update(_within(path, workspace))
            places.add(path)
        elif path.name.endswith(".test.yaml"):
            places.add(path)
        else:
            policies.add(_policy_at(path, workspace))
    return _Wanted(frozenset(policies), frozenset(places), (args.k or "").casefold())


def _within(folder: Path, workspace: Workspace) -> Iterator[str]:
    documents = workspace.policies.items()
    return (name for name, d in documents if d.path.resolve().is_relative_to(folder))


def _policy_at(path: Path, workspace: Workspace) -> str:
    for name, document in workspace.policies.items():
        if document.path.resolve() == path:
            return name
    known = f"a policy of {workspace.root} or a file of tests (*.test.yaml)"
    raise UsageError(f"{path}: this is not {known}; --config DIR names another workspace")


def _refuse_none(args: Namespace, outcomes: Sequence[Outcome]) -> None:
    if outcomes:
        return
    if args.k:
        raise UsageError(f"no test has {args.k!r} in its `policy: name`; -k looks for that text")
    raise UsageError(
        "there is no test; write some under `tests:` of a policy, or in policies/NAME.test.yaml"
    )


def _report_broken(args: Namespace, broken: Sequence[Diagnostic]) -> int:
    from llmroute.cli.records import finding_record
    from llmroute.cli.testing import show_broken

    _write_junit(args, (), broken)
    if args.json:
        findings = [finding_record(item) for item in broken]
        dump({"findings": findings, "tests": [], "summary": None, "coverage": None})
    else:
        show_broken(broken)
    return _BROKEN


def _report(args: Namespace, outcomes: Sequence[Outcome], coverage: Coverage | None) -> None:
    from llmroute.cli.testing import outcome_record, percent, show_coverage, show_outcomes

    _write_junit(args, outcomes, ())
    passed = sum(outcome.passed for outcome in outcomes)
    if args.json:
        counts = {"tests": len(outcomes), "passed": passed, "failed": len(outcomes) - passed}
        covered = coverage.to_dict() if coverage else None
        records = [outcome_record(outcome) for outcome in outcomes]
        dump({"findings": [], "tests": records, "summary": counts, "coverage": covered})
    else:
        show_outcomes(outcomes)
        if coverage is not None:
            show_coverage(coverage)
    if coverage is not None and coverage.percent < (args.threshold or 0):
        covered_now = percent(coverage.percent)
        note(f"llmroute: {covered_now} % is covered, less than --threshold {args.threshold:g}")


def _write_junit(
    args: Namespace, outcomes: Sequence[Outcome], broken: Sequence[Diagnostic]
) -> None:
    if args.junit is None:
        return
    from llmroute.lab.testing.testing import junit

    try:
        Path(args.junit).write_text(junit(outcomes, broken), encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"--junit: cannot write {args.junit}: {exc.strerror}") from exc
