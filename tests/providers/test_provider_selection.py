"""Selecting a provider by requirements.

Also runs alone: python tests/providers/test_provider_selection.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from llmroute import (
    CompletionResponse,
    LLMProviderInterface,
    MultiProviderRegistry,
    NoEligibleTarget,
    ProviderCapabilities,
    Router,
    TaskRequirements,
)

PROVIDER = """\
provider: {name}
locality: {locality}
endpoint:
  transport: {transport}
  protocol: openai-chat
  {address}
models:
  - model: m
    context_window: {window}
    max_output: 4096
    capabilities: {{{able}}}
    cost: {{input: {price}, output: {price}}}
"""
POLICY = """\
policy: balanced
rules:
  - {name: cheap, weight: 1, prefer: price}
"""


def write(folder: Path, name: str, *, locality="cloud", window=10_000, able="", price=1, key=""):
    lines = ["base_url: http://127.0.0.1:9/v1"]
    lines += [f"auth: {{bearer: 'env:{key}'}}"] if key else []
    text = PROVIDER.format(
        name=name,
        locality=locality,
        transport="http",
        address="\n  ".join(lines),
        window=window,
        able=able,
        price=price,
    )
    (folder / "providers.d").mkdir(exist_ok=True)
    (folder / "providers.d" / f"{name}.yaml").write_text(text)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "balanced.yaml").write_text(POLICY)
    write(tmp_path, "cheap", price=0.1)
    write(tmp_path, "large", price=5, window=1_000_000, able="tools: true")
    write(tmp_path, "home", price=2, locality="local", able="vision: true")
    return tmp_path


def select(folder, **requirements):
    with Router.load(folder, environment={}) as router:
        return MultiProviderRegistry(router).select_optimal_provider(
            TaskRequirements(**requirements)
        )


def test_without_requirements_the_policy_decides(folder):
    assert select(folder) == "cheap"


@pytest.mark.parametrize(
    ("requirements", "name"),
    [
        ({"tokens": 50_000}, "large"),
        ({"require": ("tools",)}, "large"),
        ({"require": ("vision",)}, "home"),
        ({"locality": "local"}, "home"),
        ({"ignore": ("cheap",)}, "home"),
        ({"only": ("large",)}, "large"),
        ({"order": ("large",)}, "large"),
        # (1,000 in + 4,096 allowed out) × $2/M = $0.0102 at home, a twentieth of it at cheap
        ({"tokens": 1000, "max_cost": 0.001}, "cheap"),
    ],
)
def test_requirements_narrow_the_choice(folder, requirements, name):
    assert select(folder, **requirements) == name


def test_where_nobody_qualifies_the_reasons_are_named(folder):
    with pytest.raises(NoEligibleTarget, match="the caller asked for json_schema"):
        select(folder, require=("json_schema",))


def test_claude_code_stands_in_only_if_it_meets_the_requirements(folder):
    write(folder, "claude_code", window=200_000, able="streaming: true", key="UNSET_KEY")
    # unusable without its key, yet the only one whose capabilities fit
    assert select(folder, tokens=100_000, ignore=("large",)) == "claude_code"
    with pytest.raises(NoEligibleTarget):
        select(folder, tokens=300_000, ignore=("large",))


class Own(LLMProviderInterface):
    async def create_completion(self, prompt, max_tokens=1000, temperature=0.7):
        return CompletionResponse(text=prompt)

    def get_capabilities(self):
        return ProviderCapabilities(
            max_context_length=5000, cost_per_1k_tokens=0.00001, specializations=["poetry"]
        )

    def estimate_cost(self, tokens):
        return tokens / 1000 * 0.00001


def test_an_own_class_is_scored_like_the_others(folder):
    with Router.load(folder, environment={}) as router:
        registry = MultiProviderRegistry(router)
        registry.register("own", Own())
        assert registry.select_optimal_provider(TaskRequirements()) == "own"
        assert registry.select_optimal_provider(TaskRequirements(tokens=6000)) == "cheap"


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-v"]))
