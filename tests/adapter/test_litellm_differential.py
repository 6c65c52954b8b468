"""Requests for Anthropic as we write them, against those of litellm's own transformation.

Both get the same generated conversations and parameters. Every difference belongs to a function
here, whose docstring says who is right and why; it asserts what it takes away. What is left must
be equal, so that a difference that nobody has explained fails. Numbers in docstrings are sections
(2.1) and cases (T29, see `test_translate_cases.py`) of the wire reference. Nothing uses a network:
litellm's list of models is the one in its package.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from llmroute.catalog.model import WireRules
from llmroute.errors import ErrorKind, TargetError
from llmroute.types import Request
from tests.adapter.litellm_side import MADE_UP, OPERATOR, REFUSED, their_request
from tests.adapter.test_round_trips import requests
from tests.adapter.wire import encoded, target

Body = dict[str, Any]
SYSTEM = ("system", "developer")
#: Two models that differ in everything: thinking by budget or adaptive, sampling, system turns.
MODELS = {
    "claude-haiku-4-5": WireRules(thinking=("enabled", "disabled"), default_effort="none"),
    "claude-sonnet-5": WireRules(
        thinking=("adaptive", "disabled"), system_turns=True, reject=("temperature", "top_p")
    ),
}
LIMIT = 64000
SEEN: Counter[str] = Counter()


def our_request(request: Request, model: str) -> Body:
    aim = target("anthropic-messages", wire=MODELS[model], max_output=LIMIT)
    body = encoded(replace(aim, upstream=model), request, stream=request.stream).body
    made: Body = json.loads(json.dumps(body))
    return made


def texts(request: Request) -> Iterator[str]:
    """The texts of a conversation, without those beside calls, where both leave out blank ones."""
    for message in request.messages:
        parts = message["content"] or ()
        said = [parts] if isinstance(parts, str) else [p["text"] for p in parts if "text" in p]
        yield from said if message["role"] != "tool" and "tool_calls" not in message else ()


def blank_texts(request: Request, ours: Body | ErrorKind, theirs: Body | str) -> bool:
    """Anthropic answers 400 to blank texts (T11, T13). We leave them out, and refuse a question
    that says nothing else; litellm leaves out only those beside calls. It invents words for the
    others, which the model then reads as if somebody had said them, and lets them stand in the
    system prompt, where they are a 400.
    """
    if all(text.strip() for text in texts(request)):
        return False
    if isinstance(theirs, dict):
        blank = any(not block["text"].strip() for block in theirs.get("system", ()))
        late = any(m["role"] in SYSTEM and not m["content"].strip() for m in request.messages)
        assert blank or late or MADE_UP in json.dumps(theirs["messages"])
    if not isinstance(ours, dict):
        assert ours in (ErrorKind.INVALID_REQUEST, ErrorKind.CAPABILITY)
        return True
    written = [b["text"] for turn in ours["messages"] for b in turn["content"] if "text" in b]
    assert all(text.strip() for text in written)
    return True


def json_without_a_schema(request: Request, ours: Body | ErrorKind, theirs: Body | str) -> bool:
    """Anthropic has only formats with a schema (2.1). We refuse `json_object`, so that a model
    that has it is asked; litellm drops it without a word, and the answer is any text.
    """
    if (request.response_format or {}).get("type") != "json_object":
        return False
    assert ours is ErrorKind.CAPABILITY
    assert (
        isinstance(theirs, str)
        or not {"output_format", "output_config"} & theirs.keys()
        or (theirs.get("output_config", {}).keys() == {"effort"})
    )
    return True


def late_developers(request: Request, ours: Body | ErrorKind, theirs: Body | str) -> bool:
    """OpenAI's `developer` may stand anywhere (2.1). We say its words where a system's would be
    said; litellm knows it at the beginning alone, and fails on others.
    """
    if not isinstance(theirs, str):
        return False
    assert theirs.startswith(REFUSED)
    assert isinstance(ours, dict)
    assert any(message["role"] == "developer" for message in request.messages)
    return True


def late_system(request: Request, ours: Body, theirs: Body) -> bool:
    """T04: late words of the system stay late. We put them into the user's turn in tags, or, at a
    model that takes system turns, into a turn where one may stand; litellm says them behind a
    note of its own, or moves them behind the user's words. Nobody is wrong; only places differ.
    """
    told = [m for i, m in enumerate(request.messages) if m["role"] in SYSTEM and i]
    late = [m for m in told if any(p["role"] not in SYSTEM for p in before(request, m))]
    if not late:
        return False
    for body in (ours, theirs):
        written = json.dumps(body["messages"])
        assert all(json.dumps(m["content"].strip())[1:-1] in written for m in late)
        body["messages"] = _without_system(body["messages"])
    return True


def before(request: Request, message: Any) -> list[Any]:
    found = []
    for other in request.messages:
        if other is message:
            break
        found.append(other)
    return found


def _without_system(turns: list[Any]) -> list[Any]:
    found: list[Any] = []
    for turn in turns:
        if turn["role"] == "system":
            continue
        notes = [n for n, b in enumerate(turn["content"]) if b.get("text", "").startswith(OPERATOR)]
        gone = {*notes, *(n + 1 for n in notes)}
        kept = [
            block
            for n, block in enumerate(turn["content"])
            if n not in gone and not block.get("text", "").startswith("<system>")
        ]
        if found and found[-1]["role"] == turn["role"]:
            found[-1]["content"] += kept
        elif kept:
            found.append({"role": turn["role"], "content": kept})
    return found


def results(request: Request, ours: Body, theirs: Body) -> bool:
    """T14: a result that says nothing has no content, which we leave out and litellm writes as a
    blank text. A text may be a text or one block of it.
    """
    before = json.dumps(ours["messages"]), json.dumps(theirs["messages"])
    for block in _results(theirs):
        if isinstance(block.get("content"), str) and not block["content"].strip():
            del block["content"]
    for block in (*_results(ours), *_results(theirs)):
        match block.get("content"):
            case [{"type": "text", "text": text}]:
                block["content"] = text
    return before != (json.dumps(ours["messages"]), json.dumps(theirs["messages"]))


def _results(body: Body) -> Iterator[Body]:
    for turn in body["messages"]:
        yield from (block for block in turn["content"] if block["type"] == "tool_result")


def tools(request: Request, ours: Body, theirs: Body) -> bool:
    """Anthropic's tools have `strict` (2.1), which we pass and litellm drops; it states the type
    `custom`, which is the default.
    """
    for tool in theirs.get("tools", ()) if request.tools else ():
        assert tool.pop("type") == "custom"
        assert "strict" not in tool
    for tool, asked in zip(ours.get("tools", ()), request.tools, strict=True):
        assert tool.pop("strict", None) == (asked["function"].get("strict") or None)
    return bool(request.tools)


def a_tool_for_old_calls(request: Request, ours: Body, theirs: Body) -> bool:
    """litellm invents a tool where a conversation holds calls but offers no tool any more. Nothing
    that we know of Anthropic's wire asks for it, and a model could call it: we do not.
    """
    if request.tools or "tools" not in theirs:
        return False
    assert any("tool_calls" in message for message in request.messages)
    assert [tool["name"] for tool in theirs.pop("tools")] == ["dummy_tool"]
    return True


def the_choice_of_tools(request: Request, ours: Body, theirs: Body) -> bool:
    """T29: the flag is off unless it is set, so that we write it only then, and not with `none`,
    where it is an error; without tools a choice is one too.
    """
    choice = theirs.get("tool_choice", {})
    wrong = choice.get("type") == "none" and "disable_parallel_tool_use" in choice
    if choice.get("disable_parallel_tool_use") is False or wrong:
        del choice["disable_parallel_tool_use"]
        assert request.parallel_tool_calls is not None
        if request.tool_choice is None and choice == {"type": "auto"}:
            del theirs["tool_choice"]
        return True
    return False


def room_for_the_answer(request: Request, ours: Body, theirs: Body) -> bool:
    """T35: without a number we let the model say as much as its provider file allows. litellm takes
    its own list's number, or 4096 and the budget of thoughts.
    """
    if request.max_tokens is not None:
        return False
    assert ours.pop("max_tokens") == LIMIT
    assert theirs.pop("max_tokens") >= 4096
    return True


def who_asks(request: Request, ours: Body, theirs: Body) -> bool:
    """T40: Anthropic refuses ids that tell a person. We hash every id; litellm drops what is but a
    mail address or a number of a phone, and passes all others, also those that hold one.
    """
    if request.user is None:
        return False
    assert ours.pop("metadata") == {"user_id": hashlib.sha256(request.user.encode()).hexdigest()}
    assert theirs.pop("metadata") == {"user_id": request.user}
    return True


def temperature(request: Request, ours: Body, theirs: Body) -> bool:
    """Anthropic's ends at 1 (2.1), and a model that thinks by budget takes none (2.2). We say at
    most 1, and nothing beside thoughts; litellm passes what it is given, for a 400.
    """
    if ours.get("temperature") == theirs.get("temperature"):
        return False
    assert theirs.pop("temperature") == request.temperature
    mine = ours.pop("temperature", None)
    assert mine == 1 or (mine is None and ours["thinking"]["type"] == "enabled")
    return True


def top_p(request: Request, ours: Body, theirs: Body) -> bool:
    """A model that takes sampling parameters takes one alone, and while it thinks no `top_p` below
    0.95: Anthropic's error messages say so. We drop it; litellm passes both, for a 400.
    """
    if ours.get("top_p") == theirs.get("top_p"):
        return False
    assert theirs.pop("top_p") == request.top_p
    assert "top_p" not in ours
    assert request.temperature is not None or ours["thinking"]["type"] == "enabled"
    return True


def blank_stops(request: Request, ours: Body, theirs: Body) -> bool:
    """Anthropic refuses stop sequences of white space (2.1): we drop them with a warning, litellm
    only when it is told to.
    """
    if all(stop.strip() for stop in request.stop):
        return False
    kept = [stop for stop in theirs["stop_sequences"] if stop.strip()]
    assert ours["stop_sequences"] == kept
    theirs["stop_sequences"] = kept
    return True


def streaming(request: Request, ours: Body, theirs: Body) -> bool:
    """`stream` is false unless it is said; we always say it."""
    if request.stream:
        return False
    assert ours.pop("stream") is False
    assert "stream" not in theirs
    return True


def the_place_of_the_format(request: Request, ours: Body, theirs: Body) -> bool:
    """Formats stand in `output_config.format` (2.1), where we write them; litellm's are in the
    field of the beta before it, beside a mark for itself, which it takes out later.
    """
    marked = theirs.pop("json_mode", None)
    if request.json_schema is None:
        assert not marked or request.response_format == {"type": "text"}
        return bool(marked)
    assert theirs.pop("output_format") == ours["output_config"].pop("format")
    ours["output_config"] or ours.pop("output_config")
    return True


def thoughts(request: Request, ours: Body, theirs: Body) -> bool:
    """Budgets must be below `max_tokens`, and go neither with forced tools nor after calls that
    were made without thinking (2.2): where we leave them out, litellm's request is a 400. Models
    that adapt do so by default; litellm says it, and asks for a summary that nobody asked for.
    """
    mine, other = ours.pop("thinking", None), theirs.pop("thinking", None)
    if mine == other:
        return False
    if other == {"type": "adaptive", "display": "summarized"}:
        assert mine is None
        return True
    assert other["type"] == "enabled"
    if mine is not None:
        assert 1024 <= mine["budget_tokens"] <= other["budget_tokens"]
        return True
    forced = request.tools and request.tool_choice not in (None, "auto", "none")
    after_a_call = any(m["role"] == "tool" for m in request.messages[-4:])
    assert forced or after_a_call or (request.max_tokens or LIMIT) <= 1024
    return True


#: What ends the comparison, because one side sends nothing, or words that nobody said.
ENDS: tuple[Callable[[Request, Any, Any], bool], ...] = (
    blank_texts,
    json_without_a_schema,
    late_developers,
)
EXPLAINED: tuple[Callable[[Request, Body, Body], bool], ...] = (
    late_system,
    results,
    tools,
    a_tool_for_old_calls,
    the_choice_of_tools,
    room_for_the_answer,
    who_asks,
    the_place_of_the_format,
    top_p,
    temperature,
    blank_stops,
    streaming,
    thoughts,
)


def tried(write: Callable[[], Body]) -> Body | ErrorKind:
    try:
        return write()
    except TargetError as exc:
        return exc.kind


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_difference_is_explained(model: str) -> None:
    for request in requests(300):
        ours = tried(lambda r=request: our_request(r, model))  # type: ignore[misc]
        theirs = their_request(request, model)
        if end := next((end for end in ENDS if end(request, ours, theirs)), None):
            SEEN[end.__name__] += 1
            continue
        assert isinstance(ours, dict)
        assert isinstance(theirs, dict)
        SEEN.update(e.__name__ for e in EXPLAINED if e(request, ours, theirs))
        assert ours == theirs
        SEEN["equal"] += 1


def test_no_explanation_is_idle() -> None:
    if not SEEN:
        pytest.skip("the comparison was not run")
    assert all(SEEN[explain.__name__] for explain in (*ENDS, *EXPLAINED)), SEEN
    assert SEEN["equal"] > 200
