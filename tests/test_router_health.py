"""The public view of who is healthy: what it says of outages, limits and measurements."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from llmroute import RouteFailed, Router, TargetHealth
from llmroute.adapter.adapter import Adapter
from llmroute.dispatch.health.health import Admission, Health
from llmroute.dispatch.health.report import report
from llmroute.dispatch.live import LiveState
from llmroute.dispatch.pace import Pace
from llmroute.errors import ErrorKind, TargetError
from tests.build import provider, target
from tests.loops import VirtualLoop
from tests.test_router import POLICY, PROVIDER

NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
LIMITED = {"limits": {"rpm": 10, "tpm": 6000, "concurrency": 3}}


class Catalog:
    def __init__(self, *targets, **problems):
        self.targets, self.problems = targets, problems

    def problem(self, target):
        return self.problems.get(target.provider.name)


class Watch:
    """Health and measurements over a clock of the test's own."""

    def __init__(self):
        self.now = 1000.0
        self.health = Health(lambda: self.now, self.wall, Random(1))
        self.live = LiveState(lambda: self.now, quota=self.health.headroom)

    def wall(self):
        return NOON + timedelta(seconds=self.now - 1000.0)

    def of(self, made, **problems) -> TargetHealth:
        (found,) = report(Catalog(made, **problems), self.health, self.live)
        return found


@pytest.fixture
def watch():
    return Watch()


A = target("a/1", provider=provider("a"), **LIMITED)


def error(kind=ErrorKind.TRANSIENT, **fields):
    return TargetError(kind, "x", **fields)


def test_nothing_was_seen_yet(watch):
    seen = watch.of(A)
    assert seen.in_service
    assert (seen.reason, seen.help, seen.until) == (None, None, None)
    assert (seen.circuit, seen.share) == ("closed", 1.0)
    assert (seen.requests_left, seen.tokens_left, seen.places_left) == (10, 6000, 3)
    # the priors of a cloud target
    assert (seen.first_token, seen.tokens_per_second, seen.success) == (1.0, 60.0, 0.98)
    assert (seen.observations, seen.in_flight, seen.quotas) == (0.0, 0, {})


def test_without_declared_limits_nothing_is_known_to_be_left(watch):
    seen = watch.of(target("b/1"))
    assert (seen.requests_left, seen.tokens_left, seen.places_left) == (None, None, None)


def test_a_circuit_opens_is_half_open_and_ramps_up(watch):
    for _ in range(5):
        watch.health.failed(A, error(), Admission())
    seen = watch.of(A)
    assert (seen.in_service, seen.circuit) == (False, "open")
    assert seen.reason.startswith("its circuit is open until 12:00:0")
    assert NOON + timedelta(seconds=2.5) <= seen.until <= NOON + timedelta(seconds=5)
    watch.now += 5.0
    assert (watch.of(A).in_service, watch.of(A).circuit) == (True, "half_open")
    probe = watch.health.admit(A)
    assert (watch.of(A).in_service, watch.of(A).circuit) == (False, "half_open")
    watch.health.succeeded(A, probe)
    assert (watch.of(A).in_service, watch.of(A).circuit, watch.of(A).share) == (True, "closed", 0.1)
    watch.now += 30.0
    assert watch.of(A).share == 0.5
    watch.now += 30.0
    assert watch.of(A).share == 1.0


def test_where_nobody_listens_the_host_is_out(watch):
    other = target("a/2", provider=A.provider)
    watch.health.failed(A, error(ErrorKind.UNAVAILABLE, code="connection_refused"), Admission())
    assert (watch.of(other).in_service, watch.of(other).circuit) == (False, "open")


def test_a_limit_that_was_hit_is_out_until_it_was_told(watch):
    watch.health.failed(A, error(ErrorKind.RATE_LIMIT, retry_after=90.0), Admission())
    seen = watch.of(A)
    assert (seen.in_service, seen.circuit) == (False, "closed")
    assert seen.until == NOON + timedelta(seconds=90)
    assert seen.reason == "its rate limit is used up until 12:01:30: the provider answered 429"


