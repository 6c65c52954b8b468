"""Requests there and back in the protocols that clients and providers share.

A canonical request is written for a provider, and read again as if a client had sent it: two
sides of a protocol that were written apart. What does not come back is lost in the protocol;
each loss is a function here that is named for it, and nothing else may differ.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from llmroute.adapter.answering import client_protocol
from llmroute.adapter.protocols.schema import output_schema
from llmroute.catalog.model import WireRules
from llmroute.errors import TargetError
from llmroute.types import Request
from tests.adapter.wire import encoded, target
from tests.conversations import conversations

Loss = Callable[[Request], Request]
SYSTEM = ("system", "developer")
ATTACHED = "[image attached below]"


def requests(count: int = 400, seed: int = 17) -> Iterator[Request]:
    """Yield generated conversations with parameters of every kind."""
    draw = Random(seed)
    for request in conversations(count, seed):
        yield replace(
            request,
            temperature=draw.choice((None, 0.0, 0.5, 1.7)),
            top_p=draw.choice((None, 0.9)),
            stop=draw.choice(((), ("END",), ("\n\n", "X"))),
            seed=draw.choice((None, 7)),
            stream=draw.random() < 0.5,
        )


def by_message(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Loss:
    return lambda request: replace(
        request, messages=tuple(change(dict(message)) for message in request.messages)
    )


def by_tool(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Loss:
    return lambda request: replace(
        request,
        tools=tuple({**tool, "function": change(dict(tool["function"]))} for tool in request.tools),
    )


def without(name: str, empty: Any = None) -> Loss:
    """A parameter for which the protocol has no place; the encoder warns."""
    return lambda request: replace(request, **{name: empty})


@by_message
def one_role_for_the_system(message: dict[str, Any]) -> dict[str, Any]:
    """Compatible servers know no `developer`, and OpenAI takes `system` for it."""
    return {**message, "role": "system"} if message["role"] == "developer" else message


def images_of_results_follow(request: Request) -> Request:
    """Tools' messages hold text alone; what else they show stands in a user's message behind."""
    found: list[dict[str, Any]] = []
    shown: list[dict[str, Any]] = []
    for message in [*map(dict, request.messages), {"role": ""}]:
        if message["role"] != "tool" and shown:
            found.append({"role": "user", "content": shown})
            shown = []
        elif message["role"] == "tool" and isinstance(message["content"], list):
            images = [part for part in message["content"] if part["type"] != "text"]
            shown = [*shown, *images]
            message["content"] = [p for p in message["content"] if p not in images] or ATTACHED
        found.append(message)
    return replace(request, messages=tuple(found[:-1]))


def one_leading_system(request: Request) -> Request:
    """`instructions` and `system` are one field; texts are joined by an empty line."""
    rest = list(request.messages)
    leading = []
    while rest and rest[0]["role"] in SYSTEM:
        leading.append(rest.pop(0)["content"])
    first = [{"role": "system", "content": "\n\n".join(leading)}] if leading else []
    return replace(request, messages=(*first, *rest))


def blank_system_is_nothing(request: Request) -> Request:
    """Anthropic refuses blank texts."""
    kept = (m for m in request.messages if m["role"] not in SYSTEM or m["content"].strip())
    return replace(request, messages=tuple(kept))


@by_message
def detail_is_stated(message: dict[str, Any]) -> dict[str, Any]:
    """Responses requires `detail`, whose default is `auto`."""
    return _with_images(message, lambda image: {"detail": "auto", **image})


@by_message
def detail_is_lost(message: dict[str, Any]) -> dict[str, Any]:
    """Anthropic has no `detail`."""
    return _with_images(message, lambda image: {"url": image["url"]})


def _with_images(message: dict[str, Any], change: Any) -> dict[str, Any]:
    if not isinstance(message["content"], list):
        return message
    parts = [
        {**part, "image_url": change(part["image_url"])} if part["type"] == "image_url" else part
        for part in message["content"]
    ]
    return {**message, "content": parts}


@by_message
def results_of_text_are_one_text(message: dict[str, Any]) -> dict[str, Any]:
    """A result without images is written as a text."""
    content = message["content"]
    if message["role"] != "tool" or isinstance(content, str):
        return message
    if any(part["type"] != "text" for part in content):
        return message
    return {**message, "content": "".join(part["text"] for part in content)}


@by_message
def texts_of_results_are_lines(message: dict[str, Any]) -> dict[str, Any]:
    """Some servers lose what a result belongs to where it is a list."""
    content = message["content"]
    if message["role"] != "tool" or isinstance(content, str):
        return message
    return {**message, "content": "\n".join(part["text"] for part in content)}


@by_tool
def tools_state_everything(function: dict[str, Any]) -> dict[str, Any]:
    """In Responses `strict` is on unless it is off, and parameters are required."""
    nothing = {"type": "object", "properties": {}}
    return {"parameters": nothing, **function, "strict": bool(function.get("strict"))}


@by_tool
def tools_take_objects(function: dict[str, Any]) -> dict[str, Any]:
    """Anthropic requires a schema."""
    return {"parameters": {"type": "object", "properties": {}}, **function}


def text_is_no_format(request: Request) -> Request:
    """Without a format the answer is text anyway."""
    plain = request.response_format == {"type": "text"}
    return replace(request, response_format=None) if plain else request


def long_users_are_hashed(request: Request) -> Request:
    """`safety_identifier` holds 64 characters."""
    return hashed(request) if len(request.user or "") > 64 else request


def hashed(request: Request) -> Request:
    """Anthropic refuses ids that tell a person, so that no id goes there as it is."""
    made = hashlib.sha256(request.user.encode()).hexdigest() if request.user else None
    return replace(request, user=made)


def tokens_are_stated(request: Request) -> Request:
    """Anthropic requires `max_tokens`."""
    return replace(request, max_tokens=request.max_tokens or 4096)


def at_most_1(request: Request) -> Request:
    """Anthropic's temperature ends at 1."""
    return replace(request, temperature=request.temperature and min(request.temperature, 1))


