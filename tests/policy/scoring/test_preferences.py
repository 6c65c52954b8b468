"""Each built-in preference against values worked out by hand from its formula."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from llmroute.policy.scoring.context import Candidate, Context, Surroundings
from llmroute.policy.scoring.live import LiveFacts, Priors
from llmroute.policy.scoring.preferences import Value, preference, to_micro
from llmroute.types import Request
from tests.build import target

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


class Live(Priors):
    """A live view that says what a test tells it."""

    def __init__(self, facts: LiveFacts | None = None, served: str | None = None) -> None:
        self.facts = facts
        self.served_by = served

    def of(self, target):
        return self.facts or super().of(target)

    def affinity(self, request):
        return self.served_by


def measure(prefer, candidate_target, live=None, **fields) -> Value:
    request = Request.of("hi", **{"input_tokens": 1000, **fields})
    context = Context(request, Surroundings(NOW, live or Live()))
    return preference(prefer).measure(Candidate(candidate_target, context), context, context.note)


def test_price_is_linear_in_the_logarithm_of_the_blend():
    # 1,000 tokens in at $2/M and 500 expected out at $10/M cost $0.007, so a million of this mix
    # costs $14/3. From $50 to $0.05 are three decades: log10(50 / (14/3)) / 3
    # = log10(10.714286) / 3 = 1.029963 / 3 = 0.343321.
    assert measure("price", target("a/m", price=(2, 10))).micro == 343_321


@pytest.mark.parametrize(
    ("price", "micro"),
    [
        ((0, 0), 1_000_000),  # free
        ((0.05, 0.05), 1_000_000),  # at the best price
        ((0.01, 0.01), 1_000_000),  # below it: clamped
        ((0.5, 0.5), 666_667),  # one decade above the best: 2/3
        ((5, 5), 333_333),  # two decades: 1/3
        ((50, 50), 0),  # at the worst
        ((500, 500), 0),  # above it: clamped
    ],
)
def test_price_at_round_blends(price, micro):
    assert measure("price", target("a/m", price=price)).micro == micro


def test_an_unknown_price_is_unknown_and_not_free():
    assert measure("price", target("a/m")).micro is None
    assert measure({"cost": {"half": 0.01}}, target("a/m")).micro is None


def test_an_expired_price_is_unknown():
    cost = {"input": 1, "output": 1, "valid_until": "2026-11-21"}
    assert measure("price", target("a/m", cost=cost)).micro is None
    cost = {"input": 1, "output": 1, "valid_until": "2026-11-22"}
    assert measure("price", target("a/m", cost=cost)).micro is not None


def test_cost_is_a_half_at_half():
    # $0.007 as above; 0.007 / (0.007 + 0.007) = 1/2; 0.014 / (0.014 + 0.007) = 2/3.
    assert measure({"cost": {"half": 0.007}}, target("a/m", price=(2, 10))).micro == 500_000
    assert measure({"cost": {"half": 0.014}}, target("a/m", price=(2, 10))).micro == 666_667


def test_latency_reads_the_measured_first_token_else_the_prior():
    fast = LiveFacts(first_token=0.5, tokens_per_second=30, success=1)
    # 2 / (2 + 0.5) = 0.8; the prior of a cloud target is 1 s: 2 / 3; one's own `expected` beats it
    assert measure({"latency": {"half": "2s"}}, target("a/m"), Live(fast)).micro == 800_000
    assert measure({"latency": {"half": "2s"}}, target("a/m")).micro == 666_667
    expected = target("a/m", expected={"first_token": "6s"})
    assert measure({"latency": {"half": "2s"}}, expected).micro == 250_000


def test_throughput_grows_towards_one():
    # local prior 30 tok/s: 30 / (30 + 90) = 1/4
    assert measure({"throughput": {"half": 90}}, target("a/m", "local")).micro == 250_000


def test_quality_is_of_the_task_else_the_default():
    quality = {"default": 0.5, "code": 0.75, "source": "x", "date": "2026-11-01"}
    able = target("a/m", quality=quality)
    assert measure("quality", able, task="code").micro == 750_000
    assert measure("quality", able, task="poetry").micro == 500_000
    assert measure("quality", target("a/m")).micro is None


@pytest.mark.parametrize(
    ("size", "micro"),
    [("1.5B", 250_000), ("8.2B", 450_000), ("70.6B", 600_000), ("120B", 650_000)],
)
def test_a_local_model_without_a_figure_takes_the_prior_of_its_size(size, micro):
    value = measure("quality", target("a/m", "local", parameters=size))
    assert value.micro == micro
    assert "prior" in value.note


def test_a_local_model_of_unknown_size_takes_the_lowest_stated_prior():
    assert measure("quality", target("a/m", "local")).micro == 350_000


def test_reliability_headroom_and_affinity():
    live = Live(LiveFacts(1, 1, success=0.75, headroom=0.25), served="a/m")
    assert measure("reliability", target("a/m"), live).micro == 750_000
    assert measure("headroom", target("a/m"), live).micro == 250_000
    assert measure("affinity", target("a/m"), live).micro == 1_000_000
    assert measure("affinity", target("a/other"), live).micro == 0


@pytest.mark.parametrize(
    ("text", "micro"),
    [
        ("target.locality == 'cloud'", 1_000_000),
        ("target.locality == 'local'", 0),
        ("`0.25`", 250_000),
        ("`7`", 1_000_000),
        ("`-1`", 0),
        ("target.id", 0),  # text counts as 0
        ("target.context_window", 0),  # null counts as 0
        ("length(target.specializations)", 1_000_000),
    ],
)
def test_an_expression_gives_a_boolean_or_a_number(text, micro):
    assert measure(text, target("a/m", specializations=["code"])).micro == micro


def test_an_expression_that_cannot_be_evaluated_counts_as_zero_and_is_noted():
    request = Request.of("hi")
    context = Context(request, Surroundings(NOW, Live()))
    candidate = Candidate(target("a/m"), context)
    value = preference("abs(target.id)").measure(candidate, context, context.note)
    assert value.micro == 0
    assert len(context.notes) == 1


def test_values_round_half_even():
    assert to_micro(0.0000005) == 0
    assert to_micro(0.0000015) == 2
    assert to_micro(2 / 3) == 666_667


@pytest.mark.parametrize(
    ("price", "tokens", "shown"),
    [
        # 1 token in and 100 out at $0.10 and $0.50 per million: $0.0000501
        ((0.1, 0.5), 1, "$0.0000501"),
        # 9 tokens in and 100 out at 1 and 0 nano-dollars a token: $0.000000009
        ((0.001, 0), 9, "$0.000000009"),
        ((0, 0), 9, "$0"),
    ],
)
def test_a_cost_is_shown_exactly_and_never_in_powers_of_ten(price, tokens, shown):
    value = measure(
        {"cost": {"half": 0.01}}, target("a/m", price=price), input_tokens=tokens, max_tokens=100
    )
    assert value.note == shown
