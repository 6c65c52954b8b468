"""`llmroute lint`: every finding about the files of a workspace."""

from __future__ import annotations

import gc
import sys
from argparse import Namespace
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from llmroute.cli.output import dump, note, say
from llmroute.cli.parser import Commands, Parser
from llmroute.errors import UsageError

if TYPE_CHECKING:
    from llmroute.config.diagnostics import Diagnostic

__all__ = ["add"]

_FORMATS = ("pretty", "json", "github", "sarif", "junit")
#: Each level with the severities that it makes failures.
_LEVELS = {
    "error": ("error",),
    "warning": ("error", "warning"),
    "note": ("error", "warning", "note"),
    "never": (),
}
FINE, FINDINGS, UNREADABLE = 0, 1, 3


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "lint",
        _run,
        "Check provider, policy and workspace files",
        [
            "llmroute lint                         # the workspace here",
            "llmroute lint policies/balanced.yaml  # one file, checked as part of its workspace",
            "llmroute lint --explain unknown-field # what a rule finds, wrong, right, and why",
            "llmroute lint --fix --diff            # what the safe fixes would change",
            "llmroute lint --format sarif > lint.sarif",
        ],
    )
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", type=Path, help="files and folders (default: all)"
    )
    _add_output(parser)
    _add_actions(parser)


def _add_output(parser: Parser) -> None:
    parser.add_argument(
        "--format",
        choices=_FORMATS,
        default=None,
        metavar="FORM",
        help=f"{', '.join(_FORMATS)} (default: pretty; --json is --format json)",
    )
    parser.add_argument(
        "--fail-level",
        choices=tuple(_LEVELS),
        default="warning",
        metavar="LEVEL",
        help="the least severity that makes the exit code 1: error, warning (default), note, never",
    )
    parser.add_argument(
        "--no-analyses",
        action="store_true",
        help="leave out the rules that evaluate policies on many requests",
    )


def _add_actions(parser: Parser) -> None:
    parser.add_argument("--fix", action="store_true", help="make the safe fixes, then check")
    parser.add_argument(
        "--diff", action="store_true", help="with --fix: show what would change, write nothing"
    )
    parser.add_argument("--watch", action="store_true", help="check again whenever a file changes")
    parser.add_argument("--explain", metavar="RULE", help="explain a rule, with examples")
    parser.add_argument("--rules", action="store_true", help="list the rules and what they find")


def _run(args: Namespace) -> int:
    _check_usage(args)
    if args.explain is not None:
        return _explain(args)
    if args.rules:
        return _rules(args)
    if args.watch:
        from llmroute.cli.watching import watch

        return watch(_watched(args), lambda: _once(args))
    return _once(args)


def _check_usage(args: Namespace) -> None:
    if args.diff and not args.fix:
        raise UsageError("--diff shows what --fix would change: write --fix --diff")
    if args.watch and args.fix:
        raise UsageError("--watch does not change files: leave out --fix")
    if args.json and args.format not in (None, "json"):
        raise UsageError(f"--json is --format json; leave out one of it and --format {args.format}")


def _paths(args: Namespace) -> list[Path]:
    from llmroute.config.workspace import find_root

    return args.paths or [Path(args.config) if args.config else find_root()]


def _watched(args: Namespace) -> list[Path]:
    """Return what is checked, and the workspaces around it: what is right depends on them."""
    from llmroute.lint.check import root_of

    paths = _paths(args)
    roots = (root_of(path.absolute()) for path in paths)
    return [*paths, *(root for root in roots if root)]


def _once(args: Namespace) -> int:
    """Check, after fixing if that is wanted; return the exit code."""
    paths, analyses = _paths(args), not args.no_analyses
    with _without_collection():
        return _checked(args, paths, analyses=analyses)


def _checked(args: Namespace, paths: Sequence[Path], *, analyses: bool) -> int:
    from llmroute.lint import lint

    fixable = args.fix and _fixed(paths, analyses=analyses, only_show=args.diff)
    found = lint(paths, analyses=analyses and not args.diff)
    if args.diff:
        return _code(found, ()) or (FINDINGS if fixable else FINE)
    failing = _LEVELS[args.fail_level]
    _write(found, "json" if args.json else args.format or "pretty", failing)
    return _code(found, failing)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Hold the collector of cycles: it would look at every mark of every file, again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _fixed(paths: Sequence[Path], *, analyses: bool, only_show: bool) -> bool:
    """Make the safe fixes or show them; return whether there are any that were only shown."""
    from llmroute.lint.fix import fixes, to_diff, write

    changes = fixes(paths, analyses=analyses)
    if only_show:
        say(to_diff(changes), end="")
        return bool(changes)
    write(changes)
    count = sum(change.mended for change in changes)
    if count:
        files = f"{len(changes)} file{'s' * (len(changes) != 1)}"
        note(f"llmroute: made {count} fix{'es' * (count != 1)} in {files}")
    return False


def _write(found: Sequence[Diagnostic], form: str, failing: Collection[str]) -> None:
    if form == "pretty":
        from llmroute.lint import render

        render(found, sys.stdout)
    else:
        say(_formatted(found, form, failing), end="")


def _formatted(found: Sequence[Diagnostic], form: str, failing: Collection[str]) -> str:
    """Return findings in a form for other programs; each has its module, loaded when wanted."""
    if form == "junit":
        from llmroute.lint.formats.junit import to_junit

        return to_junit(found, failing)
    if form == "sarif":
        from llmroute.lint.formats.sarif import to_sarif

        return to_sarif(found)
    if form == "github":
        from llmroute.lint.formats.github import to_github

        return to_github(found)
    from llmroute.lint.formats.records import to_json

    return to_json(found)


def _code(found: Sequence[Diagnostic], failing: Collection[str]) -> int:
    from llmroute.lint.check import UNREADABLE as NOT_READ

    if any(item.rule in NOT_READ for item in found):
        return UNREADABLE
    return FINDINGS if any(item.severity in failing for item in found) else FINE


def _explain(args: Namespace) -> int:
    from llmroute.lint.guide import page, to_text

    item = page(args.explain)
    if args.json or args.format == "json":
        dump(item._asdict())
    else:
        say(to_text(item))
    return FINE


def _rules(args: Namespace) -> int:
    from llmroute.lint import RULES

    if args.json or args.format == "json":
        dump(dict(RULES))
        return FINE
    width = max(map(len, RULES))
    for name, purpose in RULES.items():
        say(f"{name.ljust(width)}  {purpose}")
    return FINE
