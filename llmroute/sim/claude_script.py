"""The folder through which a test tells the `claude` stand-in what to do, and sees its calls.

`script.json` holds the steps still to come, `calls.jsonl` a line for each call. Both are changed
under a lock on the folder, since several stand-ins may run at once.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "Step",
    "add_steps",
    "calls",
    "clear_steps",
    "next_step",
    "read_pace",
    "record",
    "set_pace",
]

_SCRIPT = "script.json"
_CALLS = "calls.jsonl"
_PACE = "pace.json"


@dataclass(frozen=True, slots=True)
class Step:
    """What the stand-in does in its next calls.

    `left` counts the calls (None: all of them), `model` restricts it to one model. `text` is
    the answer where one is given.
    """

    behaviour: str = "ok"
    text: str | None = None
    left: int | None = 1
    model: str | None = None


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    import fcntl

    with (home / "lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _read(home: Path) -> list[Step]:
    path = home / _SCRIPT
    return [Step(**one) for one in json.loads(path.read_text())] if path.exists() else []


def _save(home: Path, steps: Sequence[Step]) -> None:
    (home / _SCRIPT).write_text(json.dumps([asdict(step) for step in steps]))


def add_steps(home: Path, steps: Sequence[Step]) -> None:
    """Queue steps."""
    with _locked(home):
        _save(home, [*_read(home), *steps])


def clear_steps(home: Path) -> None:
    """Forget every step."""
    with _locked(home):
        _save(home, [])


def next_step(home: Path | None, model: str) -> Step | None:
    """Use up one turn of the first step that fits the model."""
    if home is None:
        return None
    with _locked(home):
        steps = _read(home)
        found = next((one for one in steps if one.model in (None, model)), None)
        if found is not None and found.left is not None:
            index = steps.index(found)
            rest = Step(**{**asdict(found), "left": found.left - 1})
            steps[index : index + 1] = [rest] if found.left > 1 else []
            _save(home, steps)
    return found


def set_pace(home: Path, first_token: float, every: float) -> None:
    """Set the seconds before the first piece of every answer and after each piece."""
    with _locked(home):
        (home / _PACE).write_text(json.dumps([first_token, every]))


def read_pace(home: Path | None) -> tuple[float, float]:
    """Read what `set_pace` set; nothing waits where it did not."""
    path = None if home is None else home / _PACE
    if path is None or not path.exists():
        return 0.0, 0.0
    first_token, every = json.loads(path.read_text())
    return first_token, every


def record(home: Path | None, arguments: Sequence[str], prompt: str, behaviour: str) -> None:
    """Note one call: its arguments, its prompt, its environment's names and its folder."""
    if home is None:
        return
    import os

    call = {
        "arguments": list(arguments),
        "prompt": prompt,
        "behaviour": behaviour,
        "environment": sorted(os.environ),
        "folder": str(Path.cwd()),
        "pid": os.getpid(),
    }
    with _locked(home), (home / _CALLS).open("a") as handle:
        handle.write(json.dumps(call) + "\n")


def calls(home: Path) -> list[dict[str, Any]]:
    """Read the calls so far, in order."""
    path = home / _CALLS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