def stops_that_say_something(request: Request) -> Request:
    """Anthropic refuses stop sequences of white space."""
    return replace(request, stop=tuple(stop for stop in request.stop if stop.strip()))


def calls_side_by_side_are_usual(request: Request) -> Request:
    """Anthropic can only forbid them, in the choice of tools; that of no tools holds nothing."""
    choice, alone = request.tool_choice, request.parallel_tool_calls is False
    if alone and choice == "none":
        alone = False
    return replace(
        request,
        parallel_tool_calls=False if alone else None,
        tool_choice="auto" if alone and choice is None else choice,
    )


def schemas_lose_their_name(request: Request) -> Request:
    """Anthropic's schema has neither name nor `strict`, and is a subset."""
    if request.json_schema is None:
        return request
    inner = {"name": "answer", "strict": True, "schema": output_schema(request.json_schema)}
    return replace(request, response_format={"type": "json_schema", "json_schema": inner})


def turns_take_turns(request: Request) -> Request:
    """At Anthropic sides alternate; a turn has results of tools first, and no blank text.

    So neighbours become one message, late words of the system are the user's in tags, and images
    of results, which OpenAI's messages cannot hold, stand behind the results.
    """
    found: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []

    def end_of_turn() -> None:
        images = [part for result in results for part in result.pop("images")]
        found.extend(results)
        if images or parts:
            found.append({"role": "user", "content": [*images, *parts]})
        results.clear()
        parts.clear()

    for index, message in enumerate(request.messages):
        role, said = message["role"], _said(message)
        if role in SYSTEM and index == 0:
            found.append({**message})
        elif role == "assistant" and not said and not message.get("tool_calls"):
            continue
        elif role == "assistant":
            end_of_turn()
            found.append(
                _compacted({**message, "content": "".join(p["text"] for p in said) or None})
            )
        elif role == "tool":
            results.append(_result({**message}, said))
        else:
            tags = "<system>{}</system>" if role in SYSTEM else "{}"
            texts = (
                p.get("text", "").strip() if role in SYSTEM else p.get("text", "") for p in said
            )
            parts += [
                {**p, "text": tags.format(text)} if p["type"] == "text" else p
                for p, text in zip(said, texts, strict=True)
            ]
    end_of_turn()
    return replace(request, messages=tuple(found))


