"""Hugging Face's own client accepts the TGI simulator, and our protocol says what it says."""

from __future__ import annotations

import pytest

hub = pytest.importorskip("huggingface_hub")

from huggingface_hub.errors import OverloadedError, TextGenerationError, ValidationError  # noqa: E402

from llmroute.adapter import collect  # noqa: E402
from llmroute.errors import TargetError  # noqa: E402
from llmroute.sim import Fault, Sim  # noqa: E402
from llmroute.types import Request  # noqa: E402
from tests.adapter.declared.foreign import PARAMETERS, complete, stream, target_of  # noqa: E402

#: What our protocol makes of the prompt.
PROMPT = "User: Say hello\nAssistant:"
SAID = "HuggingFaceH4/zephyr-7b-beta heard: Say hello"


@pytest.fixture
def sim():
    with Sim("tgi") as made:
        yield made


@pytest.fixture
def client(sim):
    yield hub.InferenceClient(model=sim.url, token="sim")
    hub.close_session()


def _ours(sim, **fields):
    return target_of("tgi-generate", sim.url), Request.of("Say hello", **fields)


def test_text(client, sim):
    theirs = client.text_generation(PROMPT, details=True)
    ours = complete(*_ours(sim))
    assert theirs.generated_text == ours.text == SAID
    assert (theirs.details.finish_reason, ours.finish_reason) == ("eos_token", "stop")
    assert theirs.details.generated_tokens == ours.usage.output
    assert ours.usage.estimated  # a whole answer does not say how long the prompt was


def test_the_same_body(client, sim):
    client.text_generation(
        PROMPT,
        details=True,
        return_full_text=False,
        max_new_tokens=20,
        temperature=0.5,
        top_p=0.9,
        stop=["END"],
        seed=7,
        grammar={"type": "json", "value": PARAMETERS},
    )
    form = {"type": "json_schema", "json_schema": {"schema": PARAMETERS}}
    complete(
        *_ours(
            sim,
            max_tokens=20,
            temperature=0.5,
            top_p=0.9,
            stop="END",
            seed=7,
            response_format=form,
        )
    )
    theirs, ours = (request.body for request in sim.inferences)
    theirs["parameters"] = {k: v for k, v in theirs["parameters"].items() if v is not None}
    unsaid = {"decoder_input_details": False}
    assert {**ours, "parameters": {**unsaid, **ours["parameters"]}} == {
        **theirs,
        "parameters": {**unsaid, **theirs["parameters"]},
    }


def test_streams(client, sim):
    events = list(client.text_generation(PROMPT, stream=True, details=True))
    target, request = _ours(sim)
    chunks = stream(target, request)
    ours = collect(chunks, target)
    pieces = [event.token.text for event in events if not event.token.special]
    assert pieces == [chunk.text for chunk in chunks if chunk.text]
    assert events[-1].generated_text == ours.text == SAID
    assert events[-1].details.generated_tokens == ours.usage.output
    assert events[-1].details.input_length == ours.usage.input == 7


@pytest.mark.parametrize(
    ("condition", "error", "status", "kind"),
    [
        ("context", ValidationError, 422, "context"),
        ("bad_request", ValidationError, 422, "invalid_request"),
        ("overloaded", OverloadedError, 429, "overloaded"),
        ("server_error", TextGenerationError, 424, "transient"),
    ],
)
def test_errors(client, sim, condition, error, status, kind):
    sim.script(Fault.failure(condition), times=2)
    with pytest.raises(error) as theirs:
        client.text_generation(PROMPT)
    with pytest.raises(TargetError) as ours:
        complete(*_ours(sim))
    assert str(theirs.value) == ours.value.message
    assert (ours.value.status, ours.value.kind) == (status, kind)


def test_an_error_midway(client, sim):
    sim.script(Fault.error_event(), times=2)
    with pytest.raises(TextGenerationError):
        list(client.text_generation(PROMPT, stream=True))
    with pytest.raises(TargetError) as ours:
        stream(*_ours(sim))
    assert ours.value.kind == "transient"
