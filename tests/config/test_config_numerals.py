"""Numbers as people write them: what help makes of signs, commas and percentages."""

from __future__ import annotations

import pytest

from llmroute.config.numerals import comma_help, count_help, number_help, share_help

PRICE = {"description": "USD per million output tokens; reasoning counts as output."}
SHARE = {"minimum": 0, "maximum": 1}
UNIT = "USD per million tokens"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("$0.59", f"write input: 0.59 ({UNIT}, no sign)"),
        ("US$ 2", f"write input: 2 ({UNIT}, no sign)"),
        ("2.50 usd", f"write input: 2.50 ({UNIT}, no sign)"),
        ("0,59", f"write input: 0.59 with a point ({UNIT})"),
        ("$0,125", f"write input: 0.125 with a point ({UNIT}, no sign)"),
        ("1,250", f"write input: 1.250 with a point, or input: 1250 ({UNIT})"),
        ("3", f"write input: 3 ({UNIT})"),
    ],
)
def test_a_price(text: str, meant: str) -> None:
    assert number_help(text, ["models", 0, "cost", "input"], PRICE) == meant


@pytest.mark.parametrize("text", ["", "free", "€0.59", "1.2.3", "1,2,3", "0.59/M", "-1", "5 s"])
def test_what_is_no_such_number_gets_no_help(text: str) -> None:
    assert number_help(text, ["cost", "input"], PRICE) is None


@pytest.mark.parametrize(
    ("key", "schema", "meant"),
    [
        ("explore", SHARE, "it is 0..1, no percentage: write explore: 0.125"),
        ("weight", {}, "it is in points, not percent: write weight: 12.5"),
        (
            "spread",
            {},
            (
                "it is in points, not percent: with spread: 12.5 the targets within 12.5 points "
                "of the best share the requests"
            ),
        ),
        ("rpm", {}, None),
    ],
)
def test_a_percentage(key: str, schema: dict[str, int], meant: str | None) -> None:
    assert number_help("12.5%", [key], schema) == meant


@pytest.mark.parametrize(
    ("value", "meant"),
    [(75.3, "it is 0..1: did you mean 0.753?"), (100, "it is 0..1: did you mean 1?")],
)
def test_a_share_in_percent(value: float, meant: str) -> None:
    assert share_help(value, SHARE) == meant


def test_a_share_far_above_one_and_other_numbers() -> None:
    assert share_help(1250, SHARE) == "it is 0..1"
    assert share_help(-0.5, SHARE) == "it is 0..1"
    assert share_help(5, {"minimum": 0, "maximum": 20}) is None


@pytest.mark.parametrize(
    ("before", "fraction", "meant"),
    [
        ("cost: {input: 0,", "59", "write input: 0.59 with a point"),
        ("{a: 1, input: $2,", "05", "write input: 2.05 with a point"),
        ("{input: 1,", "250", "write input: 1.250 with a point, or input: 1250"),
        ("{input: 0, ", "59", None),
        ("{input: low,", "59", None),
        ("{input: 0,", "b", None),
    ],
)
def test_a_decimal_comma_in_flow_style(before: str, fraction: str, meant: str | None) -> None:
    told = f"{meant}; the comma ends the value here" if meant else None
    assert comma_help(before, fraction) == told


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("100,000", "write rpm: 100000"),
        ("1 050 000", "write rpm: 1050000"),
        ("1.05M", "write rpm: 1050000"),
        ("200k", "write rpm: 200000, or 204800 where k is 1,024"),
        ("128 K", "write rpm: 128000, or 131072 where K is 1,024"),
        ("1k", "write rpm: 1000"),
        ("0.0005k", None),
        ("10,00", None),
        ("many", None),
        ("", None),
    ],
)
def test_a_count_with_thousands(text: str, meant: str | None) -> None:
    assert count_help(text, ["limits", "rpm"]) == meant
