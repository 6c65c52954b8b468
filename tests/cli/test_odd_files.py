"""`lint` and `test` on files that were changed at random: findings, never a traceback.

python -m tests.cli.test_odd_files 300 [SEED]     more of them, with what each came to
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from llmroute.cli import main
from llmroute.config.shipped import data_root

SEED = 20261122
#: Pieces that mean something to YAML, JMESPath, or to those who read files.
PIECES = (
    *("\x00", "\x1b[31m", "\x85", "\u2028", "\u202e", "\ufeff", "\t", "\r", "\r\n", "\n", "  "),
    *(
        "'",
        '"',
        "`",
        "#",
        "&a",
        "*a",
        "<<: *a",
        "!!python/object:os.system x",
        "|",
        ">-",
        "%YAML 2",
    ),
    *("---", "...", "- ", ": ", "? ", "{", "}", "[", "]", ",", "null", "~", "yes", "1e999", ".nan"),
    *(
        "-0",
        "0o17",
        "9" * 400,
        "2026-13-41",
        "12:30",
        "@",
        "[?",
        "[*]",
        "&&",
        "||",
        "!",
        "((((",
        "😀",
    ),
    *(
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
        "é" * 70,
        "# llmroute: ignore[x]",
    ),
    *("extends: private", "policy: 1", "tests:\n  -", "${", "${A:-${B}}", "env:", "file:/dev/zero"),
)
VALUES = (
    "[]",
    "{}",
    "null",
    "0",
    "-1",
    "1e400",
    '""',
    "[[[]]]",
    "{a: {b: [c]}}",
    "true",
    "x" * 300,
)

Change = Callable[[bytes, random.Random], bytes]


def _flip(data: bytes, chance: random.Random) -> bytes:
    made = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)
    return bytes(made)


def _cut(data: bytes, chance: random.Random) -> bytes:
    first, last = sorted(chance.sample(range(len(data) + 1), 2))
    return data[:first] if chance.random() < 0.5 else data[:first] + data[last:]


def _insert(data: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(data) + 1)
        data = data[:place] + chance.choice(PIECES).encode("utf-8", "replace") + data[place:]
    return data


def _lines(data: bytes, chance: random.Random) -> bytes:
    """Move, double, indent or drop lines."""
    lines = data.splitlines(keepends=True)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(lines))
        line = lines.pop(place)
        again = [line] * chance.randrange(3)
        other = chance.randrange(len(lines) + 1) if chance.random() < 0.5 else place
        lines[other:other] = [b" " * chance.randrange(4) + one for one in again]
        if not lines:
            return b""
    return b"".join(lines)


def _value(data: bytes, chance: random.Random) -> bytes:
    """Put another value behind some keys."""
    lines = data.decode().splitlines()
    places = [number for number, line in enumerate(lines) if ": " in line]
    for place in chance.sample(places, min(3, len(places))):
        key = lines[place].partition(": ")[0]
        lines[place] = f"{key}: {chance.choice(VALUES)}"
    return "\n".join(lines).encode()


def _random_yaml(_data: bytes, chance: random.Random) -> bytes:
    words = ["policy", "rules", "tests", "models", "endpoint", "cost", "prefer", "when", "expect"]

    def made(depth: int) -> str:
        kind = chance.randrange(4 if depth else 2)
        if kind == 2:
            return "[" + ", ".join(made(depth - 1) for _ in range(chance.randrange(4))) + "]"
        if kind == 3:
            names = chance.sample(words, chance.randrange(4))
            return "{" + ", ".join(f"{name}: {made(depth - 1)}" for name in names) + "}"
        return chance.choice([*VALUES, "p", "target.id", "'x'", "3"])

    return "\n".join(f"{name}: {made(4)}" for name in chance.sample(words, 5)).encode()


CHANGES: tuple[Change, ...] = (_flip, _cut, _insert, _lines, _value, _random_yaml)


def _workspace(root: Path) -> list[Path]:
    """Copy the shipped workspace; return its files."""
    shipped = data_root()
    for name in ("providers.d", "policies", "llmroute.yaml"):
        place = shipped / name
        (shutil.copytree if place.is_dir() else shutil.copyfile)(place, root / name)
    return sorted(root.rglob("*.yaml"))


def _told(arguments: list[str]) -> tuple[int, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*arguments, "--debug"])
    return code, out.getvalue() + err.getvalue()


def _changed(number: int, seed: int, root: Path) -> str:
    """Make one odd workspace; return what was done."""
    chance = random.Random(f"{seed}/{number}")
    root.mkdir(parents=True)
    files = _workspace(root)
    done = []
    for path in chance.sample(files, chance.choice([1, 1, 1, 2])):
        change = chance.choice(CHANGES)
        path.write_bytes(change(path.read_bytes(), chance))
        done.append(f"{change.__name__} {path.relative_to(root)}")
    return f"{number}: {', '.join(done)}"


def _outcomes(number: int, seed: int, root: Path) -> str:
    """Run the commands; return what came of them, or what broke."""
    done = _changed(number, seed, root)
    forms = ["pretty", "json", "github", "sarif", "junit"]
    lint = ["lint", str(root), "--format", forms[number % len(forms)]]
    runs = [lint, ["lint", "--fix", "--diff", "--no-analyses", str(root)]]
    runs += [["test", "--config", str(root), "--coverage"]]
    codes = []
    for arguments in runs:
        code, text = _told(arguments)
        steering = any(not (char.isprintable() or char in "\n\t") for char in text)
        odd = code not in ((0, 1, 2, 3) if arguments[0] == "test" else (0, 1, 3))
        if "Traceback" in text or "internal error" in text or odd:
            raise AssertionError(f"{done}: {arguments} gave {code}\n{text[-3000:]}")
        if steering and arguments[0] != "lint":
            raise AssertionError(f"{done}: {arguments} could steer a terminal\n{text!r}")
        codes.append(code)
    return f"{done} -> {codes}"


@pytest.mark.parametrize("number", range(12))
def test_no_traceback(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    _outcomes(number, SEED, tmp_path / "ws")


if __name__ == "__main__":
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else SEED
    for each in range(int(sys.argv[1])):
        with TemporaryDirectory() as folder:
            try:
                print(_outcomes(each, seed, Path(folder) / "ws"), flush=True)
            except AssertionError as exc:
                print(f"BROKEN {exc}", flush=True)
