"""The provider interface over real sockets and processes, and as an own class."""

from __future__ import annotations

import asyncio
import math

import pytest

import llmroute
from llmroute import (
    ClaudeCodeProvider,
    CompletionResponse,
    LiteLLMProvider,
    LLMProviderInterface,
    LMStudioProvider,
    MultiProviderRegistry,
    OllamaProvider,
    ProviderCapabilities,
    RouteFailed,
    UsageError,
)


def ask(provider: LLMProviderInterface, prompt: str = "What is 2 + 2?", **options):
    return asyncio.run(provider.create_completion(prompt, **options))


def test_ollama(farm):
    provider = OllamaProvider(farm.ollama.url)
    answer = ask(provider, max_tokens=50, temperature=0.1)
    assert "What is 2 + 2?" in answer.text
    assert (answer.provider, answer.cost) == ("ollama", 0.0)
    sent = farm.ollama.requests[-1].body
    assert sent["options"]["num_predict"] == 50
    assert sent["options"]["temperature"] == 0.1
    able = provider.get_capabilities()
    assert able.supports_tools
    assert able.supports_vision
    assert able.supports_streaming


def test_ollama_capabilities_are_asked_of_the_server(farm):
    able = OllamaProvider(farm.ollama.url).get_capabilities()
    assert able.max_context_length > 0
    assert OllamaProvider(farm.ollama.url).estimate_cost(1000) >= 0


def test_lm_studio(farm):
    answer = ask(LMStudioProvider(farm.lm_studio.url))
    assert "What is 2 + 2?" in answer.text
    assert answer.usage.output > 0


def test_claude_code(farm, monkeypatch):
    monkeypatch.setenv("PATH", farm.environment()["PATH"])
    provider = ClaudeCodeProvider()
    answer = ask(provider)
    assert "What is 2 + 2?" in answer.text
    assert answer.provider == "claude_code"
    assert provider.get_capabilities().max_context_length == 1_000_000


def test_claude_code_without_the_binary_says_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(llmroute.NoEligibleTarget, match="install it"):
        ask(ClaudeCodeProvider())


def test_litellm_provider_knows_the_shipped_prices():
    provider = LiteLLMProvider("gpt-6-luna", "openai")
    able = provider.get_capabilities()
    # $0.10 in and $0.50 out per million: a mean of $0.30, so $0.0003 per thousand
    assert able.cost_per_1k_tokens == pytest.approx(0.0003)
    assert provider.estimate_cost(2000) == pytest.approx(0.0006)
    assert able.max_context_length == 1_050_000


def test_litellm_provider_of_another_vendor_has_no_price():
    provider = LiteLLMProvider("llama-4", "groq")
    assert provider.get_capabilities().cost_per_1k_tokens is None
    assert provider.estimate_cost(1000) == math.inf


def test_a_server_that_is_down_is_a_clear_error(farm):
    url = farm.ollama.url
    farm.ollama.kill()
    with pytest.raises(llmroute.LlmrouteError, match="ollama serve"):
        ask(OllamaProvider(url))


class Own(LLMProviderInterface):
    """A provider of the caller's own."""

    def __init__(self, able: ProviderCapabilities, failing: bool = False) -> None:
        self.able = able
        self.failing = failing
        self.asked: list[tuple[str, int, float]] = []

    async def create_completion(self, prompt, max_tokens=1000, temperature=0.7):
        self.asked.append((prompt, max_tokens, temperature))
        if self.failing:
            raise ValueError("out of order")
        return CompletionResponse(text=f"own: {prompt}", model="mine")

    def get_capabilities(self):
        return self.able

    def estimate_cost(self, tokens):
        return 0.0


def test_an_own_provider_is_called_through_the_router(router):
    registry = MultiProviderRegistry(router)
    own = Own(ProviderCapabilities(max_context_length=1000, cost_per_1k_tokens=0.0))
    registry.register("own", own)
    answer = router.complete("hello", target="own", max_tokens=7, temperature=0.2)
    assert (answer.text, answer.target, answer.model) == ("own: hello", "own/default", "mine")
    assert own.asked == [("hello", 7, 0.2)]
    assert registry.get_provider("own") is own


def test_an_own_provider_that_fails_is_fallen_back_from(router):
    registry = MultiProviderRegistry(router)
    failing = Own(ProviderCapabilities(max_context_length=1000), failing=True)
    registry.register("own", failing)
    answer = router.complete("hello", route={"order": ["own"]})
    assert answer.target != "own/default"
    assert answer.attempts[0].message == "ValueError: out of order"
    with pytest.raises(RouteFailed, match="out of order"):
        router.complete("hello", target="own")


def test_a_name_can_be_taken_once(router):
    registry = MultiProviderRegistry(router)
    with pytest.raises(UsageError, match="already"):
        registry.register("ollama", Own(ProviderCapabilities(max_context_length=1)))


def test_any_provider_of_a_workspace_is_had_by_name(router):
    registry = MultiProviderRegistry(router)
    assert "What" in ask_in(router, registry.get_provider("anthropic"))
    with pytest.raises(UsageError, match="known"):
        registry.get_provider("nobody")


def ask_in(router, provider):
    return asyncio.run(provider.create_completion("What?")).text


def test_public_names_are_sorted_and_importable():
    assert llmroute.__all__ == sorted(llmroute.__all__)
    for name in llmroute.__all__:
        assert getattr(llmroute, name) is not None
    with pytest.raises(AttributeError):
        _ = llmroute.nothing
