"""The worked example of docs/protocols.md, against a server that does what the page says."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmroute.adapter import Adapter, collect
from llmroute.adapter.declared.discovery import discover_declared
from llmroute.adapter.framing import StreamEvent
from llmroute.catalog.build import build_catalog
from llmroute.config.workspace import read_workspace
from llmroute.errors import TargetError
from llmroute.types import Request
from tests.adapter.declared.foreign import ROOT, complete, protocol_of, stream, target_of
from tests.adapter.wire import ByteServer, http

PARROT: dict[str, Any] = yaml.safe_load(
    (ROOT / "docs/examples/protocols.d/parrot.yaml").read_text()
)
ANSWER = {"said": "Hello!", "why": "done", "count": {"in": 4, "out": 2}}
LINES = [
    {"kind": "piece", "says": "Hel"},
    {"kind": "piece", "says": "lo!"},
    {"kind": "end", "why": "words", "count": {"in": 4, "out": 2}},
]


def _lines(*lines: Any) -> bytes:
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    return http(text, content_type="application/x-ndjson")


def _sent(server: ByteServer) -> tuple[str, Any]:
    head, _, body = server.requests[-1].partition(b"\r\n\r\n")
    return head.decode().split(" ")[1], json.loads(body)


def test_a_question_and_its_answer() -> None:
    with ByteServer(http(json.dumps(ANSWER))) as server:
        target = target_of(PARROT, server.url, "grey")
        talk = [{"role": "system", "content": "Politely."}, {"role": "user", "content": "Hi"}]
        answer = complete(target, Request.of(talk, max_tokens=5))
        path, body = _sent(server)
    assert path == "/v3/birds/grey/talk"
    assert body == {
        "manners": "Politely.",
        "turns": [{"who": "you", "says": "Hi"}],
        "limits": {"words": 5},
    }
    assert (answer.text, answer.finish_reason) == ("Hello!", "stop")
    assert (answer.usage.input, answer.usage.output) == (4, 2)


def test_a_stream() -> None:
    with ByteServer(_lines(*LINES)) as server:
        target = target_of(PARROT, server.url, "grey")
        chunks = stream(target, Request.of("Hi"))
        assert _sent(server)[0] == "/v3/birds/grey/talk?live=1"
    assert [chunk.text for chunk in chunks if chunk.text] == ["Hel", "lo!"]
    assert collect(chunks, target).finish_reason == "length"


def test_streams_that_go_wrong() -> None:
    with ByteServer(_lines(*LINES[:2])) as server:
        with pytest.raises(TargetError) as found:
            stream(target_of(PARROT, server.url), Request.of("Hi"))
    assert (found.value.kind, found.value.code) == ("malformed", "no_terminator")
    with ByteServer(_lines(LINES[0], {"squawk": "too_busy"})) as server:
        with pytest.raises(TargetError) as found:
            stream(target_of(PARROT, server.url), Request.of("Hi"))
    assert (found.value.kind, found.value.message) == ("overloaded", "the parrot says too_busy")


def test_an_error() -> None:
    said = json.dumps({"squawk": "too_busy", "wait": 3})
    with ByteServer(http(said, 418)) as server:
        with pytest.raises(TargetError) as found:
            complete(target_of(PARROT, server.url), Request.of("Hi"))
    assert (found.value.kind, found.value.retry_after) == ("overloaded", 3.0)
    assert (found.value.code, found.value.status) == ("too_busy", 418)


def test_discovery() -> None:
    listed = {
        "birds": [
            {"name": "grey", "talks": True, "memory": 900},
            {"name": "owl", "talks": False},
            {"name": "ara", "talks": True, "memory": "large"},
        ]
    }

    async def ask(url: str) -> Any:
        adapter = Adapter()
        endpoint = target_of(PARROT, url).provider.endpoint
        try:
            return await discover_declared(endpoint, PARROT["discovery"], adapter.get_json)
        finally:
            await adapter.aclose()

    with ByteServer(http(json.dumps(listed))) as server:
        found = asyncio.run(ask(server.url))
    assert found == [{"model": "grey", "context_window": 900}, {"model": "ara"}]
    with ByteServer(http(json.dumps({"birds": []}))) as server:
        assert asyncio.run(ask(server.url)) == []
    with ByteServer(http("[]")) as server, pytest.raises(TargetError):
        asyncio.run(ask(server.url))


def test_a_provider_discovers_through_its_protocol(tmp_path: Path) -> None:
    from llmroute.router import Router
    from llmroute.sim import Sim

    (tmp_path / "providers.d").mkdir()
    with Sim("gemini") as sim:
        text = f"""\
provider: g
locality: cloud
endpoint: {{transport: http, protocol: google-gemini, base_url: "{sim.url}"}}
discover: {{}}
defaults: {{cost: {{input: 0, output: 0}}, capabilities: {{streaming: true}}}}
"""
        (tmp_path / "providers.d/g.yaml").write_text(text)
        workspace, found = read_workspace(tmp_path, {})
        assert found == []
        provider = build_catalog(workspace).providers["g"]
        assert provider.discover is not None
        assert provider.discover.dialect == "google-gemini"
        with Router.load(tmp_path, environment={}) as router:
            router.refresh()
            (target,) = [t for t in router.targets if t.model == "gemini-3.5-flash"]
            assert target.context_window == 1_048_576
            assert target.capabilities.reasoning
            assert router.complete("Say hello").text.endswith("heard: Say hello")


def test_an_event_costs_little() -> None:
    """A stream's event is read in tens of microseconds; a hundredfold is let pass here."""
    parts = {"content": {"parts": [{"text": "word "}], "role": "model"}, "index": 0}
    counts = {"promptTokenCount": 4, "candidatesTokenCount": 2}
    event = StreamEvent("", json.dumps({"candidates": [parts], "usageMetadata": counts}))
    decoder = protocol_of("google-gemini").decoder()
    started = time.perf_counter()
    for _ in range(1000):
        decoder.feed(event)
    assert (time.perf_counter() - started) / 1000 < 0.002
