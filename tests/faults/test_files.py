"""Rows 81 and 82: files change under a running router; more in tests/test_router_reload.py."""

from __future__ import annotations

import time

import pytest

from llmroute import ConfigError
from tests.faults.bench import Bench, Record, answered_by_first, failed_over
from tests.faults.chat import DONE, HELLO
from tests.faults.server import EVENTS, OPEN_ENDED, FaultServer, Wire, http, sse

GOOD = http(sse(*HELLO, DONE), content_type=EVENTS)


def test_row_81_broken_file(bench: Bench, record: Record, form: str) -> None:
    with FaultServer(GOOD) as server:
        bench.first(server.url)
        path = bench.root / "policies" / "balanced.yaml"
        path.write_text("policy: balanced\nrules:\n  - {name: x, weight: much, prefer: price}\n")
        with pytest.raises(ConfigError) as caught:
            bench.router.reload()
        assert "policies/balanced.yaml:3:23:" in str(caught.value)
        seen = bench.ask(form)
        answered_by_first(seen, "Hi there")
    observed = "error at policies/balanced.yaml:3:23 → `first` answers by the old files"
    record(81, "reload with a broken file", "old snapshot, file:line", observed, form)


def test_row_82_reload_midway(bench: Bench, record: Record, form: str) -> None:
    def reloads(wire: Wire) -> None:
        (bench.root / "providers.d" / "second.yaml").unlink()
        (bench.root / "llmroute.yaml").write_text("timezone: Asia/Tokyo\n")
        bench.router.reload()
        wire.send(http("x", 500))

    with FaultServer(reloads, GOOD) as server:
        bench.first(server.url, timeouts="{first_token: 5s}")
        seen = bench.ask(form)
        failed_over(seen, "transient")
        assert [target.id for target in bench.router.targets] == ["first/m"]
        answered_by_first(bench.ask(form), "Hi there")
    observed = "`second` still answers, though the new files do not have it"
    record(82, "reload between a call and its fallback", "ends by its snapshot", observed, form)


def test_row_82_reload_within_a_stream(bench: Bench) -> None:
    def slowly(wire: Wire) -> None:
        wire.send(OPEN_ENDED + sse(*HELLO[:2]))
        while not reloaded:
            time.sleep(0.005)
        wire.sse(*HELLO[2:], DONE)

    reloaded: list[bool] = []
    with FaultServer(slowly) as server:
        bench.first(server.url, timeouts="{first_token: 5s, idle: 5s}")
        with bench.router.stream("x") as stream:
            text = next(chunk.text for chunk in stream if chunk.text)
            (bench.root / "providers.d" / "first.yaml").unlink()
            bench.router.reload()
            reloaded.append(True)
            text += "".join(chunk.text for chunk in stream)
    assert text == "Hi there"
