"""`llmroute decide`: where a request would go, and why; nothing is called."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from llmroute.cli.asking import add_request_options, decide_as_run, make_request
from llmroute.cli.output import dump, is_terminal, say, show
from llmroute.cli.parser import Commands
from llmroute.cli.workspace import open_router, tell_alarms
from llmroute.errors import UsageError

if TYPE_CHECKING:
    from llmroute.policy.engine.decision import Decision

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "decide",
        _run,
        "Rank the targets for a request and explain; no model is called",
        [
            'llmroute decide "fix this bug" --tag code',
            'llmroute decide "our salaries" --metadata privacy=private --policy cheap',
            "llmroute decide --input-tokens 300000 --max-cost 0.50 --json < report.txt",
            'llmroute decide "fix this bug" --format markdown >> pull-request.md',
            "llmroute decide --situation case.json",
        ],
    )
    add_request_options(parser)
    group = parser.add_argument_group("what is known")
    group.add_argument("--offline", action="store_true", help="do not ask local servers")
    group.add_argument(
        "--assume-usable", action="store_true", help="ignore missing keys and servers down"
    )
    group.add_argument(
        "--situation",
        metavar="FILE",
        help="decide a situation that `prove --save-situation` wrote, all targets usable; - for "
        "stdin",
    )
    parser.add_argument_group("what is printed").add_argument(
        "--format",
        choices=("text", "json", "markdown"),
        help="the form of the explanation; --json prints the bare decision",
    )


def _run(args: Namespace) -> int:
    if args.json and args.format not in (None, "json"):
        raise UsageError(f"--json and --format {args.format} exclude each other; give one of them")
    if args.situation is not None:
        from llmroute.cli.situations import decide_situation

        decision = decide_situation(args)
        _show(decision, args.format or ("bare" if args.json else "text"))
        return 0 if decision.winner else 1
    router = open_router(args, offline=args.offline, fixed=True)
    with router:
        asked = make_request(args, router)
        _, decision = decide_as_run(args, router, asked, assume_usable=args.assume_usable)
    tell_alarms(router)
    _show(decision, args.format or ("bare" if args.json else "text"))
    return 0 if decision.winner else 1


def _show(decision: Decision, form: str) -> None:
    if form == "bare":
        dump(decision.to_dict())
    elif form == "json":
        from llmroute.policy.explaining.explanation import explanation

        dump({**decision.to_dict(), "explanation": explanation(decision)})
    elif form == "markdown":
        from llmroute.policy.explaining.markdown import markdown

        say(markdown(decision))
    else:
        from llmroute.policy.explaining.explain import explain

        _print(explain(decision))


def _print(text: str) -> None:
    if is_terminal(sys.stdout):
        from llmroute.cli.styling import styled_explanation

        show(styled_explanation(text), sys.stdout)
    else:
        say(text)
