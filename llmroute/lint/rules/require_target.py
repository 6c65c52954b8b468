"""A requirement asks nothing of a target: all pass it, or none does.

Wrong:
    policy: example
    require:
      - {name: short only, target: facts.tokens < `1000`}

Right:
    policy: example
    require:
      - {name: short only, target: estimate.tokens_in < `1000`}

Why: What depends on the request alone rejects every target or none. That belongs to `when`; to
refuse requests altogether write the condition there, and target: "`false`".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.lint.rules._expressions import Found, expression_rule, whole

if TYPE_CHECKING:
    from llmroute.lint.project import Placed
    from llmroute.lint.types_of import Typed

__all__ = ["RULE"]

_OF_TARGETS = frozenset({"target", "estimate", "live", "@"})


def _find(item: Placed, typed: Typed) -> Iterator[Found]:
    if item.scope != "target" or item.expression.roots & _OF_TARGETS:
        return
    requirement = item.document.data[item.section][item.path[1]]
    refusal = typed.tree["type"] == "literal" and typed.tree["value"] is False
    if refusal and "when" in requirement:
        return
    message = "this reads nothing of a target, so it rejects every target or none"
    help_text = "move it to `when`, and say under `target` what a target must have"
    yield whole(typed, message, help_text)


RULE = expression_rule("require-target", _find)
