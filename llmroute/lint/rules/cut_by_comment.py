"""A ` #` ends an unquoted expression in the middle.

Wrong:
    policy: example
    rules:
      - name: ticket
        weight: 1
        when: contains(request.tags, 'team #1')
        prefer: quality

Right:
    policy: example
    rules:
      - name: ticket
        weight: 1
        when: "contains(request.tags, 'team #1')"
        prefer: quality

Why: YAML takes a `#` after a space for the start of a comment. What is left is no expression; in
quotes the whole of it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmroute.config.diagnostics import Diagnostic
from llmroute.config.document import Document
from llmroute.lint.registry import Rule
from llmroute.policy.check import cut_by_comment
from llmroute.policy.scoring.preferences import BUILT_IN

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["RULE"]

_KEYS = {"require": ("when", "target"), "rules": ("when", "prefer")}
Path = tuple[str | int, ...]


def _check(project: Project) -> Iterator[Diagnostic]:
    own = project.workspace.settings
    for document in (*([own] if own else ()), *project.workspace.policies.values()):
        for path, text in _texts(document):
            if found := cut_by_comment(document, path, text):
                yield found


def _texts(document: Document) -> Iterator[tuple[Path, str]]:
    for name, text in (document.data.get("let") or {}).items():
        yield ("let", name), text
    for section, keys in _KEYS.items():
        for index, item in enumerate(document.data.get(section) or ()):
            for key in keys:
                text = item.get(key)
                if isinstance(text, str) and text not in BUILT_IN:
                    yield (section, index, key), text


RULE = Rule("cut-by-comment", "error", _check)
