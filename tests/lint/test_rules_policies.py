"""Rules over the structure of policies."""

from __future__ import annotations

import pytest

from llmroute.lint.registry import run
from tests.lint.rulecase import found, project

PLAIN = "  - {name: a, weight: 10, prefer: price}\n"


def _policy(**files: str) -> dict[str, str]:
    return {f"policies/{name}.yaml": f"policy: {name}\n{text}" for name, text in files.items()}


def _places(items):
    return [(item.file.rsplit("/", 1)[-1], item.line, item.col) for item in items]


LET = "let:\n  used: facts.code\n  spare: facts.math\n"
# Each case: the rule, the files, and where it finds something.
WRONG = [
    (
        "let-unused",
        _policy(p=f"{LET}rules:\n  - {{name: a, weight: 1, when: used, prefer: price}}\n"),
        [("p.yaml", 4, 3)],
    ),
    ("let-unused", _policy(p=f"{LET}rules:\n{PLAIN}"), [("p.yaml", 3, 3), ("p.yaml", 4, 3)]),
    (
        "let-unused",
        _policy(
            p=f"{LET}rules:\n{PLAIN}",
            q="extends: p\nrequire:\n  - {name: b, when: used, target: target.id}\n",
        ),
        [("p.yaml", 4, 3)],
    ),
    (
        "weight-zero",
        _policy(p="rules:\n  - {name: a, weight: 0, prefer: price}\n"),
        [("p.yaml", 3, 23)],
    ),
    (
        "weight-zero",
        _policy(p="rules:\n  - {name: a, weight: 0.0, prefer: price}\n"),
        [("p.yaml", 3, 23)],
    ),
    (
        "weight-zero",
        _policy(
            p=f"rules:\n{PLAIN}", q="extends: p\nrules:\n  - {name: b, weight: 0, prefer: price}\n"
        ),
        [("q.yaml", 4, 23)],
    ),
    (
        "rule-duplicate",
        _policy(p=f"rules:\n{PLAIN}  - {{name: b, weight: 3, prefer: price}}\n"),
        [("p.yaml", 4, 12)],
    ),
    (
        "rule-duplicate",
        _policy(
            p="rules:\n  - {name: a, weight: 1, prefer: target.id=='x'}\n"
            "  - {name: b, weight: 3, prefer: target.id == 'x'}\n"
        ),
        [("p.yaml", 4, 12)],
    ),
    (
        "rule-duplicate",
        _policy(
            p=f"rules:\n{PLAIN}", q="extends: p\nrules:\n  - {name: b, weight: 1, prefer: price}\n"
        ),
        [("q.yaml", 4, 12)],
    ),
    (
        "require-name",
        _policy(
            p="require:\n  - {name: x, target: target.id}\n",
            q="extends: p\nrequire:\n  - {name: x, target: target.model}\n",
        ),
        [("q.yaml", 4, 12)],
    ),
    (
        "require-name",
        {
            "llmroute.yaml": "require:\n  - {name: x, target: target.id}\n",
            **_policy(p="require:\n  - {name: x, target: target.model}\n"),
        },
        [("p.yaml", 3, 12)],
    ),
    (
        "require-name",
        {
            "llmroute.yaml": "require:\n  - {name: x, target: target.id}\n",
            **_policy(
                p=f"rules:\n{PLAIN}",
                q="extends: p\nrequire:\n  - {name: x, target: target.model}\n",
            ),
        },
        [("q.yaml", 4, 12)],
    ),
    (
        "weight-drowns",
        _policy(
            p="rules:\n  - {name: a, weight: 200, prefer: price}\n"
            "  - {name: b, weight: 10, prefer: quality}\n"
        ),
        [("p.yaml", 3, 23)],
    ),
    (
        "weight-drowns",
        _policy(
            p="rules:\n  - {name: a, weight: -300, prefer: price}\n"
            "  - {name: b, weight: 10, prefer: quality}\n"
        ),
        [("p.yaml", 3, 23)],
    ),
    (
        "weight-drowns",
        _policy(
            p="rules:\n  - {name: b, weight: 1, prefer: quality}\n",
            q="extends: p\nrules:\n  - {name: a, weight: 999, prefer: price}\n",
        ),
        [("q.yaml", 4, 23)],
    ),
    ("spread-drowns", _policy(p=f"rules:\n{PLAIN}select: {{spread: 10}}\n"), [("p.yaml", 4, 18)]),
    (
        "spread-drowns",
        _policy(
            p=f"rules:\n{PLAIN}  - {{name: b, weight: -5, prefer: quality}}\n"
            "select: {spread: 20}\n"
        ),
        [("p.yaml", 5, 18)],
    ),
    (
        "spread-drowns",
        _policy(p=f"rules:\n{PLAIN}", q="extends: p\nselect: {spread: 11}\n"),
        [("q.yaml", 3, 18)],
    ),
    (
        "tie-break-order",
        _policy(p=f"rules:\n{PLAIN}select: {{tie_break: [target, cost]}}\n"),
        [("p.yaml", 4, 30)],
    ),
    (
        "tie-break-order",
        _policy(p=f"rules:\n{PLAIN}select: {{tie_break: [cost, target, latency]}}\n"),
        [("p.yaml", 4, 36)],
    ),
    (
        "tie-break-order",
        _policy(p="select:\n  tie_break:\n    - target\n    - quality\n"),
        [("p.yaml", 5, 7)],
    ),
    (
        "test-cannot-fail",
        _policy(
            p="tests:\n  - {name: t, request: {prompt: a}, unavailable: [cloud], "
            "expect: {never: [cloud/small]}}\n"
        ),
        [("p.yaml", 3, 59)],
    ),
    (
        "test-cannot-fail",
        _policy(
            p="tests:\n  - {name: t, request: {prompt: a}, "
            "expect: {margin_at_least: 0, never: []}}\n"
        ),
        [("p.yaml", 3, 37)],
    ),
    (
        "test-cannot-fail",
        _policy(
            p="tests:\n  - {name: t, request: {prompt: a, route: {only: [home]}}, "
            "expect: {never: [cloud]}}\n"
        ),
        [("p.yaml", 3, 60)],
    ),
    (
        "unknown-target",
        _policy(p="tests:\n  - {name: t, request: {prompt: a}, expect: {never: [clud]}}\n"),
        [("p.yaml", 3, 54)],
    ),
    (
        "unknown-target",
        _policy(p="tests:\n  - {name: t, request: {prompt: a}, expect: {target: cloud/smal}}\n"),
        [("p.yaml", 3, 54)],
    ),
    (
        "unknown-target",
        _policy(
            p="tests:\n  - {name: t, request: {prompt: a}, live: {cloud/x: {}}, "
            "expect: {rejected: {moon: why}}}\n"
        ),
        [("p.yaml", 3, 78), ("p.yaml", 3, 44)],
    ),
]
RIGHT = [
    (
        "let-unused",
        _policy(
            p=f"{LET}rules:\n{PLAIN}",
            q="extends: p\nrules:\n  - {name: b, weight: 1, when: used && spare, prefer: price}\n",
        ),
    ),
    (
        "let-unused",
        _policy(p=f"{LET}rules:\n  - {{name: a, weight: 1, prefer: 'not_null(used, spare)'}}\n"),
    ),
    (
        "let-unused",
        _policy(
            p=f"{LET}rules:\n  - {{name: a, weight: 1, when: length(@) > `2`, prefer: price}}\n"
        ),
    ),
    (
        "weight-zero",
        _policy(
            p=f"rules:\n{PLAIN}", q="extends: p\nrules:\n  - {name: a, weight: 0, prefer: price}\n"
        ),
    ),
    ("weight-zero", _policy(p="rules:\n  - {name: a, weight: 0.001, prefer: price}\n")),
    ("weight-zero", _policy(p="rules:\n  - {name: a, weight: -1, prefer: price}\n")),
    (
        "rule-duplicate",
        _policy(p=f"rules:\n{PLAIN}  - {{name: b, weight: 3, when: facts.code, prefer: price}}\n"),
    ),
    (
        "rule-duplicate",
        _policy(
            p="rules:\n  - {name: a, weight: 1, prefer: {cost: {half: 1}}}\n"
            "  - {name: b, weight: 1, prefer: {cost: {half: 2}}}\n"
        ),
    ),
    (
        "rule-duplicate",
        _policy(
            p=f"rules:\n{PLAIN}", q="extends: p\nrules:\n  - {name: a, weight: 1, prefer: price}\n"
        ),
    ),
    (
        "require-name",
        _policy(
            p="require:\n  - {name: x, target: target.id}\n",
            q="require:\n  - {name: x, target: target.model}\n",
        ),
    ),
    (
        "require-name",
        _policy(
            p="require:\n  - {name: x, target: target.id}\nrules:\n"
            "  - {name: x, weight: 1, prefer: price}\n"
        ),
    ),
    ("require-name", _policy(p="require:\n  - {name: x, target: target.id}\n", q="extends: p\n")),
    (
        "weight-drowns",
        _policy(
            p="rules:\n  - {name: a, weight: 199, prefer: price}\n"
            "  - {name: b, weight: 10, prefer: quality}\n"
        ),
    ),
    (
        "weight-drowns",
        _policy(
            p="rules:\n  - {name: a, weight: 1000, prefer: price}\n"
            "  - {name: b, weight: 1, prefer: quality}\n"
        ),
    ),
    ("weight-drowns", _policy(p="rules:\n  - {name: a, weight: 1000, prefer: price}\n")),
    ("spread-drowns", _policy(p=f"rules:\n{PLAIN}select: {{spread: 9.999}}\n")),
    ("spread-drowns", _policy(p=f"rules:\n{PLAIN}")),
    (
        "spread-drowns",
        _policy(p="select: {spread: 5}\nrequire:\n  - {name: x, target: target.id}\n"),
    ),
    ("tie-break-order", _policy(p=f"rules:\n{PLAIN}select: {{tie_break: [cost, target]}}\n")),
    ("tie-break-order", _policy(p=f"rules:\n{PLAIN}select: {{tie_break: [target]}}\n")),
    ("tie-break-order", _policy(p=f"rules:\n{PLAIN}select: {{tie_break: [latency, quality]}}\n")),
    (
        "test-cannot-fail",
        _policy(
            p="tests:\n  - {name: t, request: {prompt: a}, unavailable: [home], "
            "expect: {never: [cloud, home]}}\n"
        ),
    ),
    (
        "test-cannot-fail",
        _policy(p="tests:\n  - {name: t, request: {prompt: a}, expect: {error: false}}\n"),
    ),
    (
        "test-cannot-fail",
        _policy(
            p="tests:\n  - {name: t, request: {prompt: a, route: {only: "
            "[cloud/small]}}, expect: {never: [cloud]}}\n"
        ),
    ),
    (
        "unknown-target",
        _policy(
            p="tests:\n  - {name: t, request: {prompt: a}, expect: {never: [home/llama3:8b]}}\n"
        ),
    ),
    (
        "unknown-target",
        _policy(
            p="tests:\n  - {name: t, request: {prompt: a}, unavailable: [home], "
            "expect: {order: [cloud/small]}}\n"
        ),
    ),
    (
        "unknown-target",
        _policy(
            p="tests:\n  - {name: t, request: {prompt: a, tags: [moon]}, "
            "expect: {provider: cloud}}\n"
        ),
    ),
]


@pytest.mark.parametrize(("name", "files", "places"), WRONG)
def test_what_is_wrong_is_found_at_its_place(name, files, places, tmp_path):
    items = found(tmp_path, name, files)
    assert _places(items) == places
    assert all(item.rule == name and item.help for item in items)


@pytest.mark.parametrize(("name", "files"), RIGHT)
def test_what_is_right_is_left_alone(name, files, tmp_path):
    made = project(tmp_path, files)
    assert {path[9:-5] for path in files if path.startswith("policies")} <= set(made.policies)
    assert found(tmp_path, name, files) == []


def test_the_small_workspace_itself_is_clean(tmp_path):
    items = run(project(tmp_path, {}))
    assert [item for item in items if item.rule not in ("price-drift", "model-retired")] == []
