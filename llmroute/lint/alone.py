"""Checking one file that belongs to no workspace: what can be said of it without its neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from llmroute.config import policy_checks, provider_checks
from llmroute.config.diagnostics import Diagnostic
from llmroute.config.document import Document
from llmroute.config.files import read_document
from llmroute.config.schema import check
from llmroute.policy import check as expressions

__all__ = ["lint_alone"]

Kind = Literal["provider", "policy"]

#: Findings that depend on the environment, which is not looked at unless it is given.
_OF_ENVIRONMENT = frozenset({"secret-unset", "variable-unset"})


def lint_alone(path: Path, environment: Mapping[str, str] | None = None) -> list[Diagnostic]:
    """Return the findings about one provider or policy file.

    Policies that it extends are looked for beside it. Without `environment` nothing is said
    about variables that are not set.
    """
    document, found = _read(path)
    if document is None:
        return found
    kind = _kind(document)
    later = [*check(document, kind), *_beyond_schema(document, kind, environment)]
    places = {(item.line, item.col) for item in found}
    found += [item for item in later if (item.line, item.col) not in places]
    if kind == "policy" and not found:
        found = expressions.check_policy(document, inherited=_inherited(document))
    return sorted(found, key=lambda item: (item.line, item.col))


def _read(path: Path) -> tuple[Document | None, list[Diagnostic]]:
    place = path.absolute()
    return read_document(place, place.parent)


def _kind(document: Document) -> Kind:
    data = document.data if isinstance(document.data, Mapping) else {}
    policy = any(key in data for key in ("policy", "rules", "require"))
    return "policy" if policy or document.path.parent.name == "policies" else "provider"


def _beyond_schema(
    document: Document, kind: Kind, environment: Mapping[str, str] | None
) -> list[Diagnostic]:
    if kind == "policy":
        return list(policy_checks.check_policy(document))
    around = provider_checks.Surroundings(environment or {}, document.path.parent)
    found = provider_checks.check_provider(document, around)
    hidden = _OF_ENVIRONMENT if environment is None else ()
    return [item for item in found if item.rule not in hidden]


def _inherited(document: Document) -> set[str]:
    """Return the names that the policies which it extends define under `let`."""
    names: set[str] = set()
    seen = {document.path.stem}
    base: Any = document.data.get("extends")
    while base and base not in seen:
        seen.add(base)
        parent, _ = _read(document.path.with_name(f"{base}.yaml"))
        if parent is None or not isinstance(parent.data, Mapping):
            break
        names |= set(parent.data.get("let") or ())
        base = parent.data.get("extends")
    return names
