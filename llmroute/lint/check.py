"""Collecting findings: of whole workspaces, of single files within them, of files on their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path

from llmroute.config.diagnostics import Diagnostic
from llmroute.config.document import Document
from llmroute.config.files import PARTS, YAML_ENDINGS, unread
from llmroute.config.source import Span
from llmroute.config.workspace import Workspace, read_workspace
from llmroute.errors import UsageError
from llmroute.lint.alone import read_alone
from llmroute.lint.ignore import IgnoreFindings, settle
from llmroute.lint.project import Project
from llmroute.lint.registry import Rule, rules, run
from llmroute.lint.repairs import repair
from llmroute.policy.check import check_expressions

__all__ = ["UNREADABLE", "judged", "lint", "lint_workspace", "root_of"]

_PROVIDERS, _SETTINGS = "providers.d", "llmroute.yaml"
#: Rules whose findings mean that something could not be looked at.
UNREADABLE = frozenset({"file-irregular", "file-unreadable"})


def lint(
    places: Sequence[Path] | Workspace,
    environment: Mapping[str, str] | None = None,
    *,
    analyses: bool = True,
    today: date | None = None,
) -> list[Diagnostic]:
    """Return every finding about files and folders, or about a workspace that was read already.

    A file is checked as part of its workspace, the nearest folder upwards with `providers.d/` or
    `llmroute.yaml`;
    only findings about the file itself are returned. Outside a workspace it is checked alone.
    `environment` stands in for the process's own. Without `analyses` the rules that evaluate
    policies on many requests are left out. `today` stands in for the day, by which prices and
    models are judged.

    Raises:
        UsageError: a path does not exist.

    """
    if isinstance(places, Workspace):
        return judged(places, [], analyses=analyses, today=today)

    @cache  # once for all places in it
    def whole(root: Path) -> list[Diagnostic]:
        return lint_workspace(root, environment, analyses=analyses, today=today)[1]

    found: dict[Diagnostic, None] = {}
    for path in places:
        if not path.exists():
            raise UsageError(f"{path}: there is no such file or folder")
        root = root_of(path.absolute())
        if root:
            about = _about(path, root, whole)
        else:
            about = _alone(path, environment, analyses=analyses, today=today)
        found |= dict.fromkeys(about)
    return list(found)


def lint_workspace(
    root: Path,
    environment: Mapping[str, str] | None = None,
    *,
    analyses: bool = False,
    today: date | None = None,
) -> tuple[Workspace, list[Diagnostic]]:
    """Read a workspace and return it with every finding of every file; see `lint`."""
    workspace, found = read_workspace(root, environment)
    return workspace, judged(workspace, found, analyses=analyses, today=today)


def judged(
    workspace: Workspace,
    found: Iterable[Diagnostic],
    *,
    analyses: bool,
    test_files: Sequence[Document] | None = None,
    whole: bool = True,
    today: date | None = None,
) -> list[Diagnostic]:
    """Add to the findings of reading a workspace those of its expressions and of the rules.

    What files say to be meant is left out, and findings that have a safe fix carry it. The files
    of tests beside the policies are read unless right ones are given as `test_files`. Where the
    workspace is not `whole`, findings are missing, and comments that ignore them are not told of.
    """
    loading = [*found, *check_expressions(workspace)]
    if workspace.protocols:
        from llmroute.adapter.declared.check import check_declared

        loading += check_declared(workspace, shipped=True)
    if test_files is None:
        test_files, about_tests = _of_tests(workspace, loading)
        loading += about_tests
    project = Project(workspace, loading, test_files=test_files, today=today)
    chosen = [rule for rule in rules() if analyses or not rule.analyses]
    ruled = _news(_specific(project, chosen, loading), loading)
    skipped = {rule.name for rule in rules()} - {rule.name for rule in chosen}
    failed = any(item.severity == "error" for item in loading)
    judge = IgnoreFindings(_known, skipped, unused=whole and not failed)
    settled = settle([*_documents(workspace), *test_files], loading, ruled, judge)
    return sorted(repair(settled), key=lambda item: (item.file, item.line, item.col))


def _of_tests(
    workspace: Workspace, loading: Iterable[Diagnostic]
) -> tuple[list[Document], list[Diagnostic]]:
    """Return the right files of tests beside policies, and the findings of reading all of them."""
    if not any((workspace.root / "policies").glob("*.test.yaml")):
        return [], []
    from llmroute.lab.testing.files import read_cases

    cases, found = read_cases(workspace)
    if any(item.severity == "error" for item in loading):  # a faulty policy is not unknown
        found = [item for item in found if item.rule != "unknown-policy"]
    own = {document.label for document in workspace.policies.values()}
    files = {case.document.label: case.document for case in cases}
    return [document for label, document in files.items() if label not in own], found


def _known() -> Iterable[str]:
    from llmroute.lint.rules import RULES  # only a comment that ignores something needs it

    return RULES


def _documents(workspace: Workspace) -> Iterator[Document]:
    if workspace.settings:
        yield workspace.settings
    yield from workspace.providers.values()
    yield from workspace.policies.values()
    yield from workspace.protocols.values()


def _specific(
    project: Project, chosen: Sequence[Rule], loading: Iterable[Diagnostic]
) -> list[Diagnostic]:
    """Run rules; of a rule or requirement that another rule speaks of, no analysis does, too.

    What evaluation finds there follows from the other fault, or cannot be told from it.
    """
    plain = run(project, [rule for rule in chosen if not rule.analyses])
    analysed = run(project, [rule for rule in chosen if rule.analyses])
    if not analysed:
        return plain
    told = [*loading, *plain]
    settings = [project.settings_document] if project.settings_document else []
    items = [item for doc in (*project.policies.values(), *settings) for item in _items(doc)]
    faulty = [item for item in items if any(_inside(found, *item) for found in told)]
    kept = (one for one in analysed if not any(_inside(one, *item) for item in faulty))
    return [*plain, *kept]


def _items(document: Document) -> Iterator[tuple[str, Span]]:
    """Yield the file and the place of each rule and requirement."""
    for section in ("rules", "require"):
        listed = document.root.children.get(section)
        for item in listed.children.values() if listed else ():
            yield document.label, item.span


def _inside(found: Diagnostic, label: str, place: Span) -> bool:
    start, end = place[:2], place[2:]
    return found.file == label and start <= (found.line, found.col) < end


def _news(ruled: Iterable[Diagnostic], loading: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Leave out what is said of a place that loading refuses, and repetitions."""
    faulty = {(item.file, item.line, item.col) for item in loading if item.severity == "error"}
    unique = dict.fromkeys(ruled)
    return [item for item in unique if (item.file, item.line, item.col) not in faulty]


