"""Files of a git revision, read through the program `git`; nothing is checked out.

Blobs are taken as they are stored, links followed inside the revision only.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from llmroute.errors import UsageError

__all__ = ["Answer", "Repository", "Spawn", "spawn"]

#: Seconds after which git is given up.
_PATIENCE = 60


class Answer(NamedTuple):
    """What a program printed, and its exit code."""

    code: int
    out: bytes
    err: bytes


#: Runs a program in a folder with something on its stdin.
Spawn = Callable[[Sequence[str], Path, bytes], Answer]


def spawn(argv: Sequence[str], folder: Path, stdin: bytes) -> Answer:
    """Run a program to its end.

    Raises:
        UsageError: it is not installed, or does not end.

    """
    try:
        done = subprocess.run(  # noqa: S603 - git, with arguments that are no options
            argv, cwd=folder, input=stdin, capture_output=True, timeout=_PATIENCE, check=False
        )
    except FileNotFoundError as exc:
        raise UsageError(f"revisions are read through {argv[0]}, which is not installed") from exc
    except subprocess.TimeoutExpired as exc:
        raise UsageError(f"{argv[0]} has not ended after {_PATIENCE} seconds") from exc
    return Answer(done.returncode, done.stdout, done.stderr)


class Repository:
    """A git repository around a folder.

    `top` is its work tree's folder; paths in revisions are relative to it, with slashes.
    """

    def __init__(self, folder: Path, run: Spawn = spawn) -> None:
        self._run, self._folder = run, folder
        done = self._git("rev-parse", "--show-toplevel")
        if done.code:
            raise UsageError(f"{folder} is in no git repository that can be read: {_reason(done)}")
        self.top = Path(done.out.decode().rstrip("\n"))

    def commit(self, revision: str) -> str:
        """Return a revision's commit.

        Raises:
            UsageError: there is no such revision.

        """
        if revision and not revision.startswith("-"):
            done = self._git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
            if not done.code:
                return done.out.decode().strip()
        raise UsageError(f'git knows no revision "{revision}" in {self.top}')

    def kind(self, commit: str, path: str) -> str | None:
        """Return `tree` or `blob`, None where a commit has nothing at a path."""
        done = self._git("cat-file", "-t", f"{commit}:{path}")
        return None if done.code else done.out.decode().strip()

    def export(self, commit: str, paths: Iterable[str], into: Path) -> list[Path]:
        """Write the YAML files at or below paths under a folder; return them.

        Raises:
            UsageError: git fails, or a link leads out of the revision.

        """
        return self._write(commit, self._names(commit, "-r", paths), into)

    def export_beside(self, commit: str, path: str, into: Path) -> list[Path]:
        """Write a file and the YAML files beside it under a folder; return them."""
        parent = PurePosixPath(path).parent
        beside = [] if parent == PurePosixPath(".") else [f"{parent}/"]
        names = {path: None} | dict.fromkeys(self._names(commit, "-t", beside))
        return self._write(commit, list(names), into)

    def _write(self, commit: str, names: Sequence[str], into: Path) -> list[Path]:
        made = []
        for name, content in zip(names, self._contents(commit, names), strict=True):
            place = into / PurePosixPath(name)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.parent.chmod(0o755)
            place.write_bytes(content)
            place.chmod(0o644)
            made.append(place)
        return made

    def _names(self, commit: str, how: str, paths: Iterable[str]) -> list[str]:
        arguments = ("ls-tree", how, "-z", "--name-only", "--full-tree", commit, "--", *paths)
        done = self._checked(*arguments)
        found = (name.decode("utf-8", "surrogateescape") for name in done.out.split(b"\0"))
        return [name for name in found if name.endswith((".yaml", ".yml"))]

    def _contents(self, commit: str, names: Sequence[str]) -> Iterator[bytes]:
        asked = "".join(f"{commit}:{name}\n" for name in names)
        stdin = asked.encode("utf-8", "surrogateescape")
        out = self._checked("cat-file", "--batch", "--follow-symlinks", stdin=stdin).out
        for name in names:
            head, _, rest = out.partition(b"\n")
            words = head.split()
            if len(words) != 3 or words[1] != b"blob":
                raise UsageError(f"{commit[:12]}:{name} is a link that leads to no file in there")
            size = int(words[2])
            yield rest[:size]
            out = rest[size + 1 :]

    def _checked(self, *arguments: str, stdin: bytes = b"") -> Answer:
        done = self._git(*arguments, stdin=stdin)
        if done.code:
            raise UsageError(f"git {arguments[0]} failed: {_reason(done)}")
        return done

    def _git(self, *arguments: str, stdin: bytes = b"") -> Answer:
        return self._run(("git", *arguments), self._folder, stdin)


def _reason(done: Answer) -> str:
    lines = done.err.decode("utf-8", "replace").split("\n")
    return lines[0].removeprefix("fatal: ") or f"exit code {done.code}"
