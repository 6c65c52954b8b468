"""The `claude` stand-in as a test holds it: an executable in a folder, its script, its calls."""

from __future__ import annotations

import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from llmroute.sim import claude_script
from llmroute.sim.answer import Answer
from llmroute.sim.script import Fault, Pace, Step

__all__ = ["ClaudeStandIn", "write_claude"]

_ROOT = Path(__file__).resolve().parents[2]
_CODE = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from llmroute.sim.claude import main; sys.exit(main(sys.argv[1:]))"
)
_AT_ANY_PLACE = {"error_event": "error_event", "reset": "dropped", "truncate": "truncate"}
_CONDITIONS = {
    "auth": "401",
    "bad_request": "400",
    "context": "context",
    "model_missing": "404",
    "overloaded": "529",
    "permission": "403",
    "policy": "refusal",
    "quota": "credit",
    "rate_limit": "429",
    "server_error": "500",
    "timeout": "timeout",
}


def write_claude(folder: Path, *, behaviour: str = "ok", home: Path | None = None) -> Path:
    """Write an executable named `claude` into `folder` and return its path.

    It behaves as `behaviour` says unless its environment or the folder `home` says otherwise.
    The program needs nothing from the environment it is run in.
    """
    place = "" if home is None else f"export LLMROUTE_SIM_CLAUDE_HOME={shlex.quote(str(home))}\n"
    path = folder / "claude"
    path.write_text(
        "#!/bin/sh\n"
        f': "${{LLMROUTE_SIM_CLAUDE:={behaviour}}}"\n'
        "export LLMROUTE_SIM_CLAUDE\n"
        f"{place}"
        f"exec {shlex.quote(sys.executable)} -P -c {shlex.quote(_CODE)} "
        f'{shlex.quote(str(_ROOT))} "$@"\n'
    )
    path.chmod(0o755)
    return path


class ClaudeStandIn:
    """The stand-in in a temporary folder; a context manager.

    `folder` holds the executable and belongs at the front of `PATH`; `path` is the executable.
    It is driven like a `Sim`: `script`, `clear`, `pace`, `kill`, `revive`, `requests`.
    """

    kind = "claude"

    def __init__(self, *, pace: Pace | None = None) -> None:
        self._pace = pace or Pace()
        self._place: tempfile.TemporaryDirectory[str] | None = None

    def start(self) -> Self:
        """Write the executable."""
        self._place = tempfile.TemporaryDirectory(prefix="llmroute-claude-")
        self.folder = Path(self._place.name) / "bin"
        self.home = Path(self._place.name) / "home"
        self.folder.mkdir()
        self.home.mkdir()
        self.path = write_claude(self.folder, home=self.home)
        return self.pace(self._pace)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder."""
        if self._place is not None:
            self._place.cleanup()
            self._place = None

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The calls so far: `arguments`, `prompt`, `behaviour`, `environment`, `folder`, `pid`."""
        return claude_script.calls(self.home)

    def script(self, *steps: Step, times: int | None = 1, model: str | None = None) -> Self:
        """Queue faults or answers, each for the next `times` calls (None: until `clear`)."""
        return self._add([_step(step) for step in steps], times, model)

    def behave(self, *words: str, times: int | None = 1, model: str | None = None) -> Self:
        """Queue behaviours by their words (`claude.BEHAVIOURS` and `claude_facts.ERRORS`)."""
        return self._add([{"behaviour": word} for word in words], times, model)

    def clear(self) -> Self:
        """Forget the script."""
        claude_script.clear_steps(self.home)
        return self

    def pace(self, pace: Pace) -> Self:
        """Change how fast it answers; one piece counts as one token."""
        claude_script.set_pace(self.home, pace.first_token, pace.spacing(1))
        return self

    def kill(self) -> None:
        """Take the executable away."""
        self.path.rename(self.path.with_suffix(".gone"))

    def revive(self) -> None:
        """Bring the executable back."""
        self.path.with_suffix(".gone").rename(self.path)

    def _add(self, made: Sequence[dict[str, Any]], times: int | None, model: str | None) -> Self:
        steps = [claude_script.Step(**one, left=times, model=model) for one in made]
        claude_script.add_steps(self.home, steps)
        return self


def _step(step: Step) -> dict[str, Any]:
    """Say a fault or an answer in the program's own words."""
    if isinstance(step, str):
        return {"text": step}
    if isinstance(step, Answer):
        return {"text": step.text} if step.text else {"behaviour": "empty"}
    return {"behaviour": _word(step)}


def _word(fault: Fault) -> str:
    if fault.kind == "failure":
        return _CONDITIONS[fault.condition] if fault.condition else str(fault.code)
    if fault.kind in ("body", "raw"):
        return "garbage"
    if fault.kind == "hang":
        return "hang" if fault.at == "headers" else "hang_midway"
    if fault.kind not in _AT_ANY_PLACE:
        raise ValueError(f"the claude stand-in has no fault of kind {fault.kind!r}")
    return _AT_ANY_PLACE[fault.kind]
