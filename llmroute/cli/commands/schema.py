"""`llmroute schema NAME`: print a JSON Schema, for an editor or a checker of one's own."""

from __future__ import annotations

from argparse import Namespace

from llmroute.cli.output import say
from llmroute.cli.parser import Commands

__all__ = ["add"]

_NAMES = ("provider", "policy", "protocol", "test", "workspace")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "schema",
        _run,
        "Print the JSON Schema of a kind of file",
        ["llmroute schema policy > policy.schema.json"],
    )
    parser.add_argument("name", metavar="NAME", choices=_NAMES, help=", ".join(_NAMES))


def _run(args: Namespace) -> int:
    from llmroute.config.schema import schema_text

    say(schema_text(args.name), end="")
    return 0
