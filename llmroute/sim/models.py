"""The models that the simulators serve by default, and what each accepts.

What newer models refuse is from the providers' documentation as of November 2026; windows are
tokens of prompt. Local models are a plausible collection, not anybody's list.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["ANTHROPIC", "LM_STUDIO", "OLLAMA", "OPENAI", "Model", "catalog"]


@dataclass(frozen=True, slots=True)
class Model:
    """One simulated model.

    `context` is the largest prompt and `max_output` the longest answer, in tokens. `refuses`
    names request fields that are a 400. `efforts` are the reasoning efforts it accepts, with
    `effort` as the default; `tools_at_effort` False means that tools need the effort `none`.
    `thinking` are the accepted thinking types, `forced_tool` and `prefill` what else a request
    may ask; with `system_turns` system messages may stand between turns. `lifecycle` is `active`,
    `deprecated` or `retired`. The rest describes a local model: `remote` is where a model that
    only looks local really runs, `loaded` the context it is loaded with (0: not loaded), `num_ctx`
    the one that its Modelfile asks for (0: none).
    """

    id: str
    context: int = 131_072
    max_output: int = 32_768
    tools: bool = True
    vision: bool = False
    reasoning: bool = False
    refuses: frozenset[str] = frozenset()
    efforts: tuple[str, ...] = ()
    effort: str = "none"
    tools_at_effort: bool = True
    thinking: tuple[str, ...] = ()
    forced_tool: bool = True
    prefill: bool = True
    system_turns: bool = True
    family: str = "llama"
    parameters: str = "8.0B"
    quantization: str = "Q4_K_M"
    publisher: str = "library"
    remote: str | None = None
    loaded: int = 0
    num_ctx: int = 0
    lifecycle: str = "active"


_OPENAI_REFUSES = frozenset(
    {
        "max_tokens",
        "stop",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "prediction",
        "audio",
        "modalities",
    }
)
_LEVELS = ("low", "medium", "high", "xhigh")


def _gpt(name: str, *, none: bool = True, effort: str = "medium", context: int = 922_000) -> Model:
    return Model(
        name,
        context=context,
        max_output=128_000,
        vision=True,
        reasoning=True,
        refuses=_OPENAI_REFUSES,
        efforts=("none", *_LEVELS) if none else _LEVELS,
        effort=effort,
        tools_at_effort=False,
    )


OPENAI = (
    _gpt("gpt-6.2-astra", none=False),
    _gpt("gpt-6.2-sol", none=False),
    _gpt("gpt-6-astra", none=False),
    _gpt("gpt-6.1-sol", none=False),
    _gpt("gpt-6.1-terra"),
    _gpt("gpt-6-sol"),
    _gpt("gpt-6-luna"),
    _gpt("gpt-5.6-sol"),
    _gpt("gpt-5.6-terra"),
    _gpt("gpt-5.6-luna"),
    _gpt("gpt-5.5"),
    _gpt("gpt-5.4-mini", effort="none", context=272_000),
    _gpt("gpt-5.4-nano", effort="none", context=272_000),
)

_SAMPLING = frozenset({"temperature", "top_p", "top_k"})
_EFFORTS = ("low", "medium", "high", "xhigh", "max")


def _claude(
    name: str, *thinking: str, effort: str = "high", forced: bool = True, prefill: bool = False
) -> Model:
    return Model(
        name,
        context=1_000_000,
        max_output=128_000,
        vision=True,
        reasoning=True,
        refuses=_SAMPLING,
        efforts=_EFFORTS,
        effort=effort,
        thinking=thinking,
        forced_tool=forced,
        prefill=prefill,
    )


ANTHROPIC = (
    _claude("claude-fable-5-2", "adaptive", forced=False),
    _claude("claude-fable-5-1", "adaptive", forced=False),
    _claude("claude-opus-5-5", "adaptive", effort="medium", forced=False),
    _claude("claude-sonnet-5-5", "adaptive", "between_tools", forced=False),
    _claude("claude-haiku-5-5", "adaptive", effort="medium"),
    _claude("claude-opus-5", "adaptive", "disabled"),
    _claude("claude-opus-4-8", "adaptive", "disabled"),
    _claude("claude-sonnet-5", "adaptive", "disabled"),
    Model(
        "claude-sonnet-4-6",
        context=1_000_000,
        max_output=128_000,
        vision=True,
        efforts=("low", "medium", "high", "max"),
        effort="high",
        thinking=("adaptive", "enabled", "disabled"),
        prefill=False,
        system_turns=False,
    ),
    Model(
        "claude-haiku-4-5",
        context=200_000,
        max_output=64_000,
        vision=True,
        thinking=("enabled", "disabled"),
        system_turns=False,
    ),
)

OLLAMA = (
    Model(
        "qwen3:8b",
        40_960,
        reasoning=True,
        family="qwen3",
        parameters="8.2B",
        loaded=16_384,
        num_ctx=16_384,
    ),
    Model("llama3.3:70b", 131_072, family="llama", parameters="70.6B"),
    Model("gemma3:4b", 131_072, tools=False, vision=True, family="gemma3", parameters="4.3B"),
    Model(
        "gpt-oss:120b-cloud",
        131_072,
        reasoning=True,
        family="gptoss",
        parameters="116.8B",
        quantization="MXFP4",
        remote="https://ollama.com:443",
        efforts=("low", "medium", "high", "max"),
    ),
)

LM_STUDIO = (
    Model(
        "openai/gpt-oss-20b",
        131_072,
        reasoning=True,
        family="gpt-oss",
        parameters="20B",
        quantization="MXFP4",
        publisher="openai",
        loaded=32_768,
    ),
    Model(
        "qwen/qwen3-coder-30b",
        262_144,
        family="qwen3moe",
        parameters="30B-A3B",
        publisher="qwen",
    ),
    Model(
        "google/gemma-4-26b-a4b",
        262_144,
        vision=True,
        family="gemma4",
        parameters="26B-A4B",
        publisher="google",
    ),
)


def catalog(models: Iterable[Model | str]) -> dict[str, Model]:
    """Index models by id; a bare id is a model that accepts everything but images."""
    made = (Model(one) if isinstance(one, str) else one for one in models)
    return {model.id: model for model in made}
