"""Random expressions on random data: compiled and interpreted results are the same."""

from __future__ import annotations

from random import Random

import jmespath
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from llmroute.policy.expressions.codegen import compile_expression
from tests.policy.expressions.jmespath_cases import generate
from tests.policy.expressions.jmespath_cases.compare import difference

TREES = 1_500
TEXTS = 1_000
SETTINGS = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from((0, 1, -0.0, 1.0, 10**30, "a", "b"))
)
_names = st.sampled_from(generate.NAMES)
_data = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_names, inner, max_size=5),
    max_leaves=25,
)


@pytest.mark.parametrize("seed", [1, 2])
def test_random_trees(seed):
    rng = Random(seed)
    for _ in range(TREES):
        values = [generate.data(rng) for _ in range(3)]
        assert difference(compile_expression, generate.tree(rng), *values) is None


@pytest.mark.parametrize("seed", [3, 4])
def test_random_texts(seed):
    rng = Random(seed)
    parsed = 0
    for _ in range(TEXTS):
        values = [generate.data(rng) for _ in range(3)]
        try:
            tree = jmespath.compile(generate.text(rng)).parsed
        except jmespath.exceptions.JMESPathError:
            continue
        parsed += 1
        assert difference(compile_expression, tree, *values) is None
    assert parsed > TEXTS * 0.7


@SETTINGS
@given(st.integers(min_value=0), _data)
def test_trees_on_any_json(seed, value):
    assert difference(compile_expression, generate.tree(Random(seed)), value) is None


@SETTINGS
@given(_data, _data, st.sampled_from(tuple(generate.COMPARATORS.values())))
def test_comparisons_of_any_json(left, right, operator):
    """Both as fields and, on either side, as a literal."""
    kind = {text: name for name, text in generate.COMPARATORS.items()}[operator]
    fields = [{"type": "field", "children": [], "value": name} for name in "lr"]
    values = [{"type": "literal", "children": [], "value": value} for value in (left, right)]
    for sides in (fields, [fields[0], values[1]], [values[0], fields[1]], values):
        tree = {"type": "comparator", "children": sides, "value": kind}
        assert difference(compile_expression, tree, {"l": left, "r": right}) is None


@SETTINGS
@given(_data, st.sampled_from(generate.FUNCTIONS))
def test_functions_of_any_json(value, name):
    argument = {"type": "current", "children": []}
    tree = {"type": "function_expression", "children": [argument], "value": name}
    assume(value is not None)
    assert difference(compile_expression, tree, value, [value], [value, value]) is None
