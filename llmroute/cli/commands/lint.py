"""`llmroute lint`: every finding about the files of a workspace."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from llmroute.cli.output import dump, say
from llmroute.cli.parser import Commands

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "lint",
        _run,
        "Check provider, policy and workspace files",
        [
            "llmroute lint                         # the workspace here",
            "llmroute lint policies/balanced.yaml  # one file, checked as part of its workspace",
            "llmroute lint --json | jq '.[].rule'",
        ],
    )
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", type=Path, help="files and folders (default: all)"
    )
    parser.add_argument("--rules", action="store_true", help="list the rules and what they find")


def _run(args: Namespace) -> int:
    from llmroute.config.workspace import find_root
    from llmroute.lint import lint, render, to_records

    if args.rules:
        return _rules(args)
    paths = args.paths or [Path(args.config) if args.config else find_root()]
    found = lint(paths)
    if args.json:
        dump(to_records(found))
    else:
        render(found, sys.stdout)
    return 1 if any(item.severity != "note" for item in found) else 0


def _rules(args: Namespace) -> int:
    from llmroute.lint import RULES

    if args.json:
        dump(dict(RULES))
        return 0
    width = max(map(len, RULES))
    for name, purpose in RULES.items():
        say(f"{name.ljust(width)}  {purpose}")
    return 0
