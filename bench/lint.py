"""What linting a large workspace costs: 100 providers with 400 models, and 50 policies.

    python bench/lint.py [--runs N] [--providers N] [--policies N] [--keep FOLDER]

The workspace is drawn with a fixed seed: every provider states endpoint, timeouts, limits,
defaults and four models with capabilities, quality, prices, tiers and sources, in the manner of the
shipped files; every policy has two names under `let`, one or two requirements and eight to
twelve rules, of which some read the request, some the target, some both. It has no faults, so
that no rule may stop early at one.

Each figure is the median wall time of `llmroute lint` in fresh processes, the start of Python and
all imports included, in seconds. `in_process_…` is the same without both, in a process that has
linted once before. The last line is one JSON object.

**Aims.** At most 0.4 s without analyses (`--no-analyses`), at most 1.5 s with them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from llmroute.config.shipped import data_root

__all__ = ["write_workspace"]

_TASKS = ("chat", "coding", "extraction", "reasoning")
_LABELS = {"privacy": ("public", "private"), "region": ("eu", "us"), "team": ("red", "blue")}
_TIER = 128_000
_WINDOWS = (32_768, 131_072, 200_000, 1_050_000)
_CONDITIONS = (
    "contains(request.tags, 'hard')",
    "coding",
    "facts.tokens > `20000`",
    "request.metadata.region == 'eu'",
    "facts.images",
    "demanding && !coding",
    "now.hour >= `8` && now.hour < `18`",
    "request.metadata.team == 'red' || request.metadata.team == 'blue'",
)
_PREFERENCES = (
    "price",
    "quality",
    "reliability",
    "{latency: {half: 2s}}",
    "{cost: {half: 0.02}}",
    "{throughput: {half: 60}}",
    "contains(target.specializations, 'code')",
    "target.locality == 'local'",
    "target.context_window >= `200000`",
    "starts_with(target.provider, 'vendor_1')",
    "contains(request.tags, 'german') && contains(target.specializations, 'german')",
)


def write_workspace(root: Path, providers: int = 100, policies: int = 50, seed: int = 1) -> Path:
    """Write the workspace that is linted, and return its folder."""
    random = Random(seed)  # noqa: S311 - the same workspace each time
    for folder in ("providers.d", "policies"):
        (root / folder).mkdir(parents=True)
    (root / "llmroute.yaml").write_text("\n".join(_settings()) + "\n", encoding="utf-8")
    for number in range(providers):
        text = "\n".join(_provider(random, number)) + "\n"
        (root / "providers.d" / f"vendor_{number}.yaml").write_text(text, encoding="utf-8")
    for number in range(policies):
        text = "\n".join(_policy(random, number)) + "\n"
        (root / "policies" / f"policy-{number}.yaml").write_text(text, encoding="utf-8")
    return root


def _settings() -> Iterator[str]:
    yield "default_policy: policy-0"
    yield "inputs:"
    for name, values in _LABELS.items():
        yield f"  {name}: {{enum: [{', '.join(values)}], description: The {name} of a request}}"


def _provider(random: Random, number: int) -> Iterator[str]:
    local = number % 10 == 0
    yield f"# Vendor {number}, drawn at random."
    yield f"provider: vendor_{number}"
    yield f"description: The models of vendor {number}"
    yield f"locality: {'local' if local else 'cloud'}"
    yield "endpoint:"
    yield "  transport: http"
    yield "  protocol: openai-chat"
    host = f"http://127.0.0.1:{9000 + number}" if local else f"https://api.vendor-{number}.example"
    yield f"  base_url: {host}/v1"
    yield "  auth: none" if local else f'  auth: {{bearer: "env:VENDOR_{number}_API_KEY"}}'
    yield "  timeouts: {connect: 5s, first_token: 60s, idle: 30s, total: 10m}"
    yield f"limits: {{concurrency: {random.randint(2, 64)}}}"
    yield "defaults:"
    yield "  max_output: 32000"
    yield "  capabilities:"
    for able in ("tools", "streaming", "json_schema", "reasoning"):
        yield f"    {able}: true"
    yield f"    vision: {'true' if random.random() < 0.5 else 'false'}"
    yield "  wire:"
    yield "    reject: [seed]"
    yield "    rename: {max_tokens: max_completion_tokens}"
    yield "models:"
    for model in range(4):
        yield from _model(random, model, free=local)


def _model(random: Random, model: int, *, free: bool) -> Iterator[str]:
    yield f"  # The {('smallest', 'small', 'large', 'largest')[model]} one."
    yield f"  - model: model-{model}"
    yield f"    description: Model {model} of four"
    yield f"    context_window: {(window := random.choice(_WINDOWS))}"
    if random.random() < 0.5:
        yield f"    specializations: [{random.choice(('code', 'german', 'math'))}]"
    yield "    quality:"
    yield f"      default: {random.uniform(0.3, 0.8):.2f}"
    for task in random.sample(_TASKS, 2):
        yield f"      {task}: {random.uniform(0.3, 0.9):.2f}"
    yield "      source: a public table of benchmarks"
    yield '      date: "2026-11-22"'
    if free:
        return
    price = round(0.1 * 4**model * random.uniform(0.5, 2), 3)
    yield "    cost:"
    yield f"      input: {price}"
    yield f"      output: {round(4 * price, 3)}"
    yield f"      cache_read: {round(price / 10, 4)}"
    yield f"      cache_write: {round(price * 1.25, 4)}"
    if window > _TIER:
        dearer = f"input: {round(2 * price, 3)}, output: {round(6 * price, 3)}"
        dearer += f", cache_read: {round(price / 5, 4)}, cache_write: {round(2.5 * price, 4)}"
        yield f"      tiers: [{{above: {_TIER}, {dearer}}}]"
    yield f"      source: the price list of the vendor, model {model}"
    yield '      date: "2026-11-22"'


def _policy(random: Random, number: int) -> Iterator[str]:
    yield f"# Policy {number}, drawn at random."
    yield f"policy: policy-{number}"
    yield f"description: Policy {number} of many"
    yield "let:"
    yield "  coding: contains(request.tags, 'code') || facts.task == 'code'"
    yield "  demanding: contains(request.tags, 'hard') || facts.tokens > `50000` || facts.tools"
    yield "require:"
    yield "  - name: private stays local"
    yield "    when: request.metadata.privacy == 'private'"
    yield "    target: target.locality == 'local'"
    if random.random() < 0.5:
        yield "  - name: answers have a limit"
        yield "    target: estimate.cost_max < `5` || target.locality == 'local'"
    yield "rules:"
    count = random.randint(8, 12)
    prefers = list(random.sample(_PREFERENCES, min(count, len(_PREFERENCES))))
    prefers += ["price"] * (count - len(prefers))
    for rule, prefer in enumerate(prefers):
        yield f"  - name: rule {rule}"
        yield f"    weight: {random.choice((5, 10, 20, 30, 50))}"
        if rule < 2:
            yield f"    when: {('coding', 'demanding && !coding')[rule]}"
        elif rule == len(_PREFERENCES) or random.random() < 0.4:
            yield f"    when: {json.dumps(random.choice(_CONDITIONS))}"
        yield f"    prefer: {prefer if prefer.startswith('{') else json.dumps(prefer)}"
    yield "select: {spread: 0, tie_break: [cost, target]}"
    yield "fallback: {attempts: 5, on_limit: spill}"


def _process(root: Path, *options: str) -> float:
    """Return the wall time of `llmroute lint`, which may find something."""
    argv = [sys.executable, "-m", "llmroute.cli", "lint", str(root), *options]
    place = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    start = time.perf_counter()
    done = subprocess.run(argv, check=False, capture_output=True, text=True, env=place)
    taken = time.perf_counter() - start
    if done.returncode not in (0, 1):
        raise RuntimeError(f"lint failed with {done.returncode}: {done.stdout}{done.stderr}")
    return taken


def _in_process(root: Path, *, analyses: bool) -> float:
    from llmroute.lint.check import lint

    start = time.perf_counter()
    lint([root], {}, analyses=analyses)
    return time.perf_counter() - start


def _medians(runs: int, measures: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Return the median of each measure over rounds in which they take turns, after one more."""
    rows = [{name: run() for name, run in measures.items()} for _ in range(runs + 1)][1:]
    return {name: round(statistics.median(row[name] for row in rows), 3) for name in measures}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--providers", type=int, default=100)
    parser.add_argument("--policies", type=int, default=50)
    parser.add_argument("--keep", type=Path, help="write the workspace here and leave it")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = given.keep or Path(folder) / "workspace"
        write_workspace(root, given.providers, given.policies)
        found = _medians(
            given.runs,
            {
                "lint_s": lambda: _process(root),
                "lint_no_analyses_s": lambda: _process(root, "--no-analyses"),
                "in_process_lint_s": lambda: _in_process(root, analyses=True),
                "in_process_no_analyses_s": lambda: _in_process(root, analyses=False),
                "shipped_s": lambda: _process(data_root()),
                "python_s": _python,
            },
        )
        lines = sum(p.read_bytes().count(b"\n") for p in root.rglob("*.yaml"))
    sizes = {"providers": given.providers, "policies": given.policies, "lines": lines}
    for name, value in found.items():
        print(f"{name:28} {value:8.3f} s")
    print(json.dumps({**found, **sizes, "load": round(os.getloadavg()[0], 2)}))


def _python() -> float:
    """Return what starting Python itself takes, which is in every figure of a process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
