"""`llmroute check`: is the workspace ready: files, secrets, servers, and with `--call` answers."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmroute.cli.output import dump, say
from llmroute.cli.parser import Commands

if TYPE_CHECKING:
    from llmroute.cli.probe import Probe
    from llmroute.config.diagnostics import Diagnostic
    from llmroute.router import Router

__all__ = ["add", "probe_line"]


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "check",
        _run,
        "Check whether the workspace is ready: files, secrets, servers",
        [
            "llmroute check",
            "llmroute check --strict  # fail where a key is unset or a server is down",
            "llmroute check --call    # one tiny real completion per usable provider",
        ],
    )
    parser.add_argument(
        "--strict", action="store_true", help="unset secrets and unusable providers are failures"
    )
    parser.add_argument(
        "--call",
        action="store_true",
        help="call each usable provider once, for real",
    )
    parser.add_argument("--offline", action="store_true", help="do not ask local servers")


def _run(args: Namespace) -> int:
    from llmroute.config.workspace import find_root
    from llmroute.lint import lint_workspace

    root = Path(args.config) if args.config else find_root()
    workspace, found = lint_workspace(root)
    if any(item.severity == "error" for item in found):
        _report(args, found, [], [])
        return 1
    from llmroute.cli.records import provider_record
    from llmroute.router import Router

    with Router(workspace) as router:
        if not args.offline:
            router.refresh()
        providers = [
            provider_record(provider, router.catalog)
            for _, provider in sorted(router.catalog.providers.items())
        ]
        probes = _probes(router) if args.call else []
    _report(args, found, providers, probes)
    return 1 if _failed(args, found, providers, probes) else 0


def _probes(router: Router) -> list[Probe]:
    from llmroute.cli.probe import probe

    catalog = router.catalog
    usable = [p for name, p in sorted(catalog.providers.items()) if name not in catalog.problems]
    return list(probe(router, usable))


def _failed(
    args: Namespace,
    found: Sequence[Diagnostic],
    providers: Sequence[dict[str, Any]],
    probes: Sequence[Probe],
) -> bool:
    strict = args.strict and (bool(found) or not all(record["usable"] for record in providers))
    wrong = any(item.severity == "error" for item in found)
    return strict or wrong or any(item.error for item in probes)


def _report(
    args: Namespace,
    found: Sequence[Diagnostic],
    providers: Sequence[dict[str, Any]],
    probes: Sequence[Probe],
) -> None:
    from llmroute.lint import render, to_records

    if args.json:
        records = [item.record for item in probes]
        dump({"findings": to_records(found), "providers": list(providers), "calls": records})
        return
    render(found, sys.stdout)
    if providers:
        from llmroute.cli.commands.providers import status_line

        say()
        for record in providers:
            say(status_line(record))
    for item in probes:
        say(probe_line(item))


def probe_line(item: Probe) -> str:
    """Say what came of one call."""
    from llmroute.catalog.cost import format_usd

    if item.error is not None:
        return f"✗ {item.target or item.provider} was called: {item.error}"
    cost = format_usd(item.cost)
    return f"✓ {item.target} was called: {item.text!r} · {item.seconds:.2f} s · {cost}"
