"""What a failed call says of whom."""

from __future__ import annotations

import pytest

from llmroute.dispatch.health.effects import effect_of
from llmroute.errors import ErrorKind, TargetError

EFFECTS = {
    ErrorKind.UNAVAILABLE: "failed",
    ErrorKind.TIMEOUT: "failed",
    ErrorKind.TRANSIENT: "failed",
    ErrorKind.OVERLOADED: "failed",
    ErrorKind.RATE_LIMIT: "limit",
    ErrorKind.QUOTA: "money",
    ErrorKind.AUTH: "credential",
    ErrorKind.MODEL_MISSING: "model",
    ErrorKind.CONTEXT: "none",
    ErrorKind.TOO_LARGE: "none",
    ErrorKind.POLICY: "none",
    ErrorKind.CAPABILITY: "none",
    ErrorKind.INVALID_REQUEST: "none",
    ErrorKind.MALFORMED: "failed",
    ErrorKind.EMPTY: "failed",
    ErrorKind.INTERNAL: "failed",
    ErrorKind.CANCELLED: "none",
}


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_kind_has_an_effect(kind):
    assert effect_of(TargetError(kind, "x")) == EFFECTS[kind]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (ErrorKind.OVERLOADED, "bulkhead"),
        (ErrorKind.TIMEOUT, "cut_short"),
        (ErrorKind.MALFORMED, "schema"),
        (ErrorKind.UNAVAILABLE, "missing_binary"),
    ],
)
def test_some_failures_are_nobodys_illness(kind, code):
    assert effect_of(TargetError(kind, "x", code=code)) == "none"


def test_nobody_listens_where_a_connection_is_refused():
    error = TargetError(ErrorKind.UNAVAILABLE, "x", code="connection_refused")
    assert effect_of(error) == "absent"


def test_403_may_be_about_the_model_alone():
    assert effect_of(TargetError(ErrorKind.AUTH, "x", status=403)) == "model"
    assert effect_of(TargetError(ErrorKind.AUTH, "x", status=401)) == "credential"
