"""What a lint rule looks at: a workspace whose faulty files are left out, read once for all rules.

A policy counts only if every expression in it, and in what it extends, is right: the others have
been refused already, with better words than a rule would find.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from llmroute.config.diagnostics import Diagnostic, Severity
from llmroute.config.document import Document
from llmroute.config.textplace import narrowed
from llmroute.config.workspace import Workspace
from llmroute.errors import LlmrouteError
from llmroute.policy.expressions.expression import Expression, ExpressionError
from llmroute.policy.scoring.preferences import BUILT_IN
from llmroute.policy.source import PolicySource, policy_source

if TYPE_CHECKING:
    from llmroute.catalog.build import Catalog
    from llmroute.catalog.model import Target
    from llmroute.lab.domain.domain import Domain
    from llmroute.policy.engine.compiled import CompiledPolicy

__all__ = ["Placed", "PolicyTest", "Project", "Scope"]

#: Where in a policy an expression stands.
Scope = Literal["let", "when", "target", "prefer"]
Steps = tuple[str | int, ...]


class Placed(NamedTuple):
    """One expression of a file, and where it stands.

    `section` is `let`, `require` or `rules`; `owner` the name under `let`, or of the requirement
    or rule; `policy` the policy's name, None in `llmroute.yaml`.
    """

    document: Document
    path: Steps
    text: str
    expression: Expression
    scope: Scope
    section: str
    owner: str
    policy: str | None

    def finding(
        self,
        rule: str,
        message: str,
        *,
        column: int = 0,
        length: int | None = None,
        help: str | None = None,  # noqa: A002 - the finding's own name
        severity: Severity = "warning",
    ) -> Diagnostic:
        """Make a finding about the expression, or about a piece of it (0-based, in characters)."""
        found = self.document.diagnostic(rule, message, self.path, help=help, severity=severity)
        return narrowed(found, self.document, self.path, (self.text, column, length))


class PolicyTest(NamedTuple):
    """One test of a policy, of the policy's own file or of one beside it."""

    document: Document
    number: int
    data: Mapping[str, Any]

    @property
    def discovered(self) -> Mapping[str, Any]:
        """The models that servers are said to list, for all tests of the file or this one."""
        return {**self.document.data.get("discovered", {}), **self.data.get("discovered", {})}

    def finding(
        self,
        rule: str,
        message: str,
        *steps: str | int,
        key: bool = False,
        help: str | None = None,  # noqa: A002 - the finding's own name
    ) -> Diagnostic:
        """Make a warning about something in the test."""
        path = ("tests", self.number, *steps)
        return self.document.diagnostic(rule, message, path, key=key, help=help, severity="warning")


