"""Rules over prices of caches and tiers, and over figures of quality."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lint.rulecase import found

HEAD = """\
provider: x
locality: cloud
endpoint: {transport: http, protocol: openai-chat, base_url: "https://api.openai.com/v1"}
models:
"""


def _cost(rest: str) -> str:
    """Return a provider with one price, on line 5; what is in its braces begins at column 23."""
    return f"{HEAD}  - {{model: m, cost: {{{rest}}}}}\n"


def _quality(rest: str) -> str:
    """Return a provider with figures of one model; the key stands in line 5, column 16."""
    return f"{HEAD}  - {{model: m, quality: {{{rest}}}, cost: {{input: 1, output: 2}}}}\n"


# rule, provider file, place (line, column), a part of message or help
WRONG = [
    ("price-cache", _cost("input: 1, output: 2, cache_read: 3, cache_write: 2"), (5, 72), "read"),
    (
        "price-cache",
        _cost("input: 1, output: 2, cache_write: 2, cache_write_1h: 1.25"),
        (5, 76),
        "less than the shorter one (2)",
    ),
    ("price-cache", _cost("input: 1, output: 2, cache_write_1h: 2"), (5, 44), "plain input"),
    (
        "price-cache",
        _cost(
            "input: 1, output: 2, "
            "tiers: [{above: 9, input: 1, output: 2, cache_write: 2, cache_write_1h: 1}]"
        ),
        (5, 116),
        "exchanged",
    ),
    (
        "price-tier",
        _cost("input: 1, output: 2, cache_read: 0.1, tiers: [{above: 9, input: 2, output: 4}]"),
        (5, 70),
        "m has no cache_read",
    ),
    (
        "price-tier",
        _cost(
            "input: 1, output: 2, cache_read: 0.1, cache_write: 1, "
            "tiers: [{above: 9, input: 2, output: 4}]"
        ),
        (5, 86),
        "no cache_read and no cache_write",
    ),
    ("quality-default", _quality('code: 0.7, source: s, date: "2026-11-01"'), (5, 16), "but code"),
    (
        "quality-default",
        _quality('defualt: 0.7, source: s, date: "2026-11-01"'),
        (5, 26),
        'did you mean "default"?',
    ),
]
RIGHT = [
    ("price-cache", _cost("input: 1, output: 2, cache_read: 0.1, cache_write: 1.25")),
    ("price-cache", _cost("input: 1, output: 2, cache_write: 2, cache_write_1h: 2")),
    ("price-cache", _cost("input: 1, output: 2")),
    ("price-tier", _cost("input: 1, output: 2, tiers: [{above: 9, input: 2, output: 4}]")),
    (
        "price-tier",
        _cost(
            "input: 1, output: 2, cache_read: 0.1, "
            "tiers: [{above: 9, input: 2, output: 4, cache_read: 0.2, cache_write: 3}]"
        ),
    ),
    ("quality-default", _quality('default: 0.6, code: 0.7, source: s, date: "2026-11-01"')),
    ("quality-default", f"{HEAD}  - {{model: m, cost: {{input: 1, output: 2}}}}\n"),
    (
        "quality-default",
        HEAD.replace(
            "models:", "defaults: {quality: {default: 0.5, source: s, date: '2026-11-01'}}"
        )
        + "models: [{model: m, quality: {code: 0.7}, cost: {input: 1, output: 2}}]\n",
    ),
]


@pytest.mark.parametrize(("rule", "text", "place", "part"), WRONG)
def test_a_fault_is_found_in_its_place(
    tmp_path: Path, rule: str, text: str, place: tuple[int, int], part: str
) -> None:
    (item,) = found(tmp_path, rule, {"providers.d/x.yaml": text})
    assert (item.line, item.col) == place
    assert part in f"{item.message} {item.help}"
    assert item.severity == "warning"


@pytest.mark.parametrize(("rule", "text"), RIGHT)
def test_what_is_right_is_left_alone(tmp_path: Path, rule: str, text: str) -> None:
    assert found(tmp_path, rule, {"providers.d/x.yaml": text}) == []
