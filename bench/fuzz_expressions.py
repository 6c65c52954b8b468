"""Compare compiled expressions with jmespath.py's interpreter on random expressions and data.

    python bench/fuzz_expressions.py [--cases N] [--seed S]

A case is one expression on one value; three of five expressions are random trees, the others are
random text read by jmespath's parser. Ends with status 1 at the first difference; the last line
is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import jmespath

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from llmroute.policy.expressions.codegen import compile_expression
from tests.policy.expressions.jmespath_cases import generate
from tests.policy.expressions.jmespath_cases.compare import Compiler, difference, outcome

__all__ = ["VALUES", "fuzz", "trees"]

#: Values that each expression is evaluated on.
VALUES = 4


def trees(seed: int) -> Iterator[tuple[Mapping[str, Any], list[Any]]]:
    """Yield syntax trees with the values to try them on, without end."""
    rng = Random(seed)  # noqa: S311 - repeatable, not secret
    while True:
        values = [generate.data(rng) for _ in range(VALUES)]
        if rng.random() < 0.6:
            yield generate.tree(rng), values
            continue
        try:
            yield jmespath.compile(generate.text(rng)).parsed, values
        except jmespath.exceptions.JMESPathError:
            continue


def fuzz(compiler: Compiler, cases: int, seed: int) -> str | None:
    """Return the first difference within so many cases, None if there is none."""
    source = trees(seed)
    for _ in range(-(-cases // VALUES)):
        tree, values = next(source)
        found = difference(compiler, tree, *values)
        if found:
            return found
    return None


def _spread(cases: int, seed: int) -> dict[str, float]:
    """Return the shares of outcomes in a sample: a fuzz that mostly fails compares little."""
    counts = {"null": 0, "value": 0, "error": 0}
    source = trees(seed)
    for _ in range(cases // VALUES):
        tree, values = next(source)
        function = compile_expression(tree)
        for kind, result in (outcome(function, value) for value in values):
            counts["error" if kind != "value" else "null" if result is None else "value"] += 1
    total = sum(counts.values())
    return {f"share_{name}": round(count / total, 3) for name, count in counts.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    start = time.perf_counter()
    found = fuzz(compile_expression, options.cases, options.seed)
    seconds = time.perf_counter() - start
    if found:
        print(found)
    figures = {
        "cases": options.cases,
        "differences": int(bool(found)),
        "seconds": round(seconds, 1),
    }
    print(json.dumps({**figures, **_spread(min(options.cases, 8_000), options.seed)}))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
