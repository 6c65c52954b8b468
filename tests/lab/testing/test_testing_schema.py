"""The schema of test files: the same tests as in a policy file, described on every key."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import jsonschema_rs
import pytest

from llmroute.config.schema import schema_text
from llmroute.config.shipped import data_root
from tests.config.test_config_schemas import keys, with_definitions


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(schema_text("test"))
    return loaded


def test_it_is_a_schema(schema: dict[str, Any]) -> None:
    jsonschema_rs.meta.validate(schema)
    assert schema["$id"] == "urn:llmroute:schema:test"
    assert all(jsonschema_rs.Draft202012Validator(schema).is_valid(e) for e in schema["examples"])


def test_a_test_is_the_same_in_both_kinds_of_files(schema: dict[str, Any]) -> None:
    policy = json.loads(schema_text("policy"))["$defs"]
    assert {name: policy[name] for name in schema["$defs"]} == schema["$defs"]


def test_every_key_is_described_with_valid_examples(schema: dict[str, Any]) -> None:
    declared = list(keys(schema))
    assert len(declared) > 50
    for path, node in declared:
        assert len(node.get("description", "")) > 10, path
        validator = jsonschema_rs.Draft202012Validator(with_definitions(node, schema))
        assert node["examples"], path
        assert all(validator.is_valid(example) for example in node["examples"]), path


def test_the_shipped_files_pass_under_check_jsonschema() -> None:
    files = sorted((data_root() / "policies").glob("*.test.yaml"))
    assert len(files) == 8
    path = data_root() / "schemas" / "test.schema.json"
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(path)]
    done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
