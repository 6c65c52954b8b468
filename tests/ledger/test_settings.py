"""What `llmroute.yaml` says of the ledger, and where it is by default."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from llmroute.config.state import state_folder
from llmroute.config.workspace import Workspace, load_workspace
from llmroute.errors import ConfigError
from llmroute.ledger.settings import ledger_settings, open_ledger
from tests.ledger.making import attempt, request
from tests.ledger.scripted import ScriptedStore

ROOT = Path(__file__).resolve().parents[2]
HOME = {"HOME": "/home/me"}
DAY = 86_400


def workspace(root: Path, text: str, environment: dict[str, str] | None = None) -> Workspace:
    (root / "llmroute.yaml").write_text(text)
    return load_workspace(root, HOME if environment is None else environment)


@pytest.mark.parametrize(
    ("platform", "environment", "folder"),
    [
        ("linux", HOME, "/home/me/.local/state/llmroute"),
        ("linux", {**HOME, "XDG_STATE_HOME": "/var/state"}, "/var/state/llmroute"),
        ("linux", {**HOME, "XDG_STATE_HOME": "not/absolute"}, "/home/me/.local/state/llmroute"),
        ("darwin", HOME, "/home/me/Library/Application Support/llmroute"),
        ("win32", {"LOCALAPPDATA": "C:/Users/me/AppData"}, "C:/Users/me/AppData/llmroute"),
        ("linux", {}, None),
        ("win32", {}, None),
    ],
)
def test_the_user_s_state_folder(platform, environment, folder):
    found = state_folder(environment, platform)
    assert found == (None if folder is None else Path(folder))


@pytest.mark.parametrize("text", ["", "timezone: UTC\n", "ledger: true\n", "ledger: {}\n"])
def test_without_settings_everything_has_its_default(tmp_path, text):
    found = ledger_settings(workspace(tmp_path, text, {"HOME": "/h", "XDG_STATE_HOME": "/s"}))
    assert found.path == Path("/s/llmroute/ledger.db")
    assert (found.keep, found.wait, found.zone) == (400 * DAY, None, UTC)
    assert (found.prompts, found.decisions, found.budgets, found.enabled) == (False, True, (), True)


def test_every_setting_is_taken_over(tmp_path):
    text = (
        "timezone: Europe/Vienna\n"
        "ledger: {path: data/l.db, keep: 7d, wait: 50ms, prompts: true, decisions: false}\n"
        "budgets: [{name: team, period: month, amount: 0.5, hard: true}]\n"
    )
    found = ledger_settings(workspace(tmp_path, text))
    assert found.path == tmp_path / "data" / "l.db"
    assert (found.keep, found.wait, found.zone) == (7 * DAY, 0.05, ZoneInfo("Europe/Vienna"))
    assert (found.prompts, found.decisions) == (True, False)
    assert [(b.name, b.amount, b.hard) for b in found.budgets] == [("team", 500_000_000, True)]


@pytest.mark.parametrize(
    ("path", "place"), [("~/l.db", "/home/me/l.db"), ("/var/l.db", "/var/l.db")]
)
def test_a_path_may_be_absolute_or_in_the_home_folder(tmp_path, path, place):
    found = ledger_settings(workspace(tmp_path, f"ledger: {{path: {path}}}\n"))
    assert found.path == Path(place)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ledger: off", "write false"),
        ("ledger: []", "`ledger` must be a map"),
        ("ledger: {keep: 400}", "write keep: 400d"),
        ("ledger: {keep: 0d}", "`keep` is no days"),
        ("ledger: {keep: 3w}", "write keep: 400d"),
        ("ledger: {wait: 0s}", "`wait` is no duration"),
        ("ledger: {propmts: true}", 'did you mean "prompts"?'),
        ("ledger: {path: ''}", "`path`"),
    ],
)
def test_mistakes_are_refused_with_what_to_write(tmp_path, text, told):
    with pytest.raises(ConfigError) as raised:
        workspace(tmp_path, f"{text}\n")
    assert told in str(raised.value)


def test_a_ledger_that_is_off_has_no_store(tmp_path):
    ledger = open_ledger(workspace(tmp_path, "ledger: false\n"))
    assert not ledger.enabled
    assert ledger.record(request())
    assert ledger.close()


def test_without_a_home_folder_an_alarm_says_what_to_write(tmp_path):
    ledger = open_ledger(workspace(tmp_path, "timezone: UTC\n", {}))
    ledger.record(request())
    assert not ledger.flush().wait(5)
    assert "write ledger: {path: FILE}" in ledger.alarms[0].message
    assert ledger.close()


def test_opening_makes_no_file_before_it_is_needed(tmp_path):
    ledger = open_ledger(workspace(tmp_path, "ledger: {path: l.db}\n"))
    assert not (tmp_path / "l.db").exists()
    ledger.record(attempt())
    assert ledger.close()
    assert (tmp_path / "l.db").exists()


def test_another_store_can_stand_in(tmp_path):
    store = ScriptedStore()
    ledger = open_ledger(workspace(tmp_path, ""), open_store=lambda: store)
    ledger.record(attempt())
    assert ledger.close()
    assert len(store._attempts) == 1


@pytest.mark.parametrize(
    ("text", "file", "elsewhere"),
    [("", 5.0, 0.05), ("ledger: {wait: 200ms}\n", 0.2, 0.2)],
)
def test_a_store_elsewhere_is_waited_for_less(tmp_path, text, file, elsewhere):
    made = workspace(tmp_path, text)
    assert open_ledger(made)._wait == file
    assert open_ledger(made, open_store=ScriptedStore)._wait == elsewhere


def test_sqlite_and_the_event_loop_are_loaded_when_they_are_needed():
    code = (
        "import sys\n"
        "from llmroute.config.shipped import data_root\n"
        "from llmroute.config.workspace import load_workspace\n"
        "from llmroute.ledger.settings import open_ledger\n"
        "ledger = open_ledger(load_workspace(data_root(), {'HOME': '/nonexistent'}))\n"
        "ledger.shares(), ledger.allowances(), ledger.close()\n"
        "print(sorted({'sqlite3', 'asyncio', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_what_a_process_recorded_is_written_when_it_ends_without_closing(tmp_path):
    code = (
        "from pathlib import Path\n"
        "from llmroute.config.workspace import load_workspace\n"
        "from llmroute.ledger.settings import open_ledger\n"
        "from tests.ledger.making import attempt\n"
        f"ledger = open_ledger(load_workspace(Path({str(tmp_path)!r}), {{}}))\n"
        "for number in range(300):\n"
        "    ledger.record(attempt(number))\n"
    )
    workspace(tmp_path, "ledger: {path: l.db}\n")
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    ledger_file = ledger_settings(load_workspace(tmp_path, HOME)).path
    from llmroute.ledger.sqlite import SqliteStore

    store = SqliteStore(ledger_file)
    assert len(store.attempts(attempt().request)) == 300
    store.close()
