"""`llmroute sim`: simulated providers on loopback sockets, for dry runs without keys or cost."""

from __future__ import annotations

import shlex
import threading
from argparse import Namespace
from collections.abc import Mapping

from llmroute.cli.output import dump, note, say
from llmroute.cli.parser import Commands
from llmroute.cli.signals import Terminated

__all__ = ["add"]

_KINDS = ("openai", "anthropic", "ollama", "lm_studio", "claude")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "sim",
        _run,
        "Run simulated providers until interrupted",
        [
            "llmroute sim > sim.env &             # then: . ./sim.env && llmroute run hi",
            "llmroute sim ollama --first-token 2  # one slow local server",
        ],
    )
    parser.add_argument(
        "kinds", metavar="KIND", nargs="*", help=f"which to run (default: all): {', '.join(_KINDS)}"
    )
    parser.add_argument(
        "--first-token", metavar="SECONDS", type=float, default=0.0, help="wait before each answer"
    )
    parser.add_argument(
        "--tokens-per-second", metavar="N", type=float, help="speed of answers (default: at once)"
    )


def _run(args: Namespace) -> int:
    from llmroute.sim import Pace, SimFarm

    for kind in args.kinds:
        if kind not in _KINDS:
            args.parser.error(f"no simulator of kind {kind!r}; choose from {', '.join(_KINDS)}")
    pace = Pace(args.first_token, args.tokens_per_second)
    with SimFarm(args.kinds or _KINDS, pace=pace) as farm:
        try:
            _announce(farm.environment("$PATH"), as_json=args.json)
            threading.Event().wait()
        except Terminated:
            raise
        except KeyboardInterrupt:
            return 0
    return 0


def _announce(environment: Mapping[str, str], *, as_json: bool) -> None:
    """Print what points a workspace at the simulators, in the form that a shell reads."""
    if as_json:
        dump(dict(environment))
    else:
        for name, value in environment.items():
            say(f"export {name}={_quoted(name, value)}")
    note("simulated providers are up; stop them with Ctrl-C")


def _quoted(name: str, value: str) -> str:
    return f'"{value}"' if name == "PATH" else shlex.quote(value)
