"""`llmroute explain-policy`: when each condition of a policy is evaluated, why, and how often."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmroute.cli.output import dump, say, table
from llmroute.cli.parser import Commands
from llmroute.errors import UsageError

if TYPE_CHECKING:
    from llmroute.policy.engine.compiled import CompiledPolicy
    from llmroute.policy.explaining.stagetable import StageRow
    from llmroute.policy.policy import Policy
    from llmroute.router import Router

__all__ = ["add"]

#: The prompt that `--measure` evaluates everything on.
_SAMPLE = "What is the capital of Austria?"
_HEADERS = ("expression", "stage", "reason", "cost")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "explain-policy",
        _run,
        "Show when each condition of a policy is evaluated, why, and how often",
        [
            "llmroute explain-policy balanced",
            "llmroute explain-policy policies/mine.yaml --measure",
            "llmroute explain-policy balanced --json | jq '.rows[] | select(.stage == \"target\")'",
        ],
    )
    parser.add_argument("policy", metavar="FILE|NAME", help="a policy file, or a policy's name")
    parser.add_argument(
        "--format", choices=("text", "json"), help="the form; --json is short for --format json"
    )
    parser.add_argument(
        "--measure", action="store_true", help="time each evaluation on a plain sample request"
    )


def _run(args: Namespace) -> int:
    if args.json and args.format == "text":
        raise UsageError("--json and --format text exclude each other; give one of them")
    from llmroute.policy.explaining.stagetable import stage_rows

    router, policy = _opened(args)
    with router:
        compiled = policy.compile(router.targets)
        rows = stage_rows(compiled)
        times = _times(rows, compiled) if args.measure else None
        unasked = sorted(p.name for p in router.catalog.providers.values() if p.discover)
    if args.json or args.format == "json":
        dump(_record(compiled, rows, times, unasked))
    else:
        _print(compiled, rows, times, unasked)
    return 0


def _opened(args: Namespace) -> tuple[Router, Policy]:
    """Load the workspace and the policy; a file need not be one of the workspace's policies.

    Raises:
        ConfigError: a file is wrong.
        UsageError: there is no such folder, file or policy.

    """
    from llmroute.router import Router

    path = Path(args.policy)
    if not _is_file(args.policy):
        router = Router.load(args.config)
        return router, router.policy(args.policy)
    if not path.is_file():
        raise UsageError(f"{path}: there is no such policy file")
    router = Router.load(args.config or _root_around(path))
    return router, router.policy(_policy_at(path, router))


def _is_file(text: str) -> bool:
    """Whether a file is meant; a name has no ending, nor a folder other than `policy/`."""
    return text.endswith((".yaml", ".yml")) or Path(text).is_file()


def _root_around(path: Path) -> Path | None:
    """Return the workspace that a file is a policy of, None where it stands alone."""
    folder = path.absolute().parent
    root = folder.parent
    parts = ((root / "providers.d").is_dir(), (root / "llmroute.yaml").is_file())
    return root if folder.name == "policies" and any(parts) else None


def _policy_at(path: Path, router: Router) -> str | Policy:
    """Return the name of a file that the workspace has read, else the policy that it holds."""
    own = router.workspace.policies.get(path.stem)
    if own is not None and own.path.resolve() == path.resolve():
        return path.stem
    from llmroute.policy.policy import load_policy

    return load_policy(path)


def _times(rows: Sequence[StageRow], policy: CompiledPolicy) -> list[float | None]:
    from datetime import UTC, datetime

    from llmroute.policy.explaining.stagetable import microseconds
    from llmroute.policy.scoring.context import Context, Surroundings
    from llmroute.policy.scoring.live import Priors
    from llmroute.types import Request

    around = Surroundings(datetime.now(UTC), Priors())
    context = Context(Request.of(_SAMPLE), around, policy.reads)
    policy.bind(context)
    return [microseconds(row, policy, context) for row in rows]


def _record(
    policy: CompiledPolicy,
    rows: Sequence[StageRow],
    times: Sequence[float | None] | None,
    unasked: Sequence[str],
) -> dict[str, Any]:
    records = [_row_record(row) for row in rows]
    for record, time in zip(records, times or (), strict=False):
        record["microseconds"] = None if time is None else round(time, 3)
    return {
        "policy": policy.source.name,
        "targets": len(policy.targets),
        "unasked": list(unasked),
        "rows": records,
    }


def _row_record(row: StageRow) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "name": row.name,
        "part": row.part or None,
        "origin": row.origin,
        "expression": row.text,
        "built_in": row.built_in,
        "stage": row.stage,
        "stage_alone": row.alone,
        "reason": row.reason,
        "cost": row.cost,
        "classes": row.classes,
        "interpreted": row.interpreted,
    }


def _print(
    policy: CompiledPolicy,
    rows: Sequence[StageRow],
    times: Sequence[float | None] | None,
    unasked: Sequence[str],
) -> None:
    from llmroute.policy.explaining.wording import clean

    size = len(policy.targets)
    say(f"policy {clean(policy.source.name)} · {size} target{'s' * (size != 1)} · {_how(rows)}")
    if unasked:
        say(f"without the models that {', '.join(unasked)} name when asked")
    if not rows:
        return
    say()
    headers = _HEADERS if times is None else (*_HEADERS, "time")
    cells = [_cells(row) for row in rows]
    if times is not None:
        told = ["-" if time is None else f"{time:.2f} µs" for time in times]
        cells = [(*cell, time) for cell, time in zip(cells, told, strict=True)]
    table(headers, list(_grouped(rows, cells)), wrap=True)


def _grouped(
    rows: Sequence[StageRow], cells: Sequence[tuple[str, ...]]
) -> Iterator[tuple[str, ...]]:
    """Yield the cells, with a line in front of what belongs together."""
    group = ""
    for row, cell in zip(rows, cells, strict=True):
        if group != (group := _group(row)):
            yield (group, *("" for _ in cell[1:]))
        yield cell


def _how(rows: Sequence[StageRow]) -> str:
    """Say how many expressions are not compiled."""
    of = sum(not row.built_in for row in rows)
    left = sum(row.interpreted is not None for row in rows)
    if not left:
        return "every expression runs as compiled Python"
    return f"{left} of {of} expression{'s' * (of != 1)} run{'s' * (left == 1)} interpreted"


def _cells(row: StageRow) -> tuple[str, ...]:
    from llmroute.policy.explaining.wording import clean

    stage = row.stage if row.stage == row.alone else f"{row.alone} → {row.stage}"
    cost = row.cost if row.interpreted is None else f"{row.cost}; interpreted: {row.interpreted}"
    text = f"  {clean(row.part or row.name)}: {clean(row.text)}"
    return text, stage, clean(row.reason), clean(cost)


def _group(row: StageRow) -> str:
    from llmroute.policy.explaining.wording import clean

    if row.kind == "let":
        return "let"
    origin = " (llmroute.yaml)" if row.origin == "workspace" else ""
    return f'{row.kind} "{clean(row.name)}"{origin}'
