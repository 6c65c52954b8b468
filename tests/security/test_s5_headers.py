"""S5: upstream headers are built from an allow-list; the caller's Authorization, Cookie, x-api-key,
hop-by-hop headers never go upstream.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from llmroute import Router
from llmroute.adapter import Adapter
from llmroute.adapter.transports.base import Transport
from llmroute.adapter.transports.headers import request_headers
from llmroute.catalog.model import Auth
from llmroute.config.secrets import Secret
from llmroute.errors import ErrorKind, UsageError
from llmroute.types import Request
from tests.adapter.http_ways import ANSWER, BOTH, fails
from tests.adapter.wire import (
    ByteServer,
    bearer,
    call,
    completed,
    endpoint,
    failure,
    http,
    run,
    target,
)
from tests.security.canary import SECRET, refused, written

#: What the clients themselves add to what is built here (RFC 9110): no more is on the wire.
ALLOWED = {"accept", "accept-encoding", "authorization", "connection", "content-length",
           "content-type", "host", "user-agent"}  # fmt: skip
FOREIGN = ["authorization", "cookie", "x-api-key", "api-key", "proxy-authorization", "connection",
           "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "x-forwarded-for",
           "forwarded", "host", "anthropic-beta", "openai-organization", "x-user"]  # fmt: skip


def _names(request: bytes) -> set[str]:
    lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return {line.partition(":")[0].lower() for line in lines}


def _sent(make: Callable[[], Transport], request: Request, **data: object) -> bytes:
    async def work(url: str) -> None:
        adapter = Adapter({"http": make()})
        where = endpoint(url, auth=bearer(SECRET), **data)  # type: ignore[arg-type]
        await adapter.complete(target(where), request)
        await adapter.aclose()

    with ByteServer(http(ANSWER)) as server:
        run(work(server.url))
    return server.requests[0]


@pytest.mark.parametrize("make", BOTH.values(), ids=BOTH)
def test_what_a_request_holds_becomes_no_header(make: Callable[[], Transport]) -> None:
    labels = dict.fromkeys(FOREIGN, "from-the-caller")
    message = {"role": "user", "content": "hi", "headers": labels, **labels}
    request = Request.of(
        [message], metadata={**labels, "headers": labels}, user="x\r\nCookie: a=b", tags=FOREIGN
    )
    sent = _sent(make, request)
    assert _names(sent) <= ALLOWED
    head, _, body = sent.partition(b"\r\n\r\n")
    assert b"from-the-caller" not in head
    assert head.count(b"authorization: ") + head.count(b"Authorization: ") == 1
    assert json.loads(body)["user"] == "x\r\nCookie: a=b"


@pytest.mark.parametrize("name", ["headers", "extra_headers", "authorization", "cookie"])
def test_a_request_has_no_field_for_headers(name: str) -> None:
    with pytest.raises(UsageError, match="unknown request field"):
        Request.of("hi", **{name: {"cookie": "a=b"}})


@pytest.mark.parametrize("make", BOTH.values(), ids=BOTH)
def test_no_hop_by_hop_header_of_a_file_goes_upstream(make: Callable[[], Transport]) -> None:
    hops = ["Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "TE", "Trailer",
            "Transfer-Encoding", "Upgrade", "Cookie", "Set-Cookie", "Host", "Content-Length",
            "Expect", "Via", "Forwarded"]  # fmt: skip
    sent = _sent(make, Request.of("hi"), headers={**dict.fromkeys(hops, "evil"), "X-Title": "mine"})
    assert b"evil" not in sent
    assert _names(sent) <= ALLOWED | {"x-title"}
    assert b"mine" in sent


CREDENTIALS = ["Authorization", "x-api-key", "api-key", "Cookie", "X-Goog-Api-Key", "apikey",
               "x-auth-token", "Ocp-Apim-Subscription-Key", "cf-access-client-secret",
               "Proxy-Authorization"]  # fmt: skip


@pytest.mark.parametrize("name", CREDENTIALS)
def test_a_file_puts_no_credential_into_its_headers(name: str, tmp_path: Path) -> None:
    written(
        tmp_path,
        "provider: example\nlocality: cloud\nendpoint:\n  transport: http\n"
        "  protocol: openai-chat\n  base_url: https://api.example.com\n"
        f"  headers: {{{name}: value}}\nmodels: [{{model: a}}]\n",
    )
    assert [finding.rule for finding in refused(tmp_path).diagnostics] == ["secret-reference"]


@pytest.mark.parametrize("name", ["anthropic-version", "HTTP-Referer", "X-Title", "OpenAI-Project"])
def test_other_headers_are_a_files_own_matter(name: str, tmp_path: Path) -> None:
    written(
        tmp_path,
        "provider: example\nlocality: cloud\nendpoint:\n  transport: http\n"
        "  protocol: openai-chat\n  base_url: https://api.example.com\n"
        f"  headers: {{{name}: value}}\nmodels: [{{model: a}}]\n",
    )
    with Router.load(tmp_path, environment={}) as router:
        assert router.targets[0].provider.endpoint.headers == {name: "value"}


def test_a_protocol_sets_none_but_its_own() -> None:
    given = dict.fromkeys([*FOREIGN, "content-type", "accept"], "x")
    headers = request_headers(call(endpoint(), headers=given)).reveal()
    assert set(headers) == {"accept", "anthropic-beta", "content-type", "user-agent"}


@pytest.mark.parametrize("make", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize("end", ["\r\nx: y", "\nx: y", "\rx", "\0", "\x7f", "\u2028x", "\ud800"])
def test_no_line_break_gets_into_a_header(make: Callable[[], Transport], end: str) -> None:
    for data in (
        {"auth": bearer(SECRET + end)},
        {"auth": Auth(f"x-key{end}", "", "env:K", Secret("value"))},
        {"headers": {"x-static": f"v{end}"}},
        {"headers": {f"x-static{end}": "v"}},
    ):
        error = fails(make, http(ANSWER), **data)
        assert (error.kind, error.code) == (ErrorKind.AUTH, "bad_header")
        assert SECRET[:8] not in str(error)


@pytest.mark.parametrize("make", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize(
    "name", ["m\r\nx: y", "m\nx", "../../admin?x=1#y", "m HTTP/1.1\r\n\r\nGET"]
)
def test_a_models_name_stays_in_the_body(make: Callable[[], Transport], name: str) -> None:
    async def work(url: str) -> None:
        adapter = Adapter({"http": make()})
        aim = replace(target(endpoint(url)), upstream=name)
        await adapter.complete(aim, Request.of("hi"))
        await adapter.aclose()

    with ByteServer(http(ANSWER)) as server:
        run(work(server.url))
    line, _, _ = server.requests[0].partition(b"\r\n")
    assert line == b"POST /chat/completions HTTP/1.1"
    assert _names(server.requests[0]) <= ALLOWED
    assert json.loads(server.requests[0].partition(b"\r\n\r\n")[2])["model"] == name


def test_a_models_name_in_an_address_is_quoted(tmp_path: Path) -> None:
    """Gemini's protocol has it in the path; a name that a server lists may be anything."""
    with ByteServer(http("{}", 500)) as server:
        text = (
            "provider: example\nlocality: local\nendpoint:\n  transport: http\n"
            f"  protocol: google-gemini\n  base_url: {server.url}\n"
            "models: [{model: a}]\n"
        )
        written(tmp_path, text)
        with Router.load(tmp_path, environment={}) as router:
            aim = replace(router.targets[0], upstream="m?x=1#y z\r\nCookie: a=b")
        failure(lambda: completed(aim))
    lines = server.requests[0].partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert b"m%3Fx%3D1%23y%20z%0D%0ACookie:%20a%3Db" in lines[0]
    assert not any(line.lower().startswith(b"cookie") for line in lines[1:])


@pytest.mark.filterwarnings("ignore")
def test_litellm_sends_no_more_of_the_callers() -> None:
    labels = dict.fromkeys(FOREIGN, "from-the-caller")
    with ByteServer(http("{}", 500)) as server:
        where = endpoint(
            server.url,
            transport="litellm",
            auth=bearer(SECRET),
            model_prefix="openai/",
            headers={"Cookie": "evil", "X-Title": "mine"},
        )
        failure(lambda: completed(target(where), metadata=labels, user="u"))
    head = server.requests[0].partition(b"\r\n\r\n")[0]
    assert b"from-the-caller" not in server.requests[0]
    assert b"evil" not in head
    assert b"mine" in head
