"""S6: `base_url` only from config, https unless loopback (or a private address with
`plain_http: true`), no redirects, no proxies from the environment unless asked, resolved address
checked; media URLs are never fetched.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmroute import Router
from llmroute.adapter import Adapter
from llmroute.adapter.transports.base import Transport
from llmroute.adapter.transports.http import HttpTransport
from llmroute.adapter.transports.litellm import LiteLLMTransport
from llmroute.catalog.model import Target, Timeouts
from llmroute.config.workspace import read_workspace
from llmroute.errors import ErrorKind, TargetError, UsageError
from llmroute.types import Request
from tests.adapter.http_ways import ANSWER, BOTH
from tests.adapter.wire import (
    ALL,
    ByteServer,
    bearer,
    completed,
    endpoint,
    failure,
    http,
    run,
    target,
)
from tests.security.canary import SECRET, workspace, written

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
#: LiteLLM warns of itself while it is imported.
LITELLM = pytest.mark.filterwarnings("ignore")
WHOLE = json.dumps({**json.loads(ANSWER), "object": "chat.completion", "created": 1})


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ByteServer]:
    """Put a proxy into the environment that must see nothing."""
    with ByteServer(http("a proxy", 502)) as server:
        for name in PROXIES:
            monkeypatch.setenv(name, server.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        yield server


def _fields(locality: str, url: str, more: str = "") -> str:
    return (
        f"provider: example\nlocality: {locality}\nendpoint:\n  transport: http\n"
        f"  protocol: openai-chat\n  base_url: {json.dumps(url)}\n{more}models: [{{model: a}}]\n"
    )


@pytest.mark.parametrize(
    ("locality", "url", "rule"),
    [
        ("cloud", "http://api.example.com", "base-url-http"),
        ("cloud", "http://8.8.8.8", "base-url-http"),
        ("cloud", "http://[::ffff:8.8.8.8]", "base-url-http"),
        ("cloud", "http://localhost.evil.example", "base-url-http"),
        ("local", "http://10.0.0.5", "base-url-http"),
        ("local", "http://gpu-box:8000", "base-url-http"),
        ("local", "https://api.example.com", "base-url-local"),
        ("local", "https://8.8.8.8", "base-url-local"),
        ("local", "https://[2001:db8::1]", "base-url-local"),
        ("local", "https://192.0.2.7", "base-url-local"),
        ("local", "https://localhost.evil.example", "base-url-local"),
        ("local", "https://[64:ff9b::a00:1]", "base-url-local"),
        ("cloud", "https://169.254.169.254", "base-url"),
        ("cloud", "https://169.254.169.254.", "base-url"),
        ("local", "http://169.254.169.254/latest", "base-url"),
        ("local", "http://[::ffff:169.254.169.254]", "base-url"),
        ("local", "http://[::ffff:a9fe:a9fe]", "base-url"),
        ("local", "http://[fe80::1]", "base-url"),
        ("local", "http://[fd00:ec2::254]", "base-url"),
        ("local", "http://100.100.100.200", "base-url"),
        ("local", "http://2130706433", "base-url"),
        ("local", "http://0x7f000001", "base-url"),
        ("local", "http://0177.0.0.1", "base-url"),
        ("local", "http://127.1", "base-url"),
        ("local", "http://127.0.0.1%00.evil.example", "base-url"),
        ("local", "http://\\uff11\\uff12\\uff17.0.0.1", "base-url"),
        ("local", "http://127.0.0.1\\\\@evil.example", "base-url"),
        ("local", "http://127.0.0.1@evil.example", "base-url"),
        ("cloud", "https://api.example.com/?x=1", "base-url"),
        ("cloud", "https://api.example.com/#x", "base-url"),
        ("cloud", "file:///etc/passwd", "schema-pattern"),
        ("cloud", "gopher://127.0.0.1", "schema-pattern"),
    ],
)
def test_an_address_that_must_not_be_called(
    locality: str, url: str, rule: str, tmp_path: Path
) -> None:
    written(tmp_path, _fields(locality, url).replace("\\\\u", "\\u").replace("\\\\\\\\", "\\\\"))
    found, findings = read_workspace(tmp_path, {})
    errors = [f.rule for f in findings if f.severity == "error"]
    assert errors == [rule]
    assert not found.providers


@pytest.mark.parametrize("more", ["", "  plain_http: true\n"])
def test_only_a_private_address_may_be_called_unencrypted(more: str, tmp_path: Path) -> None:
    for url in ("http://10.0.0.5", "http://gpu-box.lan", "http://[fd12::1]"):
        written(tmp_path, _fields("local", url, more))
        assert bool(read_workspace(tmp_path, {})[0].providers) is bool(more)
    written(tmp_path, _fields("cloud", "http://api.example.com", more))
    assert not read_workspace(tmp_path, {})[0].providers


@pytest.mark.parametrize("field", ["base_url", "api_base", "endpoint", "provider", "headers"])
def test_no_request_says_where_it_goes(field: str) -> None:
    with pytest.raises(UsageError, match="unknown request field"):
        Request.of("hi", **{field: "http://127.0.0.1:1"})


@pytest.mark.parametrize(
    ("locality", "url", "farthest"),
    [
        ("local", "http://localhost:1", "loopback"),
        ("local", "http://api.localhost:1", "loopback"),
        ("cloud", "http://localhost:1", "loopback"),
        ("local", "https://localhost:1", "loopback"),
        ("local", "http://gpu-box:1", "private"),
        ("local", "https://gpu-box.lan", "private"),
        ("cloud", "http://gpu-box:1", "private"),
        ("cloud", "https://gpu-box.lan", "public"),
        ("cloud", "https://api.example.com", "public"),
    ],
)
def test_how_far_an_address_may_lie_follows_from_the_file(
    locality: str, url: str, farthest: str, tmp_path: Path
) -> None:
    written(tmp_path, _fields(locality, url, "  plain_http: true\n"))
    with Router.load(tmp_path, environment={}) as router:
        assert router.targets[0].provider.endpoint.farthest == farthest


class Names:
    """A name server: answers in turn, the last one again, and counts the questions."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def _aim(server: ByteServer, host: str = "gpu-box.internal", farthest: Any = "private") -> Target:
    url = server.url.replace("127.0.0.1", host)
    return target(endpoint(url, farthest=farthest, auth=bearer(SECRET)))


