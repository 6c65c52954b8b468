"""Making the safe fixes: tried on a copy, kept only where no decision changes.

Fixes are made until none is left. Each round is checked by what the files mean to the engine:
every policy and provider that loaded must mean the same, and no file may have more errors.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from llmroute.config.diagnostics import Diagnostic, Edit
from llmroute.config.files import label_of
from llmroute.config.redact import masked
from llmroute.config.workspace import Workspace, read_workspace
from llmroute.errors import UsageError
from llmroute.lint.alone import read_alone
from llmroute.lint.check import judged, root_of
from llmroute.lint.edits import apply, compatible
from llmroute.lint.project import Project
from llmroute.policy.check import check_expressions
from llmroute.policy.expressions.expression import Expression, ExpressionError
from llmroute.policy.source import PolicySource

__all__ = ["Change", "fixes", "members", "to_diff", "write"]

_FOLDERS, _SETTINGS = ("providers.d", "policies", "protocols.d"), "llmroute.yaml"
#: Fixes that call for further ones end after so many rounds.
_ROUNDS = 50
#: The head of a hunk: of which lines, counted from 1; an empty file begins at 0.
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


class Change(NamedTuple):
    """A file whose text changes, and how many fixes that makes."""

    path: Path
    old: str
    new: str
    mended: int


class _State(NamedTuple):
    """The copy as it was read: what it means, how many errors each file has, what to fix."""

    meaning: Mapping[str, Any]
    errors: Mapping[str, int]
    found: list[Diagnostic]


class _Copy:
    """A copy of a workspace, or of a file that stands alone with its neighbours."""

    def __init__(self, folder: Path, copy: Path, alone: Path | None, *, analyses: bool) -> None:
        self.folder, self.copy = folder, copy
        self._alone, self._analyses = alone, analyses
        for path in members(folder, alone):
            place = copy / path.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)

    def original(self, item: Diagnostic) -> Path | None:
        """Return the file that a finding about the copy is about, None if it is another's."""
        path = Path(item.file).absolute()
        return self.folder / path.relative_to(self.copy) if self._holds(path) else None

    def _holds(self, path: Path) -> bool:
        return path.is_relative_to(self.copy) and path.is_file()

    def state(self, environment: Mapping[str, str] | None) -> _State:
        """Read the copy."""
        if self._alone is None:
            workspace, found = read_workspace(self.copy, environment)
            tests = None
        else:
            alone = read_alone(self.copy / self._alone.name, environment)
            workspace, found, tests = alone.workspace, alone.found, alone.test_files
        whole = self._alone is None
        found = judged(workspace, found, analyses=self._analyses, test_files=tests, whole=whole)
        errors: dict[str, int] = {}
        for item in found:
            errors[item.file] = errors.get(item.file, 0) + (item.severity == "error")
        return _State(_meaning(workspace), errors, found)


def fixes(
    places: Sequence[Path], environment: Mapping[str, str] | None = None, *, analyses: bool = True
) -> list[Change]:
    """Return what the safe fixes change in files and folders; nothing is written.

    Raises:
        UsageError: a path does not exist.

    """
    together: dict[tuple[Path, Path | None], list[Path]] = {}
    for place in places:
        if not place.exists():
            raise UsageError(f"{place}: there is no such file or folder")
        for folder, alone in _copied(place.absolute()):
            together.setdefault((folder, alone), []).append(alone or place.absolute())
    found: dict[Path, Change] = {}
    for (folder, alone), wanted in together.items():
        for change in _about(folder, alone, wanted, environment, analyses=analyses):
            found.setdefault(change.path, change)
    return list(found.values())


def _copied(place: Path) -> Iterator[tuple[Path, Path | None]]:
    """Yield the workspace of a place; or for each file of none, its folder and itself."""
    root = root_of(place)
    if root is not None:
        yield root, None
    else:
        files = sorted(place.glob("*.yaml")) if place.is_dir() else [place]
        yield from ((file.parent, file) for file in files)


def _about(
    folder: Path,
    alone: Path | None,
    wanted: Sequence[Path],
    environment: Mapping[str, str] | None,
    *,
    analyses: bool,
) -> Iterator[Change]:
    with TemporaryDirectory(prefix="llmroute-fix-") as temporary:
        copy = _Copy(folder, Path(temporary).resolve(), alone, analyses=analyses)
        counts = _settled(copy, wanted, environment)
        for path, count in sorted(counts.items()):
            new = _text(copy.copy / path.relative_to(folder))
            yield Change(path, _text(path), new, count)


def _settled(
    copy: _Copy, wanted: Sequence[Path], environment: Mapping[str, str] | None
) -> Mapping[Path, int]:
    """Fix the copy until nothing is left to fix; return how many findings of each file."""
    counts: dict[Path, int] = {}
    state, refused = copy.state(environment), set[Edit]()
    for _ in range(_ROUNDS):
        edits = [edit for edit in _edits(state, copy, wanted) if edit not in refused]
        made, state = _round(copy, edits, state, environment, refused)
        for edit in made:
            path = copy.folder / Path(edit.file).relative_to(copy.copy)
            counts[path] = counts.get(path, 0) + 1
        if not made:
            break
    return counts


