"""Rules that evaluate policies: what they say, where, and what to do."""

from __future__ import annotations

import pytest

from llmroute.config.shipped import data_root
from llmroute.lint import lint
from llmroute.lint.registry import rules
from tests.lint.rulecase import found, policy_of

PROVIDER = """\
provider: NAME
locality: cloud
endpoint: {transport: http, protocol: openai-chat, base_url: "https://api.example.com/v1"}
models:
  - model: small
    context_window: 128000
    capabilities: {streaming: true}
    quality: {default: 0.5, source: list, date: "2026-11-01"}
    cost: {input: 1, output: 2, source: list, date: "2026-11-01"}
  - model: large
    context_window: 200000
    capabilities: {streaming: true, tools: true}
    quality: {default: 0.8, source: list, date: "2026-11-01"}
    cost: {input: 10, output: 40, source: list, date: "2026-11-01"}
"""
#: Analyses of prices and dates, which depend on the day and on what is installed.
_NOT_OURS = {"model-retired", "price-drift"}
#: Two providers of which nothing is discovered.
CLOSED = {f"providers.d/{name}.yaml": PROVIDER.replace("NAME", name) for name in ("cloud", "home")}


def _policy(text: str) -> dict[str, str]:
    return {"policies/p.yaml": f"policy: p\n{text}"}


def _all(root, name, files):
    return [
        (d.file.rsplit("/", 1)[-1], d.line, d.col, d.message, d.help)
        for d in found(root, name, files)
    ]


# Each case: the rule, where the expression stands, the expression, 0-based column of the finding
# in it and its length, and the message.
CONSTANT = [
    ("always-true", "when", "facts.tokens >= `0`", 0, 19, "this holds for every request"),
    ("always-true", "when", "facts.math || !(facts.tokens < `0`)", 14, 21, "this holds for every"),
    ("always-true", "let", "facts.words > `-1`", 0, 18, "this holds for every request"),
    (
        "always-true",
        "when",
        "facts.code && now.hour < `24`",
        14,
        15,
        "this holds for every request",
    ),
    (
        "always-true",
        "when",
        "facts.code || facts.math || !(facts.code)",
        0,
        41,
        "this holds for every request: facts.code and !(facts.code) leave out nothing",
    ),
    (
        "always-true",
        "target",
        "target.locality == 'local' || target.locality == 'cloud'",
        0,
        56,
        "this holds for every request and target: target.locality == 'local' and target.locality",
    ),
    ("always-false", "when", "now.hour >= `24`", 0, 16, "this holds for no request"),
    (
        "always-false",
        "when",
        "facts.code && (now.hour < `6` && now.hour > `22`)",
        15,
        33,
        "now.hour < `6` and now.hour > `22` exclude each other: this never holds",
    ),
    (
        "always-false",
        "when",
        "request.metadata.privacy == 'private' && request.metadata.privacy == 'public'",
        0,
        77,
        "request.metadata.privacy == 'private' and request.metadata.privacy == 'public' exclude",
    ),
    (
        "always-false",
        "when",
        "contains(request.tags, '(') && ((facts.code) && !(facts.code || facts.math))",
        33,
        41,
        "facts.code and !(facts.code || facts.math) exclude each other: this never holds",
    ),
    ("always-false", "prefer", "target.context_window < `1`", 0, 27, "this holds for no request"),
]


@pytest.mark.parametrize(("name", "place", "text", "column", "length", "message"), CONSTANT)
def test_constant_conditions(tmp_path, name, place, text, column, length, message):
    written, line, col = policy_of(place, text)
    items = found(tmp_path, name, {"policies/p.yaml": written})
    assert len(items) == 1, items
    assert (items[0].line, items[0].col) == (line, col + column)
    assert items[0].end_col - items[0].col == length
    assert items[0].message.startswith(message)


