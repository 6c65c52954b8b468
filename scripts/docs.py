"""Fill in what the documentation shows: files and outputs, each from its source.

    python scripts/docs.py            write them
    python scripts/docs.py --check    change nothing; exit 1 if anything differs

A fenced block behind `<!-- file: PATH -->` holds that file, one behind `<!-- run: COMMAND -->`
what the command prints. Commands run in the repository's folder, with an environment that has
no keys in it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_BLOCK = re.compile(r"(<!-- (file|run): (.+?) -->\n```(\w*)\n)(.*?)(```\n)", re.DOTALL)


def shown(kind: str, source: str) -> str:
    """Return what a block must hold."""
    return _file(source) if kind == "file" else _output(source)


def _file(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8").rstrip("\n") + "\n"


def _output(command: str) -> str:
    bare = {"HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "COLUMNS": "100"}
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.defpath}"
    argv = shlex.split(command)
    if argv[0] == "llmroute":
        argv = [sys.executable, "-m", "llmroute.cli", *argv[1:]]
    done = subprocess.run(
        argv, cwd=ROOT, env={**bare, "PATH": path}, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def filled(text: str) -> str:
    """Return a page with every block filled in."""
    return _BLOCK.sub(lambda m: f"{m[1]}{shown(m[2], m[3])}{m[6]}", text)


def main() -> int:
    """Write or check every page; return the exit code."""
    check = "--check" in sys.argv[1:]
    stale = []
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        old = page.read_text(encoding="utf-8")
        new = filled(old)
        if new != old:
            stale.append(page.relative_to(ROOT))
            if not check:
                page.write_text(new, encoding="utf-8")
    for path in stale:
        print(f"{path}: {'differs; run python scripts/docs.py' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
