"""Proofs about policies: what holds for every request, and a concrete request where it does not.

See docs/proofs.md for what is covered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmroute.errors import UsageError
from llmroute.lab.proving.claims import Kind, World, prove_claim
from llmroute.lab.proving.equivalent import prove_equivalent
from llmroute.lab.proving.result import Counterexample, Proof
from llmroute.lab.proving.winners import prove_reachable
from llmroute.policy.expressions.expression import ROOTS
from llmroute.policy.fields import Scope, check_expression
from llmroute.policy.source import PolicySource

__all__ = [
    "Counterexample",
    "Proof",
    "World",
    "check_claim",
    "prove_claim",
    "prove_equivalent",
    "prove_reachable",
]


def check_claim(kind: Kind, text: str, source: PolicySource, settings: Mapping[str, Any]) -> None:
    """Refuse a claim that reads what a policy cannot read.

    Raises:
        UsageError: it is no expression, or reads an unknown field; every finding is named.

    """
    scope = Scope(ROOTS, frozenset(source.let), settings.get("inputs"))
    found = check_expression(text, scope)
    if found:
        told = "; ".join(f"{f.message} ({f.help})" if f.help else f.message for f in found)
        raise UsageError(f"--{kind} {text!r}: {told}")
