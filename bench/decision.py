"""What a routing decision costs, beside LiteLLM's router in the same run.

    python bench/decision.py [--rounds N] [--requests N] [--without-litellm]

The last line is one JSON object; times are in microseconds unless the key says otherwise.

**Ours.** Fleets of 5, 100 and 1,000 targets (`bench/fleets.py`) under a policy of 20 rules, of
which 4 are mixed (`price`, `latency`, a preference that reads request and target, a condition on
`estimate`), two or three requirements, and conditions over tags, metadata, facts, time and `let`.
Live state is the real one, filled with measurements, and changes between decisions: each winner
is called, the call ends when its answer would, and 50 requests a second arrive at random.
A measurement is one `decide()` and the reading of `winner`, timed alone with `perf_counter_ns`,
the garbage collector on; what stands before our policies are compiled (LiteLLM's modules and
routers) is frozen, so that no collection walks through it. The facts of the request are ready;
everything else about it is new: each round draws other requests (prompts of 50 to 20,000 tokens),
so that none is seen twice.

- `p50_us_<n>`, `p99_us_<n>`, `mean_us_<n>`: fleet `random`, all rounds but the first pass.
- `cpu_p99_us_<n>`: p99 of the processor's time of the same decisions, which other processes on
  the machine do not lengthen. `load`: how many processes wanted a core in the last minute.
- `first_p50_us_<n>`, `first_p99_us_<n>`: the first pass after compilation, nothing warmed up.
- `rejected_…`, `gated_…`, `replicas_…_us_1000`: the other fleets. `worst_p50_us`: the worst p50
  of `random`, `rejected` and `replicas` with 1,000 targets.
- `growth`: `p50_us_1000` / `p50_us_5`.
- `sparse_…_us_1000`: fleet `random` with one request a second, so that values decay more often.
- `balanced_…_us_1000`: the shipped policy `balanced` (8 of 10 rules mixed) on fleet `random`.
- `after_tick_us_1000`: p50 of decisions after a pause of 30 s each: every live value has decayed.
- `whole_us_<n>`: p50 of a decision whose facts have to be computed too, prompts as above.
- `order_us_<n>`: p50 of `len(decision.targets)` of a new decision: the whole fallback order.
- `explain_us_<n>`: p50 of `to_dict()` of a new decision.
- `facts_us_2000`: p50 of tokens, code, language and one lexical feature of a prompt of 2,000
  characters, read from a fresh `Facts`; another prompt each time.
- `router_decide_us`: p50 of `Router.decide` and `winner` on the shipped workspace, with prompts of
  2,000 characters: checks, facts, the decision.
- `compile_ms_1000`: compiling a policy of 50 rules (10 mixed) against 1,000 targets, in a fresh
  process. `first_decision_ms_1000`: the decision after it. `memory_mb_1000`: what the resident
  size grew by, from all modules imported and nothing made to targets built, policy compiled, live
  state filled and 100 requests decided. Medians over fresh processes.

**Theirs.** `litellm.Router` with as many deployments in one model group, each with its prices:
`await router.async_get_available_deployment(model, request_kwargs={}, messages)` in one running
coroutine, timed in the same way, warmed up. The message is short, so that counting its tokens
costs them little; background tasks of a decision run outside the timed part; only the callbacks
of the router's own strategy are installed; the latency strategy has ten observations of each
deployment. `simple_shuffle_checked` is the shuffle with `enable_pre_call_checks`, which looks
whether the prompt fits each window, as ours always does. No network, no telemetry.
Keys: `litellm_<strategy>_p50_us_<n>`, `litellm_<strategy>_p99_us_<n>`.

Rounds of ours and theirs take turns. `ratio_<strategy>_<n>` is theirs / ours: the median over the
rounds of the quotient of both p50 of one round, fleet `random`.

**Aims.** p50 at most 25, 40 and 120 µs with 5, 100 and 1,000 targets, `growth` at most 6,
`worst_p50_us` at most 500, `facts_us_2000` at most 60; `simple-shuffle` at least 10, 30 and 50
times as dear, `cost-based-routing` 20, 100 and 500 times; at most 300 ms and 20 MB to compile.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.fleets import Traffic, fleet, policy, prompt, requests
from bench.rivals import Theirs, routers
from llmroute.config.shipped import data_root
from llmroute.policy import CompiledPolicy, Decision, Policy, decide, load_policy, policy_source
from llmroute.policy.facts.facts import FACTS, Facts
from llmroute.policy.facts.tokens import FAMILIES
from llmroute.router import Router
from llmroute.types import Request

_SIZES = (5, 100, 1_000)
_LARGE = _SIZES[-1]
#: Requests a second in the usual traffic, and in the sparse one.
_RATE, _SPARSE = 50.0, 1.0
#: Seconds without a request before each decision of `after_tick_us_1000`.
_PAUSE = 30.0
#: What `facts_us_2000` reads: three facts, and the first one that says how a prompt is worded.
_PLAIN = ("tokens", "characters", "tools", "images", "json_schema", "language", "code", "task")
_READ_FACTS = ("tokens", "code", "language", *[name for name in FACTS if name not in _PLAIN][:1])
#: Fresh processes for compile time and memory.
_PROCESSES = 3

Stream = Sequence[tuple[Request, Facts]]


class Case:
    """A policy compiled against a fleet, with traffic of its own."""

    def __init__(self, label: str, compiled: CompiledPolicy, rate: float = _RATE) -> None:
        self.label = label
        self.compiled = compiled
        self.traffic = Traffic(compiled.targets, rate)
        self.first: list[int] = []
        self.cpu: list[int] = []
        self.rounds: list[list[int]] = []
        self._random = Random(7)  # noqa: S311

    def decide(self, request: Request, facts: Facts | None) -> Decision:
        """Decide once, on a copy of the facts if they are ready, and read the winner."""
        ready, around = copy.copy(facts), self.traffic.around()
        decision = decide(self.compiled, request, around, random=self._random, facts=ready)
        _ = decision.winner
        return decision

    def run(self, stream: Stream, pause: float = 0.0) -> list[int]:
        """Decide a stream, and return the nanoseconds of each decision."""
        compiled, traffic, random = self.compiled, self.traffic, self._random
        clock, busy = time.perf_counter_ns, time.thread_time_ns
        times = []
        for request, facts in stream:
            if pause:
                traffic.wait(pause)
            ready, around, before = copy.copy(facts), traffic.around(), busy()
            start = clock()
            winner = decide(compiled, request, around, random=random, facts=ready).winner
            times.append(clock() - start)
            self.cpu.append(busy() - before)
            traffic.follow(request, winner)
        return times

    def figures(self, prefix: str, suffix: str) -> dict[str, float]:
        """Return p50, p99 and mean of all rounds, and the p99 of the processor's time."""
        figures = _figures([t for times in self.rounds for t in times], prefix, suffix)
        return {**figures, f"{prefix}cpu_p99_us_{suffix}": _us(_quantile(self.cpu, 0.99))}


