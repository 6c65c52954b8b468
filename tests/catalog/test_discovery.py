"""Server listings in the shapes that Ollama and LM Studio document, read into model data."""

from __future__ import annotations

import asyncio

import pytest

from llmroute.catalog import Endpoint
from llmroute.catalog.discovery import discover
from llmroute.errors import ErrorKind, TargetError

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


@pytest.mark.parametrize("dialect", ["ollama", "openai"])
def test_a_listing_of_another_shape_says_which_key_to_correct(dialect):
    path = {"ollama": "GET /api/tags", "openai": "GET /models"}[dialect]
    with pytest.raises(TargetError) as caught:
        ask(dialect, {path: ["something else"], "GET /api/ps": {"models": []}})
    assert caught.value.kind is ErrorKind.MALFORMED
    assert "discover.dialect" in (caught.value.help or "")
