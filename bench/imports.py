"""What a start costs: importing llmroute, loading the shipped files, deciding, and a cold CLI.

    python bench/imports.py [RUNS]

Each figure is the median over fresh processes; the last line is one JSON object. Times are in
milliseconds, memory is the peak resident size in MB of a process that did only that.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time

_RSS = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
_IMPORT = f"""
import time
start = time.perf_counter()
import llmroute
print((time.perf_counter() - start) * 1000)
{_RSS}
"""
_LOAD = f"""
import time
import llmroute
start = time.perf_counter()
router = llmroute.Router.load(llmroute.config.shipped.data_root())
loaded = time.perf_counter()
router.decide("What is the capital of Austria?")
print((loaded - start) * 1000)
print((time.perf_counter() - loaded) * 1000)
{_RSS}
""".replace("import llmroute\n", "import llmroute, llmroute.config.shipped\n")
_DECIDE = [sys.executable, "-m", "llmroute.cli", "decide", "--json", "--assume-usable", "hi"]
_BARE = f"print(0)\n{_RSS}"


def python(code: str) -> list[float]:
    """Run code in a fresh interpreter and return the numbers that it prints."""
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return [float(line) for line in out.stdout.split()]


def medians(code: str, runs: int) -> list[float]:
    """Return the median of each printed number over fresh processes, after one warm-up."""
    python(code)
    rows = [python(code) for _ in range(runs)]
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def command(argv: list[str], runs: int) -> float:
    """Return the median wall time of a command in milliseconds, after one warm-up."""
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(argv, check=False, capture_output=True)
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times[1:])


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    _, bare_mb = medians(_BARE, runs)
    import_ms, import_mb = medians(_IMPORT, runs)
    load_ms, decide_ms, load_mb = medians(_LOAD, runs)
    result = {
        "import_ms": round(import_ms, 1),
        "import_mb": round(import_mb, 1),
        "load_ms": round(load_ms, 1),
        "first_decide_ms": round(decide_ms, 1),
        "load_and_decide_ms": round(load_ms + decide_ms, 1),
        "loaded_mb": round(load_mb, 1),
        "bare_python_mb": round(bare_mb, 1),
        "cli_decide_cold_ms": round(command(_DECIDE, runs), 1),
        "runs": runs,
        "python": sys.version.split()[0],
        "cores": os.cpu_count(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