async def _texts(transport: Transport, aim: Target, times: int = 1) -> list[str | None]:
    adapter = Adapter({aim.provider.endpoint.transport: transport})
    try:
        return [(await adapter.complete(aim, Request.of("hi"))).text for _ in range(times)]
    finally:
        await adapter.aclose()


def _asked(transport: Transport, aim: Target, times: int = 1) -> list[str | None]:
    answers: list[str | None] = run(_texts(transport, aim, times))
    return answers


PUBLIC = ["8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8", "169.254.169.254", "fe80::1%eth0", "0.0.0.0",  # noqa: S104
          "192.0.2.1", "64:ff9b::7f00:1", "100.100.100.200", "nonsense"]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_a_local_name_that_leads_outside_gets_nothing(address: str) -> None:
    with ByteServer(http(ANSWER)) as server:
        error = failure(lambda: _asked(HttpTransport(lookup=Names([address])), _aim(server)))
    assert (error.kind, error.code) == (ErrorKind.UNAVAILABLE, "address")
    assert address in error.message
    assert server.connections == 0


def test_one_address_outside_is_enough() -> None:
    with ByteServer(http(ANSWER)) as server:
        transport = HttpTransport(lookup=Names(["127.0.0.1", "8.8.8.8"]))
        error = failure(lambda: _asked(transport, _aim(server)))
    assert error.code == "address"
    assert server.connections == 0


def test_a_loopback_name_does_not_lead_into_the_network() -> None:
    with ByteServer(http(ANSWER)) as server:
        transport = HttpTransport(lookup=Names(["192.168.1.1"]))
        error = failure(lambda: _asked(transport, _aim(server, "localhost", "loopback")))
    assert error.code == "address"
    assert "which is not loopback" in error.message


