"""`llmroute lsp`: findings, explanations and fixes in an editor."""

from __future__ import annotations

from argparse import Namespace

from llmroute.cli.parser import Commands
from llmroute.errors import UsageError

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    commands.add(
        "lsp",
        _run,
        "Serve an editor with findings and fixes, over stdin and stdout",
        ["Editors start this themselves; see docs/editor.md for how to set them up."],
    )


def _run(_args: Namespace) -> int:
    try:
        from llmroute.cli.language import serve
    except ImportError as exc:
        message = "lsp needs the package pygls: pip install 'llmroute[lsp]'"
        raise UsageError(message) from exc
    serve()
    return 0
