"""`decide --format`: the explanation as text, as data and as Markdown."""

from __future__ import annotations

import json
from typing import Any

import pytest


def test_text_is_the_usual_form_and_has_no_colour_codes(here: Any, pair: Any) -> None:
    options = ("decide", "--config", str(pair.root), "hi")
    usual, text = here(*options), here(*options, "--format", "text")
    assert (text.code, text.err) == (0, "")
    assert text.out == usual.out
    assert "\x1b" not in text.out
    assert "  decided by 'first things first' (+10); no rule favours second/m" in text.out
    assert "\nsecond/m would be ahead of first/m:\n" in text.out


def test_json_holds_the_decision_and_its_explanation(here: Any, pair: Any) -> None:
    options = ("decide", "--config", str(pair.root), "hi")
    bare = json.loads(here(*options, "--json").out)
    whole = json.loads(here(*options, "--format", "json").out)
    assert "explanation" not in bare
    explained = whole.pop("explanation")
    assert whole == bare
    assert (explained["winner"], explained["runner_up"]) == ("first/m", "second/m")
    assert explained["margin"] == 10_000_000
    assert json.loads(here(*options, "--json", "--format", "json").out)["explanation"] == explained


def test_markdown(here: Any, pair: Any) -> None:
    result = here("decide", "--config", str(pair.root), "--format", "markdown", "hi")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("### **first/m** with 10 points, 10 ahead of **second/m**\n")
    assert "| first things first | 10 = 10 × 1 (yes) | 0 = 10 × 0 (no) | +10 |" in result.out


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_every_form_tells_that_nobody_is_eligible(here: Any, form: str) -> None:
    result = here("decide", "--format", form, "hi")
    assert (result.code, result.err) == (1, "")
    assert "OPENAI_API_KEY" in result.out.replace("\\", "")


def test_an_unknown_or_contradictory_form_is_a_usage_error(here: Any, pair: Any) -> None:
    options = ("decide", "--config", str(pair.root), "hi")
    unknown = here(*options, "--format", "markdwon")
    assert unknown.code == 2
    assert "markdown" in unknown.err
    both = here(*options, "--json", "--format", "markdown")
    assert both.code == 2
    assert "--json and --format markdown exclude each other" in both.err
