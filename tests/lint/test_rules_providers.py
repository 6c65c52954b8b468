"""Rules over providers, their models and prices."""

from __future__ import annotations

import pytest

from tests.lint.rulecase import found, project

HEAD = """\
provider: x
locality: cloud
endpoint: {transport: http, protocol: openai-chat, base_url: "https://api.openai.com/v1"}
"""
LOCAL = """\
provider: x
locality: local
endpoint: {transport: http, protocol: openai-chat, base_url: "http://127.0.0.1:8000/v1"}
"""
COST = 'cost: {input: 1, output: 2, source: list, date: "2026-11-01"}'


def _models(*lines: str, head: str = HEAD) -> str:
    """Return a provider whose models (m, k) stand on one line each, from line 5 on."""
    named = zip("mk", lines, strict=False)
    return head + "models:\n" + "".join(f"  - {{model: {name}, {line}}}\n" for name, line in named)


def _cost(rest: str) -> str:
    """Return a provider with one price, which begins at line 5, column 22."""
    return _models(f"cost: {{{rest}}}")


# rule, provider file, places (line, column), a part of message or help
WRONG = [
    ("limit-conflict", _models("context_window: 8000, max_output: 16000"), [(5, 50)], "8000"),
    ("limit-conflict", _models("max_output: 100, typical_output: 500"), [(5, 49)], "max_output"),
    (
        "limit-conflict",
        HEAD + "defaults: {max_output: 9000}\nmodels: [{model: m, context_window: 10}]\n",
        [(5, 37)],
        "context_window",
    ),
    (
        "timeout-conflict",
        HEAD[:-2] + ", timeouts: {first_token: 90s, total: 1m}}\n"
        f"models: [{{model: m, {COST}}}]\n",
        [(3, 115)],
        "60 s",
    ),
    (
        "timeout-conflict",
        HEAD[:-2] + f", timeouts: {{idle: 700}}}}\nmodels: [{{model: m, {COST}}}]\n",
        [(3, 108)],
        "600 s",
    ),
    (
        "timeout-conflict",
        HEAD[:-2] + f", timeouts: {{connect: 5s, total: 2}}}}\nmodels: [{{model: m, {COST}}}]\n",
        [(3, 111)],
        "2 s",
    ),
    (
        "capability-conflict",
        _models("capabilities: {forced_tool_choice: true}"),
        [(5, 51)],
        "tools",
    ),
    (
        "capability-conflict",
        _models("capabilities: {tools: true}, wire: {reject: [tools]}"),
        [(5, 61)],
        "tools: false",
    ),
    ("capability-conflict", _models("wire: {with_tools: {a: 1}}"), [(5, 23)], "with_tools: {}"),
    ("capabilities-none", _models("context_window: 10"), [(5, 13)], "no capability"),
    ("capabilities-none", _models("capabilities: {}"), [(5, 13)], "streaming: true"),
    ("capabilities-none", _models("capabilities: {tools: false}"), [(5, 13)], "no capability"),
    ("price-missing", _models("capabilities: {tools: true}"), [(5, 13)], "unknown"),
    ("price-missing", _models("locality: cloud", head=LOCAL), [(5, 13)], "unknown"),
    ("price-missing", _models(COST, "upstream: a"), [(6, 13)], "unknown"),
    ("price-conflict", _cost("input: 1, output: 2, cache_read: 3"), [(5, 56)], "at most input"),
    (
        "price-conflict",
        _cost("input: 2, output: 4, tiers: [{above: 10, input: 1, output: 4}]"),
        [(5, 71)],
        "wrong way",
    ),
    (
        "price-conflict",
        _cost(
            "input: 1, output: 2, tiers: [{above: 9, input: 1, output: 2}, "
            "{above: 9, input: 3, output: 4}]"
        ),
        [(5, 93)],
        "never holds",
    ),
    (
        "price-conflict",
        _models(
            "context_window: 100, cost: {input: 1, output: 2, "
            "tiers: [{above: 100, input: 1, output: 2}]}"
        ),
        [(5, 81)],
        "window is 100",
    ),
    ("price-output", _cost("input: 10, output: 2"), [(5, 42)], "exchanged"),
    ("price-output", _cost("input: 1, output: 0"), [(5, 41)], "exchanged"),
    ("price-output", _cost("input: 0.5, output: 0.25"), [(5, 43)], "0.25"),
    ("price-scale", _cost("input: 0.000002, output: 0.00001"), [(5, 30), (5, 48)], "per token"),
    ("price-scale", _cost("input: 0.003, output: 0.015"), [(5, 30), (5, 45)], "1,000 tokens"),
    ("price-scale", _cost("input: 3000000, output: 5000000"), [(5, 30), (5, 47)], "no model"),
    ("price-scale", _cost("input: 1, output: 2, cache_read: 0.00005"), [(5, 56)], "write 50"),
    ("price-stale", _cost('input: 1, output: 2, date: "2026-05-25"'), [(5, 50)], "181 days"),
    ("price-stale", _cost("input: 1, output: 2"), [(5, 16)], "nothing says when"),
    ("price-stale", _cost('input: 1, output: 2, date: "2026-11-23"'), [(5, 50)], "to come"),
    (
        "price-expired",
        _cost('input: 1, output: 2, valid_until: "2026-11-21"'),
        [(5, 57)],
        "unknown",
    ),
    ("price-expired", _cost('input: 1, output: 2, valid_from: "2026-11-23"'), [(5, 56)], "from"),
    (
        "price-expired",
        HEAD + 'defaults: {cost: {input: 1, output: 2, valid_until: "2020-01-01"}}\n'
        "models: [{model: m}, {model: k}]\n",
        [(4, 53)],
        "2020-01-01",
    ),
    ("price-locality", _cost("input: 0, output: 0"), [(5, 16)], "costs nothing"),
    ("price-locality", _models("cost: {input: 1, output: 2}", head=LOCAL), [(5, 16)], "local"),
    (
        "price-locality",
        _models("cost: {input: 0, output: 0, per_request: 1}", head=LOCAL),
        [(5, 16)],
        "local",
    ),
    (
        "quality-figure",
        _models('quality: {default: 1, source: s, date: "2026-01-01"}'),
        [(5, 35)],
        "perfect",
    ),
    (
        "quality-figure",
        _models('quality: {code: 0, source: s, date: "2026-01-01"}'),
        [(5, 32)],
        "useless",
    ),
    (
        "quality-figure",
        HEAD + 'defaults: {quality: {default: 0.5, source: s, date: "2026-01-01"}}\n'
        "models: [{model: m}, {model: k}]\n",
        [(4, 12)],
        "same figures",
    ),
]
RIGHT = [
    ("limit-conflict", _models("context_window: 8000, max_output: 8000")),
    ("limit-conflict", _models("max_output: 16000")),
    ("limit-conflict", _models("context_window: 9, max_output: 8, typical_output: 8")),
    (
        "timeout-conflict",
        HEAD[:-2] + ", timeouts: {first_token: 90s, total: 90}}\n"
        f"models: [{{model: m, {COST}}}]\n",
    ),
    (
        "timeout-conflict",
        HEAD[:-2] + f", timeouts: {{idle: 10m}}}}\nmodels: [{{model: m, {COST}}}]\n",
    ),
    ("timeout-conflict", _models(COST)),
    ("capability-conflict", _models("capabilities: {tools: true, forced_tool_choice: true}")),
    ("capability-conflict", _models("wire: {with_tools: {}, reject: [tools, stop]}")),
    (
        "capability-conflict",
        HEAD + "discover: {}\ndefaults: {capabilities: {forced_tool_choice: true}}\n",
    ),
    ("capabilities-none", _models("capabilities: {streaming: false}")),
    ("capabilities-none", HEAD + "defaults: {capabilities: {tools: true}}\nmodels: [{model: m}]\n"),
    ("capabilities-none", HEAD + "discover: {}\nmodels: [{model: m}]\n"),
    ("price-missing", _models("capabilities: {tools: true}", head=LOCAL)),
    ("price-missing", HEAD + f"defaults: {{{COST}}}\nmodels: [{{model: m}}]\n"),
    ("price-missing", HEAD + "discover: {}\n"),
    ("price-conflict", _cost("input: 1, output: 2, cache_read: 1, cache_write: 1.25")),
    (
        "price-conflict",
        _cost(
            "input: 2, output: 4, tiers: [{above: 20, input: 2, output: 8}, "
            "{above: 10, input: 2, output: 6}]"
        ),
    ),
    ("price-conflict", _cost("input: 0, output: 0, cache_read: 0")),
    ("price-output", _cost("input: 1, output: 1")),
    ("price-output", _cost("input: 0, output: 0")),
    ("price-output", _cost("input: 1, output: 1.01")),
    ("price-scale", _cost("input: 0.02, output: 0.02")),
    ("price-scale", _cost("input: 0, output: 0.004")),
    ("price-scale", _cost("input: 150, output: 600")),
    ("price-stale", _cost('input: 1, output: 2, date: "2026-05-26"')),
    ("price-stale", _cost("input: 0, output: 0")),
    ("price-stale", _cost('input: 1, output: 2, date: "2026-11-22"')),
    ("price-expired", _cost('input: 1, output: 2, valid_until: "2026-11-22"')),
    ("price-expired", _cost('input: 1, output: 2, valid_from: "2026-11-22"')),
    ("price-expired", _cost("input: 1, output: 2")),
    ("price-locality", _cost("input: 0, output: 0, source: free tier")),
    ("price-locality", _models("cost: {input: 1, output: 2, source: power}", head=LOCAL)),
    ("price-locality", _cost("input: 0, output: 0, per_request: 1")),
    ("quality-figure", _models('quality: {default: 0.99, source: s, date: "2026-01-01"}')),
    (
        "quality-figure",
        HEAD + 'defaults: {quality: {default: 0.5, source: s, date: "2026-01-01"}}\n'
        "models: [{model: m}]\n",
    ),
    ("quality-figure", _models('quality: {source: s, date: "2026-01-01"}')),
]


