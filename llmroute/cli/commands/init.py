"""`llmroute init`: make a workspace, or add a provider to one; nothing is overwritten."""

from __future__ import annotations

from argparse import Namespace
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from llmroute.cli.output import dump, say
from llmroute.cli.parser import Commands

if TYPE_CHECKING:
    from llmroute.cli.scaffold import Scaffold, Wanted

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "init",
        _run,
        "Make a workspace of YAML files, or add a provider to the one here",
        [
            "llmroute init                                      # the shipped files, here",
            "llmroute init my-router --provider ollama",
            "llmroute init --provider groq=openai-compatible \\",
            "    --base-url https://api.groq.com/openai/v1 --model llama-4-scout",
        ],
    )
    parser.add_argument("folder", metavar="DIR", nargs="?", help="the workspace (default: here)")
    parser.add_argument(
        "--provider",
        metavar="NAME[=TEMPLATE]",
        action="append",
        default=[],
        help="only this provider: a shipped one, or NAME=openai-compatible; may be repeated",
    )
    group = parser.add_argument_group("for openai-compatible")
    group.add_argument("--base-url", metavar="URL", help="the server's address, with its /v1")
    group.add_argument(
        "--model",
        metavar="NAME",
        action="append",
        default=[],
        help="a model there (default: the server is asked)",
    )
    group.add_argument(
        "--key", metavar="VARIABLE", help="environment variable with its key (default: by its name)"
    )


def _run(args: Namespace) -> int:
    from llmroute.cli.scaffold import Scaffold

    chosen = _chosen(args)
    root = _root(args)
    existing = (root / "providers.d").is_dir()
    scaffold = Scaffold(root)
    scaffold.check(chosen)
    scaffold.schemas()
    for one in chosen:
        scaffold.provider(one)
    if not (existing and args.provider):
        scaffold.workspace()
    _report(args, scaffold)
    return _lint(root)


def _chosen(args: Namespace) -> list[Wanted]:
    from llmroute.cli.scaffold import GENERIC, shipped_names, wanted

    generic = [text for text in args.provider if text.endswith(f"={GENERIC}")]
    if len(generic) > 1 or ((args.base_url or args.model or args.key) and not generic):
        args.parser.error(f"--base-url, --model and --key belong to one NAME={GENERIC}")
    return [
        wanted(text, base_url=args.base_url, models=tuple(args.model), key=args.key)
        for text in args.provider or shipped_names()
    ]


def _root(args: Namespace) -> Path:
    """Return the folder to write to: with `--provider` alone, the workspace that we stand in."""
    from llmroute.config.workspace import find_root

    if args.folder or args.config:
        return Path(args.folder or args.config)
    here, found = Path.cwd(), find_root()
    return found if args.provider and here.is_relative_to(found) else Path()


def _report(args: Namespace, scaffold: Scaffold) -> None:
    if args.json:
        names = {"made": scaffold.made, "kept": scaffold.kept}
        lists = {key: [str(path) for path in paths] for key, paths in names.items()}
        dump({"workspace": str(scaffold.root.absolute()), **lists})
        return
    for path in scaffold.made:
        say(f"made {scaffold.root / path}")
    for path in scaffold.kept:
        say(f"kept {scaffold.root / path}, which was there")


def _lint(root: Path) -> int:
    """Lint what was made; findings go to stderr, as `lint` would show them.

    Errors alone are a failure: a new file may still lack a price.
    """
    import sys

    from llmroute.lint import lint, render

    found = [item for item in lint([root], analyses=False) if item.severity != "note"]
    if found:
        with suppress(OSError):
            render(found, sys.stderr)
    return 1 if any(item.severity == "error" for item in found) else 0
