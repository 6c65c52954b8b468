"""`llmroute run`: answer a prompt; the answer goes to stdout, what happened to stderr."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentTypeError, Namespace
from contextlib import AbstractContextManager, nullcontext
from threading import Event
from typing import TYPE_CHECKING, Any, Literal

from llmroute.cli.asking import add_request_options, decide_as_run, make_request
from llmroute.cli.output import dump, is_terminal, note, say
from llmroute.cli.parser import Commands
from llmroute.cli.records import answer_record, tool_call_record
from llmroute.cli.workspace import open_router, tell_alarms

if TYPE_CHECKING:
    from llmroute.cli.reporting import Reporter
    from llmroute.dispatch.portal import SyncStream
    from llmroute.router import Router
    from llmroute.types import Request, Response

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "run",
        _run,
        "Answer a prompt from the best target that can, streaming to stdout",
        [
            'llmroute run "What is the capital of Austria?"',
            'git diff | llmroute run --system "Write a commit message" --tag code',
            "llmroute run --target ollama/qwen3:8b hi",
            'llmroute run "Describe this" --image photo.png --json | jq .cost',
        ],
    )
    add_request_options(parser)
    group = parser.add_argument_group("the call")
    group.add_argument(
        "--timeout", metavar="TIME", type=_duration, help="for all attempts together: 30, 500ms, 2m"
    )
    group.add_argument("--explain", action="store_true", help="first explain the choice, on stderr")
    told = group.add_mutually_exclusive_group()
    told.add_argument("--quiet", action="store_true", help="neither summary nor waits on stderr")
    told.add_argument(
        "--verbose", action="store_true", help="every wait on stderr, terminal or not"
    )


def _duration(text: str) -> float:
    from llmroute.config.durations import seconds

    try:
        return seconds(float(text) if text.replace(".", "", 1).isdigit() else text)
    except ValueError as exc:
        form = "seconds above 0, or 500ms, 5s, 10m, 1h"
        raise ArgumentTypeError(f"{text!r} is no duration; write {form}") from exc


def _run(args: Namespace) -> int:
    router = open_router(args)
    try:
        with router:
            response = _answer(args, router)
    finally:
        tell_alarms(router)
    if args.json:
        dump(answer_record(response))
    if not args.quiet:
        from llmroute.cli.reporting import summary

        note(summary(response))
    return 0


def _answer(args: Namespace, router: Router) -> Response:
    from llmroute.cli.reporting import Reporter  # it loads what calls others

    args.no_stream = args.no_stream or args.json
    request, decision = decide_as_run(args, router, make_request(args, router))
    if args.explain:
        from llmroute.policy.explaining.explain import explain

        note(f"{explain(decision)}\n")
    reporter = Reporter(decision, args.timeout, _waits(args))
    if request.stream:
        return _streamed(args, router, request, reporter)
    response = router.complete(request, **_call(args, reporter))
    if not args.json:
        _print_whole(response)
    return response


def _waits(args: Namespace) -> Literal["all", "long", "none"]:
    """Say which waits are told: without a word for it those that a person would notice."""
    if args.verbose:
        return "all"
    return "long" if is_terminal(sys.stderr) and not args.quiet else "none"


def _call(args: Namespace, reporter: Reporter) -> dict[str, Any]:
    told = {"on_attempt": reporter.told, "on_wait": reporter.waits}
    return {"policy": args.policy, "timeout": args.timeout, **told}


def _told(args: Namespace, chunks: SyncStream) -> AbstractContextManager[Event]:
    """Tell of targets that take long to begin, until the event is set."""
    from llmroute.cli.reporting import patience

    return nullcontext(Event()) if _waits(args) == "none" else patience(lambda: chunks.asking)


def _streamed(args: Namespace, router: Router, request: Request, reporter: Reporter) -> Response:
    """Print the text as it arrives, and tool calls once they are whole."""
    last = ""
    try:
        with (
            router.stream(request, **_call(args, reporter)) as chunks,
            _told(args, chunks) as heard,
        ):
            for chunk in chunks:
                heard.set()
                reporter.committed = True
                if piece := chunk.text or chunk.refusal:
                    say(piece, end="")
                    last = piece
    finally:
        if last and not last.endswith("\n"):
            say()
    response = chunks.response
    assert response is not None  # noqa: S101 - a stream that ends well has its response
    _print_tool_calls(response)
    return response


def _print_whole(response: Response) -> None:
    text = response.text or response.refusal
    if text:
        say(text, end="" if text.endswith("\n") else "\n")
    _print_tool_calls(response)


def _print_tool_calls(response: Response) -> None:
    for call in response.tool_calls:
        say(json.dumps(tool_call_record(call), ensure_ascii=False))