def _said(message: Any) -> list[dict[str, Any]]:
    content = message["content"] or ""
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [part for part in parts if part["type"] != "text" or part["text"].strip()]


def _result(message: dict[str, Any], said: list[dict[str, Any]]) -> dict[str, Any]:
    texts = [part["text"] for part in said if part["type"] == "text"]
    images = [part for part in said if part["type"] != "text"]
    text = "\n".join([*texts, *[ATTACHED] * bool(images)])
    return {**message, "content": text, "images": images}


def _compacted(message: dict[str, Any]) -> dict[str, Any]:
    """Arguments are objects there, whose spelling is not kept."""
    for call in message.get("tool_calls", ()):
        function = call["function"]
        data = json.loads(function["arguments"])
        written = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
        message = {**message, "tool_calls": [*message["tool_calls"]]}
        place = message["tool_calls"].index(call)
        message["tool_calls"][place] = {**call, "function": {**function, "arguments": written}}
    return message


LOSSES: dict[str, tuple[Loss, ...]] = {
    "openai-chat": (
        one_role_for_the_system,
        images_of_results_follow,
        texts_of_results_are_lines,
    ),
    "openai-responses": (
        one_leading_system,
        detail_is_stated,
        results_of_text_are_one_text,
        tools_state_everything,
        text_is_no_format,
        long_users_are_hashed,
        without("stop", ()),
        without("seed"),
    ),
    "anthropic-messages": (
        blank_system_is_nothing,
        one_leading_system,
        detail_is_lost,
        turns_take_turns,
        tools_take_objects,
        text_is_no_format,
        hashed,
        tokens_are_stated,
        at_most_1,
        stops_that_say_something,
        calls_side_by_side_are_usual,
        schemas_lose_their_name,
        without("seed"),
    ),
}
#: What cannot be said at all is refused before anything is sent.
REFUSED = {
    "openai-chat": (),
    "openai-responses": (),
    "anthropic-messages": ("'json_object' cannot be asked for", "its content is empty"),
}


def led_back(request: Request, ids: Any) -> Request:
    """Ids of calls that were rewritten are led back, as the adapter does it in answers."""
    text = json.dumps(list(request.messages))
    for wire, original in ids.items():
        text = text.replace(json.dumps(wire), json.dumps(original))
    return replace(request, messages=tuple(json.loads(text)))


def there_and_back(name: str, request: Request) -> Request:
    made = encoded(name, request, stream=request.stream)
    return client_protocol(name).read(json.loads(json.dumps(made.body))).request


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_requests_come_back_but_for_named_losses(name: str) -> None:
    refused = 0
    for request in requests():
        try:
            made = encoded(name, request, stream=request.stream)
        except TargetError as exc:
            if not any(why in exc.message for why in REFUSED[name]):
                raise
            refused += 1
            continue
        back = client_protocol(name).read(json.loads(json.dumps(made.body))).request
        expected = request
        for loss in LOSSES[name]:
            expected = loss(expected)
        assert led_back(back, made.tool_ids) == led_back(expected, {})
    assert refused < 150


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_the_second_time_nothing_is_lost(name: str) -> None:
    """What a protocol can say at all it keeps: what came back once comes back again."""
    for request in requests(150, seed=23):
        try:
            first = there_and_back(name, request)
        except TargetError:
            continue
        second = there_and_back(name, first)
        assert replace(second, user=None) == replace(first, user=None)  # a hash is hashed again


def test_late_words_of_the_system_stay_where_the_model_takes_them() -> None:
    aim = target("anthropic-messages", wire=WireRules(system_turns=True))
    late = [{"role": "user", "content": "a"}, {"role": "system", "content": "S"}]
    back = client_protocol("anthropic-messages").read(encoded(aim, late).body).request
    assert [message["role"] for message in back.messages] == ["user", "system"]
