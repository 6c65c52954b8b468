"""Compiled expressions beside jmespath.py on conditions as routing policies have them.

    python bench/expressions.py [ROUNDS]

Each figure is the best of so many rounds (default 7) of one loop; both forms run in turn within a
round and must agree. `mean_speedup` is over `jmespath.compile(e).search(d)`, whose parser caches
the expression; `mean_speedup_parsed` is over `search` on an expression parsed beforehand. The last
line is one JSON object; times are in microseconds.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jmespath

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from llmroute.policy.expressions.codegen import compile_expression

_CONDITIONS = (
    "target.locality == 'local'",
    "target.provider != 'openai'",
    "contains(request.tags, 'code')",
    "contains(target.specializations, 'code')",
    "request.metadata.tier == 'gold' || contains(request.tags, 'urgent')",
    "target.capabilities.tools && target.context_window >= `128000`",
    "!(facts.tools) || target.capabilities.tools",
    "estimate.tokens_in <= target.context_window",
    "estimate.cost_max < `0.05` && live.success > `0.9`",
    "facts.tokens > `1000` && facts.code && facts.language == 'en'",
    "ends_with(target.provider, '_litellm') || target.provider == 'claude_code'",
    "not_null(live.loaded, `true`)",
    "not_null(target.parameters, `1e12`) <= `1e10`",
    "type(target.cost.input) == 'number'",
    "(now.hour >= `8` && now.hour < `18`) && now.weekday <= `5`",
    "request.metadata.region.zone == 'eu'",
    "length(request.messages) > `4`",
    "request.messages[-1].role == 'user'",
    "length(request.messages[?role == 'user']) > `2`",
    "starts_with(target.id, 'anthropic/') && request.stream == `true`",
)
_ROLES = ("system", "user", "assistant", "user", "assistant", "user")
_SCOPE: dict[str, Any] = {
    "request": {
        "messages": [{"role": role, "content": "Explain the borrow checker."} for role in _ROLES],
        "tools": [],
        "response_format": {},
        "max_tokens": 800,
        "stream": True,
        "tags": ["team-a", "review", "code"],
        "metadata": {"tier": "silver", "team": "compilers"},
        "task": None,
    },
    "facts": {"tokens": 2310, "tools": False, "images": False, "language": "en", "code": True},
    "target": {
        "id": "anthropic/claude-sonnet",
        "provider": "anthropic",
        "locality": "cloud",
        "context_window": 200_000,
        "max_output": 64_000,
        "capabilities": {"tools": True, "streaming": True, "vision": True},
        "specializations": ["code", "reasoning"],
        "quality": {"default": 0.8, "code": 0.9},
        "cost": {"input": 3.0, "output": 15.0},
        "parameters": None,
    },
    "estimate": {"tokens_in": 2310, "tokens_out": 500, "cost": 0.014, "cost_max": 0.019},
    "live": {"first_token": 0.8, "success": 0.98, "headroom": 1.0, "loaded": None},
    "budget": {},
    "now": {"hour": 14, "weekday": 3},
}
_LOOPS = 2_000


def _microseconds(function: Callable[[Any], Any]) -> float:
    loops = range(_LOOPS)
    start = time.perf_counter()
    for _ in loops:
        function(_SCOPE)
    return (time.perf_counter() - start) / _LOOPS * 1e6


def _measure(text: str, rounds: int) -> tuple[float, float, float]:
    """Return the times of compile + search, of search alone, and of the compiled form."""
    parsed = jmespath.compile(text)
    compiled = compile_expression(parsed.parsed)
    forms: tuple[Callable[[Any], Any], ...] = (
        lambda scope: jmespath.compile(text).search(scope),
        parsed.search,
        compiled,
    )
    if len({repr(form(_SCOPE)) for form in forms}) > 1:
        raise SystemExit(f"results differ: {text}")
    times = [[_microseconds(form) for form in forms] for _ in range(rounds)]
    whole, search, own = (min(column) for column in zip(*times, strict=True))
    return whole, search, own


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    figures = {text: _measure(text, rounds) for text in _CONDITIONS}
    print("jmespath.py  compiled  speed-up  expression")
    for text, (whole, _, own) in figures.items():
        print(f"{whole:11.2f} {own:9.3f} {whole / own:8.1f}x  {text}")
    speedups = [whole / own for whole, _, own in figures.values()]
    report = {
        "mean_speedup": round(statistics.fmean(speedups), 1),
        "median_speedup": round(statistics.median(speedups), 1),
        "min_speedup": round(min(speedups), 1),
        "max_speedup": round(max(speedups), 1),
        "mean_speedup_parsed": round(
            statistics.fmean(search / own for _, search, own in figures.values()), 1
        ),
        "mean_compiled_us": round(statistics.fmean(own for *_, own in figures.values()), 3),
        "expressions": len(figures),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
