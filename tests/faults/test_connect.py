"""Rows 1–9: nobody answers, or the connection breaks before an answer began."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from llmroute.adapter import Adapter
from llmroute.adapter.transports.http import HttpTransport
from tests.faults.bench import HTTP, Bench, Record, answered_by_first, failed_over
from tests.faults.chat import STREAM, whole
from tests.faults.server import FaultServer, Wire, free_port, full_backlog, http

NAMED = "\n  plain_http: true"
QUICK = "{connect: 200ms, first_token: 2s, total: 3s}"


def test_row_1_refused(bench: Bench, record: Record, form: str) -> None:
    bench.first(f"http://127.0.0.1:{free_port()}")
    seen = bench.ask(form)
    failed_over(seen, "unavailable", "refused the connection")
    assert seen.standing == "circuit"
    record(1, "connection refused", "F, free", seen, form)


def test_row_2_syn_without_an_answer(bench: Bench, record: Record, form: str) -> None:
    with full_backlog() as port:
        bench.first(f"http://127.0.0.1:{port}", timeouts=QUICK)
        seen = bench.ask(form)
    failed_over(seen, "timeout", "did not accept a connection within 0.2 s")
    assert 0.19 <= seen.first.duration < 1.0
    record(2, "SYN without an answer", "F at the connect timer", seen, form)


def test_row_2_what_never_left_the_machine_is_repeated_for_free(bench: Bench) -> None:
    with full_backlog() as port:
        bench.first(f"http://127.0.0.1:{port}", second=None, timeouts=QUICK)
        seen = bench.ask()
    assert seen.outcomes == [("first/m", "timeout")] * 3
    assert bench.retries_left() == 500


def _no_such_name(host: str) -> Sequence[str]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("local", [True, False], ids=["local", "cloud"])
def test_row_3_name_that_does_not_exist(
    bench: Bench, record: Record, form: str, local: bool
) -> None:
    bench.options["adapter"] = Adapter({"http": HttpTransport(lookup=_no_such_name)})
    timeouts = "{connect: 3s, first_token: 4s}"
    if local:
        bench.first("http://nobody.internal:1", endpoint_more=NAMED, timeouts=timeouts)
    else:
        bench.first("https://nobody.invalid", locality="cloud", timeouts=timeouts)
    seen = bench.ask(form)
    failed_over(seen, "unavailable", "does not resolve")
    if local:
        record(3, "host name does not exist", "F", seen, form)


def test_row_4_name_server_that_hangs(bench: Bench, record: Record, form: str) -> None:
    asked: list[str] = []
    released = threading.Event()

    def hanging(host: str) -> Sequence[str]:
        asked.append(host)
        if host == "hangs.internal":
            released.wait(10)
        return ("127.0.0.1",)

    bench.options["adapter"] = Adapter({"http": HttpTransport(lookup=hanging)})
    works = bench.good.url.replace("127.0.0.1", "works.internal")
    second = {"endpoint": HTTP.format(url=works) + NAMED}
    bench.first("http://hangs.internal:1", endpoint_more=NAMED, second=second, timeouts=QUICK)
    try:
        seen = bench.ask(form)
        failed_over(seen, "timeout", "hangs.internal did not resolve within 0.2 s")
        threads = [threading.Thread(target=bench.ask) for _ in range(20)]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.monotonic() - started < 3
    finally:
        released.set()
    assert asked.count("hangs.internal") == 1
    record(4, "name server hangs, 20 more calls of the name", "F, no pool exhausted", seen, form)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def _context(authority: trustme.CA, name: str, expired: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    until = datetime.now(UTC) - timedelta(days=1) if expired else None
    since = datetime.now(UTC) - timedelta(days=9) if expired else None
    authority.issue_cert(name, not_before=since, not_after=until).configure_cert(context)
    return context


@pytest.mark.parametrize("fault", ["expired", "for another host", "self-signed"])
def test_row_5_tls(
    bench: Bench, record: Record, form: str, authority: trustme.CA, fault: str
) -> None:
    issuer = trustme.CA() if fault == "self-signed" else authority
    name = "other.example" if fault == "for another host" else "127.0.0.1"
    context = _context(issuer, name, fault == "expired")
    trusted = authority.cert_pem.bytes()
    bench.options["adapter"] = Adapter({"http": HttpTransport(trusted)})
    with FaultServer(STREAM, tls=context) as server:
        bench.first(server.url, timeouts="{connect: 2s, first_token: 2s}")
        seen = bench.ask(form)
        assert server.requests == []
    failed_over(seen, "unavailable", "certificate")
    assert seen.first.help
    record(5, f"TLS certificate {fault}", "F, said so, never without TLS", seen, form)


def test_row_5_a_good_certificate_is_taken(bench: Bench, authority: trustme.CA) -> None:
    context = _context(authority, "127.0.0.1", expired=False)
    bench.options["adapter"] = Adapter({"http": HttpTransport(authority.cert_pem.bytes())})
    with FaultServer(http(STREAM, content_type="text/event-stream"), tls=context) as server:
        bench.first(server.url, timeouts="{connect: 2s, first_token: 2s}")
        answered_by_first(bench.ask("stream"), "Hi there")


def test_row_6_kept_connection_that_is_dead(bench: Bench, record: Record, form: str) -> None:
    kept = http(STREAM, content_type="text/event-stream", keep=True)
    with FaultServer(kept, lambda wire: wire.reset(), kept) as server:
        bench.first(server.url)
        answered_by_first(bench.ask(form), "Hi there")
        seen = bench.ask(form)
        answered_by_first(seen, "Hi there")
        assert (server.connections, len(server.requests)) == (2, 3)
    assert bench.retries_left() == 500
    record(6, "kept connection that the server has dropped", "one free retry", seen, form)


def test_row_7_no_place_is_free(bench: Bench, record: Record) -> None:
    with FaultServer(lambda wire: wire.stall()) as server:
        more = "limits: {concurrency: 1}\n"
        bench.first(server.url, more=more, timeouts="{first_token: 20s}")
        with ExitStack() as held:
            holder = threading.Thread(target=bench.ask, kwargs={"timeout": 4.0})
            holder.start()
            held.callback(holder.join)
            while not server.requests:
                time.sleep(0.01)
            target = bench.router.catalog.target("first/m")
            before = round(bench.router._live.of(target).success, 9)
            started = time.monotonic()
            seen = bench.ask(timeout=3.0)
            waited = time.monotonic() - started
    assert 1.0 <= waited < 1.8
    assert seen.outcomes == [("second/m", "ok")]
    assert (seen.after, seen.standing) == (before, "")
    assert server.connections == 1
    record(7, "no place is free", "waits at most 1 s, then F0", "waits 1 s → `second` answers")


def test_row_8_reset_while_uploading(bench: Bench, record: Record, form: str) -> None:
    def reset(wire: Wire) -> None:
        wire.connection.recv(65536)
        wire.reset()

    with FaultServer(b"", unread=reset) as server:
        bench.first(server.url, timeouts="{connect: 2s, first_token: 5s}")
        seen = bench.ask(form, "word " * 400_000)
    assert seen.outcomes == [("first/m", "unavailable"), ("second/m", "ok")]
    assert seen.after < seen.before
    assert (seen.first.message or "").startswith("http://127.0.0.1:")
    observed = "unavailable: the connection broke → `second` answers; counted against it"
    record(8, "reset while the prompt is uploaded", "F", observed, form)


@pytest.mark.parametrize("broken", ["refused", "silent"])
def test_row_9_ipv6_broken(bench: Bench, record: Record, form: str, broken: str) -> None:
    transport = HttpTransport(lookup=lambda _: ("::1", "127.0.0.1"))
    bench.options["adapter"] = Adapter({"http": transport})
    with FaultServer(http(whole("Hi there"))) as server, ExitStack() as held:
        if broken == "silent":
            held.enter_context(full_backlog("::1", server.port))
        bench.first(f"http://two.internal:{server.port}", endpoint_more=NAMED, timeouts=QUICK)
        seen = bench.ask(form)
        answered_by_first(seen, "Hi there")
    record(9, f"IPv6 {broken}, IPv4 fine", "IPv4", seen, form)
