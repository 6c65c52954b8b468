"""What the rules about providers share: each model with the defaults of its provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from llmroute.catalog.targets import merge
from llmroute.config.diagnostics import Diagnostic, Severity
from llmroute.config.document import Document

if TYPE_CHECKING:
    from llmroute.lint.project import Project

__all__ = ["Model", "models"]

Step = str | int


class Model(NamedTuple):
    """One declared model with its defaults; or, where `number` is None, the defaults alone."""

    document: Document
    number: int | None
    data: Mapping[str, Any]
    own: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The model's name as messages show it."""
        return self.own["model"] if self.number is not None else "every model"

    @property
    def cloud(self) -> bool:
        """Whether prompts leave the machine."""
        return "cloud" in (self.document.data["locality"], self.data.get("locality"))

    @property
    def discovered(self) -> bool:
        """Whether the server may say more of the model."""
        return "discover" in self.document.data

    def path(self, *keys: Step) -> tuple[Step, ...]:
        """Return where a value stands: in the model, or in the defaults."""
        if self.number is None:
            return ("defaults", *keys)
        here: Any = self.own
        for depth, key in enumerate(keys):
            present = key in here if isinstance(here, Mapping) else isinstance(here, list)
            if not present:
                shared = depth == 0 or keys[0] != "cost"
                return ("defaults", *keys) if shared else ("models", self.number, *keys)
            here = here[key]
        return ("models", self.number, *keys)

    def finding(
        self,
        rule: str,
        message: str,
        *keys: Step,
        key: bool = False,
        help: str | None = None,  # noqa: A002 - the finding's own name
        severity: Severity = "warning",
    ) -> Diagnostic:
        """Make a finding about a value of the model; without keys about its name."""
        path = self.path(*keys) if keys else ("models", self.number or 0, "model")
        return self.document.diagnostic(rule, message, path, key=key, help=help, severity=severity)


#: The models of each project, while it lives: many rules look at them.
_KNOWN: WeakKeyDictionary[Project, tuple[Model, ...]] = WeakKeyDictionary()


def models(project: Project) -> Sequence[Model]:
    """Return every declared model; the defaults of a provider that only discovers."""
    if project not in _KNOWN:
        _KNOWN[project] = tuple(_models(project))
    return _KNOWN[project]


def _models(project: Project) -> Iterator[Model]:
    for document in project.providers.values():
        defaults = document.data.get("defaults") or {}
        declared = document.data.get("models") or ()
        for index, own in enumerate(declared):
            yield Model(document, index, merge(defaults, own), own)
        if defaults and not declared:
            yield Model(document, None, defaults, {})
