"""The options that describe a request, shared by `decide` and `run`, and the request made of them.

Images are sent as data URLs; a tool file holds one tool or a list, in the OpenAI shape or as the
bare function.
"""

from __future__ import annotations

import json
import select
import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmroute.catalog.model import Capabilities
from llmroute.cli.output import note
from llmroute.cli.parser import Parser
from llmroute.cli.workspace import check_names
from llmroute.config.diagnostics import did_you_mean
from llmroute.errors import UsageError
from llmroute.types import Request, Route

if TYPE_CHECKING:
    from llmroute.policy.engine.decision import Decision
    from llmroute.router import Router

__all__ = ["add_request_options", "decide_as_run", "make_request"]

#: Seconds in which something must come on stdin for it to be added to a prompt argument.
_PATIENCE = 0.25


def add_request_options(parser: Parser) -> None:
    """Add the prompt and every option that describes or narrows the request."""
    parser.add_argument(
        "prompt",
        metavar="PROMPT",
        nargs="?",
        help="the prompt; piped text follows it, or is it (-)",
    )
    _add_content(parser)
    _add_labels(parser)
    _add_route(parser)


def _add_content(parser: Parser) -> None:
    group = parser.add_argument_group("the request")
    group.add_argument("--system", metavar="TEXT", help="a system message before the prompt")
    group.add_argument("--image", metavar="FILE", action="append", default=[], help="add an image")
    group.add_argument(
        "--tool", metavar="FILE", action="append", default=[], help="offer the tools of a JSON file"
    )
    group.add_argument(
        "--json-schema", metavar="FILE", help="a JSON Schema that the answer must follow"
    )
    group.add_argument("--max-tokens", metavar="N", type=int, help="cap of the answer, in tokens")
    group.add_argument(
        "--input-tokens", metavar="N", type=int, help="size of the prompt, if you have counted it"
    )
    group.add_argument(
        "--user",
        metavar="NAME",
        help="who asks: the caller in budgets and in `spend --by caller`; providers are told",
    )
    group.add_argument("--no-stream", action="store_true", help="ask for the answer in one piece")


def _add_labels(parser: Parser) -> None:
    group = parser.add_argument_group("what policies see")
    group.add_argument("--policy", metavar="NAME", help="the policy or alias that decides")
    group.add_argument(
        "--tag", metavar="TAG", action="append", default=[], help="a tag; may be repeated"
    )
    group.add_argument(
        "--metadata", metavar="K=V", action="append", default=[], help="a label; may be repeated"
    )
    group.add_argument("--task", metavar="TASK", help="the kind of task, such as code or chat")


def _add_route(parser: Parser) -> None:
    group = parser.add_argument_group("narrow the choice (NAMES: targets or providers, A,B)")
    group.add_argument("--target", metavar="NAME", help="the only target or provider to ask")
    for name, purpose in (
        ("--only", "none but these"),
        ("--ignore", "not these"),
        ("--order", "these first, in this order"),
    ):
        group.add_argument(name, metavar="NAMES", action="append", default=[], help=purpose)
    group.add_argument(
        "--max-cost", metavar="USD", type=float, help="the most that the answer may cost"
    )
    group.add_argument("--locality", choices=("local", "cloud"), help="where the prompt may go")
    group.add_argument(
        "--require",
        metavar="CAPABILITIES",
        action="append",
        default=[],
        help=f"only targets with A,B of: {', '.join(Capabilities.names())}",
    )


def decide_as_run(
    args: Namespace, router: Router, request: Request, *, assume_usable: bool = False
) -> tuple[Request, Decision]:
    """Return the decision that `run` acts on, and the request it is about.

    An answer is streamed unless `--no-stream` is given or none of the eligible targets can.
    """
    decision = router.decide(request, policy=args.policy, assume_usable=assume_usable)
    if not request.stream or decision.winner:
        return request, decision
    whole = replace(request, stream=False)
    other = router.decide(whole, policy=args.policy, assume_usable=assume_usable)
    return (whole, other) if other.winner else (request, decision)


def make_request(args: Namespace, router: Router) -> Request:
    """Return the request that the options describe, checked against the workspace.

    Raises:
        UsageError: an option's value cannot be meant, or a file cannot be read.

    """
    _check_values(args)
    for option in ("only", "ignore", "order"):
        check_names(router, _names(getattr(args, option)), f"--{option}")
    if args.target is not None and "/" in args.target:
        check_names(router, [args.target], "--target")
    route = Route(
        only=_names(args.only),
        ignore=_names(args.ignore),
        order=_names(args.order),
        max_cost=args.max_cost,
        locality=args.locality,
        require=_capabilities(args.require),
    )
    return router.request(
        _messages(args),
        target=args.target,
        tools=[tool for path in args.tool for tool in _tools(path)],
        response_format=_response_format(args.json_schema),
        max_tokens=args.max_tokens,
        input_tokens=args.input_tokens,
        tags=args.tag,
        metadata=_metadata(args.metadata, router),
        task=args.task,
        user=args.user,
        route=route,
        stream=not args.no_stream,
    )


