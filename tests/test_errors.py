"""The error tree: what errors say, and what they refuse to carry."""

from __future__ import annotations

import pytest

from llmroute.errors import ErrorKind, TargetError


@pytest.mark.parametrize("asked", [0.001, 1, 86_400.0])
def test_a_wait_is_carried(asked: float) -> None:
    assert TargetError(ErrorKind.RATE_LIMIT, "x", retry_after=asked).retry_after == asked


@pytest.mark.parametrize("asked", [0, -1.0, 86_401.0, 1e9, float("inf"), float("nan"), None])
def test_what_is_no_wait_is_none(asked: float | None) -> None:
    """A transport that a program added may say anything."""
    assert TargetError(ErrorKind.RATE_LIMIT, "x", retry_after=asked).retry_after is None