# What looks like it, and is none: it may vary, or is not certain, or another rule says more.
VARYING = [
    ("when", "contains(request.tags, ')') || !(facts.tokens > `5` && (facts.code))"),
    ("when", "facts.tokens > `0`"),
    ("when", "now.hour >= `23`"),
    ("when", "request.metadata.level != `1` || request.metadata.level != `2`", "always-false"),
    ("when", "starts_with(request.task, 'a') && starts_with(request.task, 'ab')"),
    ("when", "length(keys(request.metadata)) >= `0`"),
    ("when", "now.weekday == `8`"),
    ("when", "request.metadata.privacy == 'secret'"),
    ("prefer", "target.quality.code || `0.5`"),
    ("target", "target.locality == 'local'"),
    ("target", "target.provider == 'cloud' && target.model == 'small'"),
    ("when", "facts.code && `true`"),
]


@pytest.mark.parametrize("case", VARYING, ids=lambda case: case[1])
def test_what_is_not_certain_is_not_said(tmp_path, case):
    place, text, *names = case
    written, _, _ = policy_of(place, text)
    for name in names or ("always-true", "always-false"):
        assert found(tmp_path / name, name, {"policies/p.yaml": written}) == []


def test_a_let_that_is_constant_is_told_once(tmp_path):
    text = "let:\n  never: facts.tokens < `0`\nrules:\n"
    text += "  - {name: a, weight: 1, when: never && facts.code, prefer: price}\n"
    items = _all(tmp_path, "always-false", _policy(text))
    assert [item[:3] for item in items] == [("p.yaml", 3, 10)]


RULES = "rules:\n  - {name: a, weight: 10, when: FIRST, prefer: PREFER}\n"
RULES += "  - {name: b, weight: 2.5, when: SECOND, prefer: PREFER}\n"


def _two(first: str, second: str, prefer: str = "price") -> dict[str, str]:
    text = RULES.replace("FIRST", first).replace("SECOND", second).replace("PREFER", prefer)
    return _policy(text)


def test_rules_with_one_meaning_are_one_rule(tmp_path):
    files = _two("facts.tokens > `999`", '"!(facts.tokens < `1000`)"')
    assert _all(tmp_path, "rule-subsumed", files) == [
        (
            "p.yaml",
            4,
            12,
            '"a" and "b" prefer the same, whenever either applies',
            "make them one rule of weight 12.5, or mend one of them",
        )
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("facts.tokens > `999`", "facts.tokens > `1000`"),
        ("facts.code", "facts.code"),  # `rule-duplicate` says it
        ("request.messages[0].role == 'user'", "request.messages[0].role != 'system'"),
    ],
)
def test_rules_with_other_meanings_are_two(tmp_path, first, second):
    assert _all(tmp_path, "rule-subsumed", _two(first, second)) == []


REQUIRE = "require:\n  - {name: a, target: FIRST}\n  - {name: b, target: SECOND}\n"


def _required(first: str, second: str) -> dict[str, str]:
    return _policy(REQUIRE.replace("FIRST", first).replace("SECOND", second))


def test_a_requirement_that_another_covers(tmp_path):
    files = _required("target.context_window >= `100`", "target.context_window >= `200`")
    assert _all(tmp_path, "require-subsumed", files) == [
        (
            "p.yaml",
            3,
            12,
            '"a" rejects nobody whom "b" does not reject',
            "leave it out, or write what was meant",
        )
    ]


def test_of_two_equal_requirements_the_second_is_told(tmp_path):
    files = _required("target.locality == 'local'", "target.locality != 'cloud'")
    assert [item[:3] for item in _all(tmp_path, "require-subsumed", files)] == [("p.yaml", 4, 12)]


