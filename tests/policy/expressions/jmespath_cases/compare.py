"""Judge a compiled expression by jmespath.py's interpreter: same result or same error.

Shared by the tests and by `bench/fuzz_expressions.py` and `bench/mutate_codegen.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jmespath
from jmespath.visitor import TreeInterpreter

Compiler = Callable[[Mapping[str, Any]], Callable[[Any], Any]]

HERE = Path(__file__).parent
#: The public compliance suite, where somebody keeps it beside the repository.
SUITE = HERE.parents[4] / "shared" / "jmespath-compliance"

_REFERENCE = re.compile(r"<[\w.]*_Expression object at 0x[0-9a-fA-F]+>")


def outcome(function: Callable[[Any], Any], value: Any) -> tuple[str, Any]:
    try:
        return "value", function(value)
    except Exception as exc:  # noqa: BLE001 - errors are what is compared
        return type(exc).__name__, _REFERENCE.sub("<&>", str(exc))


def same(a: Any, b: Any) -> bool:
    """Equality that tells 1, 1.0, true, 0.0 and -0.0 apart and holds nan equal to itself."""
    if type(a) is not type(b):
        return type(a).__name__ == type(b).__name__ == "_Expression"
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, str):
        return _REFERENCE.sub("<&>", a) == _REFERENCE.sub("<&>", b)
    return repr(a) == repr(b)


def difference(compiler: Compiler, tree: Any, *values: Any) -> str | None:
    """Return what a compiled tree does differently from the interpreter, None if nothing."""
    function = compiler(tree)
    for value in values:
        wanted = outcome(lambda data: TreeInterpreter().visit(tree, data), value)
        got = outcome(function, value)
        if wanted[0] != got[0] or not same(wanted[1], got[1]):
            return f"{tree}\non {value!r}\nwanted {wanted}\ngot    {got}"
    return None


def own_cases() -> Iterator[tuple[Any, str, Any]]:
    """Yield (data, expression, expected result or error class) of the hand-written cases."""
    for path in sorted(HERE.glob("*.json")):
        for group in json.loads(path.read_text(encoding="utf-8")):
            for expression, expected in group["cases"]:
                yield group["given"], expression, expected


def suite_cases() -> Iterator[tuple[Any, Any]]:
    """Yield (parsed expression, data) of every case of the compliance suite that parses."""
    for path in sorted(SUITE.glob("*.json")):
        for group in json.loads(path.read_text(encoding="utf-8")):
            for case in group["cases"]:
                try:
                    parsed = jmespath.compile(case["expression"])
                except jmespath.exceptions.JMESPathError:
                    continue
                yield parsed, group["given"]
