"""Collecting findings: of whole workspaces, of single files within them, of files on their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from llmroute.config.diagnostics import Diagnostic
from llmroute.config.workspace import Workspace, read_workspace
from llmroute.errors import UsageError
from llmroute.lint.alone import lint_alone
from llmroute.policy.check import check_expressions

__all__ = ["lint", "lint_workspace"]

_PROVIDERS, _SETTINGS = "providers.d", "llmroute.yaml"
#: Folders of a workspace whose files belong to it.
_PARTS = (_PROVIDERS, "policies")


def lint(
    places: Sequence[Path] | Workspace, environment: Mapping[str, str] | None = None
) -> list[Diagnostic]:
    """Return every finding about files and folders, or about a workspace that was read already.

    A file is checked as part of its workspace, the nearest folder upwards with `providers.d/` or
    `llmroute.yaml`;
    only findings about the file itself are returned. Outside a workspace it is checked alone.
    `environment` stands in for the process's own.

    Raises:
        UsageError: a path does not exist.

    """
    if isinstance(places, Workspace):
        return check_expressions(places)
    found: list[Diagnostic] = []
    for path in places:
        found += [item for item in _about(path, environment) if item not in found]
    return found


def lint_workspace(
    root: Path, environment: Mapping[str, str] | None = None
) -> tuple[Workspace, list[Diagnostic]]:
    """Read a workspace and return it with every finding of every file."""
    workspace, found = read_workspace(root, environment)
    return workspace, [*found, *lint(workspace)]


def _about(path: Path, environment: Mapping[str, str] | None) -> list[Diagnostic]:
    if not path.exists():
        raise UsageError(f"{path}: there is no such file or folder")
    place = path.absolute()
    root = _root_of(place)
    if root is None:
        return [item for file in _files(path) for item in lint_alone(file, environment)]
    _, found = lint_workspace(root, environment)
    return found if place == root else [item for item in found if _within(item, place)]


def _root_of(place: Path) -> Path | None:
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
    return inner[0] in _PARTS or inner == (_SETTINGS,)


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
