"""Several processes on one ledger, some of them killed: row 75 and the sums of budgets."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from llmroute.ledger.holds import Key
from llmroute.ledger.records import LOST, PENDING
from llmroute.ledger.sqlite import SqliteStore
from tests.ledger.making import NOON

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 1000

SPENDER = """
import asyncio, random, sys
from dataclasses import replace
from pathlib import Path
from llmroute.ledger.budgets import Budget
from llmroute.ledger.holds import Refusal
from llmroute.ledger.ledger import Ledger
from llmroute.ledger.sqlite import SqliteStore
from tests.ledger.making import NOON, attempt

path, seed = Path(sys.argv[1]), int(sys.argv[2])
draw = random.Random(seed)

async def one(ledger, name):
    held = await ledger.reserve(attempt(request=name), draw.randint(5, 40), 5, within=60)
    if isinstance(held, Refusal):
        assert held.reason == "spent", held.message
        return 0
    await asyncio.sleep(draw.random() / 100)
    end = draw.random()
    if end < 0.2:
        await ledger.release(held, replace(held.attempt, outcome="unavailable"))
    elif end < 0.9:
        assert await ledger.settle(held, replace(held.attempt, cost=draw.randint(0, held.amount)))
    return 1  # one in ten is left open

async def main():
    budgets = [Budget("team", "month", 1000, hard=True), Budget("watch", "month", 1)]
    ledger = Ledger(lambda: SqliteStore(path, wait=20), budgets, now=lambda: NOON, wait=30)
    print("ready", flush=True)
    sys.stdin.readline()
    served = 0
    for turn in range(5):
        names = [f"{seed:02}-{turn}-{n}" for n in range(10)]
        served += sum(await asyncio.gather(*(one(ledger, name) for name in names)))
    assert ledger.close()
    print(served, [a.kind for a in ledger.alarms], flush=True)

asyncio.run(main())
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", code, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)


def test_eight_processes_never_pass_a_hard_budget(tmp_path):
    path = tmp_path / "ledger.db"
    runs = [start(SPENDER, path, seed) for seed in range(8)]
    for run in runs:
        assert run.stdout.readline() == "ready\n"
    for run in runs:
        run.stdin.write("go\n")
        run.stdin.flush()
    told = [run.communicate(timeout=60)[0].split(maxsplit=1) for run in runs]
    assert [run.returncode for run in runs] == [0] * 8
    assert {alarms for _, alarms in told} == {"[]\n"}
    served = sum(int(count) for count, _ in told)
    with sqlite3.connect(path) as raw:
        rows = raw.execute("SELECT outcome, cost, held FROM attempts").fetchall()
        counters = dict(raw.execute("SELECT budget, spent || ' ' || reserved FROM counters"))
    spent = sum(cost for outcome, cost, _ in rows if outcome != PENDING)
    reserved = sum(held for outcome, _, held in rows if outcome == PENDING)
    assert len(rows) == served < 400  # some were refused
    assert reserved > 0
    assert spent + reserved <= LIMIT
    assert counters == {"team": f"{spent} {reserved}", "watch": f"{spent} {reserved}"}


WRITER = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from llmroute.ledger.budgets import Budget
from llmroute.ledger.ledger import Ledger
from llmroute.ledger.sqlite import SqliteStore
from tests.ledger.making import NOON, attempt, request

path, seed = Path(sys.argv[1]), int(sys.argv[2])
budgets = [Budget("team", "month", 10**12, hard=True)]
ledger = Ledger(lambda: SqliteStore(path, wait=20), budgets, now=lambda: NOON, wait=30)

async def one(name, kept):
    held = await ledger.reserve(attempt(request=name), 10, 7, within=60)
    print("held", name, flush=True)
    if kept:
        return
    assert await ledger.settle(held, replace(held.attempt, cost=3))
    print("spent", name, flush=True)

async def main():
    turn = 0
    while True:
        await asyncio.gather(*(one(f"{seed:02}-{turn}-{n}", n == 3) for n in range(4)))
        turn += 1

asyncio.run(main())
"""


def test_fifty_kills_lose_nothing_that_was_acknowledged(tmp_path):
    path = tmp_path / "ledger.db"
    draw = random.Random(75)
    said: dict[str, str] = {}
    for batch in range(10):
        runs = [start(WRITER, path, batch * 5 + n) for n in range(5)]
        for run in runs:
            assert run.stdout.readline().startswith("held")
        for run in runs:
            time.sleep(draw.random() / 25)
            run.kill()
        for run in runs:
            for line in run.communicate(timeout=30)[0].splitlines(keepends=True):
                if line.endswith("\n"):  # it may be killed within a line
                    word, name = line.split()
                    said[name] = word
    check(path, said)


FORKER = """
import asyncio, os, sys
from dataclasses import replace
from pathlib import Path
from llmroute.ledger.budgets import Budget
from llmroute.ledger.ledger import Ledger
from llmroute.ledger.sqlite import SqliteStore
from tests.ledger.making import NOON, attempt

budgets = [Budget("team", "month", 10**6, hard=True)]
ledger = Ledger(lambda: SqliteStore(Path(sys.argv[1])), budgets, now=lambda: NOON)

async def spend(name, count=20):
    for number in range(count):
        held = await ledger.reserve(attempt(request=f"{name}-{number}"), 10, within=60)
        assert await ledger.settle(held, replace(held.attempt, cost=1))

asyncio.run(spend("before"))
for number in range(200):
    ledger.record(attempt(request=f"row-{number}"))
child = os.fork()
asyncio.run(spend("parent" if child else "child"))
assert ledger.close()
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


def test_a_fork_goes_on_with_a_store_of_its_own(tmp_path):
    path = tmp_path / "ledger.db"
    run = start(FORKER, path)
    run.communicate(timeout=60)
    assert run.returncode == 0
    store = SqliteStore(path)
    assert store.counters([Key("team", "2026-11")]) == {("team", "2026-11"): (60, 0)}
    store.close()
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert raw.execute("SELECT COUNT(*) FROM attempts").fetchone() == (60 + 200,)


def check(path: Path, said: dict[str, str]) -> None:
    store = SqliteStore(path)
    team = Key("team", "2026-11")
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = {
            name: (out, cost)
            for name, out, cost in raw.execute("SELECT request, outcome, cost FROM attempts")
        }
    for name, word in said.items():
        assert word != "spent" or rows[name] == ("ok", 3)
        assert name in rows
    assert list(said.values()).count("spent") > 50
    open_rows = [name for name, (outcome, _) in rows.items() if outcome == PENDING]
    assert len(open_rows) >= 50
    spent = 3 * (len(rows) - len(open_rows))
    assert store.counters([team])[team] == (spent, 10 * len(open_rows))
    with store.transaction():
        assert store.sweep(NOON + 10_000) == len(open_rows)
    assert store.counters([team])[team] == (spent + 7 * len(open_rows), 0)
    assert {row.outcome for row in store.attempts(open_rows[0])} == {LOST}
    store.close()
