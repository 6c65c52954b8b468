"""What the facts of a request cost, each alone and together.

    python bench/facts.py [ROUNDS]

Prompts have 2,000 characters: English prose, program code, JSON, Chinese, English with some
Chinese in it, an arithmetic story. Every reading has a fresh `Facts`; a figure is the best of so
many rounds (default 7), the mean over the prompts. The last line is one JSON object:

- `facts_us`: by fact, alone. `facts_us_2000`: tokens, code, language and lexical_diversity
  together, read one after the other; `facts_us_2000_<prompt>` the same by prompt.
- `all_us_2000`: all facts. `all_ms_1mb`: all facts of a prompt of 1,048,576 characters, the worst
  prompt; `all_ms_1mb_<prompt>` by prompt.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from llmroute.policy.facts.facts import FACTS, Facts
from llmroute.types import Request

_PROSE = (
    "The harbour had been quiet since the last of the ferries left, and nobody expected the storm "
    "to turn back. Could you explain, in plain words, why the pressure falls before the wind "
    "rises? My neighbour, who sailed these waters for thirty years, says it is the moon.\n\n"
)
_CODE = (
    "def merge(left: list[int], right: list[int]) -> list[int]:\n    result = []\n"
    "    while left and right:\n        result.append((left if left < right else right).pop(0))"
    '\n    return result + left + right\n\n\nclass Queue:\n    """First in, first out."""\n\n'
)
_JSON = '{"id": 40217, "name": "Vienna", "position": [48.2083, 16.3725], "tags": ["city", "at"]},\n'
_CHINESE = "请用简单的话解释一下,为什么暴风雨来临之前气压会下降。"
_CHINESE += "我的邻居在这片海域航行了三十年,他说是月亮的缘故。\n"
_STORY = (
    "Maria sells 14 boxes of apples at $3.50 each and twice as many pears at $2. She spends a "
    "third of the money on flour. How many dollars does she have left in total? "
)
_PROMPTS = {
    "prose": _PROSE,
    "code": _CODE,
    "json": _JSON,
    "chinese": _CHINESE,
    "mixed": _PROSE + _CHINESE,
    "story": _STORY,
}
_FOUR = ("tokens", "code", "language", "lexical_diversity")
_SMALL, _LARGE = 2_000, 1 << 20


def _request(text: str, size: int) -> Request:
    return Request.of((text * (size // len(text) + 1))[:size])


def _seconds(request: Request, names: Sequence[str], loops: int) -> float:
    start = time.perf_counter()
    for _ in range(loops):
        made = Facts(request)
        for name in names:
            getattr(made, name)
    return (time.perf_counter() - start) / loops


def _best(measure: Callable[[], float], rounds: int) -> float:
    return min(measure() for _ in range(rounds))


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    small = {name: _request(text, _SMALL) for name, text in _PROMPTS.items()}
    large = {name: _request(text, _LARGE) for name, text in _PROMPTS.items()}

    def mean(names: Sequence[str]) -> float:
        times = [_best(lambda r=r: _seconds(r, names, 400), rounds) for r in small.values()]  # type: ignore[misc]
        return round(statistics.fmean(times) * 1e6, 2)

    facts = {name: mean((name,)) for name in FACTS}
    for name, figure in facts.items():
        print(f"{figure:8.2f} µs  {name}")
    four = {
        name: _best(lambda r=r: _seconds(r, _FOUR, 400), rounds)  # type: ignore[misc]
        for name, r in small.items()
    }
    whole = {
        name: _best(lambda r=r: _seconds(r, FACTS, 3), rounds)  # type: ignore[misc]
        for name, r in large.items()
    }
    report: dict[str, Any] = {
        "facts_us": facts,
        "facts_us_2000": round(statistics.fmean(four.values()) * 1e6, 1),
        **{f"facts_us_2000_{name}": round(value * 1e6, 1) for name, value in four.items()},
        "all_us_2000": mean(FACTS),
        "all_ms_1mb": round(max(whole.values()) * 1e3, 2),
        **{f"all_ms_1mb_{name}": round(value * 1e3, 2) for name, value in whole.items()},
        "rounds": rounds,
        "python": sys.version.split()[0],
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
