"""Two arguments of a function stand side by side without a comma.

Wrong:
    policy: example
    rules:
      - {name: code, weight: 1, when: contains(request.tags 'code'), prefer: quality}

Right:
    policy: example
    rules:
      - {name: code, weight: 1, when: "contains(request.tags, 'code')", prefer: quality}

Why: jmespath.py reads it as if the comma were there, other implementations refuse it, and people
read something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from llmroute.lint.rules._expressions import Found, expression_rule

if TYPE_CHECKING:
    from llmroute.lint.project import Placed
    from llmroute.lint.types_of import Typed

__all__ = ["RULE"]

_NAMES = frozenset({"unquoted_identifier", "quoted_identifier"})
_BEGINS = _NAMES | {"literal", "current", "not"}
_ENDS = _NAMES | {"literal", "current", "rparen", "rbracket", "rbrace", "flatten", "star"}


def _find(_item: Placed, typed: Typed) -> Iterator[Found]:
    if not any(node["type"] == "function_expression" for node in typed.nodes):
        return
    for before, after in pairwise(typed.places.tokens):
        if before.kind in _ENDS and after.kind in _BEGINS:
            message = f"there is no comma before {typed.text[after.start : after.end]}"
            help_text = "write a comma between the arguments of a function"
            yield Found(after.start, after.end, message, help_text)


RULE = expression_rule("function-comma", _find)
