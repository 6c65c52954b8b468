"""S1: secrets only as `env:` or `file:` (owner-only file) references at fixed places in config,
never in request data; wrapped so that repr, logs, errors, traces, metrics, pickles and config
dumps cannot show them. Test: a canary in each place, driven through every failure, then every
sink searched.
"""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import logging
import os
import pickle
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from llmroute import Router
from llmroute.cli import main
from llmroute.config.secrets import Secret
from llmroute.errors import StreamInterrupted
from llmroute.policy.explaining.explain import explain
from tests.adapter.wire import ByteServer, http, sse
from tests.security.canary import (
    PROMPT,
    SECRET,
    failure,
    loaded,
    refused,
    shows,
    told,
    workspace,
    written,
)
from tests.security.conftest import Sinks

HEAD = '{"id":"c1","model":"m","choices":[{"delta":{"content":"Hel"}}]}'
Say = bytes | Callable[[socket.socket], None]


def said(message: str, status: int = 401, **headers: str) -> bytes:
    body = json.dumps({"error": {"message": message, "code": message[:60], "type": "invalid"}})
    return http(body, status, headers=headers)


def _hangs(connection: socket.socket) -> None:
    connection.recv(1)


def _hangs_midway(connection: socket.socket) -> None:
    head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    connection.sendall((head + sse(HEAD)).encode())
    connection.recv(1)


