"""The ledger's speed on this disk: reserving and settling, alone and with other processes.

    python bench/ledger.py [--folder FOLDER] [--processes 8] [--calls 32] [--turns 15]

Every call reserves against one hard budget, settles and waits until that is on the disk. Alone,
`--calls` calls run at once in one process; together, every process runs that many. Rows are
requests with a decision of 20 targets, recorded without waiting and flushed at the end. `journal`
compares the rollback journals of SQLite: one small transaction after another, without the ledger.
Latencies are in milliseconds. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from llmroute.config.shipped import data_root
from llmroute.ledger.budgets import Budget
from llmroute.ledger.holds import Reservation
from llmroute.ledger.ledger import Ledger
from llmroute.ledger.records import AttemptRecord, RequestRecord
from llmroute.ledger.settings import store_opener
from llmroute.router import Router

_BUDGETS = (Budget("team", "month", 10**15, hard=True),)
_ROWS = 2000


async def _call(ledger: Ledger) -> tuple[float, float]:
    """Reserve and settle; return the seconds of each."""
    begun = time.perf_counter()
    row = AttemptRecord(ledger.new_id(), 1, time.time(), "acme", "acme/large", "balanced")
    held = await ledger.reserve(row, 10_000, 1000, within=60)
    between = time.perf_counter()
    if not isinstance(held, Reservation):
        raise SystemExit(held.message)
    await ledger.settle(held, replace(row, cost=900, tokens_in=100, tokens_out=30))
    return between - begun, time.perf_counter() - between


async def _calls(path: Path, calls: int, turns: int) -> list[tuple[float, float]]:
    ledger = Ledger(store_opener(path), _BUDGETS, wait=30)
    await ledger.look()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)

    async def caller() -> list[tuple[float, float]]:
        return [await _call(ledger) for _ in range(turns)]

    done = await asyncio.gather(*(caller() for _ in range(calls)))
    ledger.close()
    return [item for items in done for item in items]


def _run(path: Path, processes: int, calls: int, turns: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--worker", str(path), str(calls), str(turns)]
    pipe = subprocess.PIPE
    runs = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(processes)]
    for run in runs:
        run.stdout.readline()  # type: ignore[union-attr]
    begun = time.perf_counter()
    for run in runs:
        run.stdin.write("go\n")  # type: ignore[union-attr]
        run.stdin.flush()  # type: ignore[union-attr]
    told = [json.loads(run.communicate()[0]) for run in runs]
    took = time.perf_counter() - begun
    pairs = [pair for pairs in told for pair in pairs]
    return {
        "calls_per_second": round(len(pairs) / took),
        "reserve": _spread([pair[0] for pair in pairs]),
        "settle": _spread([pair[1] for pair in pairs]),
    }


def _spread(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(value * 1000 for value in seconds)
    return {
        "p50": round(ordered[len(ordered) // 2], 1),
        "p99": round(ordered[int(len(ordered) * 0.99)], 1),
    }


def _rows(folder: Path) -> dict[str, Any]:
    """Record requests with whole decisions, and say what a row takes."""
    with Router.load(data_root(), environment={"OPENAI_API_KEY": "x"}) as router:
        kept = router.decide("fix this bug", tags=["code"]).brief()
    path = folder / "rows.db"
    ledger = Ledger(store_opener(path), queue=_ROWS)
    begun = time.perf_counter()
    for _ in range(_ROWS):
        name, now = ledger.new_id(), time.time()
        request = RequestRecord(name, now, "balanced", winner="a/b", target="a/b", decision=kept)
        ledger.record(request, AttemptRecord(name, 1, now, "a", "a/b", "balanced", cost=5))
    posted = time.perf_counter() - begun
    ledger.flush().wait()
    took = time.perf_counter() - begun
    ledger.close()
    return {
        "requests_per_second": round(_ROWS / took),
        "microseconds_to_post": round(posted / _ROWS * 1e6, 1),
        "bytes_per_request": round(path.stat().st_size / _ROWS),
        "dropped": sum(alarm.count for alarm in ledger.alarms),
    }


def _journals(folder: Path, rounds: int = 3, count: int = 25) -> dict[str, float]:
    """Time one transaction in every mode; the modes take turns, because disks have moods."""
    times: dict[str, list[float]] = {}
    for turn in range(rounds):
        for mode in ("DELETE", "TRUNCATE", "PERSIST"):
            for level in ("NORMAL", "FULL", "EXTRA"):
                path = folder / f"{mode}-{level}-{turn}.db"
                times.setdefault(f"{mode} {level}", []).extend(
                    _transactions(path, mode, level, count)
                )
    return {name: _spread(values)["p50"] for name, values in times.items()}


def _transactions(path: Path, mode: str, level: str, count: int) -> list[float]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode = {mode}")
    connection.execute(f"PRAGMA synchronous = {level}")
    connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)")
    made = []
    for _ in range(count):
        begun = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO rows (text) VALUES (?)", ("x" * 300,))
        connection.execute("COMMIT")
        made.append(time.perf_counter() - begun)
    connection.close()
    return made


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        path, calls, turns = Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
        print(json.dumps(asyncio.run(_calls(path, calls, turns))))
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--calls", type=int, default=32)
    parser.add_argument("--turns", type=int, default=15)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        report = {
            "one_call_at_a_time": _run(folder / "one.db", 1, 1, given.turns * 2),
            "alone": _run(folder / "alone.db", 1, given.calls, given.turns),
            "together": _run(folder / "all.db", given.processes, given.calls, given.turns),
            "rows": _rows(folder),
            "journal_p50": _journals(folder),
        }
    for part, figures in report.items():
        print(f"{part:20} {figures}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
