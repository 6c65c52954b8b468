"""Throw broken streams and bodies at every decoder, guided by what they have not answered before.

    python bench/fuzz_wire.py [--seconds N] [--seed S]

Seeds are well-formed answers in every protocol: text, reasoning, parallel tool calls, refusals and
errors. Each case is a mutation of a seed, or of an earlier mutant whose outcome was new (another
kind of error, message, count of chunks or calls): bytes flipped, inserted, removed; events
dropped, doubled, swapped, cut; values anywhere in their JSON replaced, by odd ones among them
(huge and negative numbers, NaN, other types, deep nesting). It is read as a stream and, where it
is one document, as a whole answer.

Held against each case:

- it ends with an answer or a `TargetError`, never with another exception, within a second;
- cutting the bytes elsewhere changes nothing;
- where only whole events were dropped, doubled, swapped or cut, no tool call holds a piece of
  another: the arguments of each seed's calls are marked;
- token counts are never negative.

Ends with status 1 at the first failure, which it prints. `shaped` counts cases in which a decoder
met a shape that it does not look for and was saved by the net around all decoders. The last line
is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from llmroute.adapter.answer import collect
from llmroute.adapter.answering import CLIENT_PROTOCOLS, Asked, client_protocol
from llmroute.adapter.protocols import PROTOCOLS, WireProtocol, protocol
from llmroute.adapter.reading import read_stream, read_whole
from llmroute.catalog.model import Endpoint, Provider, Target
from llmroute.errors import TargetError
from llmroute.types import Chunk, Request, Response, ToolCallDelta, Usage

__all__ = ["fuzz"]

_MARKS = ("alpha", "bravo")
_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 10**30, -(2**63), float("nan"), float("inf"), 1e308),
    *("", "x", "stop", "\ud800", "\x00", "[DONE]", "1", [], {}, [None], {"": None}, [[[[]]]]),
    {"type": "tool_use"},
)
_SLOW = 1.0
_KEPT = 4000


class _Bytes:
    """A reply that was received already, cut into blocks."""

    status = 200

    def __init__(self, blocks: Sequence[bytes], headers: Mapping[str, str]) -> None:
        self._blocks, self.headers = blocks, headers

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        for block in self._blocks:
            yield block

    async def finish(self) -> None:
        """End well, whatever came."""

    async def aclose(self) -> None:
        """Hold nothing."""


@dataclass(frozen=True)
class _Case:
    """Bytes in a protocol; `whole` where they are one document, `tidy` while events are whole."""

    name: str
    raw: bytes
    whole: bool = False
    tidy: bool = True


@dataclass
class _Seen:
    """What came up so far."""

    kinds: dict[str, int] = field(default_factory=dict)
    outcomes: set[str] = field(default_factory=set)
    shaped: int = 0


def _chunks() -> dict[str, tuple[Chunk, ...]]:
    end = (Chunk(usage=Usage(input=30, output=12, cached=10, reasoning=4)),)
    calls = [Chunk(tool_call=ToolCallDelta(i, f"call_{i}", f"tool_{i}")) for i in (0, 1)]
    for piece in ('{"k":"', "MARK", "MARK", '"}'):
        calls += [
            Chunk(tool_call=ToolCallDelta(i, arguments=piece.replace("MARK", _MARKS[i])))
            for i in (0, 1)
        ]
    head = Chunk(model="m-1", id="answer-1")
    said = (Chunk(reasoning="hm"), Chunk(text="Grüße "), Chunk(text="aus Graz."))
    return {
        "text": (head, *said, *end, Chunk(finish_reason="stop")),
        "calls": (head, said[0], *calls, *end, Chunk(finish_reason="tool_calls")),
        "refusal": (head, Chunk(refusal="no"), *end, Chunk(finish_reason="content_filter")),
    }


def _client_seeds() -> list[_Case]:
    """Return streams and whole answers as our own writers write them."""
    found = []
    asked = Asked(Request.of("q", stream=True), "m", include_usage=True)
    for name in CLIENT_PROTOCOLS:
        for chunks in _chunks().values():
            writer = client_protocol(name).writer(asked)
            events = [event for chunk in chunks for event in writer.feed(chunk)]
            found.append(_Case(name, b"".join([*events, *writer.finish()])))
            answer = client_protocol(name).answer(collect(chunks, _target(name)), asked)
            found.append(_Case(name, json.dumps(answer).encode(), whole=True))
    return found


def _ollama_seeds() -> list[_Case]:
    def line(message: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        return {"model": "m", "message": {"role": "assistant", **message}, "done": False, **more}

    calls = [
        {"function": {"name": f"tool_{i}", "arguments": {"k": mark * 2}}}
        for i, mark in enumerate(_MARKS)
    ]
    end = {"done": True, "done_reason": "stop", "prompt_eval_count": 30, "eval_count": 12}
    lines = [
        [line({"thinking": "hm"}), line({"content": "Grüße."}), line({"content": ""}, **end)],
        [*(line({"tool_calls": [call]}) for call in calls), line({"content": ""}, **end)],
        [line({"content": "x"}), {"error": "gone"}],
    ]
    found = [
        _Case("ollama-chat", b"".join(json.dumps(item).encode() + b"\n" for item in one))
        for one in lines
    ]
    whole = line({"content": "x", "tool_calls": calls}, **end)
    return [*found, _Case("ollama-chat", json.dumps(whole).encode(), whole=True)]


def _claude_seeds() -> list[_Case]:
    """Return what the `claude` program prints: its own lines around Anthropic's events."""
    anthropic = next(c for c in _client_seeds() if c.name == "anthropic-messages" and not c.whole)
    events = [
        json.loads(line.removeprefix("data: "))
        for line in anthropic.raw.decode().splitlines()
        if line.startswith("data: ")
    ]
    around = {"session_id": "s", "parent_tool_use_id": None}
    lines: list[Mapping[str, Any]] = [{"type": "system", "subtype": "init", "model": "m", **around}]
    lines += [{"type": "stream_event", "event": event, **around} for event in events]
    usage = {"input_tokens": 30, "output_tokens": 12}
    result = {"subtype": "success", "is_error": False, "result": "Grüße aus Graz.", "usage": usage}
    lines.append({"type": "result", **result, "stop_reason": "end_turn", **around})
    return [_Case("claude-code", b"".join(json.dumps(item).encode() + b"\n" for item in lines))]


