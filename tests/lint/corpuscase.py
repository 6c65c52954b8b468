"""Reading the corpus: files as people get them wrong, and what lint must say of each.

`corpus/README.md` explains the form of a case.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["CORPUS", "Case", "Expected", "cases"]

CORPUS = Path(__file__).parent / "corpus"
_NOTES = "case.txt"
#: Stands for today in the files: prices grow stale. It has as many characters as every other day.
_TODAY = b"2026-11-01"
_HEAD = re.compile(r"\ufeff?# (place|expect): (.*?)\s*$")
_EXPECT = re.compile(r"(?:(\S+) )?(\d+):(\d+) ([a-z-]+):(?: (.*))?$")


@dataclass(frozen=True)
class Expected:
    """One finding: its place, its rule, and what message or help must contain."""

    file: str
    line: int
    col: int
    rule: str
    words: str

    @property
    def place(self) -> tuple[str, int, int, str]:
        """File, line, column and rule."""
        return self.file, self.line, self.col, self.rule


@dataclass
class Case:
    """Files that are put over a small right workspace, and every finding that they must give."""

    name: str
    files: dict[str, bytes] = field(default_factory=dict)
    expected: list[Expected] = field(default_factory=list)
    steps: list[list[str]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    needs: list[str] = field(default_factory=list)
    base: bool = True
    alone: bool = False

    def write(self, root: Path) -> Path:
        """Write the workspace into a folder, and return what is to be linted."""
        if self.base:
            shutil.copytree(CORPUS / "base", root, dirs_exist_ok=True)
        for name, data in self.files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)
        for path in root.rglob("*.yaml"):
            path.write_bytes(path.read_bytes().replace(_TODAY, _today()))
        for step in self.steps:
            _do(root, step)
        return root / next(iter(self.files)) if self.alone else root


def _today() -> bytes:
    return datetime.now(UTC).date().isoformat().encode()


def _do(root: Path, step: list[str]) -> None:
    verb, place, *more = step
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    match verb:
        case "link":
            path.symlink_to(more[0])
        case "chmod":
            path.chmod(int(more[0], 8))
        case "folder":
            path.mkdir()
        case "remove":
            path.unlink()
        case "fill":
            path.write_bytes(path.read_bytes() + b"#" * int(more[0]))
        case _:
            raise ValueError(f"there is no step {verb}")


def cases(kind: str) -> Iterator[Case]:
    """Yield the cases of `faulty` or `correct`, by name."""
    folder = CORPUS / kind
    for path in sorted(folder.glob("*/*" if kind == "faulty" else "*")):
        yield _folder(path) if path.is_dir() else _single(path)


def _single(path: Path) -> Case:
    case, data = Case(_name(path)), path.read_bytes()
    heads = list(_heads(data))
    place = next(value for key, value in heads if key == "place")
    case.files[place] = data
    case.expected += [_expected(value, place) for key, value in heads if key == "expect"]
    return case


def _folder(folder: Path) -> Case:
    case = Case(_name(folder))
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        place, data = path.relative_to(folder).as_posix(), path.read_bytes()
        if place == _NOTES:
            _note(case, data.decode())
            continue
        case.files[place] = data
        case.expected += [_expected(value, place) for key, value in _heads(data) if key == "expect"]
    return case


def _name(path: Path) -> str:
    return path.relative_to(CORPUS).with_suffix("").as_posix()


def _heads(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the keys and values of the comments that a file begins with."""
    for line in data.decode("utf-8", "replace").splitlines():
        found = _HEAD.match(line)
        if found is None:
            return
        yield found[1], found[2]


def _note(case: Case, text: str) -> None:
    for line in text.splitlines():
        key, _, value = line.partition(": ")
        match key:
            case "expect":
                case.expected.append(_expected(value, None))
            case "step":
                case.steps.append(value.split())
            case "env":
                name, _, worth = value.partition("=")
                case.environment[name] = worth
            case "needs":
                case.needs.append(value)
            case "base" if value == "none":
                case.base = False
            case "alone" if value == "yes":
                case.alone = True
            case _:
                raise ValueError(f"{case.name}: there is no note `{line}`")


def _expected(value: str, place: str | None) -> Expected:
    found = _EXPECT.match(value)
    file = found and (found[1] or place)
    if found is None or file is None:
        raise ValueError(f"this is no expectation: {value}")
    return Expected(file, int(found[2]), int(found[3]), found[4], found[5] or "")
