"""What a policy file must keep beyond its schema, expressions aside: names, weights, parents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from llmroute.config.diagnostics import Diagnostic
from llmroute.config.document import Document
from llmroute.config.reading import items_of, name_finding, reference, text_of, twice

__all__ = ["check_extends", "check_names", "check_policy"]

_NAMED = {"rules": "rule", "require": "requirement", "tests": "test", "budgets": "budget"}
_DECIMALS = 3


def check_policy(document: Document) -> Iterator[Diagnostic]:
    """Yield what is wrong with one policy file beyond its schema."""
    yield from name_finding(document, "policy")
    yield from check_names(document)
    for index, rule in enumerate(items_of(document.data, "rules")):
        weight = rule.get("weight") if isinstance(rule, Mapping) else None
        if isinstance(weight, float) and _decimals(weight) > _DECIMALS:
            message = f"`weight` may have at most {_DECIMALS} decimals, not {weight}"
            near = round(weight, _DECIMALS)
            help_text = (
                f"write weight: {near}" if near else "the least weights are 0.001 and -0.001"
            )
            path = ("rules", index, "weight")
            yield document.diagnostic("schema-multiple", message, path, help=help_text)


def _decimals(number: float) -> int:
    exponent = Decimal(str(number)).normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def check_names(document: Document) -> Iterator[Diagnostic]:
    """Report rules, requirements, tests and budgets that share a name."""
    for section, kind in _NAMED.items():
        items = items_of(document.data, section)
        named = [((section, i, "name"), text_of(item, "name")) for i, item in enumerate(items)]
        yield from twice(document, named, "schema-duplicate", f"the {kind} {{}} is there twice")


def check_extends(documents: Mapping[str, Document], known: set[str]) -> Iterator[Diagnostic]:
    """Report parents that do not exist, and policies that extend themselves in a circle."""
    parents = {name: text_of(document.data, "extends") for name, document in documents.items()}
    for name, document in documents.items():
        parent = parents[name]
        if parent is None:
            continue
        yield from reference(document, ("extends",), "policy", parent, known)
        circle = _circle(name, parents)
        if circle:
            yield document.diagnostic(
                "policy-extends",
                f"this policy extends itself: {' → '.join(circle)}",
                ("extends",),
                help="let one of them extend nothing",
            )


def _circle(name: str, parents: Mapping[str, Any]) -> list[str] | None:
    """Return the way from a policy over its parents back to itself, if there is one."""
    way, current = [name], parents.get(name)
    while current is not None and current not in way:
        way.append(current)
        current = parents.get(current)
    return [*way, name] if current == name else None
