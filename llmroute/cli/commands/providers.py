"""`llmroute providers`: which there are, which can be used, and what their models cost."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from llmroute.cli.output import dump, say, table
from llmroute.cli.parser import Commands
from llmroute.cli.workspace import open_router
from llmroute.config.diagnostics import did_you_mean
from llmroute.errors import UsageError

if TYPE_CHECKING:
    from llmroute.router import Router

__all__ = ["add", "status_line"]

_HEADERS = (
    *("target", "status", "locality", "window", "in $/M", "out $/M", "quality"),
    "capabilities",
)


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "providers",
        _run,
        "List providers, whether they can be used, and their models and prices",
        ["llmroute providers", "llmroute providers ollama openai --json"],
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these providers")
    parser.add_argument("--offline", action="store_true", help="do not ask local servers")


def _run(args: Namespace) -> int:
    with open_router(args, offline=args.offline) as router:
        records = _records(router, args.names)
    if args.json:
        dump(records)
        return 0
    for record in records:
        say(status_line(record))
    rows = [row for record in records for row in _rows(record)]
    if rows:
        say()
        table(_HEADERS, rows)
        if any(model["quality_is_prior"] for record in records for model in record["models"]):
            say("\n* a prior by size, not a figure; ? unknown")
    return 0


def _records(router: Router, names: list[str]) -> list[dict[str, Any]]:
    from llmroute.cli.records import provider_record

    known = router.catalog.providers
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or f"there are {', '.join(sorted(known))}"
            raise UsageError(f'there is no provider "{name}"; {hint}')
    chosen = [provider for name, provider in sorted(known.items()) if not names or name in names]
    return [provider_record(provider, router.catalog) for provider in chosen]


def status_line(record: dict[str, Any]) -> str:
    """Say in one line whether a provider can be used, and else what to do."""
    count = len(record["models"])
    models = f"{count} model{'s' if count != 1 else ''}"
    head = f"{record['provider']} ({record['locality']}, {models})"
    if record["usable"]:
        return f"✓ {head}"
    return f"✗ {head}: {record['reason']} → {record['help']}"


def _rows(record: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for model in record["models"]:
        price = model["price"]
        quality = model["quality"]
        yield (
            model["target"],
            "usable" if model["usable"] else model["reason"],
            model["locality"],
            f"{model['context_window']:,}" if model["context_window"] else "?",
            _usd(price["input"]) if price else "?",
            _usd(price["output"]) if price else "?",
            "?" if quality is None else f"{quality:g}{'*' * model['quality_is_prior']}",
            ", ".join(model["capabilities"]),
        )


def _usd(value: float) -> str:
    return "free" if value == 0 else f"{value:g}"
