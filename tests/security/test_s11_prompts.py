"""S11: prompts are not logged unless a key opts in.

Nothing here writes a log. What others log are errors and records of attempts: their messages quote
no prompt, whatever a provider echoes. The provider's own body is kept, in `native`, for the caller.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from llmroute import Router
from llmroute.cli import main
from llmroute.errors import RouteFailed
from llmroute.types import Attempt
from tests.adapter.wire import ByteServer, http, sse
from tests.security.canary import PROMPT, SECRET, chain, failure, loaded, workspace, written
from tests.security.conftest import Sinks

HEAD = '{"id":"c1","model":"m","choices":[{"delta":{"content":"Hel"}}]}'
PIECE = PROMPT[10:45]


def _error(message: str, status: int = 400) -> bytes:
    return http(
        json.dumps({"error": {"message": message, "type": "invalid_request_error"}}), status
    )


def _hangs(connection: socket.socket) -> None:
    connection.recv(1)


FAULTS: dict[str, bytes | Callable[[socket.socket], None] | None] = {
    "refused": None,
    "echoed": _error(f"this prompt is not allowed: {PROMPT}"),
    "a piece of it": _error(f"near '{PIECE}': bad words"),
    "as JSON": http(json.dumps({"detail": [{"input": {"messages": [{"content": PROMPT}]}}]}), 422),
    "by the content policy": _error(f"content_filter: {PROMPT}", 403),
    "by a server's error": http(f"panic: {PROMPT}", 500, content_type="text/plain"),
    "not JSON": http(f"{{{PROMPT}"),
    "of another shape": http(json.dumps({"choices": [{"message": {"content": PROMPT}}, 1]})),
    "a web page": http(f"<html>{PROMPT}</html>", content_type="text/html"),
    "an error event": http(
        sse(HEAD, json.dumps({"error": {"message": f"moderated: {PROMPT}"}})),
        content_type="text/event-stream",
    ),
    "hangs": _hangs,
}


def quotes(text: str) -> bool:
    """Whether a text holds 24 characters of the prompt in a row."""
    return any(PROMPT[i : i + 24] in text for i in range(len(PROMPT) - 23))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", FAULTS)
def test_no_failure_writes_the_prompt_anywhere(
    fault: str, stream: bool, tmp_path: Path, sinks: Sinks
) -> None:
    say = FAULTS[fault]
    records: list[Attempt] = []
    with ByteServer(say or b"") as server:
        url = server.url if say is not None else "http://127.0.0.1:9"
        with loaded(workspace(tmp_path, url, streaming=stream)) as router:
            error = failure(router, stream=stream, on_attempt=records.append)
    assert isinstance(error, RouteFailed)
    assert records
    logging.getLogger("an.app").error("it failed: %s %s", error, records, exc_info=error)
    assert not quotes(sinks.text())
    assert not quotes(json.dumps([asdict(record) for record in error.attempts], default=str))
    for link in chain(error):
        assert not quotes(f"{link} {link!r} {link.args}")


def test_the_callers_copy_of_the_answer_is_whole(tmp_path: Path) -> None:
    with ByteServer(_error(f"not allowed: {PROMPT}")) as server:
        with loaded(workspace(tmp_path, server.url)) as router:
            error = failure(router)
    assert isinstance(error, RouteFailed)
    assert error.last is not None
    assert error.last.native["error"]["message"] == f"not allowed: {PROMPT}"
    assert error.last.message == "not allowed: [prompt]"


@pytest.mark.parametrize(
    ("prompt", "message", "shown"),
    [
        ("Hi", "Hi is too short", "Hi is too short"),
        ("model", "the model is busy", "the model is busy"),
        ("fix my secret bug", "cannot: fix my secret bug!", "cannot: [prompt]!"),
        ("a\nb " * 20, f"bad: {'a b ' * 20}", "bad: [prompt]"),
        ([{"role": "user", "content": [{"type": "text", "text": PROMPT}]}], PIECE, "[prompt]"),
        ([{"role": "system", "content": PROMPT}, {"role": "user", "content": "x"}],
         f"see {PROMPT}", "see [prompt]"),
    ],
)  # fmt: skip
def test_what_counts_as_quoting(prompt: Any, message: str, shown: str, tmp_path: Path) -> None:
    with ByteServer(_error(message)) as server:
        with loaded(workspace(tmp_path, server.url)) as router:
            with pytest.raises(RouteFailed) as caught:
                router.complete(prompt)
    assert caught.value.last is not None
    assert caught.value.last.message == shown


def test_a_program_that_tells_its_prompt(tmp_path: Path, sinks: Sinks) -> None:
    written(
        tmp_path,
        "provider: example\nlocality: cloud\nendpoint:\n  transport: process\n"
        "  protocol: claude-code\n  command:\n"
        f"    [{sys.executable}, -c, 'import sys; sys.exit(sys.stdin.read())']\n"
        "models: [{model: m, context_window: 9999, capabilities: {streaming: true},"
        " cost: {input: 1, output: 1}}]\n",
    )
    with Router.load(tmp_path, environment={}) as router:
        error = failure(router)
    assert "[prompt]" in str(error)
    assert not quotes(str(error) + sinks.text())


def test_the_command_line_does_not_repeat_it(
    tmp_path: Path, sinks: Sinks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXAMPLE_KEY", SECRET)
    with ByteServer(_error(f"no: {PROMPT}")) as server:
        root = str(workspace(tmp_path, server.url))
        for command in (["decide", PROMPT], ["decide", "--json", PROMPT], ["run", PROMPT]):
            main(["--config", root, *command])
    seen = sinks.text()
    assert "example/small" in seen
    assert not quotes(seen)


def test_no_module_writes_logs() -> None:
    """A logger that appears one day needs a decision about what it may write."""
    folder = Path(sys.modules["llmroute"].__file__ or "").parent
    found = [
        str(path.relative_to(folder))
        for path in folder.rglob("*.py")
        if any(word in path.read_text("utf-8") for word in ("import logging", "getLogger("))
    ]
    assert found == []
