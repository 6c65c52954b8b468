"""What is said of a value where a schema names the only ones that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import pytest

from llmroute.config.branches import applicable
from llmroute.config.lookup import Context
from llmroute.config.messages import describe
from llmroute.config.yaml import parse

ON: Mapping[str, Any] = {"anyOf": [{"const": True}, {"type": "string", "minLength": 1}]}
OFF: Mapping[str, Any] = {"anyOf": [{"const": False}, {"type": "object"}]}
NONE: Mapping[str, Any] = {"const": None}
MIXED: Mapping[str, Any] = {"enum": ["auto", False, 3, None]}
WORDS: Mapping[str, Any] = {"anyOf": [{"enum": ["none", "all"]}, {"type": "integer"}]}


def told(schema: Mapping[str, Any], written: str) -> list[tuple[str, str, str | None]]:
    """Return the rule, message and help of each fault of `key: written`."""
    whole = {"type": "object", "properties": {"key": schema}}
    document, _ = parse(f"key: {written}\n", "x.yaml")
    assert document is not None
    context = Context(document, whole)
    faults = [
        inner
        for error in jsonschema_rs.Draft202012Validator(whole).iter_errors(document.data)
        for inner in applicable(error) or [error]
    ]
    found = [item for fault in faults for item in describe(fault, context)]
    return [(item.rule, item.message, item.help) for item in found]


@pytest.mark.parametrize(
    ("schema", "written", "rule", "message"),
    [
        (ON, "false", "schema-enum", "`key` must be true, not false"),
        (ON, "3", "schema-type", "`key` must be true or text, not the number 3"),
        (ON, "[a]", "schema-type", "`key` must be true or text, not a list"),
        (ON, "", "schema-type", "`key` is empty; it must be true or text"),
        (ON, "''", "schema-length", "`key` needs at least 1 character"),
        (OFF, "true", "schema-enum", "`key` must be false, not true"),
        (
            OFF,
            "no one",
            "schema-type",
            '`key` must be false or a map (`key: value`), not text "no one"',
        ),
        ({"type": "null"}, "1", "schema-type", "`key` must be nothing, not the number 1"),
        (NONE, "1", "schema-enum", "`key` must be null, not 1"),
        (MIXED, "true", "schema-enum", "`key` must be auto, false, 3 or null, not true"),
        (WORDS, "[a]", "schema-type", "`key` must be none, all or a whole number, not a list"),
    ],
)
def test_a_value_is_held_against_the_ones_that_are_taken(
    schema: Mapping[str, Any], written: str, rule: str, message: str
) -> None:
    ((found, said, _),) = told(schema, written)
    assert (found, said) == (rule, message)


def test_the_only_value_is_what_to_write() -> None:
    assert [helped for _, _, helped in told(OFF, "true")] == ["write key: false"]


@pytest.mark.parametrize(("schema", "written"), [(ON, "true"), (ON, "a"), (OFF, "false")])
def test_a_value_that_is_taken_is_right(schema: Mapping[str, Any], written: str) -> None:
    assert told(schema, written) == []
