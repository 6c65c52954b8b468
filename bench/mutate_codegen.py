"""Seed faults into the expression compiler; the tests and a short fuzz must catch each one.

    python bench/mutate_codegen.py [--cases N]

A fault is a small replacement in codegen.py or runtime.py, loaded as modules of their own.
Checks are the hand-written cases, the compliance suite where it is present, data of other types
than JSON's, and N fuzzed cases (default 20,000). The last line is one JSON object; status 1 if a
fault went unseen.
"""

from __future__ import annotations

import argparse
import json
import sys
import types
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import jmespath

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.fuzz_expressions import fuzz
from tests.policy.expressions.jmespath_cases import odd
from tests.policy.expressions.jmespath_cases.compare import (
    Compiler,
    difference,
    own_cases,
    suite_cases,
)

_POLICY = Path(__file__).resolve().parent.parent / "llmroute" / "policy"
_PACKAGE = "llmroute.policy"
#: (module, source, its faulty replacement)
FAULTS = (
    ("codegen", '_SAME_TRUTH = frozenset({"flag",', '_SAME_TRUTH = frozenset({"number", "flag",'),
    ("codegen", '(str, list, dict), "other"', '(str, list, dict), "flag"'),
    (
        "codegen",
        "except AttributeError:\\n  pass\\n return {cautious}(v)",
        "except AttributeError:\\n  return None",
    ),
    ("codegen", "self._trusting = False\n        if not", "self._trusted = 0\n        if not"),
    ("codegen", "is dict else _field({again}, {name})", "is dict else None"),
    ("codegen", "if source is not _VALUE:", "if False:"),
    ("codegen", 'if of_map else "_items"', 'if not of_map else "_items"'),
    ("codegen", 'if not rest and right["type"]', 'if right["type"]'),
    ("codegen", "if r is not None:", "if r:"),
    ("codegen", "if items is None:\\n  return None", "if items is None:\\n  return []"),
    ("codegen", "(None if v is None else [{inside}])", "[{inside}]"),
    ("codegen", "(None if v is None else {{{inside}}})", "{{{inside}}}"),
    ("codegen", 'word = "or" if is_or else "and"', 'word = "and" if is_or else "or"'),
    ("codegen", "(name, right.text) if is_or else (right.text, name)", "(name, right.text)"),
    ("codegen", "left.kind if left.kind == right.kind else kind", "left.kind"),
    ("codegen", "{again} is False or _negated({again})", "{again} is False or True"),
    ("codegen", 'f"(not {self._equality(left, right)})"', "self._equality(left, right)"),
    ("codegen", 'if "other" in (left.kind, right.kind)', 'if "any" in (left.kind, right.kind)'),
    ("codegen", "is not {bool(value)})", "is not {not bool(value)})"),
    ("codegen", "and value in (0, 1):", "and value in (1, 2):"),
    (
        "codegen",
        'return f"({left.text} is {right.text})"',
        'return f"({left.text} == {right.text})"',
    ),
    (
        "codegen",
        'if left.kind == right.kind == "number":',
        'if "number" in (left.kind, right.kind):',
    ),
    ("codegen", '"lte": "<="', '"lte": "<"'),
    ("codegen", "type({first}) is int or type({again}) is float", "type({first}) is not None"),
    ("codegen", "_{operator}({left.text}, {right.text})", "_{operator}({right.text}, {left.text})"),
    ("codegen", 'name != "contains" and type(wanted) is not str', "False"),
    ("codegen", '"type({0}) is list or type({1}) is str"', '"type({0}) is not dict"'),
    (
        "codegen",
        '"{1}.endswith({2})", "type({0}) is str"',
        '"{1}.startswith({2})", "type({0}) is str"',
    ),
    ("codegen", "is not None and {name} is not False and _is_true({name})", "is False"),
    ("codegen", "math.isfinite(value)", "True"),
    ("codegen", "self._loops: dict[int, str] = {}", "self._loops = self._known"),
    ("runtime", "except IndexError:", "except KeyError:"),
    (
        "runtime",
        "except AttributeError:\n        return None\n\n\ndef _index",
        "except KeyError:\n        return None\n\n\ndef _index",
    ),
    ("runtime", "if value.__class__ in _FIELDLESS:", "if True:"),
    ("runtime", "merged.extend(element)", "merged.append(element)"),
    ("runtime", "return value[part] if isinstance(value, list) else None", "return value[part]"),
    ("runtime", "[item for item in items if item is not None]", "list(items)"),
    ("runtime", "return False if _is_zero_or_one(y) else x == y", "return x == y"),
    ("runtime", "return False if _is_zero_or_one(x) else x == y", "return x == y"),
    (
        "runtime",
        "return isinstance(value, Number) and not isinstance(value, bool)",
        "return isinstance(value, Number)",
    ),
    ("runtime", "isinstance(x, str)) and", "False) and"),
    ("runtime", "return x >= y if", "return x > y if"),
    ("runtime", 'return not (value == "" or value == []', "return not (value == []"),
    ("runtime", "_is_number(value) and value == 0", "False"),
    (
        "runtime",
        "_SIZED: frozenset[Any] = frozenset({str,",
        "_SIZED: frozenset[Any] = frozenset({str, tuple, bytes,",
    ),
    (
        "runtime",
        "if value is not None:\n            return value",
        "if value:\n            return value",
    ),
    ("runtime", "None if values else _call", "None if True else _call"),
    ("runtime", 'dict: "object",', 'dict: "map",'),
    ("runtime", "value if isinstance(value, list) else [value]", "[value]"),
    ("runtime", "return math.ceil(value)", "return math.floor(value)"),
    ("runtime", "<= _NUMBERS", "<= _NUMBERS | {bool}"),
    ("runtime", "sum(values) if _are_numbers(values)", "sum(values) if True"),
    (
        "runtime",
        "max(values) if values and _are_numbers(values)",
        "max(values) if _are_numbers(values)",
    ),
    (
        "runtime",
        "[function(value) for value in values]",
        "[function(value) for value in values if value]",
    ),
    ("runtime", '("contains", 2)', '("contains", 3)'),
    ("runtime", '("length", 1): ("_length", "number")', '("length", 1): ("_length", "flag")'),
)