def test_the_workspace_covers_a_policy_and_not_the_other_way_round(tmp_path):
    settings = "require: [{name: home, target: target.locality == 'local'}]\n"
    text = "require:\n  - {name: a, when: facts.code, target: target.locality == 'local'}\n"
    files = {"llmroute.yaml": settings, **_policy(text)}
    items = _all(tmp_path, "require-subsumed", files)
    assert [item[:4] for item in items] == [
        ("p.yaml", 3, 12, '"a" rejects nobody whom "home" of the workspace does not reject')
    ]
    files = {
        "llmroute.yaml": settings.replace("{name: home,", "{name: home, when: facts.code,"),
        **_policy(text.replace("when: facts.code, ", "")),
    }
    assert _all(tmp_path / "other", "require-subsumed", files) == []


LABEL, PRIVATE = "request.metadata.privacy", "'private'"
UNMET = "require:\n  - name: a\n    when: request.metadata.privacy == 'private'\n"
UNMET += "    target: target.locality == 'local'\n"


def test_a_requirement_that_no_target_meets(tmp_path):
    assert _all(tmp_path, "require-unmet", {**CLOSED, **_policy(UNMET)}) == [
        (
            "p.yaml",
            5,
            13,
            f'no target meets "a": it refuses requests such as those with {LABEL} = {PRIVATE}',
            "add a target that meets it, or ask for less",
        )
    ]


def test_discovery_may_bring_a_target_that_meets_it(tmp_path):
    assert _all(tmp_path, "require-unmet", _policy(UNMET)) == []
    elsewhere = UNMET.replace("target.locality == 'local'", "target.provider == 'cloud' && FALSE")
    files = _policy(elsewhere.replace("FALSE", "target.model == 'large'"))
    assert len(_all(tmp_path / "other", "require-unmet", files)) == 1


def test_a_requirement_of_the_workspace_is_told_there(tmp_path):
    files = {
        **CLOSED,
        "llmroute.yaml": "require: [{name: a, target: target.locality == 'local'}]\n",
    }
    items = _all(tmp_path, "require-unmet", files)
    assert [item[:4] for item in items] == [
        ("llmroute.yaml", 1, 29, 'no target meets "a": it refuses every request')
    ]


def test_a_refusal_on_purpose_is_no_fault(tmp_path):
    text = 'require:\n  - {name: a, when: facts.images, target: "`false`"}\n'
    for name in ("require-unmet", "always-false"):
        assert _all(tmp_path / name, name, {**CLOSED, **_policy(text)}) == []


INERT = [
    ("facts.code", "it reads nothing of a target"),
    ("target.locality == 'cloud'", "it gives every target the same points"),
    ("target.locality == 'local' && facts.code", "it gives every target the same points"),
]


@pytest.mark.parametrize(("prefer", "why"), INERT)
def test_a_rule_that_gives_all_the_same(tmp_path, prefer, why):
    rule = f"rules:\n  - {{name: a, weight: 10, prefer: {prefer}}}\n"
    assert _all(tmp_path, "rule-inert", {**CLOSED, **_policy(rule)}) == [
        (
            "p.yaml",
            3,
            12,
            f'"a" never changes who wins: {why}',
            "leave it out, or let it prefer something that targets differ in",
        )
    ]
    told = _all(tmp_path / "open", "rule-inert", _policy(rule))
    assert len(told) == (why == "it reads nothing of a target")


def test_a_rule_that_is_too_light_to_matter(tmp_path):
    text = "rules:\n  - {name: large, weight: 10, prefer: target.model == 'large'}\n"
    text += "  - {name: home, weight: 5, prefer: target.provider == 'home'}\n"
    light = "  - {name: code, weight: 1, when: facts.code, prefer: target.provider == 'home'}\n"
    last = "select: {tie_break: [target]}\n"
    items = _all(tmp_path, "rule-inert", {**CLOSED, **_policy(text + light + last)})
    assert [(item[1], item[3]) for item in items] == [
        (5, '"code" never changes who wins: no order of targets depends on it')
    ]


