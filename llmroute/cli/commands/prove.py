"""`llmroute prove`: whether a claim about a policy holds for every request."""

from __future__ import annotations

import json
import shlex
from argparse import Namespace
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llmroute.cli.output import dump, note, say
from llmroute.cli.parser import Commands
from llmroute.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from llmroute.lab.proving.prove import Counterexample, Proof, World
    from llmroute.policy.policy import Policy
    from llmroute.router import Router

__all__ = ["REFUTED", "UNDECIDED", "add"]

#: Exit codes beside 0 (proved) and 2 (wrong usage).
REFUTED, BROKEN, UNDECIDED = 1, 3, 4
_CLAIMS = ("never", "always", "reachable", "equivalent")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "prove",
        _run,
        "Prove a claim about a policy for every request, or show one that breaks it",
        [
            "llmroute prove private --never \"target.locality != 'local'\"",
            'llmroute prove --workspace --never "facts.images && !(target.capabilities.vision)"',
            "llmroute prove cheapest --reachable openai/gpt-6-luna",
            "llmroute prove balanced --equivalent policies/mine.yaml",
        ],
    )
    parser.add_argument(
        "policy", metavar="POLICY", nargs="?", help="a policy's name, or a policy file"
    )
    group = parser.add_argument_group("the claim")
    one = group.add_mutually_exclusive_group(required=True)
    one.add_argument("--never", metavar="EXPR", help="no eligible target ever meets EXPR")
    one.add_argument("--always", metavar="EXPR", help="every eligible target always meets EXPR")
    one.add_argument("--reachable", metavar="TARGET", help="some request makes TARGET the winner")
    one.add_argument("--equivalent", metavar="OTHER", help="both have the same winners")
    parser.add_argument(
        "--workspace", action="store_true", help="claim it of every policy of the workspace"
    )
    parser.add_argument(
        "--strict", action="store_true", help="a claim that is proved vacuously fails too"
    )
    parser.add_argument(
        "--limit", metavar="N", type=int, default=100_000, help="cases to look at (100000)"
    )
    parser.add_argument(
        "--save-situation",
        metavar="FILE",
        help="write the first example for `llmroute decide --situation FILE`",
    )
    parser.add_argument(
        "--format", choices=("text", "json"), help="the form; --json is short for --format json"
    )


def _run(args: Namespace) -> int:
    _check(args)
    try:
        return _proved(args)
    except ConfigError as exc:
        return _report_broken(args, exc)


def _report_broken(args: Namespace, error: ConfigError) -> int:
    """Say which files are broken: nothing was proved or refuted."""
    from llmroute.cli.records import finding_record

    if args.json or args.format == "json":
        dump({"findings": [finding_record(item) for item in error.diagnostics]})
    note(f"{error}\nnothing was proved")
    return BROKEN


def _proved(args: Namespace) -> int:
    from llmroute.lab.proving.prove import World
    from llmroute.router import Router

    root = args.config or (_root_around(args.policy) if args.policy else None)
    with Router.load(root) as router:
        settings = router.workspace.settings
        data = settings.data if settings else {}
        world = World(router.catalog, data, _now(data.get("timezone")), cases=args.limit)
        proofs = [_proof(args, policy, router, world) for policy in _policies(args, router)]
    if args.save_situation is not None:
        _save(args.save_situation, proofs)
    if args.json or args.format == "json":
        dump([proof.to_dict() for proof in proofs])
    else:
        say("\n\n".join("\n".join(_lines(proof, args.save_situation)) for proof in proofs))
    return _code(proofs, strict=args.strict)


def _save(name: str, proofs: Sequence[Proof]) -> None:
    """Write the first example as JSON; where there is none, nothing is written."""
    example = next((proof.example for proof in proofs if proof.example), None)
    if example is None:
        note("llmroute: there is no example to save")
        return
    text = json.dumps(example.saved, ensure_ascii=False, indent=2)
    try:
        Path(name).write_text(f"{text}\n", encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"--save-situation: cannot write {name}: {exc.strerror}") from exc


def _now(timezone: str | None) -> datetime:
    """Return the present moment in the workspace's time zone."""
    from zoneinfo import ZoneInfo

    return datetime.now(ZoneInfo(timezone) if timezone else UTC)


