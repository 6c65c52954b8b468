"""`llmroute demo`: five simulated providers, sixteen requests, two failures; no key, no network."""

from __future__ import annotations

from argparse import Namespace

from llmroute.cli.parser import Commands

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    commands.add(
        "demo",
        _run,
        "Route sixteen requests over simulated providers, two of which are killed midway",
        ["llmroute demo", "llmroute demo --json | jq '.[].target'"],
    )


def _run(args: Namespace) -> int:
    from llmroute.cli.demo.show import show

    return show(as_json=args.json)
