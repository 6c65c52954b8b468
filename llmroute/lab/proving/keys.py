"""What a rule or requirement says, apart from its name and from how conditions are called."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from llmroute.policy.expressions.expression import Expression, Node
from llmroute.policy.scoring.preferences import BUILT_IN
from llmroute.policy.source import PolicySource, Rule

__all__ = ["differing_rules", "requirement_keys", "same_by_a_factor"]


def requirement_keys(source: PolicySource) -> frozenset[tuple[str, str]]:
    """Return what a policy requires; the order makes no difference, nor does saying it twice."""
    return frozenset(
        (_condition(item.when, source), _condition(item.target, source)) for item in source.require
    )


def differing_rules(
    source: PolicySource, other: PolicySource
) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """Return the rules of each policy that the other has not; those of no weight are left out."""
    mine, theirs = _keyed(source), _keyed(other)
    common = Counter(key for key, _ in mine) & Counter(key for key, _ in theirs)
    return _without(mine, Counter(common)), _without(theirs, Counter(common))


def same_by_a_factor(source: PolicySource, other: PolicySource) -> bool:
    """Whether the rules of one are those of the other with weights times a factor.

    Rules that say the same count as one with the sum of their weights; an unknown value is the
    worst for a weight's sign, so signs are kept apart. Weights must be whole, so that no points
    are rounded.
    """
    mine, theirs = _summed(source), _summed(other)
    if mine is None or theirs is None or mine.keys() != theirs.keys() or not mine:
        return False
    pairs = [(mine[key], theirs[key]) for key in mine]
    return all(a * pairs[0][1] == b * pairs[0][0] for a, b in pairs)


def _summed(source: PolicySource) -> dict[tuple[bool, str, str], int] | None:
    """Return the weight of what rules say, None where one is not whole."""
    found: Counter[tuple[bool, str, str]] = Counter()
    for (weight, prefer, when), _ in _keyed(source):
        if weight % 1000:
            return None
        found[weight > 0, prefer, when] += weight
    return dict(found)


_Keyed = list[tuple[tuple[int, str, str], Rule]]


def _keyed(source: PolicySource) -> _Keyed:
    return [(_key(rule, source), rule) for rule in source.rules if rule.weight]


def _without(rules: _Keyed, common: Counter[tuple[int, str, str]]) -> tuple[Rule, ...]:
    rest = []
    for key, rule in rules:
        if common[key]:
            common[key] -= 1
        else:
            rest.append(rule)
    return tuple(rest)


def _key(rule: Rule, source: PolicySource) -> tuple[int, str, str]:
    return rule.weight, _preference(rule.prefer, source), _condition(rule.when, source)


def _preference(prefer: str | Mapping[str, Any], source: PolicySource) -> str:
    if isinstance(prefer, Mapping) or prefer in BUILT_IN:
        return json.dumps(prefer, sort_keys=True)
    return _condition(prefer, source)


def _condition(text: str | None, source: PolicySource) -> str:
    """Return a condition's syntax tree, with what it reads of `let` beside it."""
    if text is None:
        return ""
    expression = Expression(text)
    lets = {
        name: Expression(let).tree
        for name, let in source.let.items()
        if name in expression.roots or "@" in expression.roots
    }
    return json.dumps(_inlined(expression.tree, lets), sort_keys=True, default=str)


#: Nodes whose later children are evaluated on the result of the first.
_CHAINED = frozenset(
    {
        *("subexpression", "index_expression", "projection", "value_projection"),
        *("filter_projection", "flatten", "pipe"),
    }
)


def _inlined(node: Node, lets: Mapping[str, Node]) -> Any:
    """Return a tree in which names under `let` are replaced by what they stand for.

    A replaced name is marked: where it cannot be evaluated, all that reads it fails.
    """
    if node["type"] == "field" and node["value"] in lets:
        return {"let": lets[node["value"]]}
    if node["type"] == "expref":
        return node
    children = list(node.get("children", ()))
    on_scope = 1 if node["type"] in _CHAINED else len(children)
    for number, child in enumerate(children[:on_scope]):
        if isinstance(child, Mapping):
            children[number] = _inlined(child, lets)
    return {**node, "children": children}
