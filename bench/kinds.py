"""How well the facts `math`, `multiple_choice` and `code` tell kinds of prompts apart.

    python bench/kinds.py FOLDER

The folder holds rows of published benchmarks, one JSON object a line in `*.jsonl.gz`, of which
`task`, `subtask` and `prompt` are read: MMLU (multiple choice; its mathematical subjects are
mathematics), GSM8K and MATH level 5 (mathematics), CRUX (code). Equal prompts count once. Rows of
which the task does not tell are left out: for mathematics MMLU's other sciences, for code MMLU's
computer science and MATH's drawings in Asymptote. The last line is one JSON object: by fact
precision, recall and rows.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from llmroute.policy.facts.facts import Facts
from llmroute.types import Request

_MATHEMATICS = ("abstract_algebra", "mathematics", "statistics")
_SCIENCES = ("physics", "chemistry", "econom", "accounting", "engineering", "computer", "astronomy")
_SCIENCES += ("formal_logic", "machine_learning")


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    seen = set()
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                if row["prompt"] not in seen:
                    seen.add(row["prompt"])
                    yield row


def _truth(row: dict[str, Any]) -> dict[str, bool]:
    """Say which facts ought to hold, leaving out those that the task does not tell."""
    task, subject = row["task"], row.get("subtask") or ""
    if task == "mmlu":
        told = {"multiple_choice": True}
        mathematics = any(name in subject for name in _MATHEMATICS)
        if mathematics or not any(name in subject for name in _SCIENCES):
            told["math"] = mathematics
        return told if "computer" in subject or "machine" in subject else {**told, "code": False}
    if task in ("gsm", "gsm8k", "math-l5"):
        told = {"math": True, "multiple_choice": False}
        return told if "[asy]" in row["prompt"] else {**told, "code": False}
    return {"math": False, "multiple_choice": False, "code": True} if task == "crux" else {}


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    hits = {name: {(a, b): 0 for a in (0, 1) for b in (0, 1)} for name in _FACTS}
    for row in _rows(Path(sys.argv[1])):
        facts = Facts(Request.of(row["prompt"]))
        for name, truth in _truth(row).items():
            hits[name][truth, getattr(facts, name)] += 1
    report = {}
    for name, counts in hits.items():
        right, missed, wrong = counts[1, 1], counts[1, 0], counts[0, 1]
        report[name] = {
            "precision": round(right / max(1, right + wrong), 4),
            "recall": round(right / max(1, right + missed), 4),
            "rows": sum(counts.values()),
            "true": right + missed,
        }
        print(name, report[name])
    print(json.dumps(report))


_FACTS = ("math", "multiple_choice", "code")

if __name__ == "__main__":
    main()
