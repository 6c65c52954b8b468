"""The documentation of the rules that loading checks, whose code stands in other rooms.

Each module holds a table: rule → (severity, text in the form of a rule module's docstring).
"""

from __future__ import annotations

from collections.abc import Mapping

from llmroute.config.diagnostics import Severity
from llmroute.lint.pages import (
    expressions,
    files,
    ignoring,
    protocols,
    providers,
    schema,
    settings,
    yaml,
)

__all__ = ["LOADING"]

#: Every rule without a module of its own.
LOADING: Mapping[str, tuple[Severity, str]] = {
    **expressions.PAGES,
    **files.PAGES,
    **ignoring.PAGES,
    **protocols.PAGES,
    **providers.PAGES,
    **schema.PAGES,
    **settings.PAGES,
    **yaml.PAGES,
}