def _target(name: str) -> Target:
    transport = "process" if name == "claude-code" else "http"
    provider = Provider("p", "local", Endpoint(transport, name, base_url="http://127.0.0.1:9"))
    return Target("p/m", provider, "m", "m", "local")


def _events_of(case: _Case) -> list[bytes]:
    mark = b"\n\n" if protocol(case.name).framing == "sse" else b"\n"
    return [piece + mark for piece in case.raw.split(mark) if piece]


def _shuffle(case: _Case, rng: Random) -> _Case:
    """Drop, double, swap or cut whole events."""
    events = _events_of(case)
    if case.whole or len(events) < 2:
        return case
    first, second = rng.randrange(len(events)), rng.randrange(len(events))
    match rng.randrange(4):
        case 0:
            del events[first]
        case 1:
            events.insert(second, events[first])
        case 2:
            events[first], events[second] = events[second], events[first]
        case _:
            del events[first:]
    return _Case(case.name, b"".join(events), tidy=case.tidy)


def _scratch(case: _Case, rng: Random) -> _Case:
    """Flip, insert, remove or repeat bytes."""
    raw = bytearray(case.raw)
    place = rng.randrange(len(raw) + 1)
    match rng.randrange(4):
        case 0 if place < len(raw):
            raw[place] = rng.randrange(256)
        case 1:
            raw[place:place] = rng.choice((b"\r", b"\n", b"\xff", b'"', b"}", b"data:", b"\x00"))
        case 2:
            del raw[place : place + rng.randrange(1, 40)]
        case _:
            raw[place:place] = raw[place : place + rng.randrange(1, 200)]
    return _Case(case.name, bytes(raw), case.whole, tidy=False)


def _twist(case: _Case, rng: Random) -> _Case:
    """Replace, remove or copy a value somewhere in the JSON of one event."""
    events = [case.raw] if case.whole else _events_of(case)
    if not events:
        return case
    number = rng.randrange(len(events))
    head, brace, rest = events[number].partition(b"{")
    try:
        data = json.loads(brace + rest)
    except ValueError:
        return _scratch(case, rng)
    places = list(_places(data))
    if places:
        holder, key = rng.choice(places)
        other, another = rng.choice(places)
        holder[key] = rng.choice((rng.choice(_ODD), other[another], {"x": holder[key]}))
    tail = b"" if case.whole else b"\n\n" if protocol(case.name).framing == "sse" else b"\n"
    try:
        events[number] = head + json.dumps(data).encode() + tail
    except (ValueError, RecursionError):  # a value was put into itself
        return case
    return _Case(case.name, b"".join(events), case.whole, tidy=False)


def _places(value: Any) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


_MUTATORS: tuple[Callable[[_Case, Random], _Case], ...] = (_shuffle, _scratch, _twist, _twist)


def _mutant(case: _Case, rng: Random) -> _Case:
    for _ in range(rng.choice((1, 1, 2, 4))):
        if case.raw:
            case = rng.choice(_MUTATORS)(case, rng)
    return case


def _cut(raw: bytes, rng: Random) -> list[bytes]:
    if rng.random() < 0.2:
        return [raw[place : place + 1] for place in range(len(raw))]
    places = sorted(rng.randrange(len(raw) + 1) for _ in range(rng.randrange(6)))
    ends = [*places, len(raw)]
    return [raw[start:end] for start, end in zip([0, *places], ends, strict=True)]