def test_what_calls_take_of_limits_is_no_longer_left(watch):
    for _ in range(2):
        watch.health.began(A, 1500)
        watch.live.started(A)
    seen = watch.of(A)
    assert (seen.requests_left, seen.tokens_left, seen.places_left) == (8, 3000, 1)
    assert seen.in_flight == 2
    watch.now += 6.0  # a tenth of a minute: one request and 600 tokens come back
    assert (watch.of(A).requests_left, watch.of(A).tokens_left) == (9, 3600)


def test_more_than_the_limit_leaves_nothing_and_not_less(watch):
    watch.health.began(A, 9000)
    seen = watch.of(A)
    assert (seen.tokens_left, seen.in_service) == (0, False)
    assert seen.reason.endswith("6000 tpm are used up")


def test_a_refused_key_leaves_out_its_provider(watch):
    watch.health.failed(A, error(ErrorKind.AUTH, status=401, help="renew it"), Admission())
    seen = watch.of(A)
    assert (seen.in_service, seen.help) == (False, "renew it")
    assert seen.until == NOON + timedelta(seconds=60)


def test_what_files_and_servers_say_goes_first_and_has_no_end(watch):
    from llmroute.catalog.build import Problem

    watch.health.failed(A, error(ErrorKind.AUTH, status=401), Admission())
    seen = watch.of(A, a=Problem("there is no key", "set KEY"))
    assert (seen.in_service, seen.reason, seen.help, seen.until) == (
        False,
        "there is no key",
        "set KEY",
        None,
    )


def test_announced_quotas_and_measurements_are_told(watch):
    headers = {
        "x-ratelimit-limit-requests": "100",
        "x-ratelimit-remaining-requests": "25",
        "x-ratelimit-reset-requests": "60s",
    }
    watch.health.announced(A, headers)
    watch.live.started(A)
    watch.live.ended(A, healthy=False, first_token=7.0)
    watch.now += 30.0  # half of the way to the reset
    seen = watch.of(A)
    assert seen.quotas == {"requests": 0.625}
    # one observation of 7 s beside a prior of 1 s that counts as five, and 30 s of decay
    share = 0.5 ** (30 / 600)
    assert seen.first_token == pytest.approx((5 * 1.0 + 7.0 * share) / (5 + share))
    assert seen.success == pytest.approx(5 * 0.98 / (5 + share))
    assert seen.observations == pytest.approx(share)


def test_a_router_tells_it_as_data(tmp_path):
    class Down:
        async def open(self, call):
            raise TargetError(ErrorKind.UNAVAILABLE, "refused", code="connection_refused")

        async def aclose(self):
            """Nothing is kept."""

    for name in ("policies", "providers.d"):
        (tmp_path / name).mkdir()
    (tmp_path / "policies" / "balanced.yaml").write_text(POLICY)
    for name in ("second", "first"):
        file = PROVIDER.format(name=name, url="http://127.0.0.1:9", price=1)
        (tmp_path / "providers.d" / f"{name}.yaml").write_text(file)
    (tmp_path / "llmroute.yaml").write_text("timezone: Europe/Vienna\nledger: false\n")
    loop = VirtualLoop()
    with Router.load(
        tmp_path,
        environment={},
        adapter=Adapter({"http": Down()}),
        pace=Pace(clock=loop.time),
    ) as router:
        with pytest.raises(RouteFailed):
            loop.run_until_complete(router.acomplete("Hello", route={"only": ["first"]}))
        first, second = router.health()
    loop.close()
    assert (first.target, first.in_service) == ("first/m", False)
    assert second.in_service
    data = json.loads(json.dumps(first.to_dict()))
    assert datetime.fromisoformat(data["until"]) == first.until
    assert first.until.tzname() == "CET"
    assert list(data) == list(TargetHealth.__dataclass_fields__)
    assert (data["circuit"], data["in_flight"], data["observations"]) == ("open", 0, 1.0)
    with pytest.raises(AttributeError):
        first.share = 0.5  # type: ignore[misc]
