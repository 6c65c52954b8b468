"""Labels in a request's metadata, against what `llmroute.yaml` declares."""

from __future__ import annotations

import pytest

from llmroute.errors import UsageError
from llmroute.policy import check_inputs
from llmroute.types import Request

INPUTS = {"level": {"enum": [1, 2]}, "urgent": {"enum": [True, "maybe"], "default": "maybe"}}


def test_a_value_of_the_enum_passes_and_defaults_are_filled_in() -> None:
    request = check_inputs(Request.of("hi", metadata={"level": 2}), INPUTS)
    assert request.metadata == {"level": 2, "urgent": "maybe"}


@pytest.mark.parametrize("metadata", [{"level": 3}, {"level": "1"}, {"urgent": "no"}])
def test_another_value_is_a_usage_error(metadata: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="metadata"):
        check_inputs(Request.of("hi", metadata=metadata), INPUTS)


@pytest.mark.parametrize("metadata", [{"level": True}, {"urgent": 1}])
def test_true_is_not_one(metadata: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="metadata"):
        check_inputs(Request.of("hi", metadata=metadata), INPUTS)
