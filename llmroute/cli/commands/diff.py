"""`llmroute diff`: which decisions a change to policies or providers changes."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from llmroute.cli.output import dump, note, say
from llmroute.cli.parser import Commands
from llmroute.errors import UsageError

if TYPE_CHECKING:
    from llmroute.cli.diffing_states import BrokenError
    from llmroute.lab.diffing.diff import Diff, Logged

__all__ = ["add"]

_SAME, _CHANGED, _BROKEN = 0, 1, 3
_FORMS = ("text", "json", "markdown")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "diff",
        _run,
        "Show which requests a change sends elsewhere, and what that costs",
        [
            "llmroute diff HEAD                         # a git revision and the work tree",
            "llmroute diff main my-branch --policy private",
            "llmroute diff balanced cheapest            # two policies of the workspace",
            "llmroute diff HEAD:policies/mine.yaml policies/mine.yaml",
            "llmroute diff main HEAD --log requests.jsonl --format markdown",
            "",
            "exit codes: 0 no decision changes, 1 some do, 2 wrong usage, 3 a side is broken",
        ],
    )
    what = "a policy, a provider or workspace: name, file, folder, git REV or REV:PATH"
    parser.add_argument("old", metavar="OLD", help=what)
    parser.add_argument(
        "new", metavar="NEW", nargs="?", help="what to compare it with (default: the work tree)"
    )
    parser.add_argument("--policy", metavar="NAME", help="only this policy of the workspaces")
    parser.add_argument("--log", metavar="FILE", help="count by a log: one request a line, as JSON")
    parser.add_argument(
        "--ranking", action="store_true", help="show changes of the first fallback, too"
    )
    parser.add_argument(
        "--limit", metavar="N", type=int, help="requests to look at for each policy (up to 5000)"
    )
    parser.add_argument(
        "--top", metavar="N", type=int, default=10, help="moves to show for each policy (10)"
    )
    parser.add_argument("--format", choices=_FORMS, help="the form; --json is --format json")


def _run(args: Namespace) -> int:
    _check(args)
    from llmroute.cli.diffing_states import BrokenError, load

    try:
        with TemporaryDirectory(prefix="llmroute-diff-") as folder:
            old, new = load(args.old, args.new, args.config, Path(folder))
    except BrokenError as exc:
        return _report_broken(args, exc)
    from llmroute.cli.diffing import compare_states

    reader = None if args.log is None else lambda now: _log(args.log, now)
    diff = compare_states(old, new, policy=args.policy, limit=args.limit, read_log=reader)
    _report(args, diff)
    return _CHANGED if diff.changes else _SAME


def _check(args: Namespace) -> None:
    if args.json and args.format not in (None, "json"):
        raise UsageError(f"--json and --format {args.format} exclude each other; give one of them")
    for option in ("limit", "top"):
        value = getattr(args, option)
        if value is not None and value < 1:
            raise UsageError(f"--{option} is {value}; it must be at least 1")
    args.format = "json" if args.json else args.format or "text"
    args.json = args.format == "json"


def _log(name: str, now: datetime) -> tuple[list[Logged], list[str]]:
    """Read a log.

    Raises:
        UsageError: it cannot be read, or holds no request.

    """
    from llmroute.lab.diffing.log import read_log

    try:
        with Path(name).open("rb") as lines:
            found, wrong = read_log(lines, name, now)
    except OSError as exc:
        raise UsageError(f"--log: cannot read {name}: {exc.strerror}") from exc
    if not found:
        told = f"; {wrong[0]}" if wrong else ""
        raise UsageError(f"--log: there is no request in {name}{told}")
    return found, wrong


def _report_broken(args: Namespace, error: BrokenError) -> int:
    from llmroute.cli.records import finding_record

    number = len(error.diagnostics)
    told = f"{error.side}: {number} error{'s' * (number != 1)}; nothing was compared"
    if args.json:
        findings = [finding_record(item) for item in error.diagnostics]
        dump({"broken": error.side, "findings": findings})
    else:
        say(f"{error}\n{told}")
    return _BROKEN


def _report(args: Namespace, diff: Diff) -> None:
    from llmroute.cli.diffing_output import as_markdown, say_text
    from llmroute.policy.explaining.wording import clean

    for text in diff.skipped:
        note(f"llmroute: {clean(text)}; the line is left out")
    if args.format == "json":
        dump(diff.to_dict())
    elif args.format == "markdown":
        say(as_markdown(diff, ranking=args.ranking, groups=args.top))
    else:
        say_text(diff, ranking=args.ranking, groups=args.top)