@pytest.mark.parametrize("host", ["gpu-box.internal", "GPU-box.Internal", "gpu-box.internal."])
def test_the_connection_goes_to_the_checked_address(host: str) -> None:
    """No name server knows this name: only the address that was checked can have been used."""
    names = Names(["127.0.0.1"])
    with ByteServer(http(ANSWER)) as server:
        assert _asked(HttpTransport(lookup=names), _aim(server, host)) == ["Hi"]
    assert f"host: {host.lower()}:".encode() in server.requests[0].lower()
    assert names.asked == [host.lower()]


def test_a_name_that_changes_between_check_and_call_changes_nothing() -> None:
    names = Names(["127.0.0.1"], ["8.8.8.8"])
    with ByteServer(http(ANSWER)) as server:
        assert _asked(HttpTransport(lookup=names), _aim(server), times=3) == ["Hi"] * 3
    assert len(names.asked) == 1


def test_a_name_that_changes_later_is_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmroute.adapter.transports.resolving._KEPT", 0.0)
    names = Names(["127.0.0.1"], ["8.8.8.8"])
    with ByteServer(http(ANSWER)) as server:
        with pytest.raises(TargetError) as caught:
            _asked(HttpTransport(lookup=names), _aim(server), times=2)
    assert caught.value.code == "address"
    assert len(server.requests) == 1


def test_the_next_address_is_tried_where_one_refuses() -> None:
    with ByteServer(http(ANSWER)) as server:
        transport = HttpTransport(lookup=Names(["::1", "127.0.0.2", "127.0.0.1"]))
        assert _asked(transport, _aim(server)) == ["Hi"]


def test_localhost_works_as_the_system_resolves_it() -> None:
    with ByteServer(http(ANSWER)) as server:
        aim = _aim(server, "localhost", "loopback")
        assert completed(aim).text == "Hi"
    assert len(server.requests) == 1


@pytest.mark.parametrize("address", ["8.8.8.8", "[::ffff:8.8.8.8]", "[2606:4700::1]"])
def test_an_address_in_the_url_is_checked_too(address: str) -> None:
    aim = target(endpoint(f"http://{address}:9", farthest="private"))
    assert failure(lambda: completed(aim)).code == "address"


def test_a_name_that_does_not_resolve() -> None:
    def nobody(host: str) -> Sequence[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with ByteServer(http(ANSWER)) as server:
        error = failure(lambda: _asked(HttpTransport(lookup=nobody), _aim(server)))
    assert (error.kind, error.code) == (ErrorKind.UNAVAILABLE, "dns")


def test_a_name_server_that_hangs_holds_up_nobody_else() -> None:
    release, threads = threading.Event(), threading.active_count()

    def lookup(host: str) -> Sequence[str]:
        if host == "slow.internal":
            release.wait(5)
        return ["127.0.0.1"]

    async def work(server: ByteServer) -> tuple[list[str], float, int]:
        transport = HttpTransport(lookup=lookup)
        slow = _aim(server, "slow.internal")
        quick = replace(slow.provider.endpoint, timeouts=Timeouts(connect=0.3))
        slow = replace(slow, provider=replace(slow.provider, endpoint=quick))
        waiting = [asyncio.create_task(_texts(transport, slow)) for _ in range(50)]
        await asyncio.sleep(0.05)
        started = time.monotonic()
        await _texts(transport, _aim(server))
        took, grown = time.monotonic() - started, threading.active_count() - threads
        errors = await asyncio.gather(*waiting, return_exceptions=True)
        return [str(getattr(error, "code", error)) for error in errors], took, grown

    with ByteServer(http(ANSWER)) as server:
        codes, took, grown = run(work(server))
    release.set()
    assert set(codes) == {"connect_timeout"}
    assert took < 0.25
    assert grown < 20  # fifty calls of a name share one look-up


@pytest.mark.parametrize("make", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308])
def test_no_redirect_is_followed(make: Callable[[], Transport], status: int) -> None:
    with ByteServer(http(ANSWER)) as other:
        for place in (f"{other.url}/x", "/here", "//evil.example/", "https://evil.example/"):
            with ByteServer(http(status=status, headers={"location": place})) as server:
                aim = target(endpoint(server.url, auth=bearer(SECRET)))
                error = failure(lambda aim=aim: _asked(make(), aim))  # type: ignore[misc]
            assert error.code == "redirect"
            assert len(server.requests) == 1
    assert other.requests == []