def _alone(
    path: Path, environment: Mapping[str, str] | None, *, analyses: bool, today: date | None
) -> Iterator[Diagnostic]:
    """Yield the findings about files of no workspace, each for itself."""
    for file in _files(path):
        label, workspace, found, tests = read_alone(file, environment)
        found = judged(
            workspace, found, analyses=analyses, test_files=tests, whole=False, today=today
        )
        yield from (item for item in found if item.file == label)


def _about(
    path: Path, root: Path, whole: Callable[[Path], list[Diagnostic]]
) -> Iterable[Diagnostic]:
    """Return those of a workspace's findings that are about a part of it."""
    place = path.absolute()
    if place == root:
        return whole(root)
    if not _is_read(place, root):
        return [unread(place)]
    return [item for item in whole(root) if _within(item, place)]


def _is_read(place: Path, root: Path) -> bool:
    """Whether a part of a workspace is one that loading looks at, or tells of itself."""
    if place.parent == root:
        return True
    there = place.parent.parent == root and place.name.endswith(YAML_ENDINGS)
    return there and not place.name.startswith(".")


def root_of(place: Path) -> Path | None:
    """Return the workspace that a file or folder is, or that it is a part of."""
    if _is_root(place):
        return place
    for folder in place.parents:
        if _is_root(folder):
            return folder if _belongs(place, folder) else None
    return None


def _is_root(folder: Path) -> bool:
    return (folder / _PROVIDERS).is_dir() or (folder / _SETTINGS).is_file()


def _belongs(place: Path, root: Path) -> bool:
    inner = place.relative_to(root).parts
    return inner[0] in PARTS or inner == (_SETTINGS,)


def _within(item: Diagnostic, place: Path) -> bool:
    return Path(item.file).absolute().is_relative_to(place)


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    files = sorted(path.glob("*.yaml"))
    if not files:
        raise UsageError(f"{path}: there is no workspace and no YAML file in this folder")
    yield from files