def _edits(state: _State, copy: _Copy, wanted: Sequence[Path]) -> Iterator[Edit]:
    for item in state.found:
        path = copy.original(item)
        if item.fix and path and any(path.is_relative_to(place) for place in wanted):
            yield item.fix._replace(file=str(Path(item.file).absolute()))


def _round(
    copy: _Copy,
    edits: Sequence[Edit],
    before: _State,
    environment: Mapping[str, str] | None,
    refused: set[Edit],
) -> tuple[list[Edit], _State]:
    """Make all edits that fit together; if that changes a decision, the first that does not.

    Those that do are added to `refused`.
    """
    for chosen in (edits, *([edit] for edit in edits)):
        made, old = _made(chosen)
        after = copy.state(environment) if made else before
        if _harmless(before, after):
            return made, after
        for path, text in old.items():
            _write(path, text)
        refused |= set(chosen) if len(chosen) == 1 else set()
    return [], before


def _made(edits: Sequence[Edit]) -> tuple[list[Edit], dict[Path, str]]:
    """Make edits, those that overlap others left out; return them and the old texts."""
    made, old = [], {}
    for file in dict.fromkeys(edit.file for edit in edits):
        path, own = Path(file), compatible(edit for edit in edits if edit.file == file)
        old[path] = _text(path)
        _write(path, apply(old[path], own))
        made += own
    return made, old


def _harmless(before: _State, after: _State) -> bool:
    same = all(after.meaning.get(name) == meant for name, meant in before.meaning.items())
    return same and all(count <= before.errors.get(f, 0) for f, count in after.errors.items())


def _meaning(workspace: Workspace) -> Mapping[str, Any]:
    """Return what decides: the settings, each provider's data, each policy as it is compiled."""
    project = Project(workspace, check_expressions(workspace))
    meant: dict[str, Any] = {"settings": project.settings}
    meant |= {f"provider {name}": doc.data for name, doc in project.providers.items()}
    return meant | {f"policy {name}": _used(source) for name, source in project.sources.items()}


def _used(source: PolicySource) -> PolicySource:
    """Leave out what no decision depends on: the description, names that nothing reads."""
    parts: list[Any] = [part for item in source.require for part in (item.when, item.target)]
    parts += [part for rule in source.rules for part in (rule.when, rule.prefer)]
    texts = [part for part in parts if isinstance(part, str)]
    read = {root for text in texts for root in _roots(text)}
    let = {name: text for name, text in source.let.items() if name in read or "@" in read}
    return replace(source, description="", let=let)


def _roots(text: str) -> frozenset[str]:
    try:
        return Expression(text).roots
    except ExpressionError:
        return frozenset()


def members(folder: Path, alone: Path | None = None) -> Iterator[Path]:
    """Yield the files of a workspace, or, for a file that stands alone, those beside it."""
    places = [folder] if alone else [folder / name for name in _FOLDERS]
    settings = folder / _SETTINGS
    found = [settings] if not alone and settings.is_file() else []
    found += [path for place in places for path in sorted(place.glob("*.yaml"))]
    yield from (path for path in found if _is_own(path, folder.resolve()))


def _is_own(path: Path, folder: Path) -> bool:
    """Whether a file may be changed: what a link leads out of the workspace to may not."""
    plain = path.is_file() and not path.name.startswith(".")
    return plain and path.resolve().is_relative_to(folder) and os.access(path, os.R_OK)


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape")


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))


def write(changes: Iterable[Change]) -> None:
    """Write the files, each unless it has changed meanwhile.

    Raises:
        UsageError: a file cannot be written, or is no longer what was checked.

    """
    for change in changes:
        label = label_of(change.path)
        try:
            if _text(change.path) != change.old:
                raise UsageError(f"{label}: it has changed meanwhile; nothing was written to it")
            _write(change.path, change.new)
        except OSError as exc:
            raise UsageError(f"{label}: it cannot be written: {exc.strerror}") from exc


def to_diff(changes: Iterable[Change]) -> str:
    """Return the changes as a unified diff; what may be a secret is masked, as in excerpts."""
    return "".join(line for change in changes for line in _diff(change))


def _diff(change: Change) -> Iterator[str]:
    label = label_of(change.path)
    old, new = (text.splitlines(keepends=True) for text in (change.old, change.new))
    lines = difflib.unified_diff(old, new, f"a/{label}", f"b/{label}")
    yield from islice(lines, 2)
    before = after = 0
    for line in lines:
        if hunk := _HUNK.match(line):
            before, after = int(hunk[1]) - 1, int(hunk[2]) - 1
            yield line
            continue
        shown = line[0] + (masked(old, before) if line[0] in " -" else masked(new, after))
        before += line[0] in " -"
        after += line[0] in " +"
        yield shown if shown.endswith("\n") else f"{shown}\n\\ No newline at end of file\n"