async def _read(case: _Case, blocks: Sequence[bytes]) -> tuple[Response | TargetError, int]:
    """Return answer or error, and how many chunks came before it."""
    dialect: WireProtocol = protocol(case.name)
    kind = "application/json" if case.whole else "text/event-stream"
    reply: Any = _Bytes(blocks, {"content-type": kind})
    target, chunks = _target(case.name), []
    try:
        if case.whole and not dialect.only_streams:
            return await read_whole(reply, dialect, target), 0
        async for chunk in read_stream(reply, dialect, target, []):
            chunks.append(chunk)  # noqa: PERF401 - counted where it fails, too
        return collect(chunks, target), len(chunks)
    except TargetError as exc:
        return exc, len(chunks)


def _told(outcome: Response | TargetError) -> str:
    """Return what must be the same however the bytes were cut; ids may be made up."""
    if isinstance(outcome, TargetError):
        return f"{outcome.kind} {outcome.message}"
    calls = [(call.name, call.arguments) for call in outcome.tool_calls]
    plain = (outcome.text, outcome.reasoning, outcome.refusal, outcome.finish_reason)
    return repr((plain, calls, outcome.usage, outcome.model, outcome.thinking_blocks))


def _wrong(case: _Case, outcome: Response | TargetError, again: Response | TargetError) -> str:
    if _told(outcome) != _told(again):
        return f"other blocks, another outcome: {_told(outcome)} and {_told(again)}"
    if isinstance(outcome, TargetError):
        return ""
    counts = (outcome.usage.input, outcome.usage.output, outcome.usage.cached)
    if min(counts) < 0:
        return f"negative token counts: {outcome.usage}"
    mixed = any(all(mark in call.arguments for mark in _MARKS) for call in outcome.tool_calls)
    return f"two calls became one: {outcome.tool_calls}" if case.tidy and mixed else ""


def fuzz(seconds: float, seed: int) -> tuple[str, dict[str, Any]]:
    """Return the first failure ("" if there is none) and what was tried."""
    rng = Random(seed)  # noqa: S311 - repeatable, not secret
    pool = [*_client_seeds(), *_ollama_seeds(), *_claude_seeds()]
    seeds = [case for case in pool if case.name in PROTOCOLS]
    pool = list(seeds)
    seen, cases, slowest, failure = _Seen(), 0, 0.0, ""
    start = time.monotonic()
    with asyncio.Runner() as runner:
        while not failure and time.monotonic() - start < seconds:
            case = _mutant(rng.choice(seeds if rng.random() < 0.5 else pool), rng)
            if not case.raw or len(case.raw) > 100_000:
                continue
            begun = time.perf_counter()
            try:
                outcome, count = runner.run(_read(case, [case.raw]))
                again, _ = runner.run(_read(case, _cut(case.raw, rng)))
                failure = _wrong(case, outcome, again)
            except Exception as exc:  # noqa: BLE001 - this is what is looked for
                failure, outcome, count = f"{type(exc).__name__}: {exc}", TargetError, 0  # type: ignore[assignment]
            cases, slowest = cases + 1, max(slowest, time.perf_counter() - begun)
            failure = failure or ("too slow" if slowest > _SLOW else "")
            if failure:
                failure = (
                    f"{case.name}, {'whole' if case.whole else 'stream'}: {failure}\n{case.raw!r}"
                )
            elif _is_new(case, outcome, count, seen):
                pool.append(case)
                del pool[_KEPT : _KEPT + 1]
    found = {"cases": cases, "outcomes": len(seen.outcomes), "shaped": seen.shaped}
    return failure, {**found, "slowest_ms": round(slowest * 1000, 1), **seen.kinds}


def _is_new(case: _Case, outcome: Response | TargetError, count: int, seen: _Seen) -> bool:
    """Count an outcome, and say whether none like it was seen."""
    failed = isinstance(outcome, TargetError)
    kind = f"error_{outcome.kind}" if isinstance(outcome, TargetError) else "answered"
    seen.kinds[kind] = seen.kinds.get(kind, 0) + 1
    message = outcome.message if isinstance(outcome, TargetError) else outcome.finish_reason
    seen.shaped += failed and "does not have the protocol's shape" in message
    calls = 0 if isinstance(outcome, TargetError) else len(outcome.tool_calls)
    sign = f"{case.name} {case.whole} {kind} {message[:40]} {min(count, 8)} {calls}"
    if sign in seen.outcomes:
        return False
    seen.outcomes.add(sign)
    return True


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    failure, found = fuzz(given.seconds, given.seed)
    if failure:
        print(failure)
    print(json.dumps({**found, "seconds": given.seconds, "seed": given.seed}))
    sys.exit(1 if failure else 0)


if __name__ == "__main__":
    main()
