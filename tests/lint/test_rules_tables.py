"""Rules that look into the price tables of other packages, and how the tables are read."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, date, datetime, time

import pytest

from llmroute.lint.rules import _tables, model_retired, price_drift
from tests.lint.rulecase import project

COST = 'cost: {input: 1, output: 2, source: list, date: "2026-11-01"}'


def _provider(line: str) -> str:
    """Return a provider with one model, on line 5."""
    return (
        "provider: x\nlocality: cloud\n"
        "endpoint: {transport: http, protocol: openai-chat, "
        'base_url: "https://api.openai.com/v1"}\n'
        f"models:\n  - {{model: m, {line}}}\n"
    )


def _priced(rest: str) -> str:
    return _provider(f"cost: {{{rest}}}")


MODEL = _provider(COST)

TABLE = _tables.LitellmTable(
    "LiteLLM 1.2.3",
    {
        "m": {
            "litellm_provider": "openai",
            "input_cost_per_token": 1.02e-06,
            "output_cost_per_token": 2.01e-06,
            "deprecation_date": "2027-01-21",
        },
        "other/m": {"litellm_provider": "other", "input_cost_per_token": 9e-06},
    },
)


def _drift(tmp_path, text, *tables):
    made = project(tmp_path, {"providers.d/x.yaml": text})
    return list(price_drift.drifted(made, tables or (TABLE,)))


def test_a_price_beyond_one_percent_of_the_tables_is_told(tmp_path):
    (item,) = _drift(tmp_path, _priced("input: 1, output: 2"))
    assert (item.rule, item.severity, item.line, item.col) == ("price-drift", "note", 5, 30)
    assert item.message == "prices of m differ from the tables: input is 1, 1.02 in LiteLLM 1.2.3"


def test_all_prices_of_a_model_are_one_finding(tmp_path):
    agreeing = _tables.LitellmTable(
        "B",
        {
            "m": {
                "litellm_provider": "openai",
                "input_cost_per_token": 3e-06,
                "cache_read_input_token_cost": 5e-07,
            }
        },
    )
    text = _priced("output: 9, input: 1, cache_read: 0.5")
    (item,) = _drift(tmp_path, text, TABLE, agreeing)
    assert (item.line, item.col) == (5, 41)
    assert item.message == (
        "prices of m differ from the tables: input is 1, 1.02 in LiteLLM 1.2.3 and 3 in B, "
        "output is 9, 2.01 in LiteLLM 1.2.3"
    )


@pytest.mark.parametrize(
    ("dated", "by", "told"),
    [
        ('date: "2026-11-01"', date(2026, 11, 2), 1),
        ('date: "2026-11-01"', date(2026, 11, 1), 0),
        ('date: "2026-11-01"', date(2026, 10, 31), 0),
        ('date: "2026-11-01"', None, 1),
        ("source: unknown", date(2020, 1, 1), 1),
    ],
)
def test_a_price_that_was_looked_up_later_is_the_newer_one(dated, by, told, tmp_path):
    row = {"litellm_provider": "openai", "input_cost_per_token": 3e-06}
    table = _tables.LitellmTable("T", {"m": row}, by)
    assert len(_drift(tmp_path, _priced(f"input: 1, output: 2, {dated}"), table)) == told


@pytest.mark.parametrize(
    "text",
    [
        _priced("input: 1.02, output: 2"),
        _priced("input: 1.02, output: 2, cache_read: 1"),
        MODEL.replace("api.openai.com", "api.example.com"),
        _provider(f"upstream: unknown, {COST}"),
        MODEL.replace("api.openai.com", "example.org/openai"),
    ],
)
def test_other_prices_and_other_vendors_are_not(text, tmp_path):
    assert _drift(tmp_path, text) == []


def test_one_table_that_agrees_is_enough(tmp_path):
    agreeing = _tables.LitellmTable(
        "B", {"m": {"litellm_provider": "openai", "input_cost_per_token": 1e-06}}
    )
    assert _drift(tmp_path, _priced("input: 1, output: 2"), TABLE, agreeing) == []


def test_a_prefix_names_the_vendor(tmp_path):
    text = (
        "provider: x\nlocality: cloud\nendpoint:\n"
        "  {transport: litellm, protocol: openai-chat, model_prefix: other/}\n"
        "models: [{model: m, cost: {input: 8, output: 8}}]\n"
    )
    (item,) = _drift(tmp_path, text)
    assert item.message == "prices of m differ from the tables: input is 8, 9 in LiteLLM 1.2.3"


@pytest.mark.parametrize(
    ("last", "found_"),
    [
        ("2026-11-22", "was switched off on 2026-11-22"),
        ("2020-01-01", "was switched off on 2020-01-01"),
        ("2027-01-21", "will be switched off on 2027-01-21"),
        ("2027-01-22", None),
        ("soon", None),
        (None, None),
    ],
)
def test_retired_models_are_told(last, found_, tmp_path):
    table = _tables.LitellmTable(
        "T", {"m": {"litellm_provider": "openai", "deprecation_date": last}}
    )
    made = project(tmp_path, {"providers.d/x.yaml": MODEL})
    items = list(model_retired.retired(made, [table]))
    assert [found_ in item.message for item in items] == ([True] if found_ else [])
    assert all((item.line, item.col) == (5, 13) for item in items)


def test_tables_of_packages_that_are_not_there_or_broken_are_left_out(tmp_path, monkeypatch):
    package = tmp_path / "litellm"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('must not be imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "litellm", raising=False)
    assert list(_tables.litellm_tables()) == []
    table = package / "model_prices_and_context_window_backup.json"
    table.write_text("no json")
    assert list(_tables.litellm_tables()) == []
    row = {"litellm_provider": "openai", "input_cost_per_token": 2e-06}
    table.write_text(json.dumps({"m": row}))
    (made,) = _tables.litellm_tables()
    entry = made.find("m", {"base_url": "${A:-https://api.openai.com/v1}"}, date(2026, 11, 22))
    assert entry is not None
    assert entry.rates == {"input": 2.0}
    for day in (date(2026, 3, 4), date(1970, 1, 1)):  # some tools set all times to the latter
        when = datetime.combine(day, time(12), UTC).timestamp()
        os.utime(table, (when, when))
        (made,) = _tables.litellm_tables()
        entry = made.find("m", {"base_url": "https://api.openai.com/v1"}, date(2026, 11, 22))
        assert entry is not None
        assert entry.by == (day if day.year > 2000 else None)


class _Match:
    def is_match(self, text: str) -> bool:
        return text.startswith("claude")


class _Genai:
    """The shape of genai-prices' data, as far as it is read."""

    class Model:
        id = "claude-x"

        def get_prices(self, _when):
            tiered = type("Tiered", (), {"base": 3})()
            return type("Prices", (), {"input_mtok": tiered, "output_mtok": 15})()

    api_pattern = r"https://api\.anthropic\.com"
    model_match = _Match()
    models = (Model(),)


def test_the_table_of_genai_prices_is_read_by_address_or_model():
    table = _tables.GenaiTable("G", [_Genai()])
    day = date(2026, 11, 22)
    address = {"base_url": "${A:-https://api.anthropic.com}"}
    for endpoint in (address, {}):
        entry = table.find("claude-x", endpoint, day)
        assert entry is not None
        assert entry.rates == {"input": 3.0, "output": 15.0}
    assert table.find("claude-y", address, day) is None
    assert table.find("claude-x", {"base_url": "https://example.com"}, day) is None