def _figures(times: Sequence[int], prefix: str, suffix: str) -> dict[str, float]:
    return {
        f"{prefix}p50_us_{suffix}": _us(statistics.median(times)),
        f"{prefix}p99_us_{suffix}": _us(_quantile(times, 0.99)),
        f"{prefix}mean_us_{suffix}": _us(statistics.fmean(times)),
    }


def _quantile(times: Sequence[int], share: float) -> int:
    return sorted(times)[min(int(len(times) * share), len(times) - 1)]


def _us(nanoseconds: float) -> float:
    return round(nanoseconds / 1000, 1)


def _stream(count: int, seed: int) -> Stream:
    """Draw requests, and compute all facts of each."""
    stream = [(request, Facts(request)) for request in requests(count, seed)]
    for _, facts in stream:
        facts.view(FACTS)
        for family in FAMILIES:
            facts.tokens_for(family)
    return stream


def _compiled(name: str, size: int, rules: int = 20) -> CompiledPolicy:
    source = policy_source("bench", {"bench": policy(name, rules)})
    return Policy(source).compile(fleet(name, size))


def _cases() -> dict[str, Case]:
    cases = {f"random {size}": Case("", _compiled("random", size)) for size in _SIZES}
    for name in ("rejected", "gated", "replicas"):
        cases[f"{name} {_LARGE}"] = Case(f"{name}_", _compiled(name, _LARGE))
    cases[f"sparse {_LARGE}"] = Case("sparse_", _compiled("random", _LARGE), _SPARSE)
    balanced = load_policy(data_root() / "policies" / "balanced.yaml")
    shipped = balanced.compile(fleet("random", _LARGE))
    cases[f"balanced {_LARGE}"] = Case("balanced_", shipped)
    return cases


