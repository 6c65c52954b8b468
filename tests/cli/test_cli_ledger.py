"""`spend` and `log`: what was spent, on what, and why a request went where it went."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from llmroute import Router
from llmroute.catalog.cost import NANO
from llmroute.config.workspace import load_workspace
from llmroute.ledger.holds import Reservation
from llmroute.ledger.records import AttemptRecord, RequestRecord, first_id
from llmroute.ledger.settings import ledger_settings, store_opener
from llmroute.sim import Fault
from tests.cli.conftest import write_workspace

SETTINGS = """\
timezone: UTC
ledger: {path: spent.db, prompts: true}
budgets:
  - {name: team, period: month, amount: 10, hard: true}
  - {name: play, scope: {tag: play}, period: day, amount: 0}
"""
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = write_workspace(tmp_path / "ws", {"first": NOBODY, "second": NOBODY})
    (made / "llmroute.yaml").write_text(SETTINGS)
    return made


@pytest.fixture
def books(root: Path) -> Path:
    """Two requests: one answered by the second target after a failure, one that failed.

    Costs are 2.5 and 0.25 dollars, and one that nobody knows; 1 dollar is reserved.
    """
    now = time.time()
    with Router.load(root, environment={}) as router:
        decision = router.decide("fix this", tags=["code"], task="code", max_tokens=100)
    names = [first_id(now - 60 * n) for n in (2, 1, 0)]
    base = {"policy": "balanced", "fingerprint": decision.fingerprint}
    first = {"provider": "first", "target": "first/m", "model": "m", **base}
    rows = [
        RequestRecord(
            names[0],
            now - 120,
            winner="first/m",
            target="second/m",
            tags=("code", "urgent"),
            caller="alice",
            task="code",
            decision=decision.brief(),
            prompt="fix \x1b[31mthis",
            **base,
        ),
        AttemptRecord(
            names[0],
            1,
            now - 120,
            outcome="timeout",
            message="no first token",
            cost=NANO // 4,
            estimated=True,
            duration=1.5,
            tags=("code", "urgent"),
            **first,
        ),
        AttemptRecord(
            names[0],
            2,
            now - 118,
            "second",
            "second/m",
            tokens_in=1200,
            tokens_out=34,
            cost=5 * NANO // 2,
            first_token=0.25,
            duration=2.0,
            tags=("code", "urgent"),
            caller="alice",
            **base,
        ),
        RequestRecord(names[1], now - 60, outcome="auth", **base),
        AttemptRecord(names[1], 1, now - 60, outcome="auth", status=401, **first),
    ]
    settings = ledger_settings(load_workspace(root, {}))
    charges = tuple(b.charge(now, settings.zone) for b in settings.budgets[:1])
    held = AttemptRecord(names[2], 1, now, **first)
    store = store_opener(settings.path)()
    with store.transaction():
        for row in rows:
            if isinstance(row, AttemptRecord) and row.cost:
                store.settle(Reservation(row, charges=charges), row)
            else:
                store.record([row])
        store.reserve(Reservation(held, NANO, NANO, now + 600, charges))
    store.close()
    return root


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_spending_is_a_table_with_its_sum(here: Any, books: Path) -> None:
    result = here("--config", str(books), "spend")
    assert (result.code, result.err) == (0, "")
    told = lines(result.out)
    assert ["second/m", "1", "1", "0", "1,200", "34", "$2.50", "90.9%"] in told
    assert ["first/m", "2", "2", "2", "0", "0", "$0.250", "9.1%", "1"] in told
    assert ["total", "2", "3", "2", "1,200", "34", "$2.75", "100.0%", "1"] in told
    assert "estimated: 1 of 3 attempts (33.3%), where the provider did not say" in result.out
    assert "unknown: the cost of 1 attempt, which is in no sum" in result.out


def test_budgets_show_what_is_left_and_until_when(here: Any, books: Path) -> None:
    out = here("--config", str(books), "spend").out
    (team,) = [line for line in lines(out) if line[:2] == ["team", "hard"]]
    assert team[2:7] == ["$2.75", "$1.00", "$10.00", "$6.25", "37.5%"]
    assert team[7].endswith("-01")
    (play,) = [line for line in lines(out) if line[:2] == ["play", "soft"]]
    assert play[2:7] == ["$0", "$0", "$0", "$0", "100.0%"]


def test_spending_as_data_is_exact(here: Any, books: Path) -> None:
    data = json.loads(here("--config", str(books), "spend", "--by", "tag", "--json").out)
    costs = {row["tag"]: row["cost"] for row in data["rows"]}
    assert costs == {"code": "2.75", "urgent": "2.75", None: "0"}
    assert (data["total"]["cost"], data["total"]["requests"], data["total"]["unknown"]) == (
        "2.75",
        2,
        1,
    )
    assert [(b["name"], b["spent"], b["left"]) for b in data["budgets"]] == [
        ("team", "2.75", "6.25"),
        ("play", "0", "0"),
    ]


def test_spending_as_csv(here: Any, books: Path) -> None:
    result = here("--config", str(books), "spend", "--by", "caller", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.out)))
    assert [(row["caller"], row["cost_usd"], row["unknown"]) for row in rows] == [
        ("alice", "2.5", "0"),
        ("", "0.25", "1"),
    ]


def test_a_plot_is_drawn_to_scale(here: Any, books: Path) -> None:
    out = here("--config", str(books), "spend", "--format", "plot").out
    bars = {line.split()[0]: line.count("█") for line in out.splitlines() if "█" in line}
    assert bars == {"second/m": 40, "first/m": 4}


@pytest.mark.parametrize(
    ("span", "requests"),
    [(("--since", "90s"), None), (("--since", "1h"), 2), (("--since", "1m", "--until", "2099"), 0)],
)
def test_a_span_of_time(here: Any, books: Path, span: tuple[str, ...], requests: int | None):
    result = here("--config", str(books), "spend", "--json", *span)
    if requests is None:
        assert (result.code, "write 7d" in result.err) == (2, True)
    elif requests == 0:
        assert result.code == 2  # 2099 alone is no date
    else:
        assert json.loads(result.out)["total"]["requests"] == requests


def test_the_log_lists_the_latest_first(here: Any, books: Path) -> None:
    out = here("--config", str(books), "log").out
    rows = lines(out)[1:]
    assert [(row[3], row[4], row[6]) for row in rows] == [
        ("pending", "-", "1"),
        ("auth", "-", "1"),
        ("ok", "second/m", "2"),
    ]
    assert rows[0][7:] == ["?", "-"]
    assert rows[1][7] == "?"
    assert rows[2][7:] == ["$2.75", "4.00", "s"]  # the pause before the second call is in it


def test_the_log_can_be_narrowed(here: Any, books: Path) -> None:
    def outcomes(*options: str) -> list[str]:
        data = json.loads(here("--config", str(books), "log", "--json", *options).out)
        return [row["outcome"] for row in data]

    assert outcomes("--failed") == ["auth"]
    assert outcomes("--target", "second/m") == ["ok"]
    assert outcomes("--last", "1") == ["pending"]
    assert outcomes("--last", "2", "--target", "first/m") == ["pending", "auth"]
    nothing = here("--config", str(books), "log", "--target", "nobody/x")
    assert (nothing.code, nothing.out) == (0, "no request is like that\n")


def test_one_request_is_explained_from_what_was_stored(here: Any, books: Path) -> None:
    name = json.loads(here("--config", str(books), "log", "--target", "second/m", "--json").out)[0][
        "id"
    ]
    result = here("--config", str(books), "log", name)
    assert (result.code, result.err) == (0, "")
    for text in (
        f"request {name}",
        "tags code, urgent · task code · caller alice",
        "1. first/m  timeout · about 0 tokens in, 0 out · $0.250 · 1.50 s",
        "no first token",
        "2. second/m  ok · 1,200 tokens in, 34 out · $2.50 · 2.00 s · first token after 0.25 s",
        "→ first/m",
        "1. first/m  10 points",
        "first things first",
        "10 × 1",
        "prompt: fix \\x1b[31mthis",
    ):
        assert text in result.out
    assert here("--config", str(books), "log", name[:24]).out == result.out
    data = json.loads(here("--config", str(books), "log", name.upper(), "--json").out)
    assert "brief" not in data
    assert data["decision"]["winner"] == "first/m"
    assert [row["cost"] for row in data["attempts"]] == ["0.25", "2.5"]


def unended(here: Any, books: Path, after: float) -> str:
    """The request of unknown end, as it is shown where what it held expired some time ago."""
    with sqlite3.connect(books / "spent.db") as raw:
        raw.execute("UPDATE attempts SET expires = expires - ? WHERE held > 0", (after,))
    found = json.loads(here("--config", str(books), "log", "--json", "--last", "1").out)[0]
    (call,) = found["attempts"]
    assert (call["reserved"], call["cost"], found["cost"]) == ("1", None, None)
    result = here("--config", str(books), "log", found["id"])
    assert (result.code, result.err) == (0, "")
    assert f"request {found['id']}" in result.out
    return f"{found['outcome']}\n{result.out}"


def test_a_request_without_an_end_shows_what_is_reserved_for_it(here: Any, books: Path) -> None:
    out = unended(here, books, 0)
    assert out.startswith("pending\n")
    assert "1. first/m  pending · $1.00 reserved until 20" in out
    assert out.endswith("its end is not known: it goes on, or its process was killed\n")


ASKER = """
import sys
from llmroute import Router
Router.load(sys.argv[1], environment={}).complete("hi", max_tokens=1000, timeout=60)
"""


def test_a_process_that_is_killed_in_a_call_leaves_what_it_held(here: Any, pair: Any) -> None:
    """1,000 tokens of answer at $2 a million are held, and some of the prompt."""
    (pair.root / "llmroute.yaml").write_text(SETTINGS)
    file = pair.root / "providers.d" / "first.yaml"
    file.write_text(file.read_text().replace("300ms", "30s").replace("total: 5s", "total: 60s"))
    pair.first.script(Fault.hang(), times=None)
    run = subprocess.Popen([sys.executable, "-c", ASKER, str(pair.root)])
    deadline = time.monotonic() + 30
    while not pair.first.requests and time.monotonic() < deadline:
        time.sleep(0.01)
    run.kill()
    run.wait(10)
    (found,) = json.loads(here("--config", str(pair.root), "log", "--json").out)
    (call,) = found["attempts"]
    assert (found["outcome"], call["outcome"], call["target"]) == ("pending", "pending", "first/m")
    assert 0.002 < float(call["reserved"]) < 0.0021
    out = here("--config", str(pair.root), "log", found["id"]).out
    assert "1. first/m  pending · $0.0020" in out


def test_it_is_lost_once_nobody_can_speak_for_it(here: Any, books: Path) -> None:
    """Also before any process has settled it at its estimate."""
    out = unended(here, books, 601)
    assert out.startswith("lost\n")
    assert out.endswith("its end is not known: its process was killed\n")
    data = json.loads(here("--config", str(books), "log", "--json", "--failed").out)
    assert [row["outcome"] for row in data] == ["lost", "auth"]
    store = store_opener(books / "spent.db")()
    with store.transaction():
        assert store.sweep(time.time()) == 1
    store.close()
    lost = here("--config", str(books), "log", data[0]["id"]).out
    assert "1. first/m  lost · $1.00 reserved, $1.00 counted as spent, as estimated" in lost


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("zzzz", "there is no request 'zzzz'"),
        ("%", "there is no request '%'"),
        ("0", "several requests begin with 0; write more"),
    ],
)
def test_an_id_must_name_one_request(here: Any, books: Path, wanted: str, told: str) -> None:
    result = here("--config", str(books), "log", wanted)
    assert (result.code, told in result.err) == (2, True)


@pytest.mark.parametrize("command", ["spend", "log"])
def test_a_ledger_that_is_not_there_yet_is_not_made(here: Any, root: Path, command: str) -> None:
    result = here("--config", str(root), command)
    assert result.code == 0
    assert "nothing is recorded yet in" in result.out
    assert "llmroute run" in result.out
    assert not (root / "spent.db").exists()
    assert here("--config", str(root), command, "--json").code == 0


@pytest.mark.parametrize("command", ["spend", "log"])
def test_a_ledger_that_is_off_says_how_to_turn_it_on(here: Any, root: Path, command: str) -> None:
    (root / "llmroute.yaml").write_text("ledger: false\n")
    result = here("--config", str(root), command)
    assert (result.code, result.out) == (1, "")
    assert "remove `ledger: false` from" in result.err


@pytest.mark.parametrize("command", ["spend", "log"])
def test_a_file_that_is_no_ledger_is_named(here: Any, root: Path, command: str) -> None:
    with sqlite3.connect(root / "spent.db") as other:
        other.execute("CREATE TABLE photos (name)")
    result = here("--config", str(root), command)
    assert (result.code, result.out) == (1, "")
    assert "another program's database" in result.err


def test_the_users_folder_is_the_default(here: Any, root: Path, tmp_path: Path) -> None:
    (root / "llmroute.yaml").write_text("timezone: UTC\n")
    place = tmp_path / ".local/state/llmroute/ledger.db"
    assert str(place) in here("--config", str(root), "spend").out


def test_a_run_says_what_the_ledger_could_not_write_and_why(here, pair, tmp_path):
    (tmp_path / "file").touch()
    (pair.root / "llmroute.yaml").write_text("ledger: {path: ../file/x/spent.db}\n")
    result = here("run", "--config", str(pair.root), "--quiet", "hi")
    assert (result.code, result.out) == (0, "m heard: hi\n")
    (line,) = result.err.splitlines()
    assert line.startswith("note: the process ends, and 2 changes could not be written: ")
    assert line.endswith("file/x/spent.db: Not a directory; name another place under ledger.path")


@pytest.mark.parametrize("command", [("run", "--quiet"), ("decide",)], ids=["run", "decide"])
def test_it_is_told_that_a_corrupt_ledger_was_set_aside(here, pair, command):
    (pair.root / "llmroute.yaml").write_text(SETTINGS)
    (pair.root / "spent.db").write_bytes(b"garbage" * 1000)
    asked = (*command, "--config", str(pair.root), "--max-tokens", "20", "hi")
    (line,) = here(*asked).err.splitlines()
    assert "is corrupt (file is not a database): set aside as spent.db.corrupt-" in line
    assert here(*asked).err == ""


@pytest.mark.parametrize("command", ["log", "spend"])
def test_without_a_home_folder_it_is_told_that_nothing_is_recorded(
    here, pair, monkeypatch, command
):
    monkeypatch.delenv("HOME")
    result = here(command, "--config", str(pair.root))
    assert "nothing is recorded: there is no home folder for the ledger; write" in result.out
