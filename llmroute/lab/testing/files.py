"""Finding policy tests: `tests:` of policy files, and `*.test.yaml` files beside them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmroute.config.diagnostics import Diagnostic
from llmroute.config.document import Document
from llmroute.config.files import read_document
from llmroute.config.policy_checks import check_names
from llmroute.config.reading import reference
from llmroute.config.schema import check
from llmroute.config.workspace import Workspace

__all__ = ["SUFFIX", "Case", "read_cases"]

#: How the name of a file of tests ends.
SUFFIX = ".test.yaml"


@dataclass(frozen=True, eq=False)
class Case:
    """One test: where it stands, the policy that it is about, and its data."""

    document: Document
    index: int
    policy: str

    @property
    def data(self) -> Mapping[str, Any]:
        """The test as the file has it."""
        test: Mapping[str, Any] = self.document.data["tests"][self.index]
        return test

    @property
    def name(self) -> str:
        """What is tested, in words."""
        name: str = self.data["name"]
        return name

    @property
    def title(self) -> str:
        """The policy and the test."""
        return f"{self.policy}: {self.name}"

    @property
    def discovered(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """The models that each discovering server lists; the test's own beat the file's."""
        return {**self.document.data.get("discovered", {}), **self.data.get("discovered", {})}

    def path(self, *steps: str | int) -> tuple[str | int, ...]:
        """Return the data path of something in the test."""
        return ("tests", self.index, *steps)

    def diagnostic(
        self,
        rule: str,
        message: str,
        *steps: str | int,
        key: bool = False,
        hint: str | None = None,
    ) -> Diagnostic:
        """Make a finding about something in the test."""
        return self.document.diagnostic(rule, message, self.path(*steps), key=key, help=hint)


def read_cases(
    workspace: Workspace, files: Iterable[Path] = ()
) -> tuple[list[Case], list[Diagnostic]]:
    """Read the tests of a workspace's own policies, and those of more files; every finding.

    Policies that come with the package have their tests there: they count only where the
    workspace is the package's own. Never raises on bad files.
    """
    own = [d for d in workspace.policies.values() if _within(d.path, workspace.root)]
    cases = [case for document in own for case in _cases(document)]
    found: list[Diagnostic] = []
    beside = {_real(path): path for path in (*_beside(workspace, own), *files)}
    for path in beside.values():
        more, problems = _from_file(path, workspace)
        cases += more
        found += problems
    return sorted(cases, key=lambda case: (case.policy, case.document.label, case.index)), found


def _within(path: Path, root: Path) -> bool:
    return _real(path).is_relative_to(_real(root))


def _real(path: Path) -> Path:
    """Return where a link leads; that it leads round in circles is told where it is read."""
    return Path(os.path.realpath(path))


def _beside(workspace: Workspace, policies: Iterable[Document]) -> Iterator[Path]:
    """Yield the files of tests in the folder of policies, also where no policy is left there."""
    folders = {document.path.parent for document in policies}
    usual = workspace.root / "policies"
    if usual.is_dir() and _real(usual) not in {_real(folder) for folder in folders}:
        folders.add(usual)
    for folder in sorted(folders):
        try:
            names = sorted(entry.name for entry in os.scandir(folder))
        except OSError:  # reading the workspace has told
            continue
        yield from (folder / n for n in names if n.endswith(SUFFIX) and not n.startswith("."))


def _cases(document: Document) -> Iterator[Case]:
    for index in range(len(document.data.get("tests", ()))):
        yield Case(document, index, document.data["policy"])


def _from_file(path: Path, workspace: Workspace) -> tuple[list[Case], list[Diagnostic]]:
    root = workspace.root if _within(path, workspace.root) else path.parent
    document, found = read_document(path, root)
    if document is None:
        return [], found
    faulty = {(item.line, item.col) for item in found}
    found += [i for i in check(document, "test") if (i.line, i.col) not in faulty]
    if not any(item.severity == "error" for item in found):
        found += check_names(document)
        known = workspace.policies
        found += reference(document, ("policy",), "policy", document.data["policy"], known)
    broken = any(item.severity == "error" for item in found)
    return ([] if broken else list(_cases(document))), found