@pytest.mark.parametrize("make", BOTH.values(), ids=BOTH)
def test_no_proxy_of_the_environment_is_used(
    make: Callable[[], Transport], proxy: ByteServer
) -> None:
    with ByteServer(http(ANSWER)) as server:
        assert _asked(make(), target(endpoint(server.url))) == ["Hi"]
    assert proxy.connections == 0


def test_a_program_gets_no_proxy_of_the_environment(proxy: ByteServer) -> None:
    import sys

    code = "import json, os; print(json.dumps({'type': 'result', 'is_error': False, 'usage': {}, "
    code += "'stop_reason': 'end_turn', 'result': ' '.join(sorted(os.environ)) or 'none'}))"
    where = endpoint("", "claude-code", transport="process", command=(sys.executable, "-c", code))
    assert "PROXY" not in (completed(target(where)).text or "").upper()


def _through_litellm(url: str, prefix: str, **data: Any) -> Target:
    where = endpoint(url, transport="litellm", auth=bearer(SECRET), model_prefix=prefix, **data)
    return target(where, capabilities=replace(ALL, image_urls=True))


@pytest.mark.parametrize("prefix", ["openai/", "anthropic/"])
@LITELLM
def test_litellm_follows_no_redirect_and_no_proxy(prefix: str, proxy: ByteServer) -> None:
    with ByteServer(http(WHOLE)) as other:
        moved = http(status=307, headers={"location": f"{other.url}/x"})
        with ByteServer(moved) as server:
            error = failure(lambda: completed(_through_litellm(server.url, prefix)))
    assert error.kind is ErrorKind.UNAVAILABLE
    assert len(server.requests) == 1
    assert (other.requests, proxy.requests) == ([], [])


@pytest.mark.parametrize("prefix", ["openai/", "anthropic/"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@LITELLM
def test_no_media_are_fetched(prefix: str, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """LiteLLM's own check of addresses, which would spare this machine alone, is off here."""
    failure(lambda: completed(_through_litellm("http://127.0.0.1:9", prefix)))  # imports it
    monkeypatch.setattr("litellm.user_url_validation", False, raising=False)
    for module in ("prompt_templates.image_handling", "token_counter"):  # imported before us
        limit = f"litellm.litellm_core_utils.{module}.MAX_IMAGE_URL_DOWNLOAD_SIZE_MB"
        monkeypatch.setattr(limit, 50)
    with ByteServer(http(b"\x89PNG", content_type="image/png")) as media:
        url = media.url.replace("http:", f"{scheme}:") + "/a.png"
        part = {"type": "image_url", "image_url": {"url": url}}
        prompt = [{"role": "user", "content": [{"type": "text", "text": "hi"}, part]}]
        with ByteServer(http("{}", 500)) as server:
            failure(lambda: completed(_through_litellm(server.url, prefix), prompt))
            direct = target(endpoint(server.url), capabilities=replace(ALL, image_urls=True))
            failure(lambda: completed(direct, prompt))
    assert media.requests == []
    assert url.encode() in server.requests[-1]


@LITELLM
def test_litellm_gets_no_name_that_leads_outside() -> None:
    with ByteServer(http(WHOLE)) as server:
        url = server.url.replace("127.0.0.1", "gpu-box.internal")
        aim = _through_litellm(url, "openai/", farthest="private")
        error = failure(lambda: _asked(LiteLLMTransport(Names(["8.8.8.8"])), aim))
    assert error.code == "address"
    assert server.connections == 0


def test_a_private_prompt_stays_inside_when_its_name_is_hijacked(tmp_path: Path) -> None:
    """The whole way: the policy chooses the local target, and the name now leads outside."""
    with ByteServer(http(ANSWER)) as server:
        url = server.url.replace("127.0.0.1", "gpu-box.internal")
        root = workspace(tmp_path, f"{url}\n  plain_http: true")
        adapter = Adapter({"http": HttpTransport(lookup=Names(["203.0.113.9"]))})
        with Router.load(root, environment={"EXAMPLE_KEY": SECRET}, adapter=adapter) as router:
            with pytest.raises(
                Exception, match=r"203\.0\.113\.9, which is not loopback or private"
            ):
                router.complete("hi", route={"locality": "local"})
    assert server.connections == 0
