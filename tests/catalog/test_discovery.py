"""Server listings in the shapes that their makers document, read into model data."""

from __future__ import annotations

import asyncio

import pytest

from llmroute.catalog import Endpoint
from llmroute.catalog.discovery import DIALECTS, discover
from llmroute.errors import ErrorKind, TargetError
from tests.build import target

LOCAL = Endpoint("http", "ollama-chat", "http://127.0.0.1:11434/v1")


def ask(dialect, answers):
    """Ask a server that answers each `METHOD path` with given JSON, or an error status."""
    asked = []

    async def get_json(endpoint, path, *, method="GET", body=None):
        key = f"{method} {path}" + (f" {body['model']}" if body else "")
        asked.append((endpoint.base_url, key))
        answer = answers.get(key)
        if answer is None:
            raise TargetError(ErrorKind.MODEL_MISSING, "no such path", status=404)
        return answer

    return asyncio.run(discover(LOCAL, dialect, get_json)), asked


TAGS = {
    "models": [
        {"name": "qwen3:8b", "details": {"parameter_size": "8.2B"}},
        {
            "name": "gpt-oss:120b-cloud",
            "remote_model": "gpt-oss:120b",
            "remote_host": "https://ollama.com:443",
            "details": {"parameter_size": "116.8B"},
        },
        {"name": "nomic-embed-text", "details": {}},
    ]
}
OLLAMA = {
    "GET /api/tags": TAGS,
    "GET /api/ps": {"models": []},
    "POST /api/show qwen3:8b": {
        "parameters": 'num_ctx 16384\nstop "<|im_end|>"',
        "model_info": {"general.architecture": "qwen3", "qwen3.context_length": 40960},
        "capabilities": ["completion", "tools", "thinking"],
    },
    "POST /api/show gpt-oss:120b-cloud": {
        "model_info": {"general.architecture": "gptoss", "gptoss.context_length": 131072},
        "capabilities": ["completion", "tools", "thinking"],
    },
    "POST /api/show nomic-embed-text": {"capabilities": ["embedding"]},
}


def test_ollama_models_with_their_capabilities_and_effective_window():
    models, _ = ask("ollama", OLLAMA)
    assert models[0] == {
        "model": "qwen3:8b",
        "locality": "local",
        "capabilities": {"tools": True, "vision": False, "reasoning": True, "json_schema": True},
        "parameters": "8.2B",
        "loaded": False,
        "trained_context": 40960,
        "context_window": 16384,
    }


def test_a_loaded_ollama_model_says_the_window_it_runs_with():
    loaded = {"models": [{"name": "qwen3:8b", "context_length": 4096}]}
    models, _ = ask("ollama", {**OLLAMA, "GET /api/ps": loaded})
    assert (models[0]["loaded"], models[0]["context_window"]) == (True, 4096)


def test_ollama_is_asked_at_its_root_where_models_are_called_over_its_openai_endpoint():
    _, asked = ask("ollama", OLLAMA)
    assert {url for url, _ in asked} == {"http://127.0.0.1:11434"}


def test_a_model_that_ollama_cannot_show_costs_only_itself():
    broken = {key: answer for key, answer in OLLAMA.items() if not key.endswith("qwen3:8b")}
    models, _ = ask("ollama", broken)
    assert [model["model"] for model in models] == ["gpt-oss:120b-cloud"]


def test_newer_ollama_versions_tell_what_a_model_was_trained_with_in_their_list_too():
    entry = {"name": "qwen3:8b", "details": {"context_length": 40960}}
    shown = {"capabilities": ["completion"], "model_info": {}}
    answers = {"GET /api/tags": {"models": [entry]}, "POST /api/show qwen3:8b": shown}
    models, _ = ask("ollama", {**OLLAMA, **answers})
    assert models[0]["trained_context"] == 40960
    assert "context_window" not in models[0]


