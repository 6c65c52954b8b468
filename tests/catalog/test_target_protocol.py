"""A model may be called in another protocol than its endpoint's."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmroute.adapter import Adapter
from llmroute.catalog import Catalog, build_catalog
from llmroute.config.workspace import load_workspace
from llmroute.errors import ErrorKind
from llmroute.sim import Sim
from tests.adapter.wire import WEATHER, completed, failure

FILE = """\
provider: openai
locality: local
endpoint: {{transport: http, protocol: openai-chat, base_url: "{url}/v1", auth: none}}
defaults:
  protocol: openai-responses
  capabilities: {{tools: true, reasoning: true}}
models:
  - model: gpt-6.2-sol
  - {{model: gpt-6-sol, protocol: openai-chat}}
  - {{model: old, upstream: gpt-6.2-sol, protocol: openai-chat}}
"""


def catalog(root: Path, text: str) -> Catalog:
    folder = root / "providers.d"
    folder.mkdir()
    (folder / "openai.yaml").write_text(text)
    return build_catalog(load_workspace(root, {}))


def test_a_models_protocol_beats_the_defaults_and_the_endpoints(tmp_path: Path) -> None:
    made = catalog(tmp_path, FILE.format(url="http://127.0.0.1:9"))
    assert {target.model: target.protocol for target in made.targets} == {
        "gpt-6.2-sol": "openai-responses",
        "gpt-6-sol": "openai-chat",
        "old": "openai-chat",
    }


def test_a_model_that_says_nothing_speaks_its_endpoints(tmp_path: Path) -> None:
    text = FILE.format(url="http://127.0.0.1:9").replace("  protocol: openai-responses\n", "")
    (target,) = (t for t in catalog(tmp_path, text).targets if t.model == "gpt-6.2-sol")
    assert target.protocol is None


def test_discovery_stays_with_the_endpoint(tmp_path: Path) -> None:
    """A server is asked for its models as its endpoint's protocol says, whatever one speaks."""
    text = FILE.format(url="http://127.0.0.1:9").replace("openai-chat, base", "ollama-chat, base")
    made = catalog(tmp_path, text + "discover: {}\n")
    (provider,) = made.providers.values()
    assert provider.discover is not None
    assert provider.discover.dialect == "ollama"


@pytest.mark.parametrize("effort", [None, "low", "max"])
def test_tools_with_reasoning_need_responses(tmp_path: Path, effort: str | None) -> None:
    with Sim("openai") as sim:
        targets = {t.model: t for t in catalog(tmp_path, FILE.format(url=sim.url)).targets}
        asked = {"tools": (WEATHER,), "reasoning_effort": effort}
        response = completed(targets["gpt-6.2-sol"], "Use get_weather", **asked)
        assert [call.name for call in response.tool_calls] == ["get_weather"]
        error = failure(lambda: completed(targets["old"], "Use get_weather", **asked))
        assert error.kind is ErrorKind.CAPABILITY
        assert [request.path for request in sim.requests] == [
            "/v1/responses",
            "/v1/chat/completions",
        ]


def test_the_adapter_follows(tmp_path: Path) -> None:
    from llmroute.types import Request

    targets = catalog(tmp_path, FILE.format(url="http://127.0.0.1:9")).targets
    paths = {t.model: Adapter().encode(t, Request.of("x"), stream=False).path for t in targets}
    assert paths == {
        "gpt-6.2-sol": "/responses",
        "gpt-6-sol": "/chat/completions",
        "old": "/chat/completions",
    }
