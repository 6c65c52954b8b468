"""The schema files: sound, explained on every key, and equal under `check-jsonschema`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from llmroute.catalog.model import Capabilities
from llmroute.config.schema import SchemaName, check, schema_text
from llmroute.config.shipped import data_root
from llmroute.config.yaml import parse

NAMES: tuple[SchemaName, ...] = ("provider", "policy", "workspace")
URL = "base_url: 'https://example.com'"
ENDPOINT = f"endpoint: {{transport: http, protocol: openai-chat, {URL}}}"
HEAD = f"provider: a\nlocality: cloud\n{ENDPOINT}\n"
RULE = "policy: a\nrules: [{name: a, weight: 1, prefer: "

FULL_MODEL = """models:
  - model: a/b:c
    upstream: "@x/y"
    parameters: 70.6B
    quality: {default: 0.07, code: 1, source: s, date: 2026-11-01}
    cost:
      {input: 0, output: 3.0e-6, tiers: [{above: 1, input: 1, output: 2}], valid_from: 2026-01-01}
    wire: {reject: [stop], rename: {a: b}, efforts: [], with_tools: {x: 1}}
"""
PROCESS = """provider: a
locality: cloud
endpoint:
  transport: process
  protocol: claude-code
  command: [claude, -p, [--model, "{model}"]]
  pass_environment: [HOME]
models: [{model: a}]
"""
LITELLM = """provider: a
locality: cloud
endpoint:
  transport: litellm
  protocol: openai-chat
  model_prefix: openai/
  auth: {bearer: env:K}
models: [{model: a}]
"""
FULL_POLICY = """policy: a
extends: b
let: {x: facts.code}
require: [{name: free, target: target.free}]
select: {spread: 0, tie_break: [cost, target], explore: 0.02}
fallback: {attempts: 20, max_price_ratio: 1, on_limit: wait}
tests:
  - name: t
    request: {prompt: hi, tools: true}
    now: {hour: 0, weekday: 7}
    live: {a/b: {first_token: 1s}}
    unavailable: [a]
    expect: {rejected: {a/b: free}, error: false}
"""
FULL_WORKSPACE = """default_policy: a
timezone: UTC
aliases: {fast: policy/a, big: a/b/c}
inputs: {p: {enum: [a, 1, true], default: a}, count: {type: number}}
budgets:
  - {name: a, period: day, amount: 0}
  - {name: b, scope: {tag: t}, period: month, amount: 2.5, hard: true}
require: [{name: all, when: 'true', target: 'true'}]
"""
TIMED = HEAD.replace("}", ", auth: none, timeouts: {connect: 500ms, idle: 1.5m, total: 30}}")
KEYED = HEAD.replace("}", ", auth: {header: x-api-key, value: file:/run/k}, plain_http: true}")

GOOD: dict[SchemaName, list[str]] = {
    "provider": [
        HEAD + "models: [{model: a}]\n",
        HEAD + "discover: {}\n",
        HEAD + FULL_MODEL,
        PROCESS,
        LITELLM,
        TIMED + "discover: {dialect: lm-studio}\ndefaults: {cost: {input: 0, output: 0}}\n",
        KEYED + "models: [{model: a}]\n",
    ],
    "policy": [
        "policy: a\n",
        RULE + "price}]\n",
        RULE + "{cost: {half: 0.01}}}]\n",
        RULE + "{latency: {half: 2s}}}]\n",
        RULE + "{throughput: {half: 50}}}]\n",
        RULE + "\"contains(target.specializations, 'code')\", when: request.stream}]\n",
        FULL_POLICY,
    ],
    "workspace": ["", FULL_WORKSPACE],
}

BAD: dict[SchemaName, list[str]] = {
    "provider": [
        "",
        "[]\n",
        HEAD,
        HEAD + "models: []\n",
        HEAD + "models: [{model: a, extra: 1}]\n",
        HEAD + "models: [{upstream: a}]\n",
        HEAD + "models: [{model: a b}]\n",
        HEAD + "models: [{model: a, cost: {input: 1}}]\n",
        HEAD + "models: [{model: a, quality: {default: 0.5}}]\n",
        HEAD + "models: [{model: a, quality: {default: 2, source: s, date: 2026-11-01}}]\n",
        HEAD + "models: [{model: a, capabilities: {telepathy: true}}]\n",
        HEAD + "models: [{model: a, context_window: '8'}]\n",
        HEAD + "discover: {interval: 0s}\n",
        HEAD + "discover: {interval: 1d}\n",
        HEAD.replace("cloud", "moon") + "discover: {}\n",
        HEAD.replace("}", ", auth: {bearer: sk-123}}") + "discover: {}\n",
        HEAD.replace("}", ", auth: {header: x-api-key}}") + "discover: {}\n",
        HEAD.replace("}", ", command: [x]}") + "discover: {}\n",
        HEAD.replace(f", {URL}", "") + "discover: {}\n",
        HEAD.replace("provider: a", "provider: A b") + "discover: {}\n",
    ],
    "policy": [
        "rules: []\n",
        RULE + "5}]\n",
        RULE + "{cost: {}}}]\n",
        RULE + "{cost: {half: 0}}}]\n",
        RULE + "{cost: {half: 1}, latency: {half: 1}}}]\n",
        RULE + "price, whn: x}]\n",
        RULE + "'" + "x" * 257 + "'}]\n",
        "policy: a\nlet: {target: x}\n",
        "policy: a\nselect: {tie_break: [luck]}\n",
        "policy: a\nfallback: {attempts: 0}\n",
        "policy: a\nrequire: [{name: a}]\n",
        FULL_POLICY.replace("prompt: hi", "prompt: hi, messages: [{role: user}]"),
        "policy: a\ntests: [{name: t, request: {}, expect: {}}]\n",
    ],
    "workspace": [
        "[]\n",
        "default: a\n",
        "aliases: {fast: fastest}\n",
        "inputs: {p: {enum: []}}\n",
        "budgets: [{name: a, period: week, amount: 1}]\n",
        "budgets: [{name: a, period: day, amount: 1, scope: {}}]\n",
    ],
}


def schema(name: SchemaName) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(schema_text(name))
    return loaded


def keys(node: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every key that a schema declares, with what it says of it."""
    if isinstance(node, list):
        for item in node:
            yield from keys(item, at)
    if isinstance(node, dict):
        for name, declared in node.get("properties", {}).items():
            if isinstance(declared, dict) and "const" not in declared:
                yield f"{at}.{name}", declared
        for name, child in node.items():
            if name not in ("examples", "if"):
                yield from keys(child, f"{at}.{name}")


