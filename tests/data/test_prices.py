"""The shipped prices, against a table written by hand from the vendors' published prices.

State of 2026-11-22, standard tier, USD per million tokens: input, cached input, cache write (the
short-lived one), cache write (the long-lived one), output; then context window and most output in
tokens. None where the vendor has no such charge.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

_ROOT = Path(__file__).parents[2]
_MILLION = 1_050_000

Row = tuple[str, str, str | None, str | None, str, int, int]

_OPENAI: dict[str, Row] = {
    "gpt-6.2-astra": ("8", "0.40", "10", "20", "40", _MILLION, 128_000),
    "gpt-6.2-sol": ("2", "0.10", "2.50", "5", "10", _MILLION, 128_000),
    "gpt-6-astra": ("10", "1", "12.5", "25", "50", _MILLION, 128_000),
    "gpt-6.1-sol": ("2", "0.10", "2.5", "5", "10", _MILLION, 128_000),
    "gpt-6.1-terra": ("1", "0.05", "1.25", "2.5", "5", _MILLION, 128_000),
    "gpt-6-sol": ("2", "0.20", "2.5", "5", "10", _MILLION, 128_000),
    "gpt-6-luna": ("0.10", "0.01", "0.125", "0.25", "0.50", _MILLION, 128_000),
    # The list price: the promotion at 4/20 was guaranteed only until 2026-11-21.
    "gpt-5.6-sol": ("5", "0.50", "6.25", "12.5", "30", _MILLION, 128_000),
    "gpt-5.6-terra": ("2", "0.20", "2.5", "5", "12", _MILLION, 128_000),
    "gpt-5.6-luna": ("0.20", "0.02", "0.25", "0.5", "1.20", _MILLION, 128_000),
    "gpt-5.5": ("5", "0.50", None, None, "30", _MILLION, 128_000),
    "gpt-5.4-mini": ("0.75", "0.075", None, None, "4.50", 400_000, 128_000),
    "gpt-5.4-nano": ("0.20", "0.02", None, None, "1.25", 400_000, 128_000),
}
_ANTHROPIC: dict[str, Row] = {
    "claude-fable-5-2": ("8", "0.20", "10", "16", "40", 1_000_000, 128_000),
    "claude-fable-5-1": ("10", "0.25", "12.5", "20", "50", 1_000_000, 128_000),
    "claude-opus-5-5": ("4", "0.20", "5", "8", "20", 1_000_000, 128_000),
    "claude-opus-5": ("5", "0.50", "6.25", "10", "25", 1_000_000, 128_000),
    "claude-opus-4-8": ("5", "0.50", "6.25", "10", "25", 1_000_000, 128_000),
    "claude-sonnet-5-5": ("2", "0.10", "2.5", "4", "10", 1_000_000, 128_000),
    "claude-sonnet-4-6": ("3", "0.30", "3.75", "6", "15", 1_000_000, 128_000),
    "claude-haiku-5-5": ("0.10", "0.01", "0.125", "0.20", "0.50", 1_000_000, 128_000),
    "claude-haiku-4-5": ("1", "0.10", "1.25", "2", "5", 200_000, 64_000),
}
_CLAUDE_CODE = {
    name: _ANTHROPIC[name] for name in ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
}
_TABLES = {
    "openai": _OPENAI,
    "openai_litellm": _OPENAI,
    "anthropic": _ANTHROPIC,
    "anthropic_litellm": _ANTHROPIC,
    "claude_code": _CLAUDE_CODE,
}
_RATES = ("input", "cache_read", "cache_write", "cache_write_1h", "output")
_ROWS = [(provider, model) for provider, table in _TABLES.items() for model in table]

#: Above that many input tokens the whole request costs this much more: input and cache, output.
_TIERS = {
    **{model: (272_000, Decimal(2), Decimal("1.5")) for model in _OPENAI},
    "claude-haiku-5-5": (100_000, Decimal(5), Decimal(5)),
}
_FLAT = {"gpt-5.4-mini", "gpt-5.4-nano", *_ANTHROPIC} - {"claude-haiku-5-5"}
#: Maps that a model's own data complete rather than replace.
_NESTED = ("capabilities", "wire")
#: Announced to be shut down within two months of the state above, or gone already.
_ENDING = {
    "gpt-5",
    "gpt-5-mini",
    "gpt-5-nano",
    "o3",
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-4.1-nano",
    "gpt-4o",
    "gpt-4o-mini",
    "o4-mini",
    "gpt-4-turbo",
    "claude-sonnet-4-5",
}


def _provider(name: str) -> dict[str, Any]:
    text = (_ROOT / "providers.d" / f"{name}.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.safe_load(text)
    return data


def _models(name: str) -> dict[str, dict[str, Any]]:
    """Return each model's data over what the provider's models share."""
    data = _provider(name)
    defaults = data.get("defaults", {})
    return {entry["model"]: _over(defaults, entry) for entry in data["models"]}


def _over(defaults: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    nested = {key: {**defaults.get(key, {}), **entry.get(key, {})} for key in _NESTED}
    return {**defaults, **entry, **nested}


def _usd(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))


@pytest.mark.parametrize("name", sorted(_TABLES))
def test_exactly_the_current_models_are_shipped(name: str) -> None:
    shipped = set(_models(name))
    assert shipped == set(_TABLES[name])
    assert not shipped & _ENDING


@pytest.mark.parametrize(("name", "model"), _ROWS)
def test_prices_and_sizes_are_the_published_ones(name: str, model: str) -> None:
    entry, row = _models(name)[model], _TABLES[name][model]
    shipped = tuple(_usd(entry["cost"].get(rate)) for rate in _RATES)
    assert shipped == tuple(None if usd is None else Decimal(usd) for usd in row[:5])
    assert (entry["context_window"], entry["max_output"]) == row[5:]


@pytest.mark.parametrize(("name", "model"), _ROWS)
def test_long_prompts_cost_their_multiple(name: str, model: str) -> None:
    cost = _models(name)[model]["cost"]
    if model in _FLAT:
        assert "tiers" not in cost
        return
    (tier,) = cost["tiers"]
    above, on_input, on_output = _TIERS[model]
    assert tier["above"] == above
    for rate in _RATES:
        factor = on_output if rate == "output" else on_input
        base = _usd(cost.get(rate))
        assert _usd(tier.get(rate)) == (None if base is None else base * factor), rate


def _bill(rates: dict[str, Any], **tokens: int) -> Decimal:
    """Return what that many tokens of each kind cost, in USD."""
    million = Decimal(1_000_000)
    return sum((Decimal(str(rates[kind])) * n for kind, n in tokens.items()), Decimal(0)) / million


def test_three_long_prompts_worked_out_by_hand() -> None:
    haiku = _models("anthropic")["claude-haiku-5-5"]["cost"]["tiers"][0]
    # 0.2 x $0.50 + 0.001 x $2.50
    assert _bill(haiku, input=200_000, output=1_000) == Decimal("0.1025")
    terra = _models("openai")["gpt-6.1-terra"]["cost"]["tiers"][0]
    # 0.4 x $2 + 0.002 x $7.50
    assert _bill(terra, input=400_000, output=2_000) == Decimal("0.815")
    sol = _models("openai")["gpt-5.6-sol"]["cost"]["tiers"][0]
    # 0.3 x $1 + 0.001 x $45
    assert _bill(sol, cache_read=300_000, output=1_000) == Decimal("0.345")


@pytest.mark.parametrize("name", ["ollama", "lm_studio"])
def test_local_models_are_free(name: str) -> None:
    cost = _provider(name)["defaults"]["cost"]
    assert (cost["input"], cost["output"]) == (0, 0)


@pytest.mark.parametrize("name", sorted(_TABLES))
def test_every_figure_says_where_and_when_it_was_published(name: str) -> None:
    for model, entry in _models(name).items():
        for figures in (entry["cost"], entry.get("quality")):
            if figures is not None:
                assert figures["source"], model
                assert figures["date"] == "2026-11-22", model


def test_the_litellm_twin_of_anthropic_differs_in_what_the_wire_can_say() -> None:
    own, twin = _provider("anthropic"), _provider("anthropic_litellm")
    changed = {key for key in own.keys() | twin.keys() if own.get(key) != twin.get(key)}
    assert changed <= {"provider", "description", "endpoint", "defaults", "models"}
    assert twin["endpoint"]["transport"] == "litellm"
    assert twin["endpoint"]["model_prefix"] == "anthropic/"
    for model, entry in _models("anthropic").items():
        other = _models("anthropic_litellm")[model]
        keys = {key for key in entry.keys() | other.keys() if entry.get(key) != other.get(key)}
        assert keys <= {"wire", "capabilities"}, model


def test_the_litellm_twin_of_openai_differs_in_what_chat_completions_cannot_do() -> None:
    own, twin = _models("openai"), _models("openai_litellm")
    assert list(own) == list(twin)
    for model in own:
        keys = own[model].keys() | twin[model].keys()
        changed = {key for key in keys if own[model].get(key) != twin[model].get(key)}
        assert changed <= {"protocol", "wire", "capabilities"}, model


def test_models_that_cannot_stop_reasoning_offer_no_tools_over_chat_completions() -> None:
    spoken = [entry for name in ("openai", "openai_litellm") for entry in _models(name).values()]
    for entry in spoken:
        wire, tools = entry["wire"], entry["capabilities"]["tools"]
        if entry.get("protocol") == "openai-responses":
            assert tools
            assert "with_tools" not in wire
            continue
        can_stop = "none" in wire["efforts"]
        assert tools is can_stop, entry["model"]
        assert wire["with_tools"] == ({"reasoning_effort": "none"} if can_stop else {})


def test_only_models_that_do_not_reason_unasked_stay_on_chat_completions() -> None:
    chat = {m for m, entry in _models("openai").items() if entry["protocol"] == "openai-chat"}
    assert chat == {"gpt-5.4-mini", "gpt-5.4-nano"}


def test_only_models_that_obey_a_forced_tool_choice_say_so() -> None:
    models = _models("anthropic").items()
    obey = {model for model, entry in models if entry["capabilities"]["forced_tool_choice"]}
    assert obey == {
        "claude-opus-5",
        "claude-opus-4-8",
        "claude-sonnet-4-6",
        "claude-haiku-5-5",
        "claude-haiku-4-5",
    }


def test_sampling_parameters_are_kept_from_models_that_refuse_them() -> None:
    wires = {m: entry["wire"] for m, entry in _models("anthropic").items()}
    taking = {model for model, wire in wires.items() if "temperature" not in wire["reject"]}
    assert taking == {"claude-sonnet-4-6", "claude-haiku-4-5"}


def test_openai_takes_sampling_parameters_where_nothing_is_thought() -> None:
    wires = {m: entry["wire"] for m, entry in _models("openai").items()}
    assert all({"temperature", "top_p"} <= {*wire["reject_reasoning"]} for wire in wires.values())
    quiet = {m for m, wire in wires.items() if wire.get("default_effort") == "none"}
    assert quiet == {"gpt-5.4-mini", "gpt-5.4-nano"}
