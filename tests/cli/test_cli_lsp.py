"""`llmroute lsp` as an editor sees it: the protocol, over the pipes of a real process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from tests.cli.conftest import ROOT, bare_environment, write_workspace

pytest.importorskip("pygls")
ADDRESS = "http://127.0.0.1:9"
BAD = "policy: balanced\nrules:\n  - {name: a, wieght: 1, prefer: target.provider == 'second'}\n"
GOOD = BAD.replace("wieght", "weight")


class Editor:
    """Speaks the protocol, LSP 3.17: messages are JSON behind a header with their length."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "llmroute.cli", "lsp"],
            cwd=folder,
            env=bare_environment(folder, **more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._patience = Timer(60, self.process.kill)
        self._patience.start()
        self._number = 0

    def _send(self, **message: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()

    def _receive(self) -> Any:
        out = self.process.stdout
        assert out is not None
        length = 0
        while line := out.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the server has ended"
        return json.loads(out.read(length))

    def tell(self, method: str, **params: Any) -> None:
        """Send a notification."""
        self._send(method=method, params=params)

    def ask(self, method: str, **params: Any) -> Any:
        """Send a request and return its result."""
        self._number += 1
        self._send(id=self._number, method=method, params=params or None)
        while (message := self._receive()).get("id") != self._number:
            pass
        return message["result"]

    def findings(self, uri: str) -> list[Any]:
        """Wait for the findings of a file; return them as (code, severity, range)."""
        while True:
            message = self._receive()
            params = message.get("params") or {}
            if message.get("method") == "textDocument/publishDiagnostics" and params["uri"] == uri:
                return [
                    (i["code"], i["severity"], _flat(i["range"])) for i in params["diagnostics"]
                ]

    def end(self) -> None:
        """Shut the server down, and hold it to the protocol's exit code."""
        assert self.ask("shutdown") is None
        self.tell("exit")
        assert self.process.wait(30) == 0
        self.close()

    def close(self) -> None:
        """Give everything back, whatever happened."""
        self._patience.cancel()
        self.process.kill()
        self.process.communicate()


def _flat(place: Any) -> tuple[int, int, int, int]:
    start, end = place["start"], place["end"]
    return start["line"], start["character"], end["line"], end["character"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_workspace(tmp_path / "ws", {"first": ADDRESS, "second": ADDRESS}, GOOD)


@pytest.fixture
def editor(root: Path, tmp_path: Path) -> Iterator[Editor]:
    made = Editor(tmp_path, PYTHONPATH=str(ROOT))
    try:
        able = made.ask("initialize", processId=None, rootUri=root.as_uri(), capabilities={})[
            "capabilities"
        ]
        assert able["hoverProvider"] is not False
        assert able["codeActionProvider"]["codeActionKinds"] == ["quickfix"]
        made.tell("initialized")
        yield made
    finally:
        made.close()


def _open(editor: Editor, path: Path, text: str) -> str:
    uri = path.as_uri()
    document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
    editor.tell("textDocument/didOpen", textDocument=document)
    return uri


def _errors(found: list[Any]) -> list[Any]:
    return [item for item in found if item[1] == 1]


def test_an_edit_is_checked_explained_and_mended_before_it_is_saved(
    editor: Editor, root: Path
) -> None:
    path = root / "policies" / "balanced.yaml"
    uri = _open(editor, path, GOOD)
    assert _errors(editor.findings(uri)) == []
    edit = {"range": _range(2, 14, 2, 20), "text": "wieght"}
    editor.tell(
        "textDocument/didChange",
        textDocument={"uri": uri, "version": 2},
        contentChanges=[edit],
    )
    assert _errors(editor.findings(uri)) == [("schema-unknown-key", 1, (2, 14, 2, 20))]
    place = {"line": 2, "character": 16}
    hover = editor.ask("textDocument/hover", textDocument={"uri": uri}, position=place)
    assert hover["contents"]["kind"] == "markdown"
    assert hover["contents"]["value"].startswith("**schema-unknown-key** · error · ")
    elsewhere = {"line": 0, "character": 0}
    assert editor.ask("textDocument/hover", textDocument={"uri": uri}, position=elsewhere) is None
    (action,) = editor.ask(
        "textDocument/codeAction",
        textDocument={"uri": uri},
        range=_range(2, 15, 2, 15),
        context={"diagnostics": []},
    )
    assert (action["title"], action["kind"]) == ("llmroute: write `weight`", "quickfix")
    assert action["edit"]["changes"] == {uri: [{"range": edit["range"], "newText": "weight"}]}
    assert path.read_text() == GOOD  # nothing was written
    editor.end()


def test_a_file_is_known_by_the_uri_that_the_editor_gave_it(editor: Editor, root: Path) -> None:
    """In a URI spaces and letters beyond ASCII are encoded, and more by some editors."""
    path = root / "policies" / "neu für uns.yaml"
    uri = _open(editor, path, GOOD).replace("f%C3%BCr", "%66%C3%BCr")
    document = {"uri": uri, "languageId": "yaml", "version": 1, "text": GOOD}
    editor.tell("textDocument/didClose", textDocument={"uri": path.as_uri()})
    editor.tell("textDocument/didOpen", textDocument=document)
    editor.tell(
        "textDocument/didChange",
        textDocument={"uri": uri, "version": 2},
        contentChanges=[{"text": BAD}],
    )
    while not (found := _named(editor.findings(uri), "schema-unknown-key")):
        pass
    assert found == [("schema-unknown-key", 1, (2, 14, 2, 20))]
    (action,) = editor.ask(
        "textDocument/codeAction",
        textDocument={"uri": uri},
        range=_range(2, 15, 2, 15),
        context={"diagnostics": []},
    )
    assert list(action["edit"]["changes"]) == [uri]
    editor.end()


def _named(found: list[Any], rule: str) -> list[Any]:
    return [item for item in found if item[0] == rule]


def test_other_open_files_are_checked_together(editor: Editor, root: Path) -> None:
    policy, provider = root / "policies" / "balanced.yaml", root / "providers.d" / "second.yaml"
    one = _open(editor, policy, GOOD)
    editor.findings(one)
    other = _open(editor, provider, provider.read_text().replace("provider: second", "provider: x"))
    assert "provider-name" in {code for code, _, _ in editor.findings(other)}
    editor.tell("textDocument/didClose", textDocument={"uri": other})
    assert editor.findings(other) == []
    editor.end()


def test_columns_are_counted_as_the_editor_counts(editor: Editor, root: Path) -> None:
    """Without a choice of the editor's, in UTF-16: two for a character above U+FFFF."""
    text = BAD.replace("name: a", "name: 😀a")
    uri = _open(editor, root / "policies" / "balanced.yaml", text)
    assert _errors(editor.findings(uri)) == [("schema-unknown-key", 1, (2, 16, 2, 22))]
    editor.end()


def test_files_of_no_workspace_are_left_alone(editor: Editor, root: Path) -> None:
    stranger = _open(editor, root.parent / "other.yaml", "a: [\n")
    uri = _open(editor, root / "policies" / "balanced.yaml", BAD)
    assert len(_errors(editor.findings(uri))) == 1  # findings of the first would have come before
    place = {"line": 0, "character": 0}
    assert editor.ask("textDocument/hover", textDocument={"uri": stranger}, position=place) is None
    editor.end()


def _range(*place: int) -> Any:
    line, character, end_line, end_character = place
    return {
        "start": {"line": line, "character": character},
        "end": {"line": end_line, "character": end_character},
    }


def test_without_its_package(process: Any, tmp_path: Path) -> None:
    (tmp_path / "pygls.py").write_text("")
    result = process("lsp", PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert (result.code, result.out) == (2, "")
    assert result.err == "llmroute: lsp needs the package pygls: pip install 'llmroute[lsp]'\n"