def _mutated(module: str, old: str, new: str) -> Compiler:
    """Return the compiler with one fault."""
    sources = {name: (_POLICY / f"{name}.py").read_text("utf-8") for name in ("runtime", "codegen")}
    if sources[module].count(old) != 1:
        raise SystemExit(f"{sources[module].count(old)} places for the fault {old!r} in {module}")
    sources[module] = sources[module].replace(old, new)
    loaded = {f"{_PACKAGE}.{name}": types.ModuleType(f"{_PACKAGE}.{name}") for name in sources}
    with mock.patch.dict(sys.modules, loaded):
        for name, source in sources.items():
            code = compile(source, f"{name}.py", "exec")
            exec(code, vars(loaded[f"{_PACKAGE}.{name}"]))  # noqa: S102 - our own source
    compiler: Compiler = vars(loaded[f"{_PACKAGE}.codegen"])["compile_expression"]
    return compiler


def _cases() -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    for given, text, _ in own_cases():
        yield "cases", jmespath.compile(text).parsed, given
    for parsed, given in suite_cases():
        yield "suite", parsed.parsed, given
    for text in odd.TEXTS:
        for value in odd.VALUES:
            yield "odd data", jmespath.compile(text).parsed, value


def _caught_by(compiler: Compiler, cases: list[tuple[str, Any, Any]], fuzzed: int) -> list[str]:
    """Return which of the checks see a difference, or a crash of the compiler."""
    seen = {name for name, tree, given in cases if _differs(compiler, tree, given)}
    try:
        if fuzz(compiler, fuzzed, seed=11):
            seen.add("fuzz")
    except Exception:  # noqa: BLE001 - a compiler that breaks is caught
        seen.add("fuzz")
    return sorted(seen)


def _differs(compiler: Compiler, tree: Mapping[str, Any], given: Any) -> bool:
    try:
        return difference(compiler, tree, given) is not None
    except Exception:  # noqa: BLE001 - a compiler that breaks is caught
        return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    cases = list(_cases())
    counts, missed = {"cases": 0, "suite": 0, "odd data": 0, "fuzz": 0}, []
    for module, old, new in FAULTS:
        caught = _caught_by(_mutated(module, old, new), cases, options.cases)
        for name in caught:
            counts[name] += 1
        if not caught:
            missed.append(f"{module}: {old!r} -> {new!r}")
        print(f"{', '.join(caught) or 'MISSED':20} {module}: {old!r} -> {new!r}")
    print(json.dumps({"faults": len(FAULTS), "missed": missed, "caught_by": counts}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