@pytest.mark.parametrize(
    ("known", "window"),
    [
        # Neither loaded nor declared: what a local server loads it with at least.
        ({"trained_context": 131072}, 4096),
        ({"trained_context": 2048}, 2048),
        ({"trained_context": 131072, "context_window": 16384}, 16384),
        ({"trained_context": 32768, "context_window": 65536}, 32768),
        ({"context_window": 65536}, 65536),
        ({}, None),
    ],
)
def test_the_trained_window_only_bounds_the_effective_one(known, window):
    assert target("near/m", "local", **known).context_window == window


def test_an_ollama_model_on_a_remote_host_is_cloud_and_has_no_price():
    models, _ = ask("ollama", OLLAMA)
    remote = models[1]
    assert remote["locality"] == "cloud"
    assert remote["cost"] is None
    assert remote["context_window"] == 131072
    assert remote["capabilities"]["json_schema"] is False


def test_embedding_models_are_left_out():
    models, _ = ask("ollama", OLLAMA)
    assert [m["model"] for m in models] == ["qwen3:8b", "gpt-oss:120b-cloud"]


V1 = {
    "models": [
        {
            "type": "llm",
            "key": "google/gemma-4-26b-a4b",
            "params_string": "26B-A4B",
            "max_context_length": 262144,
            "loaded_instances": [{"id": "x", "config": {"context_length": 4096}}],
            "capabilities": {"vision": True, "trained_for_tool_use": True},
        },
        {"type": "embedding", "key": "nomic"},
    ]
}
V0 = {
    "data": [
        {
            "id": "qwen2-vl-7b-instruct",
            "type": "vlm",
            "state": "not-loaded",
            "max_context_length": 32768,
        },
        {
            "id": "openai/gpt-oss-20b",
            "type": "llm",
            "state": "loaded",
            "max_context_length": 131072,
            "loaded_context_length": 8192,
            "capabilities": ["tool_use"],
        },
    ]
}


def test_lm_studio_v1_listing_asked_at_the_servers_root():
    models, asked = ask("lm-studio", {"GET /api/v1/models": V1})
    assert asked == [("http://127.0.0.1:11434", "GET /api/v1/models")]
    assert models == [
        {
            "model": "google/gemma-4-26b-a4b",
            "context_window": 4096,
            "trained_context": 262144,
            "parameters": "26B-A4B",
            "loaded": True,
            "capabilities": {"tools": True, "vision": True, "reasoning": False},
        }
    ]


def test_of_several_loaded_instances_the_smallest_window_is_sure():
    loaded = [{"config": {"context_length": n}} for n in (16384, 4096, None)]
    entry = {"type": "llm", "key": "m", "max_context_length": 32768, "loaded_instances": loaded}
    models, _ = ask("lm-studio", {"GET /api/v1/models": {"models": [entry]}})
    assert models[0]["context_window"] == 4096


def test_older_lm_studio_versions_are_asked_by_their_older_paths():
    models, asked = ask("lm-studio", {"GET /api/v0/models": V0})
    assert [path for _, path in asked] == ["GET /api/v1/models", "GET /api/v0/models"]
    assert models == [
        {
            "model": "qwen2-vl-7b-instruct",
            "trained_context": 32768,
            "loaded": False,
            "capabilities": {"tools": False, "vision": True},
        },
        {
            "model": "openai/gpt-oss-20b",
            "context_window": 8192,
            "trained_context": 131072,
            "loaded": True,
            "capabilities": {"tools": True, "vision": False},
        },
    ]


def test_any_openai_compatible_server_lists_names():
    models, _ = ask("openai", {"GET /models": {"data": [{"id": "tiny"}]}})
    assert models == [{"model": "tiny"}]


FIRST = "GET /v1/models?limit=1000"


def flags(*on, off=()):
    return {**{name: {"supported": True} for name in on}, **{n: {"supported": False} for n in off}}