def _breaks_midway(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n" + SECRET.encode())
    time.sleep(0.01)


BASIC = base64.b64encode(f"user:{SECRET}".encode()).decode()
FAULTS: dict[str, Say | None] = {
    "refused": None,
    "echoed": said(f"Incorrect API key provided: {SECRET}. Find yours at example.com."),
    "in capitals": said(f"NO SUCH KEY {SECRET.upper()}"),
    "its beginning": said(f"no key begins with {SECRET[:12]}"),
    "its end": said(f"no key ends with {SECRET[-9:]}"),
    "masked by stars": said(f"Incorrect API key provided: {SECRET[:7]}*****{SECRET[-4:]}."),
    "masked by dots": said(f"Incorrect API key provided: {SECRET[:5]}...{SECRET[-4:]}."),
    "only its end": said(f"the key ****{SECRET[-4:]} was disabled"),
    "quoted for an address": said(f"GET /x?key={quote(SECRET, safe='')}"),
    "in Base64": said(f"authorization: Basic {BASIC}"),
    "in hexadecimal digits": said(SECRET.encode().hex()),
    "as a key of an object": http(json.dumps({"error": {SECRET: {"message": "x"}}}), 400),
    "in a header": said("no", **{"x-request-id": SECRET}),
    "as plain text": http(f"denied: Bearer {SECRET}", 403, content_type="text/plain"),
    "by a proxy": said(f"407 for Authorization: Bearer {SECRET}", 407),
    "by a server's error": said(f"panic in auth({SECRET})", 500),
    "too often": said(f"slow down, {SECRET}", 429, **{"retry-after": "300"}),
    "in half a body": http('{"error": {"message": "' + SECRET),
    "in a web page": http(f"<html>{SECRET}</html>", content_type="text/html"),
    "of another shape": http(json.dumps({"choices": SECRET})),
    "in a redirect": http(status=302, headers={"location": f"http://{SECRET[8:16]}.example/"}),
    "not HTTP": SECRET.encode() + b"\r\n\r\nconnection: close",
    "hangs": _hangs,
    "hangs midway": _hangs_midway,
    "breaks midway": _breaks_midway,
    "an error event": http(sse(HEAD, f'{{"error":{{"message":"bad {SECRET}"}}}}'),
                           content_type="text/event-stream"),
}  # fmt: skip


def _asked(root: Path, say: Say | None, *, stream: bool, auth: str) -> BaseException:
    with ByteServer(say or b"") as server:
        url = server.url if say is not None else "http://127.0.0.1:9"
        folder = workspace(root, url, auth, streaming=stream)
        with loaded(folder) as router:
            return failure(router, stream=stream)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", FAULTS)
def test_no_failure_shows_the_secret(
    fault: str, stream: bool, tmp_path: Path, sinks: Sinks
) -> None:
    error = _asked(tmp_path, FAULTS[fault], stream=stream, auth="{bearer: env:EXAMPLE_KEY}")
    logging.getLogger("an.app").error("it failed: %s", error, exc_info=error)
    assert not shows(told(error))
    assert not shows(sinks.text())


@pytest.mark.parametrize("place", ["header", "file"])
def test_nor_from_another_place(place: str, tmp_path: Path, sinks: Sinks) -> None:
    (tmp_path / "key").write_text(SECRET)
    (tmp_path / "key").chmod(0o600)
    value = "env:EXAMPLE_KEY" if place == "header" else "file:key"
    auth = f"{{header: x-api-key, value: {value}}}"
    error = _asked(tmp_path, FAULTS["echoed"], stream=False, auth=auth)
    assert "***" in str(error)
    assert not shows(told(error))
    assert not shows(sinks.text())


def test_what_is_said_of_the_failure_stays(tmp_path: Path) -> None:
    error = _asked(tmp_path, FAULTS["echoed"], stream=False, auth="{bearer: env:EXAMPLE_KEY}")
    assert "Incorrect API key provided: ***. Find yours at example.com." in str(error)
    assert "env:EXAMPLE_KEY" in str(error)
    native = error.last.native  # type: ignore[attr-defined]
    assert native["error"]["message"].endswith("Find yours at example.com.")


COMMAND = """\
provider: example
locality: cloud
endpoint:
  transport: process
  protocol: claude-code
  command: [{python}, -c, {code}]
  pass_environment: [EXAMPLE_KEY, PROXY]
  environment: {{EXTRA_TOKEN: tok-5f0c9d}}
models:
  - model: small
    context_window: 8192
    capabilities: {{streaming: true}}
    cost: {{input: 1, output: 1}}
"""
CODES = {
    "on standard error": "import os, sys; sys.exit('login failed: ' + {told})",
    "on standard output": "import os; print({told})",
    "as a result": (
        "import os, json; print(json.dumps(dict(type='result', is_error=True, result={told})))"
    ),
}


@pytest.mark.parametrize("where", CODES)
def test_a_program_that_tells_what_it_was_given(where: str, tmp_path: Path, sinks: Sinks) -> None:
    variables = "os.environ['EXAMPLE_KEY'] + ' ' + os.environ['EXTRA_TOKEN'] + os.environ['PROXY']"
    code = json.dumps(CODES[where].format(told=variables))
    written(tmp_path, COMMAND.format(python=sys.executable, code=code))
    with loaded(tmp_path, PROXY="http://me:pass-word-9@proxy:1") as router:
        error = failure(router)
    seen = told(error) + sinks.text()
    assert not shows(seen)
    assert "tok-5f0c9d" not in str(error)
    assert "pass-word-9" not in str(error)
    assert ("***" in str(error)) is (where != "on standard output")  # of that nothing is told


def test_a_program_that_cannot_be_started(tmp_path: Path, sinks: Sinks) -> None:
    (tmp_path / "tool").write_text("#!/nonexistent/interpreter\n")
    (tmp_path / "tool").chmod(0o700)
    written(tmp_path, COMMAND.format(python=tmp_path / "tool", code="x"))
    with loaded(tmp_path, PATH=str(tmp_path)) as router:
        error = failure(router)
    assert "could not be started" in str(error)
    assert not shows(told(error))
    assert not shows(sinks.text())


def test_a_short_secret_is_blackened_as_a_word(tmp_path: Path) -> None:
    say = said("key k3y9x is not in monk3y9xs")
    with ByteServer(say) as server:
        workspace(tmp_path, server.url)
        with Router.load(tmp_path, environment={"EXAMPLE_KEY": "k3y9x"}) as router:
            assert "key *** is not in monk3y9xs" in str(failure(router))


def test_an_interrupted_stream_cuts_off_its_causes(tmp_path: Path) -> None:
    error = _asked(
        tmp_path, FAULTS["an error event"], stream=True, auth="{bearer: env:EXAMPLE_KEY}"
    )
    assert isinstance(error, StreamInterrupted)
    assert "bad ***" in str(error)


def test_no_textual_form_of_a_router_shows_it(tmp_path: Path) -> None:
    with loaded(workspace(tmp_path, "http://127.0.0.1:9")) as router:
        target = router.targets[0]
        endpoint = target.provider.endpoint
        header = dataclasses.replace(endpoint, base_url="http://127.0.0.1:10")
        things = [router.workspace, router.catalog, target, endpoint, endpoint.auth, header]
        decision = router.decide(PROMPT)
        shown = [f"{thing} {thing!r} {vars(router)}" for thing in (*things, decision)]
        shown += [str(vars(target)), json.dumps(target.view), explain(decision)]
    assert not shows("\n".join(shown))


@pytest.mark.parametrize("dump", [pickle.dumps, copy.deepcopy, dataclasses.asdict])
def test_no_copy_carries_it_out(dump: Callable[[Any], Any], tmp_path: Path) -> None:
    with loaded(workspace(tmp_path, "http://127.0.0.1:9")) as router:
        endpoint = router.targets[0].provider.endpoint
        with pytest.raises(TypeError) as caught:
            dump(endpoint)
    assert not shows(told(caught.value))


def test_the_command_line_does_not_show_it(
    tmp_path: Path, sinks: Sinks, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ByteServer(FAULTS["echoed"] or b"") as server:
        root = str(workspace(tmp_path, server.url))
        monkeypatch.setenv("EXAMPLE_KEY", SECRET)
        for command in (
            ["decide", "--json", PROMPT],
            ["providers"],
            ["lint"],
            ["check", "--call"],
            ["run", PROMPT],
        ):
            main(["--config", root, *command])
    seen = sinks.text()
    assert "example/small" in seen
    assert not shows(seen)


REFUSED = {
    "in auth": f"auth: {{bearer: {SECRET}}}",
    "in a header": f"headers: {{x-auth-token: {SECRET}}}",
    "in another header": f"headers: {{Ocp-Apim-Subscription-Key: {SECRET}}}",
    "as a user": f"base_url: https://me:{SECRET[:6]}CaNaRy0x9LmW2@api.example.com",
    "in a query": f"base_url: https://api.example.com/?key={quote(SECRET)}",
}


@pytest.mark.parametrize("place", REFUSED)
def test_a_secret_stands_nowhere_else(place: str, tmp_path: Path, sinks: Sinks) -> None:
    base = "" if "base_url" in REFUSED[place] else "  base_url: https://api.example.com\n"
    head = "provider: example\nlocality: cloud\nendpoint:\n  transport: http\n"
    body = f"  protocol: openai-chat\n{base}  {REFUSED[place]}\nmodels: [{{model: a}}]\n"
    written(tmp_path, head + body)
    error = refused(tmp_path)
    main(["--config", str(tmp_path), "lint"])
    assert not shows(told(error))
    assert not shows(sinks.text())


def test_an_exchanged_variable_is_read_again(tmp_path: Path) -> None:
    environment = {"EXAMPLE_KEY": "first-key-1"}
    with Router.load(workspace(tmp_path, "http://127.0.0.1:9"), environment=environment) as router:
        auth = router.targets[0].provider.endpoint.auth
    assert auth is not None
    assert auth.reread() is None
    environment["EXAMPLE_KEY"] = "second-key-2"
    fresh = auth.reread()
    assert fresh is not None
    assert fresh.secret == Secret("second-key-2")
    assert (fresh.header, fresh.prefix) == ("authorization", "Bearer ")
    assert fresh.reread() is None
    del environment["EXAMPLE_KEY"]
    assert fresh.reread() is None


def test_the_variables_of_the_process_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXAMPLE_KEY", "first-key-1")
    with Router.load(workspace(tmp_path, "http://127.0.0.1:9")) as router:
        auth = router.targets[0].provider.endpoint.auth
    monkeypatch.setenv("EXAMPLE_KEY", "second-key-2")
    fresh = auth.reread() if auth else None
    assert fresh is not None
    assert fresh.secret == Secret("second-key-2")


def test_an_exchanged_file_is_read_again(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("first-key-1")
    key.chmod(0o600)
    folder = workspace(tmp_path, "http://127.0.0.1:9", "{bearer: file:key}")
    with loaded(folder) as router:
        auth, catalog = router.targets[0].provider.endpoint.auth, router.catalog
    assert auth is not None
    (tmp_path / "new").write_text("second-key-2")
    (tmp_path / "new").chmod(0o600)
    os.replace(tmp_path / "new", key)  # noqa: PTH105 - as a secret store exchanges it
    fresh = auth.reread()
    assert fresh is not None
    assert fresh.secret == Secret("second-key-2")
    renewed = catalog.with_auth("example", fresh)
    assert renewed.providers["example"].endpoint.auth is fresh
    assert [t.provider.endpoint.auth for t in renewed.targets] == [fresh]
    key.chmod(0o644)
    assert auth.reread() is None
