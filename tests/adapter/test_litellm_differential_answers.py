"""Anthropic's answers as we hand them to clients of Chat Completions, against litellm's.

As with requests (`test_litellm_differential.py`), every difference belongs to a function whose
docstring says who is right and why, and what is left must be equal.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from llmroute.adapter.answering import client_protocol
from llmroute.adapter.opaque import unseal
from llmroute.adapter.protocols import protocol
from llmroute.errors import ErrorKind, TargetError
from tests.adapter.litellm_side import their_answer
from tests.adapter.test_round_trips_of_answers import ASKED, answers
from tests.adapter.wire import target

Body = dict[str, Any]
ANTHROPIC = "anthropic-messages"
SEEN: Counter[str] = Counter()


def our_answer(body: Body) -> Body:
    response = protocol(ANTHROPIC).decode(body, target(ANTHROPIC))
    written = client_protocol("openai-chat").answer(response, ASKED)
    made: Body = json.loads(json.dumps(written))
    return made


def message(body: Body) -> Body:
    found: Body = body["choices"][0]["message"]
    return found


def envelope(body: Body, ours: Body, theirs: Body) -> bool:
    """We keep the provider's id, by which its support finds an answer; litellm makes its own. Each
    side adds an extension, and fields of the protocol that are null.
    """
    assert ours.pop("id") == body["id"]
    assert theirs.pop("id").startswith("chatcmpl-")
    assert ours.pop("llmroute")["warnings"] == []
    for answer in (ours, theirs):
        assert isinstance(answer.pop("created"), int)
        choice = answer["choices"][0]
        for holder, names in (
            (answer, ("system_fingerprint",)),
            (choice, ("logprobs",)),
            (choice["message"], ("tool_calls", "function_call", "refusal")),
        ):
            for name in names:
                if holder.get(name) is None:
                    holder.pop(name, None)
    message(theirs).pop("provider_specific_fields")
    return True


def details_of_usage(body: Body, ours: Body, theirs: Body) -> bool:
    """3.1, T50: the same counts, cached and written tokens being parts of the prompt. litellm adds
    Anthropic's names and parts of its own making.
    """
    mine, other = ours["usage"], theirs["usage"]
    for name in ("prompt_tokens_details", "completion_tokens_details"):
        other[name] = {key: other[name][key] for key in mine[name]}
    theirs["usage"] = {key: other[key] for key in mine}
    return True


def spelling_of_arguments(body: Body, ours: Body, theirs: Body) -> bool:
    """Arguments are an object at Anthropic's, so that either spelling of it is right. litellm
    counts calls by their place among all blocks, and writes that into whole answers as an index.
    """
    calls = [call for answer in (ours, theirs) for call in message(answer).get("tool_calls", ())]
    for call in calls:
        call.pop("index", None)
        call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return bool(calls)


def sealed_thoughts(body: Body, ours: Body, theirs: Body) -> bool:
    """T43, T44: only the target that thought can read it, so that we say in the block who that is;
    litellm hands blocks to whatever is asked next. Thoughts without a signature cannot be sent
    back: they are text alone. Without any visible thought litellm writes an empty one.
    """
    blocks = [unseal(block) for block in message(ours).pop("thinking_blocks", ())]
    assert all(block is not None and block.target == "p/m" for block in blocks)
    theirs_blocks = message(theirs).pop("thinking_blocks", None) or []
    signed = [b for b in theirs_blocks if b.get("signature") or b.get("data")]
    assert [block.block for block in blocks if block] == signed
    if message(theirs).get("reasoning_content") == "":
        del message(theirs)["reasoning_content"]
    return bool(theirs_blocks)


EXPLAINED: tuple[Callable[[Body, Body, Body], bool], ...] = (
    envelope,
    details_of_usage,
    spelling_of_arguments,
    sealed_thoughts,
)


def test_every_difference_is_explained() -> None:
    for response in answers(ANTHROPIC, 300):
        body = json.loads(json.dumps(client_protocol(ANTHROPIC).answer(response, ASKED)))
        del body["llmroute"]
        ours, theirs = our_answer(body), their_answer(body)
        SEEN.update(e.__name__ for e in EXPLAINED if e(body, ours, theirs))
        assert ours == theirs


def test_no_explanation_is_idle() -> None:
    if not SEEN:
        pytest.skip("the comparison was not run")
    assert all(SEEN[explain.__name__] for explain in EXPLAINED), SEEN


def plain(stop_reason: Any, *blocks: Body) -> Body:
    return {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "x",
        "content": list(blocks or ({"type": "text", "text": "x"},)),
        "stop_reason": stop_reason,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


@pytest.mark.parametrize(
    ("reason", "alike"),
    [
        ("end_turn", True),
        ("stop_sequence", True),
        ("max_tokens", True),
        ("tool_use", True),
        ("refusal", True),
        ("pause_turn", False),
        ("model_context_window_exceeded", False),
    ],
)
def test_stop_reasons(reason: str, alike: bool) -> None:
    """T52: an answer that was paused or has filled its window is cut short. We say `length`;
    litellm says `stop`, as of a whole answer, or `length`, depending on its version.
    """
    mine = our_answer(plain(reason))["choices"][0]["finish_reason"]
    other = their_answer(plain(reason))["choices"][0]["finish_reason"]
    assert mine == other if alike else (mine, other in ("stop", "length")) == ("length", True)


@pytest.mark.parametrize("reason", [None, "unheard_of"])
def test_an_answer_without_a_known_end_is_none(reason: Any) -> None:
    """T52: `null` is a truncated answer. We call it malformed, so that another target is asked;
    litellm hands it out as one that stopped.
    """
    with pytest.raises(TargetError) as caught:
        our_answer(plain(reason))
    assert caught.value.kind is ErrorKind.MALFORMED
    assert their_answer(plain(reason))["choices"][0]["finish_reason"] == "stop"


def test_unknown_blocks() -> None:
    """Nothing may vanish silently. Both leave a block out that has no place; we say so."""
    body = plain("end_turn", {"type": "unheard_of"}, {"type": "text", "text": "x"})
    ours = our_answer(body)
    assert message(ours)["content"] == message(their_answer(body))["content"] == "x"
    assert ours["llmroute"]["warnings"] == ["a block of type unheard_of was left out of the answer"]