#: One entry of Anthropic's list, as its typed models describe it.
OPUS = {
    "type": "model",
    "id": "claude-opus-5-5",
    "lifecycle": "active",
    "line": "opus",
    "max_input_tokens": 1_000_000,
    "max_tokens": 128_000,
    "capabilities": {
        **flags("batch", "citations", "image_input", "pdf_input", off=("structured_outputs",)),
        "effort": {
            "supported": True,
            **flags("low", "medium", "max", off=("high",)),
            "xhigh": None,
        },
        "thinking": {
            "supported": True,
            "types": flags("adaptive", off=("enabled", "disabled", "between_tools")),
        },
    },
}


def page(*entries, more=False):
    ends = {"first_id": entries[0]["id"], "last_id": entries[-1]["id"]} if entries else {}
    return {"data": list(entries), "has_more": more, **ends}


def test_anthropic_models_with_their_sizes_and_what_they_accept():
    models, asked = ask("anthropic", {FIRST: page(OPUS)})
    assert [path for _, path in asked] == [FIRST]
    assert models == [
        {
            "model": "claude-opus-5-5",
            "context_window": 1_000_000,
            "max_output": 128_000,
            "capabilities": {
                "tools": True,
                "streaming": True,
                "vision": True,
                "pdf": True,
                "json_schema": False,
                "reasoning": True,
            },
            "wire": {"thinking": ["adaptive"], "efforts": ["low", "medium", "max"]},
        }
    ]


def test_anthropic_is_asked_page_by_page_and_retired_models_are_left_out():
    named = [{**OPUS, "id": name} for name in ("a/1", "b", "c")]
    named[1]["lifecycle"], named[2]["lifecycle"] = "retired", "deprecated"
    after = [f"{FIRST}&after_id=a%2F1", f"{FIRST}&after_id=b"]
    answers = {FIRST: page(named[0], more=True), after[0]: page(named[1], more=True)}
    models, asked = ask("anthropic", {**answers, after[1]: page(named[2])})
    assert [path for _, path in asked] == [FIRST, *after]
    assert [model["model"] for model in models] == ["a/1", "c"]


def test_an_endless_list_is_given_up():
    again = {f"{FIRST}&after_id=claude-opus-5-5": page(OPUS, more=True)}
    with pytest.raises(TargetError, match="no end"):
        ask("anthropic", {FIRST: page(OPUS, more=True), **again})


def test_what_anthropic_does_not_tell_of_a_model_is_left_to_its_file():
    bare = {"type": "model", "id": "m", "capabilities": None, "max_tokens": None}
    models, _ = ask("anthropic", {FIRST: page(bare)})
    assert models == [{"model": "m", "capabilities": {"tools": True, "streaming": True}}]
    mute = {**OPUS, "capabilities": {"effort": {"supported": False, **flags(off=("low",))}}}
    models, _ = ask("anthropic", {FIRST: page(mute)})
    assert models[0]["wire"] == {"efforts": []}
    # Another server with such a path, whose models are of no such type.
    models, _ = ask("anthropic", {FIRST: {"data": [{"id": "tiny", "object": "model"}]}})
    assert models == [{"model": "tiny"}]


def test_anthropic_takes_the_name_of_a_dated_snapshot_without_its_date():
    canonical = DIALECTS["anthropic"].canonical
    assert canonical("claude-haiku-4-5-20251001") == canonical("claude-haiku-4-5")
    assert canonical("claude-opus-5") != canonical("claude-opus-5-5")


@pytest.mark.parametrize("dialect", ["ollama", "openai", "anthropic"])
def test_a_listing_of_another_shape_says_which_key_to_correct(dialect):
    path = {"ollama": "GET /api/tags", "openai": "GET /models", "anthropic": FIRST}[dialect]
    with pytest.raises(TargetError) as caught:
        ask(dialect, {path: ["something else"], "GET /api/ps": {"models": []}})
    assert caught.value.kind is ErrorKind.MALFORMED
    assert "discover.dialect" in (caught.value.help or "")