def _check_values(args: Namespace) -> None:
    """Refuse values that say nothing: an empty restriction must not mean none."""
    for option in ("only", "ignore", "order", "require"):
        if any(not _names([value]) for value in getattr(args, option)):
            what = "capabilities" if option == "require" else "targets or providers"
            raise UsageError(f"--{option} names nothing; write {what}, or leave it")
    for option in ("tag", "policy", "target", "task", "user"):
        value = getattr(args, option)
        if any(
            not item.strip()
            for item in (value if isinstance(value, list) else ["x" if value is None else value])
        ):
            raise UsageError(f"--{option} is empty; write a name, or leave it out")
    if args.max_cost is not None and not 0 <= args.max_cost < float("inf"):
        raise UsageError(f"--max-cost is {args.max_cost:g}; it must be an amount in USD, 0 or more")
    if args.input_tokens is not None and args.input_tokens < 0:
        raise UsageError(f"--input-tokens is {args.input_tokens}; it must be 0 or more")
    for option in ("system", "tag", "metadata", "task", "user"):
        given = getattr(args, option)
        for text in given if isinstance(given, list) else [given or ""]:
            _check_text(text, f"--{option}")


def _capabilities(values: list[str]) -> tuple[str, ...]:
    names, known = _names(values), Capabilities.names()
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
            raise UsageError(f'--require: there is no capability "{name}"; {hint}')
    return names


def _names(values: list[str]) -> tuple[str, ...]:
    return tuple(name.strip() for value in values for name in value.split(",") if name.strip())


def _messages(args: Namespace) -> list[dict[str, Any]]:
    text = _prompt(args.prompt)
    content: Any = text
    if args.image:
        images = [{"type": "image_url", "image_url": {"url": _data_url(p)}} for p in args.image]
        content = [{"type": "text", "text": text}, *images]
    system = [{"role": "system", "content": args.system}] if args.system else []
    return [*system, {"role": "user", "content": content}]


def _prompt(given: str | None) -> str:
    """Return the argument, what is piped in, or both with an empty line between them."""
    said = "" if given in (None, "-") else str(given)
    _check_text(said, "the prompt")
    text = "\n\n".join(part for part in (said, _stdin(given)) if part.strip())
    if not text:
        raise UsageError('there is no prompt; write it as the last argument ("…") or pipe it in')
    return text


def _check_text(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise UsageError(f"{what} is not UTF-8 text") from exc


def _stdin(given: str | None) -> str:
    """Return what stdin holds, to its end; a terminal is read only for the prompt `-`.

    Beside a prompt argument stdin may be open by accident, as in a job without a terminal: where
    nothing comes at once it is left out, which is said.
    """
    if sys.stdin is None or (sys.stdin.isatty() and given != "-"):
        return ""
    try:
        if given not in (None, "-") and not _speaks():
            note("llmroute: nothing came on stdin; it is left out")
            return ""
        if isinstance(sys.stdin, TextIOWrapper):
            sys.stdin.reconfigure(encoding="utf-8", errors="strict")
        return sys.stdin.read()
    except UnicodeDecodeError as exc:
        raise UsageError("the prompt is not UTF-8 text; use --image FILE for images") from exc
    except OSError:
        return ""


def _speaks() -> bool:
    """Whether stdin has data or has ended."""
    try:
        ready, _, _ = select.select([sys.stdin], [], [], _PATIENCE)
    except (OSError, ValueError):  # no descriptor that can be waited for: a file's stand-in
        return True
    return bool(ready)


def _bytes(path: str, option: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as exc:
        raise UsageError(f"{option}: cannot read {path}: {exc.strerror}") from exc


def _data_url(path: str) -> str:
    from base64 import b64encode
    from mimetypes import guess_type

    kind = guess_type(path)[0] or ""
    if not kind.startswith("image/"):
        raise UsageError(f"--image: {path} is no image by its name; use .png, .jpeg, .gif or .webp")
    return f"data:{kind};base64,{b64encode(_bytes(path, '--image')).decode()}"


def _json(path: str, option: str) -> Any:
    try:
        return json.loads(_bytes(path, option))
    except UnicodeDecodeError as exc:
        raise UsageError(f"{option}: {path} is no JSON: it is not UTF-8 text") from exc
    except ValueError as exc:
        raise UsageError(f"{option}: {path} is no JSON: {exc}") from exc


def _tools(path: str) -> list[Mapping[str, Any]]:
    data = _json(path, "--tool")
    return [_tool(item, path) for item in (data if isinstance(data, list) else [data])]


def _tool(data: Any, path: str) -> Mapping[str, Any]:
    function = data.get("function", data) if isinstance(data, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        shape = '{"name": …, "description": …, "parameters": {JSON Schema}}'
        raise UsageError(f"--tool: {path} holds no tool; write {shape}")
    return {"type": "function", "function": dict(function)}


def _response_format(path: str | None) -> Mapping[str, Any] | None:
    if path is None:
        return None
    schema = _json(path, "--json-schema")
    if not isinstance(schema, Mapping):
        raise UsageError(f"--json-schema: {path} holds no JSON Schema, which is an object")
    wrapper = {"name": "answer", "schema": dict(schema), "strict": True}
    return {"type": "json_schema", "json_schema": wrapper}


def _metadata(values: list[str], router: Router) -> dict[str, Any]:
    settings = router.workspace.settings
    inputs = (settings.data.get("inputs") if settings else None) or {}
    made: dict[str, Any] = {}
    for item in values:
        name, equals, text = item.partition("=")
        if not equals or not name:
            raise UsageError(f"--metadata: {item!r} is no label; write --metadata NAME=VALUE")
        made[name] = _typed(text, inputs.get(name, {}).get("type"))
    return made


def _typed(text: str, kind: str | None) -> Any:
    """Read a label's text as its declared type; text that is not of it stays for the check."""
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if kind == "number":
        try:
            return float(text) if any(c in text for c in ".eE") else int(text)
        except ValueError:
            return text
    return text