@pytest.mark.parametrize(("name", "text", "places", "part"), WRONG)
def test_what_is_wrong_is_found_at_its_place(name, text, places, part, tmp_path):
    items = found(tmp_path, name, {"providers.d/x.yaml": text})
    assert [(item.line, item.col) for item in items] == places
    assert all(item.file.endswith("x.yaml") and item.rule == name for item in items)
    assert part in f"{items[0].message} {items[0].help}"


@pytest.mark.parametrize(("name", "text"), RIGHT)
def test_what_is_right_is_left_alone(name, text, tmp_path):
    assert "x" in project(tmp_path, {"providers.d/x.yaml": text}).providers
    assert found(tmp_path, name, {"providers.d/x.yaml": text}) == []


def _endpoint(rest: str, transport: str = "http") -> str:
    command = "command: [run]" if transport == "process" else "base_url: https://a.example.com"
    base = command if "base_url" not in rest else ""
    return (
        "provider: x\nlocality: cloud\nendpoint:\n"
        f"  transport: {transport}\n  protocol: openai-chat\n"
        + (f"  {base}\n" if base else "")
        + f"  {rest}\nmodels: [{{model: m, {COST}}}]\n"
    )


KEY = "sk-test-" + "a1" * 10


@pytest.mark.parametrize(
    ("text", "column", "part"),
    [
        (_endpoint(f"headers: {{x-custom: {KEY}}}"), 23, "key of a service"),
        (_endpoint("headers: {x-session-token: abc}"), 30, "x-session-token"),
        (_endpoint("headers: {x-a: Bearer abcdefgh12345}"), 18, "credential"),
        (_endpoint("body: {api_key: abc}"), 19, "api_key"),
        (_endpoint(f"body: {{a: {{b: [{'AIza' + 'b' * 35}]}}}}"), 18, "key of a service"),
        (_endpoint("environment: {A_API_KEY: abc}", "process"), 28, "pass_environment"),
        (_endpoint(f"environment: {{A: {'ghp_' + 'c' * 36}}}", "process"), 20, "pass_environment"),
        (_endpoint("base_url: https://a.example.com/v1?key=abc"), 13, "carries a key"),
    ],
)
def test_secrets_in_plain_text_are_found(text, column, part, tmp_path):
    items = found(tmp_path, "secret-plain", {"providers.d/x.yaml": text})
    refused = "?key=" in text or "x-session-token" in text  # loading leaves nothing to lint
    if refused and not items:
        assert "x" not in project(tmp_path, {"providers.d/x.yaml": text}).providers
        return
    (item,) = items
    assert item.col == column
    assert part in f"{item.message} {item.help}"
    assert KEY not in str(item)


@pytest.mark.parametrize(
    "text",
    [
        _endpoint("auth: {bearer: env:SOME_KEY}"),
        _endpoint("headers: {anthropic-version: '2023-06-01'}"),
        _endpoint("body: {max_tokens: 5, key: value, tokens: all}"),
        _endpoint("environment: {NO_COLOR: '1', TOKENIZERS_PARALLELISM: 'false'}", "process"),
        _endpoint("pass_environment: [A_API_KEY]", "process"),
        _endpoint("headers: {x-note: task-sk-abcdefghijklmnop}"),
    ],
)
def test_what_is_no_secret_is_left_alone(text, tmp_path):
    assert "x" in project(tmp_path, {"providers.d/x.yaml": text}).providers
    assert found(tmp_path, "secret-plain", {"providers.d/x.yaml": text}) == []
