"""A text stands between backticks without quotes of its own.

Wrong:
    policy: example
    rules:
      - {name: code, weight: 1, when: facts.task == `code`, prefer: quality}

Right:
    policy: example
    rules:
      - {name: code, weight: 1, when: facts.task == 'code', prefer: quality}

Why: Between backticks stands JSON. That jmespath.py takes other text there as a string is
deprecated, differs between implementations, and turns a misspelt number such as 1_000 into text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.lint.rules._expressions import Found, about, expression_rule, shown
from llmroute.lint.types_of import is_text

if TYPE_CHECKING:
    from llmroute.lint.project import Placed
    from llmroute.lint.types_of import Typed

__all__ = ["RULE"]


def _find(_item: Placed, typed: Typed) -> Iterator[Found]:
    if "`" not in typed.text:
        return
    for node in typed.nodes:
        if not is_text(node):
            continue
        source = typed.places.source(node)
        if source.startswith("`") and not _is_json(source[1:-1].replace("\\`", "`")):
            message = f"{source} is text between backticks, where JSON belongs"
            yield about(typed, node, message, f"write {shown(node['value'])}")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


RULE = expression_rule("backtick-text", _find)
