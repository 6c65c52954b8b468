"""The 500 requests by which mutants are told from the shipped files, made from a fixed seed.

They are written as policy tests without expectations. Every policy decides all of them.
"""

from __future__ import annotations

from random import Random
from typing import Any

__all__ = ["COUNT", "USAGES", "requests"]

COUNT = 500
_SEED = 20261122

_TEXTS = (
    "What is the capital of Austria?",
    "Write a friendly e-mail that moves our meeting to Thursday afternoon.",
    "def add(a, b):\n    return a - b\n\nWhy is the sum wrong?",
    "SELECT name FROM users WHERE age > 30 ORDER BY name;\nMake this query faster.",
    "Prove that there are infinitely many primes.",
    "Anna has 12 apples and gives a third of them to Ben. How many are left?",
    "Which is a prime number?\nA) 4\nB) 7\nC) 9\nD) 12",
    "Fasse den folgenden Bericht in drei Sätzen zusammen und nenne die wichtigsten Zahlen.",
    "Expliquez la différence entre les deux méthodes de tri, avec un exemple.",
    "Объясните, почему небо голубое, в трёх предложениях.",
    "请用三句话总结这份报告,并列出最重要的数字。",
    "この文章を三行で要約してください。",
    "이 보고서를 세 문장으로 요약해 주세요.",
    '{"name": "Ada", "tags": ["a", "b"], "scores": [1, 2, 3.5], "active": true}',
    "Classify the sentiment as positive or negative: I like it.",
    "Translate into French: the contract ends on the last day of the year.",
)
_REPEATS = (1, 1, 1, 4, 20, 60)
_SIZES = (
    *(None, None, None, None, None, 100, 1_000, 1_000, 3_000, 6_000, 50_000, 99_000, 150_000),
    *(199_000, 271_000, 300_000, 390_000, 900_000, 999_000, 1_049_500, 1_060_000),
)
_MAX_TOKENS = (*(None,) * 8, 5, 300, 2_000, 60_000, 100_000, 128_000, 130_000)
_TAGS = ((), (), (), ("code",), ("hard",), ("research", "hard"), ("research",))
_TASKS = (None, None, None, None, "code", "chat", "math")
_METADATA = (
    *(None,) * 9,
    {"privacy": "private"},
    {"privacy": "internal"},
    {"privacy": "public"},
)
_ROUTES: tuple[dict[str, Any] | None, ...] = (
    *(None,) * 16,
    {"only": ["anthropic", "anthropic_litellm", "claude_code"]},
    {"only": ["openai", "openai_litellm"]},
    {"only": ["ollama", "lm_studio"]},
    {"ignore": ["anthropic", "openai"]},
    {"ignore": ["openai_litellm", "anthropic_litellm", "claude_code"]},
    {"order": ["claude_code", "openai_litellm"]},
    {"locality": "local"},
    {"locality": "cloud"},
    {"require": ["reasoning"]},
    {"require": ["forced_tool_choice"]},
    {"max_cost": 0.02},
    {"max_cost": 0.5},
)
_LIVE: tuple[dict[str, Any], ...] = (
    *({}, {}, {}, {}),
    {"anthropic": {"first_token": 8, "success": 0.7}},
    {"openai": {"headroom": 0.1, "tokens_per_second": 20}},
    {"anthropic/claude-haiku-5-5": {"success": 0.2}, "openai/gpt-6-luna": {"headroom": 0}},
    {"openai/gpt-6.1-terra": {"first_token": 0.2, "tokens_per_second": 250}},
    {"ollama": {"first_token": 3, "tokens_per_second": 12}, "lm_studio": {"headroom": 0.2}},
    {"claude_code": {"first_token": 0.1}, "openai_litellm": {"first_token": 0.3}},
)
_DOWN: tuple[list[str], ...] = (
    *([], [], [], [], []),
    ["anthropic"],
    ["openai", "openai_litellm"],
    ["openai", "anthropic"],
    ["ollama", "lm_studio"],
)
_AFFINITY = (None, None, None, None, "openai/gpt-5.6-luna", "anthropic/claude-sonnet-5-5")
#: What local servers list: nothing; one plain model each; several kinds of models.
_FLEETS: tuple[dict[str, list[dict[str, Any]]], ...] = (
    {},
    {
        "ollama": [{"model": "llama3.1:8b", "parameters": "8.0B"}],
        "lm_studio": [{"model": "gemma-4b"}],
    },
    {
        "ollama": [
            {"model": "qwen3:32b", "parameters": "32.8B", "loaded": True, "context_window": 32768},
            {
                "model": "coder:14b",
                "parameters": "14B",
                "loaded": False,
                "specializations": ["code"],
            },
            {"model": "gpt-oss:120b-cloud", "locality": "cloud", "cost": None},
            {"model": "seeing", "capabilities": {"vision": True, "tools": True}},
        ],
        "lm_studio": [
            {"model": "qwen3-32b", "parameters": "32.8B", "capabilities": {"tools": True}},
            {"model": "best", "quality": {"default": 0.7, "code": 0.9}, "max_output": 4000},
        ],
    },
)

#: Tokens of answers: in, out, read from the cache, written to it, of which for an hour.
USAGES = (
    (1_000, 500, 0, 0, 0),
    (10_000, 700, 4_000, 3_000, 1_000),
    (150_000, 1_000, 20_000, 60_000, 25_000),
    (400_000, 2_000, 90_000, 150_000, 70_000),
)


def requests() -> list[dict[str, Any]]:
    """Return the requests, each with the state of the world that it meets."""
    rng = Random(_SEED)  # noqa: S311 - no secret
    return [_one(number, rng) for number in range(COUNT)]


def _one(number: int, rng: Random) -> dict[str, Any]:
    fields = {
        "prompt": (_TEXTS[number % len(_TEXTS)] + "\n\n") * rng.choice(_REPEATS),
        "system": rng.choice((None, None, "Answer briefly.")),
        "input_tokens": rng.choice(_SIZES),
        "max_tokens": rng.choice(_MAX_TOKENS),
        "tags": list(rng.choice(_TAGS)),
        "task": rng.choice(_TASKS),
        "metadata": rng.choice(_METADATA),
        "tools": rng.random() < 0.15,
        "images": rng.random() < 0.1,
        "json_schema": rng.random() < 0.1,
        "stream": rng.random() < 0.5,
        "route": rng.choice(_ROUTES),
    }
    test: dict[str, Any] = {
        "name": f"request {number}",
        "request": {name: value for name, value in fields.items() if value is not None},
        "live": rng.choice(_LIVE),
        "unavailable": rng.choice(_DOWN),
        "discovered": rng.choice(_FLEETS),
        "now": {"hour": rng.randrange(24), "weekday": rng.randrange(1, 8)},
    }
    home = rng.choice(_AFFINITY)
    return {**test, "affinity": home} if home else test
