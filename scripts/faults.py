"""Run the fault tests, and write what they saw into the table of docs/reliability.md.

    python scripts/faults.py            write the table
    python scripts/faults.py --check    change nothing; exit 1 if the page shows something else

Each line of the table is what one test saw of the records of real calls. Lines that differ in the
fault alone stand together.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reliability.md"
_BLOCK = re.compile(r"(<!-- faults -->\n)(.*?)(<!-- end of faults -->\n)", re.DOTALL)
_HEAD = "| row | fault | expected | observed |\n|---|---|---|---|\n"

#: Rows that are tested elsewhere: fault, what is expected, and where.
ELSEWHERE = {
    75: ("kill -9 during a write", "no acknowledged row lost", "tests/ledger/test_processes.py"),
}

Line = Mapping[str, Any]


def seen() -> list[Line]:
    """Run the tests and return the lines that they noted.

    Raises:
        SystemExit: a test failed.

    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seen.json"
        options = ("-q", "-p", "tests.faults.table", "--table", str(path), "tests/faults")
        left_out = ("--deselect", "tests/faults/test_the_page.py")
        argv = [sys.executable, "-m", "pytest", *options, *left_out]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode or not path.exists():
            raise SystemExit(done.stdout + done.stderr)
        lines: list[Line] = json.loads(path.read_text(encoding="utf-8"))
        return lines


def table(lines: Iterable[Line]) -> str:
    """Return the table, by rows."""
    found: dict[tuple[int, str, str], list[str]] = {}
    for line in formed(lines):
        faults = found.setdefault((line["row"], line["expected"], line["observed"]), [])
        if line["fault"] not in faults:
            faults.append(line["fault"])
    rows = [(row, "; ".join(faults), *rest) for (row, *rest), faults in found.items()]
    rows += [(row, fault, what, f"see `{at}`") for row, (fault, what, at) in ELSEWHERE.items()]
    rows.sort(key=lambda cells: cells[0])
    return _HEAD + "".join(f"| {' | '.join(map(str, cells))} |\n" for cells in rows)


def formed(lines: Iterable[Line]) -> list[Line]:
    """Return the lines, with the form of the call where the other form saw something else."""
    every = list(lines)
    words = {"stream": "streamed", "complete": "whole answer"}
    views: dict[tuple[int, str], set[tuple[str, str]]] = {}
    for line in every:
        view = (line["expected"], line["observed"])
        views.setdefault((line["row"], line["fault"]), set()).add(view)
    return [
        line
        if len(views[line["row"], line["fault"]]) == 1 or not line["form"]
        else {**line, "fault": f"{line['fault']} ({words[line['form']]})"}
        for line in every
    ]


def main() -> int:
    """Write or check the page; return the exit code."""
    old = PAGE.read_text(encoding="utf-8")
    made = table(seen())
    new = _BLOCK.sub(lambda match: match[1] + made + match[3], old)
    if new == old:
        return 0
    check = "--check" in sys.argv[1:]
    if not check:
        PAGE.write_text(new, encoding="utf-8")
    print(f"docs/reliability.md: {'differs; run python scripts/faults.py' if check else 'written'}")
    return 1 if check else 0


if __name__ == "__main__":
    sys.exit(main())