async def _rounds(
    cases: dict[str, Case], theirs: Sequence[Theirs], rounds: int, count: int
) -> None:
    """Run every case and every router once a round, in turn; the first pass is kept apart."""
    cold = _stream(count, 0)
    for case in cases.values():
        case.first = case.run(cold)
        case.cpu.clear()
    for router in theirs:
        await router.run()
    for seed in range(1, rounds + 1):
        stream = _stream(count, seed)
        for case in cases.values():
            case.rounds.append(case.run(stream))
        for router in theirs:
            router.rounds.append(await router.run())


def _our_report(cases: dict[str, Case]) -> dict[str, float]:
    report: dict[str, float] = {}
    for name, case in cases.items():
        size = name.split(" ")[1]
        report |= case.figures(case.label, size)
        first = _figures(case.first, "first_", size)
        if not case.label:
            report |= {key: value for key, value in first.items() if "mean" not in key}
    rivals = ("", "rejected_", "replicas_")
    report["worst_p50_us"] = max(report[f"{name}p50_us_{_LARGE}"] for name in rivals)
    report["growth"] = round(report[f"p50_us_{_LARGE}"] / report[f"p50_us_{_SIZES[0]}"], 2)
    return report


def _their_report(cases: dict[str, Case], theirs: Sequence[Theirs]) -> dict[str, float]:
    report: dict[str, float] = {}
    for router in theirs:
        times = [t for round_ in router.rounds for t in round_]
        figures = _figures(times, f"litellm_{router.label}_", str(router.size))
        report |= {key: value for key, value in figures.items() if "mean" not in key}
        ours = cases[f"random {router.size}"].rounds
        quotients = [
            statistics.median(their) / statistics.median(our)
            for their, our in zip(router.rounds, ours, strict=True)
        ]
        report[f"ratio_{router.short}_{router.size}"] = round(statistics.median(quotients), 1)
    return report


def _median_us(actions: Iterable[Callable[[], object]]) -> float:
    times = []
    for action in actions:
        start = time.perf_counter_ns()
        action()
        times.append(time.perf_counter_ns() - start)
    return _us(statistics.median(times))


def _after_use(cases: dict[str, Case], stream: Stream) -> dict[str, float]:
    """Measure what may be asked of a decision after its winner, and decisions after a pause."""
    report = {}
    for size in _SIZES:
        case = cases[f"random {size}"]
        report[f"whole_us_{size}"] = _median_us(_whole(case, stream))
        order = _asking(case, stream, lambda decision: len(decision.targets))
        report[f"order_us_{size}"] = _median_us(order)
        report[f"explain_us_{size}"] = _median_us(_asking(case, stream, Decision.to_dict))
    pauses = cases[f"random {_LARGE}"].run(stream, _PAUSE)
    return {**report, f"after_tick_us_{_LARGE}": _us(statistics.median(pauses))}


def _whole(case: Case, stream: Stream) -> Iterator[Callable[[], object]]:
    for request, _ in stream:
        yield partial(case.decide, request, None)


def _asking(
    case: Case, stream: Stream, ask: Callable[[Decision], object]
) -> Iterator[Callable[[], object]]:
    for request, facts in stream:
        decision = case.decide(request, facts)
        yield partial(ask, decision)
        case.traffic.follow(request, decision.winner)


def _reading_facts(count: int) -> Iterator[Callable[[], object]]:
    draw = Random(3)  # noqa: S311
    for _ in range(count):
        yield partial(_read_facts, Request.of(prompt(draw, 2_000)))