def with_definitions(node: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": whole["$schema"], "$defs": whole["$defs"], "allOf": [node]}


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_a_schema(name: SchemaName) -> None:
    jsonschema_rs.meta.validate(schema(name))
    assert schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema(name)["$id"] == f"urn:llmroute:schema:{name}"


@pytest.mark.parametrize("name", NAMES)
def test_every_key_is_described_with_valid_examples(name: SchemaName) -> None:
    whole = schema(name)
    declared = list(keys(whole))
    assert len(declared) > 15
    for path, node in declared:
        assert len(node.get("description", "")) > 10, path
        assert node.get("examples"), path
        validator = jsonschema_rs.Draft202012Validator(with_definitions(node, whole))
        for example in [*node["examples"], *([node["default"]] if "default" in node else [])]:
            assert validator.is_valid(example), (path, example)


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_file_has_a_valid_example(name: SchemaName) -> None:
    whole = schema(name)
    assert all(jsonschema_rs.Draft202012Validator(whole).is_valid(e) for e in whole["examples"])


def maps(node: Any, at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, list):
        for item in node:
            yield from maps(item, at)
    if isinstance(node, dict):
        if "properties" in node and ".then" not in at and ".if" not in at:
            yield at, node
        for name, child in node.items():
            if name != "examples":
                yield from maps(child, f"{at}.{name}")


@pytest.mark.parametrize("name", NAMES)
def test_unknown_keys_are_closed_out_wherever_keys_are_fixed(name: SchemaName) -> None:
    open_maps = {
        at for at, node in maps(schema(name)) if node.get("additionalProperties") is not False
    }
    assert open_maps <= {".$defs.quality"}


def test_the_capabilities_are_those_of_a_target() -> None:
    assert tuple(schema("provider")["$defs"]["capabilities"]["properties"]) == Capabilities.names()


def findings(name: SchemaName, text: str) -> list[str]:
    document, problems = parse(text, "a.yaml")
    assert problems == []
    assert document is not None
    return [str(finding) for finding in check(document, name)]


@pytest.mark.parametrize(("name", "text"), [(n, t) for n in NAMES for t in GOOD[n]])
def test_a_good_file_passes(name: SchemaName, text: str) -> None:
    assert findings(name, text) == []


@pytest.mark.parametrize(("name", "text"), [(n, t) for n in NAMES for t in BAD[n]])
def test_a_bad_file_is_told_in_the_words_of_the_file(name: SchemaName, text: str) -> None:
    found = findings(name, text)
    assert found
    for raw in ("is not valid under", "Additional properties", "required property", "schema-other"):
        assert raw not in "\n".join(found)


def validate(name: SchemaName, files: list[Path]) -> dict[str, Any]:
    command = [sys.executable, "-m", "check_jsonschema", "--output-format", "json"]
    path = data_root() / "schemas" / f"{name}.schema.json"
    done = subprocess.run(
        [*command, "--schemafile", str(path), *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if report["status"] == "ok" else 1)
    return report


def written(folder: Path, texts: list[str]) -> list[Path]:
    files = [folder / f"{number:02}.yaml" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text, encoding="utf-8")
    return files


@pytest.mark.parametrize("name", NAMES)
def test_the_same_files_pass_under_check_jsonschema(name: SchemaName, tmp_path: Path) -> None:
    assert validate(name, written(tmp_path, GOOD[name])).get("errors", []) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_same_files_fail_under_check_jsonschema(name: SchemaName, tmp_path: Path) -> None:
    files = written(tmp_path, BAD[name])
    report = validate(name, files)
    refused = {error["filename"] for error in report["errors"]}
    refused |= {error["filename"] for error in report.get("parse_errors", [])}
    assert refused == {str(file) for file in files}


def test_the_shipped_files_pass_under_check_jsonschema() -> None:
    root = data_root()
    assert validate("provider", sorted((root / "providers.d").glob("*.yaml")))["status"] == "ok"
    policies = [p for p in (root / "policies").glob("*.yaml") if ".test." not in p.name]
    assert validate("policy", sorted(policies))["status"] == "ok"
    assert validate("workspace", [root / "llmroute.yaml"])["status"] == "ok"
