"""What holds of every conversation and every stream, drawn at random."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmroute.adapter import Adapter, collect
from llmroute.adapter.declared.decoder import DeclaredDecoder
from llmroute.adapter.framing import SseFramer
from llmroute.errors import TargetError
from llmroute.sim import Answer, ToolUse
from llmroute.sim.dialects import dialect_of
from llmroute.sim.dialects.base import Settings
from llmroute.sim.exchange import Recorded, Stream, Whole
from llmroute.types import Request
from tests.adapter.declared.foreign import PNG, WEATHER, protocol_of, target_of

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1).filter(
    lambda text: text.strip() == text
)
HTTP = ("google-gemini", "cohere-chat", "tgi-generate")
SERVED = {
    "google-gemini": ("gemini", "gemini-3.5-flash"),
    "cohere-chat": ("cohere", "command-a-03-2025"),
}
ARGUMENTS = st.dictionaries(WORDS, st.one_of(WORDS, st.integers(-9, 9), st.booleans()), max_size=3)
CALLS = st.lists(st.tuples(st.sampled_from(["get_weather", "now"]), ARGUMENTS), max_size=4)


@given(kind=st.text(min_size=1).filter(lambda k: k not in ("text", "refusal", "image_url")))
@settings(max_examples=50, deadline=None)
@pytest.mark.parametrize("name", HTTP)
def test_an_unknown_part_is_refused(name: str, kind: str) -> None:
    message = {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": kind}]}
    with pytest.raises(TargetError) as found:
        Adapter().encode(target_of(name), Request.of([message]), stream=False)
    assert found.value.kind == "capability"


def _talk(texts: list[str], calls: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    content = [{"type": "text", "text": texts[0]}, picture]
    talk: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if not calls:
        return talk
    written = [
        {
            "id": f"c-{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for number, (name, arguments) in enumerate(calls)
    ]
    talk.append({"role": "assistant", "content": None, "tool_calls": written})
    talk += [
        {"role": "tool", "tool_call_id": f"c-{n}", "content": texts[-1]} for n in range(len(calls))
    ]
    return talk


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


@given(texts=st.lists(WORDS, min_size=1, max_size=3), calls=CALLS)
@settings(max_examples=50, deadline=None)
@pytest.mark.parametrize("name", SERVED)
def test_nothing_that_is_said_is_lost_on_the_way_out(
    name: str, texts: list[str], calls: list[tuple[str, dict[str, Any]]]
) -> None:
    request = Request.of(_talk(texts, calls), tools=[WEATHER])
    body = Adapter().encode(target_of(name), request, stream=False).body
    leaves = _leaves(body)
    assert texts[0] in leaves
    assert any(PNG in leaf for leaf in leaves if isinstance(leaf, str))
    for number, (tool, arguments) in enumerate(calls):
        assert leaves.count(f"c-{number}") == 2
        assert tool in leaves
        written = json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
        assert written in leaves or all(leaf in leaves for leaf in _leaves(arguments))


def _answered(name: str, answer: Answer, *, streamed: bool) -> tuple[bytes, Any]:
    """Return what the simulator would send, without a socket."""
    kind, model = SERVED[name]
    target = target_of(name, model=model)
    sent = Adapter().encode(target, Request.of("hi", tools=[WEATHER]), stream=streamed)
    path, _, query = sent.path.partition("?")
    body = dict(sent.body or {})
    asked = Recorded("POST", path, query, {}, b"", body)
    reply = dialect_of(kind, Settings()).respond(asked, answer)
    if isinstance(reply, Stream):
        return b"".join(frame.data for frame in reply.frames), target
    assert isinstance(reply, Whole)
    return reply.body, target


@given(text=st.one_of(st.just(""), WORDS), calls=CALLS, cut=st.integers(1, 7))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("name", SERVED)
def test_no_call_is_lost_and_none_is_merged(
    name: str, text: str, calls: list[tuple[str, dict[str, Any]]], cut: int
) -> None:
    if not text and not calls:
        return
    uses = tuple(ToolUse(tool, arguments) for tool, arguments in calls)
    answer = Answer(text, tools=uses, finish="tool_calls" if uses else "stop")
    raw, target = _answered(name, answer, streamed=True)
    decoder, framer = protocol_of(name).decoder(), SseFramer()
    blocks = [raw[i : i + cut] for i in range(0, len(raw), cut)]
    chunks = [c for block in blocks for e in framer.feed(block) for c in decoder.feed(e)]
    streamed = collect(chunks, target)
    body, _ = _answered(name, answer, streamed=False)
    whole = protocol_of(name).decode(json.loads(body), target)
    for got in (streamed, whole):
        assert (got.text or "") == text
        found = [(call.name, json.loads(call.arguments)) for call in got.tool_calls]
        assert found == calls
        assert got.finish_reason == ("tool_calls" if calls else "stop")
    assert streamed.usage == whole.usage


@given(text=WORDS, share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("name", SERVED)
def test_a_stream_cut_anywhere_is_not_complete(name: str, text: str, share: float) -> None:
    raw, _ = _answered(name, Answer(text), streamed=True)
    end = raw.rstrip().rfind(b"data:")
    decoder: DeclaredDecoder = protocol_of(name).decoder()
    framer = SseFramer()
    for event in framer.feed(raw[: int(end * share)]):
        decoder.feed(event)
    assert not decoder.done


@given(
    data=st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    [
                        "candidates",
                        "content",
                        "parts",
                        "text",
                        "message",
                        "delta",
                        "type",
                        "token",
                        "details",
                        "error",
                        "usage",
                        "functionCall",
                        "tool_calls",
                        "name",
                        "usageMetadata",
                    ]
                ),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=12,
    )
)
@settings(max_examples=200, deadline=None)
@pytest.mark.parametrize("name", HTTP)
def test_odd_answers_are_errors_and_never_crash(name: str, data: Any) -> None:
    from llmroute.adapter.framing import StreamEvent
    from llmroute.adapter.protocols import ProviderError

    allowed = (TargetError, ProviderError, AttributeError, LookupError, TypeError, ValueError)
    for work in (
        lambda: protocol_of(name).decode(data, target_of(name)),
        lambda: protocol_of(name).decoder().feed(StreamEvent("", json.dumps(data))),
    ):
        try:
            work()
        except allowed:
            continue