def _read_facts(request: Request) -> None:
    facts = Facts(request)
    for name in _READ_FACTS:
        getattr(facts, name)


def _routing(count: int) -> Iterator[Callable[[], object]]:
    draw = Random(4)  # noqa: S311
    router = Router.load(data_root(), environment={})
    for _ in range(count):
        yield partial(_route, router, prompt(draw, 2_000))


def _route(router: Router, text: str) -> None:
    _ = router.decide(text, tags=["code"], assume_usable=True).winner


def _resident_mb() -> float:
    """Return the resident size in MB: the present one on Linux, elsewhere the peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return pages * resource.getpagesize() / 2**20


def _build() -> None:
    """Print milliseconds to compile and to decide first, and megabytes, of this fresh process."""
    stream = requests(100, 5)
    gc.collect()
    before = _resident_mb()
    targets = fleet("random", _LARGE)
    source = policy_source("bench", {"bench": policy("random", 50)})
    start = time.perf_counter()
    compiled = Policy(source).compile(targets)
    compile_ms = (time.perf_counter() - start) * 1000
    traffic = Traffic(targets, _RATE)
    times = []
    for request in stream:
        around = traffic.around()
        start = time.perf_counter()
        winner = decide(compiled, request, around).winner
        times.append((time.perf_counter() - start) * 1000)
        traffic.follow(request, winner)
    gc.collect()
    print(json.dumps([compile_ms, times[0], _resident_mb() - before]))


def _built() -> dict[str, float]:
    command = [sys.executable, __file__, "--build"]
    rows = []
    for _ in range(_PROCESSES):
        out = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append(json.loads(out.stdout))
    names = ("compile_ms", "first_decision_ms", "memory_mb")
    medians = (statistics.median(column) for column in zip(*rows, strict=True))
    return {f"{name}_{_LARGE}": round(value, 1) for name, value in zip(names, medians, strict=True)}


def _table(report: dict[str, float]) -> None:
    print(f"{'µs':38}{'p50':>10}{'p99':>11}{'cpu p99':>11}{'mean':>11}{'ratio':>9}")
    shown = set()
    for key in [key for key in report if "p50_us_" in key]:
        name = key.replace("_p50_us_", " ").replace("p50_us_", "random ")
        short = name.removeprefix("litellm_").replace("_based_routing", "").replace(" ", "_")
        keys = [key, *(key.replace("p50", other) for other in ("p99", "cpu_p99", "mean"))]
        keys.append(f"ratio_{short}" if key.startswith("litellm_") else "")
        cells = [f"{report[key]:,.1f}" if key in report else "" for key in keys]
        print(f"{name:38}{cells[0]:>10}{cells[1]:>11}{cells[2]:>11}{cells[3]:>11}{cells[4]:>9}")
        shown.update(keys)
    for key in [key for key in report if key not in shown]:
        print(f"{key:38}{report[key]:10,.1f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=8, help="passes after the first (8)")
    parser.add_argument("--requests", type=int, default=240, help="requests in a pass (240)")
    parser.add_argument("--without-litellm", action="store_true", help="leave LiteLLM out")
    parser.add_argument("--build", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _circumstances(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "rounds": options.rounds,
        "requests": options.requests,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "facts_read": _READ_FACTS,
        "python": sys.version.split()[0],
    }


def main() -> None:
    options = _options()
    if options.build:
        _build()
        return
    report: dict[str, Any] = _built()
    theirs = [] if options.without_litellm else routers(_SIZES)
    gc.collect()
    gc.freeze()
    cases = _cases()
    asyncio.run(_rounds(cases, theirs, options.rounds, options.requests))
    report = _our_report(cases) | _their_report(cases, theirs) | report
    report |= _after_use(cases, _stream(60, 99))
    report["facts_us_2000"] = _median_us(_reading_facts(400))
    report["router_decide_us"] = _median_us(_routing(400))
    _table(report)
    print(json.dumps({**report, **_circumstances(options)}))


if __name__ == "__main__":
    main()
