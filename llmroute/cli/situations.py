"""Deciding a situation that was saved: request, time, measurements and all."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from llmroute.cli.workspace import check_names, open_router
from llmroute.config.diagnostics import did_you_mean
from llmroute.errors import UsageError

if TYPE_CHECKING:
    from llmroute.catalog.model import Target
    from llmroute.lab.domain.saved import Saved
    from llmroute.policy.engine.decision import Decision
    from llmroute.router import Router

__all__ = ["decide_situation"]

#: Options that describe a request, which a situation does already.
_OWN = (
    *("prompt", "system", "image", "tool", "json_schema", "max_tokens", "input_tokens"),
    *("no_stream", "tag", "metadata", "task", "target", "only", "ignore", "order", "max_cost"),
    *("locality", "require", "user"),
)


def decide_situation(args: Namespace) -> Decision:
    """Return the decision of the situation in a file; nobody is called, nothing is drawn.

    Raises:
        UsageError: the file cannot be read, or is of no situation of this workspace.

    """
    from llmroute.lab.domain.saved import parse_situation

    _check(args)
    label = "stdin" if args.situation == "-" else args.situation
    saved = parse_situation(_text(args.situation), label)
    with open_router(args, offline=True, fixed=True) as router:
        case = saved.situation
        case = replace(case, request=router.request(case.request))
        targets = _targets(saved, router, label)
        policy = router.policy(args.policy or saved.policy)
        around = case.around()
        return policy.decide(case.request, targets, around=around, problems={})


def _check(args: Namespace) -> None:
    given = [name for name in _OWN if getattr(args, name) not in (None, False, [])]
    if given:
        said = "a prompt" if given[0] == "prompt" else f"--{given[0].replace('_', '-')}"
        raise UsageError(f"--situation says all of the request; leave out {said}")


def _text(name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8")
    except AttributeError:  # a stand-in for stdin that holds text
        return sys.stdin.read()
    except OSError as exc:
        raise UsageError(f"--situation: cannot read {name}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise UsageError(f"--situation: {name} is not UTF-8 text") from exc


def _targets(saved: Saved, router: Router, label: str) -> tuple[Target, ...]:
    """Return the known targets, with the model that a server lists in the situation."""
    catalog = router.catalog
    if saved.provider is not None and saved.listing is not None:
        if saved.provider not in catalog.providers:
            hint = did_you_mean(saved.provider, catalog.providers) or "`llmroute providers`"
            raise UsageError(f'{label}: there is no provider "{saved.provider}"; {hint}')
        catalog = catalog.with_discovered(saved.provider, [saved.listing])
    case = saved.situation
    route = case.request.route
    known = {*catalog.providers, *(target.id for target in catalog.targets)}
    measured = (name for name in case.live if name != "*")
    for name in (*measured, *([case.served] if case.served else ()), *route.only, *route.ignore):
        if name not in known:
            check_names(router, [name], label)
    return catalog.targets