class Project:
    """A workspace as rules see it.

    `policies` and `sources` hold the policies without errors, by name; `policies` their files,
    `sources` what they say after `extends` and with the workspace's requirements. `broken` are
    the labels of files with errors, `test_files` the files of tests without any. `today` is the
    day that prices and models are judged by (default: today in UTC).
    """

    def __init__(
        self,
        workspace: Workspace,
        found: Iterable[Diagnostic] = (),
        *,
        test_files: Iterable[Document] = (),
        today: date | None = None,
    ) -> None:
        self.root: Path = workspace.root
        self.workspace = workspace
        self.test_files = tuple(test_files)
        self.today: date = today or datetime.now(UTC).date()
        self.broken = frozenset(item.file for item in found if item.severity == "error")
        own = self.settings_document
        self.settings: Mapping[str, Any] = own.data if own else {}
        self.policies: Mapping[str, Document] = {
            name: document for name, document in workspace.policies.items() if self._good(name)
        }
        self._compiled: dict[str, CompiledPolicy] = {}
        self._domains: dict[str, Domain] = {}

    def _good(self, name: str, below: tuple[str, ...] = ()) -> bool:
        document = self.workspace.policies.get(name)
        if document is None or document.label in self.broken or name in below:
            return False
        base = document.data.get("extends")
        return base is None or self._good(base, (*below, name))

    @property
    def settings_document(self) -> Document | None:
        """The file `llmroute.yaml`, None where there is none without errors."""
        settings = self.workspace.settings
        return None if settings is None or settings.label in self.broken else settings

    @property
    def providers(self) -> Mapping[str, Document]:
        """The provider files without errors, by name."""
        return self.workspace.providers

    @property
    def inputs(self) -> Mapping[str, Any] | None:
        """The declared labels of requests, None where metadata is open."""
        return self.settings.get("inputs")

    @property
    def documents(self) -> tuple[Document, ...]:
        """Every file without errors."""
        own = self.settings_document
        return (*([own] if own else ()), *self.providers.values(), *self.policies.values())

    @cached_property
    def tests(self) -> tuple[PolicyTest, ...]:
        """Every test of the workspace's own policies, in their files and beside them.

        The tests of policies that come with the package are about the providers there.
        """
        here = self.root.absolute()
        own = [doc for doc in self.policies.values() if doc.path.absolute().is_relative_to(here)]
        return tuple(
            PolicyTest(document, number, test)
            for document in (*own, *self.test_files)
            for number, test in enumerate(document.data.get("tests") or ())
        )

    @cached_property
    def sources(self) -> Mapping[str, PolicySource]:
        """What each policy says, by name."""
        data = {name: document.data for name, document in self.policies.items()}
        required = self.settings.get("require", ())
        return {name: policy_source(name, data, required) for name in data}

    @cached_property
    def catalog(self) -> Catalog | None:
        """All declared targets, None where there are no providers or one of them has errors."""
        from llmroute.catalog.build import build_catalog

        if not self.providers or self._providers_broken():
            return None
        try:
            return build_catalog(self.workspace)
        except (LlmrouteError, ValueError):  # a variable that is not set
            return None

    def _providers_broken(self) -> bool:
        folders = {document.path.parent for document in self.providers.values()}
        return any(Path(label).absolute().parent in folders for label in self.broken)

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets of the catalogue, empty where there is none."""
        return self.catalog.targets if self.catalog else ()

    def compiled(self, name: str) -> CompiledPolicy:
        """Return a policy compiled against the catalogue's targets, once."""
        from llmroute.policy.engine.compiled import CompiledPolicy

        if name not in self._compiled:
            self._compiled[name] = CompiledPolicy(self.sources[name], self.targets)
        return self._compiled[name]

    def domain(self, name: str) -> Domain:
        """Return the finite set of requests that a policy can tell apart, once."""
        from llmroute.lab.domain.domain import Domain

        if name not in self._domains:
            settings = self.settings or None
            self._domains[name] = Domain.of([self.sources[name]], self.targets, settings)
        return self._domains[name]

    def expressions(self) -> Iterator[Placed]:
        """Yield every expression of every file without errors; inherited ones once, at home."""
        yield from self._placed

    @cached_property
    def _placed(self) -> tuple[Placed, ...]:
        own = self.settings_document
        found = list(_of_document(own, None)) if own else []
        for name, document in self.policies.items():
            found += _of_document(document, name)
        return tuple(found)


def _of_document(document: Document, policy: str | None) -> Iterator[Placed]:
    for path, text, owner in _texts(document.data):
        scope: Any = "let" if path[0] == "let" else path[-1]
        try:
            expression = Expression(text)
        except ExpressionError:
            continue
        yield Placed(document, path, text, expression, scope, str(path[0]), owner, policy)


def _texts(data: Mapping[str, Any]) -> Iterator[tuple[Steps, str, str]]:
    """Yield path, text and owner of what are expressions; built-in preferences are none."""
    for name, text in (data.get("let") or {}).items():
        yield ("let", name), text, name
    for section, keys in (("require", ("when", "target")), ("rules", ("when", "prefer"))):
        for index, item in enumerate(data.get(section) or ()):
            yield from _parts((section, index), item, keys)


def _parts(
    path: Steps, item: Mapping[str, Any], keys: Collection[str]
) -> Iterator[tuple[Steps, str, str]]:
    for key in keys:
        text = item.get(key)
        if isinstance(text, str) and not (key == "prefer" and text in BUILT_IN):
            yield (*path, key), text, item["name"]
