"""Rows 22–32: rate limits, money, breakers and budgets, on a clock that only tests move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from llmroute.dispatch.pace import Pace
from tests.faults.bench import Bench, Record, answered_by_first, failed_over
from tests.faults.chat import error, whole
from tests.faults.server import FaultServer, Wire, http

DATE = "Sun, 29 Nov 2026 12:00:00 GMT"
LATER = "Sun, 29 Nov 2026 12:01:30 GMT"
PAST = "Sun, 29 Nov 2026 11:00:00 GMT"
GOOD = http(whole("Hi there"))
LIMITED = error("Rate limit reached", code="rate_limit_exceeded")


class Clock:
    """A monotonic clock and a time of day, moved by hand; sleeping moves the first."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.wall = datetime(2026, 11, 29, 12, tzinfo=UTC)
        self.slept: list[float] = []

    async def sleep(self, wait: float) -> None:
        self.slept.append(wait)
        self.now += wait

    def options(self) -> dict[str, object]:
        pace = Pace(lambda: self.now, lambda: self.wall.timestamp(), self.sleep)
        return {"pace": pace, "now": lambda: self.wall}


@pytest.fixture
def clock(bench: Bench) -> Clock:
    made = Clock()
    bench.options |= made.options()
    return made


@pytest.mark.parametrize(
    ("row", "headers", "wait"),
    [
        (22, {"retry-after": "30"}, 30.0),
        (23, {"retry-after": "1.5"}, 1.5),
        (24, {"retry-after-ms": "2500", "retry-after": "30"}, 2.5),
        (25, {"retry-after": LATER, "date": DATE}, 90.0),
        (26, {"retry-after": PAST, "date": DATE}, None),
        (27, {"retry-after": "NaN"}, None),
        (27, {"retry-after": "-1"}, None),
        (27, {"retry-after": "1000000000"}, None),
    ],
    ids=["integer", "float", "ms", "date", "past", "NaN", "negative", "1e9"],
)
def test_row_22_to_27_retry_after(
    bench: Bench,
    record: Record,
    clock: Clock,
    form: str,
    row: int,
    headers: dict[str, str],
    wait: float | None,
) -> None:
    with FaultServer(http(LIMITED, 429, headers), GOOD) as server:
        bench.first(server.url)
        seen = bench.ask(form)
        failed_over(seen, "rate_limit", "Rate limit reached", counted=False)
        assert seen.standing == "limit"
        expected = 1.0 if wait is None else wait  # what is ignored is as if it was not sent
        assert bench.ready_in() == pytest.approx(expected, abs=1e-6)
        clock.now += expected - 0.1
        assert bench.ask(form).outcomes == [("second/m", "ok")]
        clock.now += 0.2
        answered_by_first(bench.ask(form), "Hi there")
    said = ", ".join(f"{name}: {value}" for name, value in headers.items() if name != "date")
    fault = f"429 with `{said}`" + (f", {DATE[17:25]} by its own date" if "date" in headers else "")
    what = "ignored: 1 s" if wait is None else f"{wait:g} s"
    record(
        row, fault, f"F0, {what}", f"rate_limit → `second` answers; not before {expected:g} s", form
    )


def test_row_28_bare_429(bench: Bench, record: Record, clock: Clock, form: str) -> None:
    waits = []
    with FaultServer(http(LIMITED, 429)) as server:
        bench.first(server.url)
        for _ in range(8):
            seen = bench.ask(form)
            failed_over(seen, "rate_limit", counted=False)
            waits.append(bench.ready_in())
            clock.now += waits[-1] + 0.01
    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60])
    observed = "rate_limit → `second` answers; not before 1, 2, 4, … 60 s"
    record(28, "429 that says no time, again and again", "F0, backoff from 1 s", observed, form)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, error("You exceeded your current quota", code="insufficient_quota")),
        (402, error("Payment required")),
        (400, error("You have reached your specified API usage limits")),
    ],
    ids=["429", "402", "400"],
)
def test_row_29_out_of_money(
    bench: Bench, record: Record, clock: Clock, form: str, status: int, body: object
) -> None:
    with FaultServer(http(body, status)) as server:
        bench.first(server.url)
        seen = bench.ask(form)
        failed_over(seen, "quota", counted=False)
        assert seen.standing == "credential off"
        assert "top it up" in (seen.first.help or "")
        clock.now += 299
        assert bench.ask(form).outcomes == [("second/m", "ok")]
        clock.now += 2
        assert bench.ask(form).outcomes[0] == ("first/m", "quota")
    record(29, f"out of money, status {status}", "F0, credential off", seen, form)


