"""Reading one file that belongs to no workspace: what can be said of it without its neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from llmroute.config import policy_checks, protocols, provider_checks
from llmroute.config.diagnostics import Diagnostic
from llmroute.config.document import Document
from llmroute.config.files import label_of, read_document
from llmroute.config.policy_checks import check_extends
from llmroute.config.schema import check
from llmroute.config.workspace import Workspace

__all__ = ["Alone", "read_alone"]

Kind = Literal["provider", "policy", "protocol", "test"]

#: Findings that depend on the environment, which is not looked at unless it is given.
_OF_ENVIRONMENT = frozenset({"secret-unset", "variable-unset"})


class Alone(NamedTuple):
    """One file as a workspace of its own, with the findings of reading it.

    `label` is the name under which findings show the file; `test_files` holds it if it is a right
    file of tests.
    """

    label: str
    workspace: Workspace
    found: list[Diagnostic]
    test_files: tuple[Document, ...]


def read_alone(path: Path, environment: Mapping[str, str] | None = None) -> Alone:
    """Read one provider or policy file, or file of tests, as a workspace of its own.

    Policies that it extends are looked for beside it. Without `environment` nothing is said about
    variables that are not set.
    """
    place = path.absolute()
    document, found = read_document(place, place.parent)
    kind = _kind(document) if document else "policy"
    if document is not None:
        later = [*check(document, kind), *_beyond_schema(document, kind, environment)]
        places = {(item.line, item.col) for item in found}
        found += [item for item in later if (item.line, item.col) not in places]
    wrong = any(item.severity == "error" for item in found)
    documents = {} if document is None or wrong else _with_parents(document, kind)
    circular = [i for i in check_extends(documents, set()) if i.rule == "policy-extends"]
    found, documents = [*found, *circular], {} if circular else documents
    providers, policies = (documents if kind == wanted else {} for wanted in ("provider", "policy"))
    variables = environment or {}
    declared = documents if kind == "protocol" else {}
    workspace = Workspace(place.parent, None, providers, policies, variables, "", declared)
    tests = tuple(documents.values()) if kind == "test" else ()
    return Alone(label_of(place), workspace, found, tests)


def _kind(document: Document) -> Kind:
    if document.path.name.endswith(".test.yaml"):
        return "test"
    data = document.data if isinstance(document.data, Mapping) else {}
    if document.path.parent.name == "protocols.d" or {"protocol", "request"} <= set(data):
        return "protocol"
    policy = any(key in data for key in ("policy", "rules", "require"))
    return "policy" if policy or document.path.parent.name == "policies" else "provider"


def _beyond_schema(
    document: Document, kind: Kind, environment: Mapping[str, str] | None
) -> list[Diagnostic]:
    if kind == "test":
        return list(policy_checks.check_names(document))
    if kind == "policy":
        return list(policy_checks.check_policy(document))
    if kind == "protocol":
        return list(protocols.check_protocol(document))
    around = provider_checks.Surroundings(environment or {}, document.path.parent)
    found = provider_checks.check_provider(document, around)
    hidden = _OF_ENVIRONMENT if environment is None else ()
    return [item for item in found if item.rule not in hidden]


def _with_parents(document: Document, kind: Kind) -> Mapping[str, Document]:
    """Return the document by its name, and the right policies that it extends, as far as found."""
    made = {document.path.stem: document}
    base = document.data.get("extends") if kind == "policy" else None
    while base and base not in made:
        path = document.path.with_name(f"{base}.yaml")
        parent, problems = read_document(path, path.parent)
        if parent is None or problems or check(parent, "policy"):
            break
        made[base] = parent
        base = parent.data.get("extends")
    return made
