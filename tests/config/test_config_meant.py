"""Help is made of what the user wrote, and says nothing that follows from another fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmroute.config.diagnostics import Diagnostic
from llmroute.config.workspace import read_workspace

PROVIDER = """\
provider: example
locality: {locality}
endpoint:
  transport: http
  protocol: openai-chat
  {line}
models: [{{model: small{model}}}]
"""
URL = "base_url: https://api.example.com"


def found(root: Path, files: dict[str, str]) -> list[Diagnostic]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    findings = read_workspace(root, {})[1]
    return [one for one in findings if one.file.endswith(tuple(files))]


def provider(
    root: Path, line: str = URL, *, locality: str = "cloud", model: str = ""
) -> list[Diagnostic]:
    text = PROVIDER.format(line=line, locality=locality, model=model)
    return found(root, {"providers.d/example.yaml": text})


def policy(root: Path, rule: str) -> Diagnostic:
    text = f"policy: p\nrules:\n  - {{name: a, weight: 1, {rule}}}\n"
    findings = found(root, {"policies/p.yaml": text})
    assert len(findings) == 1, [str(one) for one in findings]
    return findings[0]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("api.example.com/v1", "https://api.example.com/v1"),
        ("10.0.0.7:8000", "http://10.0.0.7:8000"),
        ("localhost:8000/v1", "http://localhost:8000/v1"),
    ],
)
def test_an_address_gets_its_scheme(written: str, meant: str, tmp_path: Path) -> None:
    (finding,) = provider(tmp_path, f"base_url: {written}")
    assert finding.help == f"write base_url: {meant}"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1 min", "1m"),
        ("90 seconds", "90s"),
        ("250 msec", "250ms"),
        ("2 Hours", "2h"),
    ],
)
def test_a_duration_keeps_its_length(written: str, meant: str, tmp_path: Path) -> None:
    (finding,) = provider(tmp_path, f"{URL}\n  timeouts: {{idle: {written}}}")
    assert finding.help == f"write idle: {meant}"


def test_a_number_that_is_a_name_is_put_in_quotes(tmp_path: Path) -> None:
    (finding,) = provider(tmp_path, model=", upstream: 4.10")
    assert finding.help == "put it in quotes"


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        ("let: {long-prompt: facts.code}", "write long_prompt"),
        ("let: {2nd: facts.code}", "write letters, digits or `_`, a letter first"),
        ("let: {größe: facts.code}", "write letters, digits or `_`, a letter first"),
    ],
)
def test_a_key_is_helped_by_the_signs_that_it_may_have(
    names: str, meant: str, tmp_path: Path
) -> None:
    findings = found(tmp_path, {"policies/p.yaml": f"policy: p\n{names}\n"})
    assert [one.help for one in findings if one.rule == "schema-key-name"] == [meant]


def test_a_task_is_written_in_small_letters(tmp_path: Path) -> None:
    quality = ', quality: {Code: 0.5, source: x, date: "2026-11-01"}'
    (finding,) = provider(tmp_path, model=quality)
    assert (finding.rule, finding.help) == ("schema-key-name", "write code")


def test_a_name_in_capitals_is_shown_in_small_letters(tmp_path: Path) -> None:
    text = "policy: My Own\nrules: [{name: a, weight: 1, prefer: price}]\n"
    (finding,) = found(tmp_path, {"policies/My Own.yaml": text})
    assert finding.help == "write policy: my-own, and name the file my-own.yaml"


@pytest.mark.parametrize(
    ("rule", "meant"),
    [
        ("prefer: price, when: true", 'write when: "`true`"'),
        ("prefer: price, when: 5", 'write when: "`5`"'),
        ("prefer: [price]", "write prefer: price"),
        ("prefer: [price, quality]", "write prefer: price; a second one takes a rule of its own"),
        ("prefer: {quality: {half: 0.5}}", "write prefer: quality"),
        ("prefer: {reliability: 1}", "write prefer: reliability"),
    ],
)
def test_help_holds_the_value_itself(rule: str, meant: str, tmp_path: Path) -> None:
    assert policy(tmp_path, rule).help == meant


def test_a_long_expression_is_split_with_let(tmp_path: Path) -> None:
    finding = policy(tmp_path, f"prefer: price, when: {'facts.code || ' * 20}facts.tools")
    assert finding.rule == "schema-length"
    assert "under `let`" in str(finding.help)


@pytest.mark.parametrize(
    "line",
    [
        f"model_prefix: '${{A}}'\n  {URL}",
        f"body: {{a: [{{b: '${{A}}'}}]}}\n  {URL}",
        f"headers: {{x-a: '${{A}}'}}\n  {URL}",
    ],
)
def test_a_variable_that_nothing_replaces_is_told(line: str, tmp_path: Path) -> None:
    assert "variable-place" in {one.rule for one in provider(tmp_path, line)}


def test_a_variable_in_upstream_is_told(tmp_path: Path) -> None:
    (finding,) = provider(tmp_path, model=", upstream: '${MODEL:-gpt}'")
    assert (finding.rule, finding.help) == ("variable-place", "write the value itself")


@pytest.mark.parametrize(
    ("header", "meant"),
    [
        ("Authorization: Bearer abcdef0123456789", "{bearer: env:NAME}"),
        ("Authorization: 'Bearer ${MY_KEY}'", "{bearer: env:MY_KEY}"),
        ("Authorization: Basic abc", "{header: authorization, value: env:NAME}"),
        ("X-Api-Key: abc", "{header: x-api-key, value: env:NAME}"),
        ("x-api-key: '${MY_KEY}'", "{header: x-api-key, value: env:MY_KEY}"),
    ],
)
def test_a_header_with_a_credential_is_shown_as_auth(
    header: str, meant: str, tmp_path: Path
) -> None:
    findings = provider(tmp_path, f"headers:\n    {header}\n  {URL}")
    finding = next(one for one in findings if one.rule == "secret-reference")
    assert finding.help == f"write auth: {meant}"


def test_a_key_in_the_query_belongs_under_auth(tmp_path: Path) -> None:
    (finding,) = provider(tmp_path, f"{URL}/v1?key=abcdef")
    assert finding.rule == "base-url"
    assert "auth: {bearer: env:NAME}" in str(finding.help)


@pytest.mark.parametrize(
    ("zone", "help_text"),
    [
        ("GMT+1", "write a name such as Europe/Vienna"),
        ("PST", "write a name such as Europe/Vienna"),
        ("Europe/Wien", 'did you mean "Europe/Vienna"?'),
        ("utc", 'did you mean "UTC"?'),
    ],
)
def test_no_other_time_is_suggested(zone: str, help_text: str, tmp_path: Path) -> None:
    (finding,) = found(tmp_path, {"llmroute.yaml": f"timezone: {zone}\n"})
    assert (finding.rule, finding.help) == ("timezone", help_text)


def test_plain_http_of_a_wrong_type_is_one_fault(tmp_path: Path) -> None:
    line = 'base_url: http://10.0.0.7\n  plain_http: "true"'
    assert [one.rule for one in provider(tmp_path, line, locality="local")] == ["schema-type"]


@pytest.mark.parametrize(
    "text",
    [
        "provider: example\nlocality: cloud\nendpoint: {<<: {transport: http}}\ndiscover: {}\n",
        "<<: {endpoint: {}}\nprovider: example\nlocality: cloud\n",
    ],
)
def test_merged_keys_are_not_missing(text: str, tmp_path: Path) -> None:
    findings = found(tmp_path, {"providers.d/example.yaml": text})
    assert [one.rule for one in findings] == ["yaml-merge"]


@pytest.mark.parametrize("place", ["name: *star, weight: 1", "name: a, weight: *star"])
def test_an_alias_is_one_fault(place: str, tmp_path: Path) -> None:
    text = f"policy: p\nrules: [{{{place}, prefer: price}}]\n"
    findings = found(tmp_path, {"policies/p.yaml": text})
    assert [one.rule for one in findings] == ["yaml-alias"]