def test_row_30_five_failures(bench: Bench, record: Record, clock: Clock, form: str) -> None:
    with FaultServer(*[http("x", 500)] * 5, GOOD) as server:
        bench.first(server.url)
        for count in range(5):
            seen = bench.ask(form)
            failed_over(seen, "transient")
            assert seen.standing == ("circuit" if count == 4 else "")
        assert bench.ask(form).outcomes == [("second/m", "ok")]
        assert len(server.requests) == 5
        clock.now += 5.1
        after = bench.ask(form)
        assert after.outcomes == [("first/m", "ok")]
        assert after.attempts[0].role == "probe"
    record(30, "five times status 500", "breaker open", seen, form)


def test_row_30_most_of_five_fail(bench: Bench, clock: Clock) -> None:
    """Fewer than 80 % of at least 5 calls within 30 s succeed: 3 of 5, and not in a row."""
    bad = http("x", 500)
    with FaultServer(bad, GOOD, bad, GOOD, GOOD) as server:
        bench.first(server.url)
        standings = [bench.ask().standing for _ in range(5)]
        assert standings == ["", "", "", "", ""]  # the last one is good; failures open circuits
        server._say = [bad]
        assert bench.ask().standing == "circuit"


@pytest.mark.parametrize(
    ("status", "body", "left"),
    [
        (529, error("Overloaded", type="overloaded_error"), 500 - 5 + 1),
        (500, error("boom", type="server_error"), 500 - 14 + 1),
    ],
    ids=["529", "500"],
)
def test_row_31_what_repeats_cost(
    bench: Bench,
    record: Record,
    clock: Clock,
    form: str,
    status: int,
    body: object,
    left: int,
) -> None:
    with FaultServer(http(body, status), GOOD) as server:
        bench.first(server.url, second=None)
        seen = bench.ask(form)
    assert [a.outcome for a in seen.attempts][1:] == ["ok"]
    assert bench.retries_left() == left
    assert len(clock.slept) == 1
    assert 0.05 <= clock.slept[0] <= 0.1
    expected = f"a repeat costs {501 - left} of 500"
    observed = f"{seen.first.outcome} → repeated, `first` answers; {left} of 500 are left"
    record(31, f"status {status}, no other target", expected, observed, form)


def test_row_31_overloaded(bench: Bench, record: Record, clock: Clock, form: str) -> None:
    body = error("Overloaded", type="overloaded_error")
    with FaultServer(http(body, 529)) as server:
        bench.first(server.url)
        seen = bench.ask(form)
    failed_over(seen, "overloaded", "Overloaded")
    record(31, "status 529", "F", seen, form)


def test_row_32_the_time_of_day_jumps(
    bench: Bench, record: Record, clock: Clock, form: str
) -> None:
    def jumping(wire: Wire) -> None:
        clock.wall += timedelta(hours=1)
        clock.now += 0.25
        wire.send(http(LIMITED, 429, {"retry-after": LATER, "date": DATE}))

    with FaultServer(jumping, GOOD) as server:
        bench.first(server.url)
        seen = bench.ask(form)
        failed_over(seen, "rate_limit", counted=False)
        assert seen.first.duration == pytest.approx(0.25)
        assert bench.ready_in() == pytest.approx(90)
        clock.wall -= timedelta(hours=2)
        clock.now += 89
        assert bench.ask(form).outcomes == [("second/m", "ok")]
        clock.now += 1.1
        answered_by_first(bench.ask(form), "Hi there")
    observed = "a call of 0.25 s is 0.25 s, a wait of 90 s is 90 s"
    record(32, "the clock on the wall jumps an hour", "durations unaffected", observed, form)


def test_should_retry_goes_before_the_status(bench: Bench, clock: Clock) -> None:
    """`x-should-retry` of OpenAI and Anthropic: the provider's own word on a repeat."""
    never = http("x", 500, {"x-should-retry": "false"})
    with FaultServer(never, GOOD) as server:
        bench.first(server.url, second=None)
        assert len(bench.ask().attempts) == 1


def test_panic_everybody_ill_is_still_somebody(bench: Bench, clock: Clock) -> None:
    """With both circuits open they only come later; the request is served."""
    with FaultServer(*[http("x", 500)] * 5, GOOD) as server:
        bench.first(server.url, second=None)
        for _ in range(2):
            bench.ask()
        clock.now += 0.5
        seen = bench.ask()
    assert seen.outcomes[-1] == ("first/m", "ok")