def test_a_model_that_no_policy_lets_through(tmp_path):
    text = "require:\n  - {name: a, target: target.context_window > `150000`}\n"
    barred = 'the requirements of "plain" never let it through'
    only = {"policies/plain.yaml": f"policy: plain\n{text}"}
    assert _all(tmp_path, "target-never-chosen", {**CLOSED, **only}) == [
        (
            f"{name}.yaml",
            5,
            12,
            f"no policy ever chooses {name}/small: {barred}",
            "let a policy use it, or leave the model out",
        )
        for name in ("cloud", "home")
    ]
    another = {"policies/other.yaml": "policy: other\nrules: []\n"}
    items = _all(tmp_path / "other", "target-never-chosen", {**CLOSED, **only, **another})
    assert not [item for item in items if "let it through" in item[3]]


def test_a_model_that_another_is_always_ahead_of(tmp_path):
    text = "policy: plain\nrules:\n  - {name: q, weight: 100, prefer: quality}\n"
    text += "  - {name: r, weight: 20, prefer: reliability}\n"
    # 100 x (0.8 - 0.5) = 30 points, and reliability moves 20 at most.
    items = found(tmp_path, "target-never-chosen", {**CLOSED, "policies/plain.yaml": text})
    assert [(item.line, item.severity) for item in items] == [(5, "note")] * 2
    assert items[0].message.endswith('under "plain" cloud/large is always ahead')
    nearer = text.replace("weight: 20", "weight: 30")
    files = {**CLOSED, "policies/plain.yaml": nearer}
    assert found(tmp_path / "near", "target-never-chosen", files) == []


COST = "rules:\n  - {name: a, weight: 10, prefer: {cost: {half: HALF}}}\n"


def test_a_rule_that_is_blind_to_cost(tmp_path):
    # small costs $0.00032, $0.0023 and $0.052, large $0.0034, $0.031 and $0.54; 1 / (1 + cost) of
    # these differ by 0.0031, 0.0278 and 0.3012: at 10 by 0.0003, 0.0029 and 0.0460.
    # The best half at the middle size: sqrt(0.0023 x 0.031) = 0.0084.
    items = _all(tmp_path, "cost-blind", {**CLOSED, **_policy(COST.replace("HALF", "10"))})
    assert [item[:3] for item in items] == [("p.yaml", 3, 35)]
    assert items[0][3].endswith(
        "by 0.0% of the weight at 300 tokens in and 10 out, 0.3% at 1,500 and 400, "
        "4.6% at 50,000 and 1,000"
    )
    assert items[0][4] == ("half: 0.0084 would make it 57% at 1,500 and 400; or use prefer: price")
    for half in ("1", "0.0084"):
        files = {**CLOSED, **_policy(COST.replace("HALF", half))}
        assert _all(tmp_path / half, "cost-blind", files) == []


def test_a_price_rule_over_close_prices_is_blind(tmp_path):
    near = {
        place: text.replace("input: 10, output: 40", "input: 1.5, output: 3")
        for place, text in CLOSED.items()
    }
    text = "rules:\n  - {name: a, weight: 10, prefer: price}\n"
    # log(1.5) / log(1000) = 0.0587 of the weight, at every size.
    items = _all(tmp_path, "cost-blind", {**near, **_policy(text)})
    assert items[0][3].count("5.9%") == 3
    assert items[0][4].startswith("the prices are close; with prefer: {cost: {half}}, half: 0.0028")


def test_analyses_are_left_out_where_not_wanted():
    names = {rule.name for rule in rules() if rule.analyses}
    assert {"always-true", "always-false", "rule-subsumed", "require-subsumed"} <= names
    assert {"rule-inert", "require-unmet", "target-never-chosen", "cost-blind"} <= names


def test_the_shipped_files_are_clean():
    analyses = {rule.name for rule in rules() if rule.analyses}
    assert not [item for item in lint([data_root()], {}) if item.rule in analyses - _NOT_OURS]


def test_policies_that_come_with_the_package_are_not_judged_by_other_targets(tmp_path):
    for place, text in CLOSED.items():
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(text, encoding="utf-8")
    told = [item for item in lint([tmp_path], {}) if item.severity != "note"]
    assert told == []
