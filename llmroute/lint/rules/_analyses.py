"""What the rules that evaluate policies share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from llmroute.lab.analysis.conditions import Conditions, Constant
from llmroute.lab.analysis.rules import Fleet
from llmroute.lab.domain.domain import learns
from llmroute.policy.expressions.expression import Expression, field_paths
from llmroute.policy.source import PolicySource

if TYPE_CHECKING:
    from llmroute.config.diagnostics import Diagnostic
    from llmroute.config.document import Document
    from llmroute.lint.project import Placed, Project
    from llmroute.lint.types_of import Typed

__all__ = [
    "Piecewise",
    "conditions",
    "constant_at",
    "constants",
    "discovering",
    "fleet",
    "lets_of",
    "own_policies",
    "own_requirements",
]

#: Rules that say more of a comparison than that it has one truth.
_BETTER = (
    *("backtick_text", "comparison_type", "enum_value", "function_type", "negation_scope"),
    *("nullable_number", "or_literal", "ordering_type"),
)
_CONDITIONS: WeakKeyDictionary[Project, Conditions] = WeakKeyDictionary()
_CONSTANTS: WeakKeyDictionary[Project, tuple[Piecewise, ...]] = WeakKeyDictionary()


class Piecewise(NamedTuple):
    """A constant piece of an expression: where it stands, in words and in the text."""

    item: Placed
    typed: Typed
    constant: Constant

    @property
    def parts(self) -> tuple[str, ...]:
        """The texts of what makes it constant."""
        return tuple(_shown(self.typed, node) for node in self.constant.parts)

    @property
    def of_target(self) -> bool:
        """Whether it reads anything of a target."""
        roots = {path[0] for path in field_paths(self.constant.node)}
        return bool(roots & {"target", "estimate", "live"})

    def finding(self, rule: str, message: str, help_text: str) -> Diagnostic:
        """Make a finding about the piece."""
        start, end = _span(self.typed, *(self.constant.parts or (self.constant.node,)))
        return self.item.finding(
            rule, message, column=start, length=max(end - start, 1), help=help_text
        )


def conditions(project: Project) -> Conditions:
    """Return the answers about a project's conditions, shared by its rules."""
    if project not in _CONDITIONS:
        _CONDITIONS[project] = Conditions(project.inputs)
    return _CONDITIONS[project]


def lets_of(source: PolicySource) -> Mapping[str, Expression]:
    """Return the names under `let`, compiled."""
    return {name: Expression(text) for name, text in source.let.items()}


def discovering(project: Project) -> tuple[str, ...]:
    """Return the providers whose servers are asked for models."""
    found = project.providers.items()
    return tuple(name for name, document in found if "discover" in document.data)


def own_policies(project: Project) -> Mapping[str, Document]:
    """Return the workspace's own policies; those that come with the package suit other targets."""
    here = project.root.absolute()
    policies = project.policies.items()
    return {name: doc for name, doc in policies if doc.path.absolute().is_relative_to(here)}


def own_requirements(
    project: Project, name: str
) -> Iterator[tuple[Document, tuple[str | int, ...], int]]:
    """Yield the requirements of a policy's own file: the file, the path, the place in `sources`."""
    document = project.policies[name]
    own = document.data.get("require") or ()
    first = len(project.sources[name].require) - len(own)
    for index in range(len(own)):
        yield document, ("require", index), first + index


def fleet(project: Project) -> Fleet | None:
    """Return the targets with what surrounds them.

    None where there are none, and where estimates change with what targets count: nothing that
    depends on sizes is certain then.
    """
    if not project.targets or learns(project.settings):
        return None
    now = datetime.combine(project.today, time(12), UTC)
    return Fleet(project.targets, project.settings, now, open=bool(discovering(project)))


def constant_at(project: Project, document: Document, path: Sequence[str | int]) -> bool:
    """Whether an expression of a rule or requirement, or a piece of it, was found constant."""
    places = ((found.item.document, found.item.path[:2]) for found in constants(project))
    return any(where is document and at == tuple(path[:2]) for where, at in places)


def constants(project: Project) -> Sequence[Piecewise]:
    """Return the pieces of conditions that have one truth, and of which no rule says more."""
    if project not in _CONSTANTS:
        _CONSTANTS[project] = tuple(_constants(project))
    return _CONSTANTS[project]


def _constants(project: Project) -> Iterator[Piecewise]:
    from llmroute.lint.types_of import each

    known, answers = _told(project), conditions(project)
    lets = {name: lets_of(source) for name, source in project.sources.items()}
    clean: set[tuple[str, ...]] = set()
    for item, typed in each(project):
        named = lets.get(item.policy or "", {}) if item.scope != "let" else {}
        read = [f"{name}={let.text}" for name, let in named.items() if name in item.text]
        key = (item.text, item.scope, *read)
        if key in clean:
            continue
        found = [
            Piecewise(item, typed, constant)
            for constant in answers.constants(typed.tree, named, values=item.scope == "prefer")
        ]
        if not found:
            clean.add(key)
        yield from (piece for piece in found if not _within(piece.finding("", "", ""), known))


def _told(project: Project) -> set[tuple[str, int, int]]:
    from importlib import import_module

    modules: list[Any] = [import_module(f"llmroute.lint.rules.{name}") for name in _BETTER]
    found = (item for module in modules for item in module.RULE.check(project))
    return {(item.file, item.line, item.col) for item in found}


def _within(piece: Diagnostic, known: set[tuple[str, int, int]]) -> bool:
    """Whether something else was found inside a piece."""
    return any(
        file == piece.file
        and line == piece.line
        and piece.col <= col <= (piece.end_col or piece.col)
        for file, line, col in known
    )


def _span(typed: Typed, *nodes: Mapping[str, Any]) -> tuple[int, int]:
    """Return where nodes begin and end, with a `!` and the parentheses that their spans cut."""
    places = typed.places
    spans = [places.span(node) for node in nodes]
    start, end = min(span[0] for span in spans), max(span[1] for span in spans)
    sign = places.before(nodes[0], "not") if nodes[0]["type"] == "not_expression" else None
    start = min(start, sign.start) if sign else start
    behind = [token.end for token in places.tokens if token.kind == "rparen" and token.end > end]
    ahead = [token.start for token in places.tokens if token.kind == "lparen"]
    for _ in range(-(missing := _depth(typed, start, end))):
        start = max(place for place in ahead if place < start)
    return start, (behind[missing - 1] if missing > 0 else end)


def _depth(typed: Typed, start: int, end: int) -> int:
    """Return how many parentheses are opened and not closed in a part of a text."""
    kinds = [token.kind for token in typed.places.tokens if start <= token.start < end]
    return kinds.count("lparen") - kinds.count("rparen")


def _shown(typed: Typed, node: Mapping[str, Any]) -> str:
    start, end = _span(typed, node)
    return typed.text[start:end]
