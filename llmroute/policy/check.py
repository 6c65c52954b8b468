"""Findings about the expressions of a policy or workspace file, each at its place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from jmespath.exceptions import IncompleteExpressionError

from llmroute.config.comments import comment_behind, cut_finding
from llmroute.config.diagnostics import Diagnostic, closest
from llmroute.config.textplace import narrowed
from llmroute.config.workspace import Workspace
from llmroute.config.yaml import Document
from llmroute.policy.expressions.expression import ROOTS, Expression, ExpressionError
from llmroute.policy.fields import Finding, Scope, check_expression
from llmroute.policy.scoring.preferences import BUILT_IN, PARAMETRIC
from llmroute.policy.scoring.stages import REQUEST_ROOTS

__all__ = ["check_expressions", "check_policy", "check_workspace", "cut_by_comment"]

Path = tuple[str | int, ...]


def check_policy(
    document: Document, *, inherited: Collection[str] = (), metadata: Collection[str] | None = None
) -> list[Diagnostic]:
    """Check every expression of a schema-checked policy document.

    `inherited` are the names under `let` of the policies that it extends; `metadata` the labels
    declared in `llmroute.yaml`, None where anything goes.
    """
    data = document.data
    names = {*data.get("let", {}), *inherited}
    found = [*_check_lets(document, metadata, names), *_redefined(document, inherited)]
    for path, text in _expressions(data):
        scope = Scope(ROOTS, names, metadata)
        if path[-1] == "prefer" and text in PARAMETRIC:
            found.append(_bare_parametric(document, path, text))
            continue
        found += _of_expression(document, path, text, scope)
    return found


def check_workspace(document: Document) -> list[Diagnostic]:
    """Check the requirements of `llmroute.yaml`."""
    data = document.data
    scope = Scope(ROOTS, (), data.get("inputs"))
    found = [
        item
        for path, text in _required(data)
        for item in _of_expression(document, path, text, scope)
    ]
    return [*found, *_unenforced(document)]


def _unenforced(document: Document) -> Iterator[Diagnostic]:
    """Refuse budgets without a ledger: a limit that does nothing must not look safe."""
    if document.data.get("budgets") and document.data.get("ledger") is False:
        message = "budgets cannot hold with `ledger: false`: nothing counts what was spent"
        help_text = "remove `ledger: false`, or the budgets"
        yield document.diagnostic(
            "budget-unenforced", message, ("budgets",), key=True, help=help_text
        )


def _expressions(data: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    yield from _required(data)
    for index, rule in enumerate(data.get("rules", ())):
        if "when" in rule:
            yield ("rules", index, "when"), rule["when"]
        prefer = rule["prefer"]
        if isinstance(prefer, str) and prefer not in BUILT_IN:
            yield ("rules", index, "prefer"), prefer


def _required(data: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for index, item in enumerate(data.get("require", ())):
        for key in ("when", "target"):
            if key in item:
                yield ("require", index, key), item[key]


def _check_lets(
    document: Document, metadata: Collection[str] | None, names: Collection[str]
) -> Iterator[Diagnostic]:
    scope = Scope(REQUEST_ROOTS, (), metadata, beside=names)
    for name, text in document.data.get("let", {}).items():
        path = ("let", name)
        if name in ROOTS:
            message = f'"{name}" is a root and cannot be defined again'
            yield document.diagnostic("let-shadows-root", message, path, key=True)
        yield from _of_expression(document, path, text, scope)


def _of_expression(document: Document, path: Path, text: str, scope: Scope) -> Iterator[Diagnostic]:
    found = check_expression(text, scope)
    if found and (cut := cut_by_comment(document, path, text)):
        yield cut
        return
    for item in found:
        named = _preferred(text, item, scope) if path[-1] == "prefer" else item
        yield _placed(document, path, text, named)


def cut_by_comment(document: Document, path: Path, text: str) -> Diagnostic | None:
    """Return the finding about an expression that ends where YAML saw a comment.

    One that is wrong in another way may have a comment behind it, too.
    """
    comment = comment_behind(document, path)
    problem = _problem(text) if comment else None
    if comment is None or problem is None:
        return None
    place = document.place(path)
    whole = document.source.line(place.line)[place.col - 1 :].rstrip()
    early = isinstance(problem.__cause__, IncompleteExpressionError)
    if not early and problem.rule != "unclosed-quote" and _problem(whole):
        return None
    return cut_finding(document, whole, comment)


def _problem(text: str) -> ExpressionError | None:
    try:
        Expression(text)
    except ExpressionError as exc:
        return exc
    return None


def _redefined(document: Document, inherited: Collection[str]) -> Iterator[Diagnostic]:
    """Refuse a second meaning for a name that an inherited requirement may read."""
    for name in document.data.get("let", {}):
        if name in inherited:
            message = f'"{name}" is already defined by a policy that this one extends'
            path = ("let", name)
            yield document.diagnostic(
                "let-redefined", message, path, key=True, help="choose another name"
            )


def _bare_parametric(document: Document, path: Path, text: str) -> Diagnostic:
    message = f"{text} needs `half`: the value that is worth half of the weight"
    help_text = f"write prefer: {_written(text)}"
    return document.diagnostic("prefer-half", message, path, help=help_text)


def _written(name: str) -> str:
    """Return a built-in preference as a file has it."""
    unit = {"cost": "0.01", "latency": "2s", "throughput": "50"}.get(name)
    return f"{{{name}: {{half: {unit}}}}}" if unit else name


def _preferred(text: str, found: Finding, scope: Scope) -> Finding:
    """Help with a name that is, or nearly is, the one of a built-in preference."""
    if found.rule != "unknown-field":
        return found
    built_in, end = {*BUILT_IN, *PARAMETRIC}, found.column + (found.length or len(text))
    word = text[found.column : end]
    if word in built_in and word == text.strip() != text:
        return replace(
            found, help=f"write prefer: {_written(word)} on one line, without `|` or `>`"
        )
    if word in built_in:
        help_text = f"{word} is a preference, no field: it stands alone, prefer: {_written(word)}"
        return replace(found, help=help_text)
    meant = closest(word, {*built_in, *scope.roots, *scope.names}) if word == text else None
    if meant in PARAMETRIC:
        return replace(found, help=f"did you mean prefer: {_written(meant)}?")
    if word == text and meant is None:
        listed, roots = ", ".join(sorted(built_in)), ", ".join(sorted(scope.roots))
        help_text = f"built-in preferences are {listed}; an expression reads {roots}"
        return replace(found, help=help_text)
    return replace(found, help=f'did you mean "{meant}"?') if meant in BUILT_IN else found


def _placed(document: Document, path: Path, text: str, finding: Finding) -> Diagnostic:
    """Point into the text where its piece stands in the file."""
    whole = document.diagnostic(finding.rule, finding.message, path, help=finding.help)
    return narrowed(whole, document, path, (text, finding.column, finding.length))


def check_expressions(workspace: Workspace) -> list[Diagnostic]:
    """Check every expression of a workspace: its policies and `llmroute.yaml`."""
    settings = workspace.settings
    found = check_workspace(settings) if settings else []
    metadata = settings.data.get("inputs") if settings else None
    for document in workspace.policies.values():
        inherited = _inherited(document.data, workspace)
        found += check_policy(document, inherited=inherited, metadata=metadata)
    return found


def _inherited(data: Mapping[str, Any], workspace: Workspace) -> set[str]:
    names: set[str] = set()
    seen: set[str] = set()
    base: Any = data.get("extends")
    while base in workspace.policies and base not in seen:
        seen.add(base)
        names |= set(workspace.policies[base].data.get("let", {}))
        base = workspace.policies[base].data.get("extends")
    return names