def _check(args: Namespace) -> None:
    if args.json and args.format == "text":
        raise UsageError("--json and --format text exclude each other; give one of them")
    if bool(args.policy) == args.workspace:
        raise UsageError("name a policy, or give --workspace for all of them; not both")
    if args.limit < 1:
        raise UsageError(f"--limit is {args.limit}; it must be at least 1")


def _code(proofs: Sequence[Proof], *, strict: bool) -> int:
    outcomes = {proof.outcome for proof in proofs}
    if "refuted" in outcomes or (strict and any(proof.vacuous for proof in proofs)):
        return REFUTED
    return UNDECIDED if "undecided" in outcomes else 0


def _policies(args: Namespace, router: Router) -> list[Policy]:
    if args.workspace:
        return [router.policy(name) for name in router.policies]
    return [_policy(args.policy, router)]


def _is_file(text: str) -> bool:
    return text.endswith((".yaml", ".yml")) or Path(text).is_file()


def _root_around(name: str) -> Path | None:
    """Return the workspace that a policy file is part of, None where it is none of any."""
    root = Path(name).absolute().parent.parent
    inside = _is_file(name) and Path(name).absolute().parent.name == "policies"
    return root if inside and (root / "providers.d").is_dir() else None


def _policy(name: str, router: Router) -> Policy:
    """Return a policy by name, or of a file."""
    path = Path(name)
    if not _is_file(name):
        return router.policy(name)
    own = router.workspace.policies.get(path.stem)
    if own is not None and own.path.resolve() == path.resolve():
        return router.policy(path.stem)
    from llmroute.policy.policy import load_policy

    return router.policy(load_policy(path))


def _proof(args: Namespace, policy: Policy, router: Router, world: World) -> Proof:
    from llmroute.lab.proving.prove import (
        check_claim,
        prove_claim,
        prove_equivalent,
        prove_reachable,
    )

    kind = next(name for name in _CLAIMS if getattr(args, name) is not None)
    said = getattr(args, kind)
    if kind == "reachable":
        return prove_reachable(policy.source, _target(said, router), world)
    if kind == "equivalent":
        return prove_equivalent(policy.source, _policy(said, router).source, world)
    claim: Literal["always", "never"] = "always" if kind == "always" else "never"
    check_claim(claim, said, policy.source, world.settings)
    return prove_claim(policy.source, claim, said, world)


def _target(name: str, router: Router) -> str:
    from llmroute.cli.workspace import check_names

    check_names(router, [name], "--reachable")
    if "/" not in name:
        raise UsageError(f'--reachable: "{name}" is a provider; name one of its models')
    return name


def _lines(proof: Proof, saved: str | None = None) -> Iterator[str]:
    from llmroute.policy.explaining.wording import clean

    word = {"proved": "proved", "refuted": "REFUTED", "undecided": "NOT DECIDED"}[proof.outcome]
    vacuous = ", but only VACUOUSLY" if proof.vacuous else ""
    yield f"policy {clean(proof.policy)} {clean(proof.claim)}: {word}{vacuous}"
    if proof.vacuous:
        yield f"  {proof.vacuous}"
    for text in proof.why:
        yield f"  because {clean(text)}"
    if proof.example is not None:
        yield from _example(proof.example, saved)
    for text in (*proof.notes, *(proof.scope if proof.outcome == "proved" else ())):
        yield f"  {text}"
    if proof.counts:
        yield f"  {_counted(proof)}"


def _counted(proof: Proof) -> str:
    counts = proof.counts
    return (
        f"looked at {_many(counts['targets'], 'target')}, {counts['imagined']} that discovery may "
        f"add, {_many(counts['combinations'], 'combination')} of values, "
        f"{_many(counts['cases'], 'request')}"
    )


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'s' * (count != 1)}"


def _example(example: Counterexample, saved: str | None) -> Iterator[str]:
    from llmroute.policy.explaining.wording import clean

    yield f"  {clean(example.says)}"
    yield f"  with {clean(example.situation.describe())}"
    if example.listing is not None:
        listed = json.dumps(dict(example.listing), ensure_ascii=False)
        yield f"  where {example.provider} lists the model {clean(listed)}"
    if saved is not None:
        yield f"  llmroute decide --situation {shlex.quote(saved)}"
    elif example.complete:
        yield f"  {example.command}"
    else:
        yield "  --save-situation FILE keeps it for: llmroute decide --situation FILE"
