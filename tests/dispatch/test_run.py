"""A request on its way: what it waits for, what it skips, and that it gives everything back."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from llmroute.catalog import Endpoint
from llmroute.dispatch.health.health import Admission
from llmroute.errors import ErrorKind, NoEligibleTarget, RouteFailed
from tests.build import provider
from tests.dispatch.world import World, error, fails, says, stalls
from tests.loops import run


def test_a_request_goes_on_until_somebody_answers():
    async def work():
        world = World({"a/1": [fails()], "b/1": [says("hi")]})
        answer = await world.complete()
        assert (answer.text, answer.target) == ("hi", "b/1")
        assert world.outcomes == [("a/1", "first", "transient"), ("b/1", "fallback", "ok")]
        assert world.books.closed == [("ok", "b/1")]
        await world.assert_settled()

    run(work())


def test_every_way_to_fail_gives_everything_back():
    async def work():
        world = World(
            {"a/1": [fails()], "b/1": [fails(ErrorKind.AUTH)], "c/1": [stalls()]},
            attempts=8,
        )
        with pytest.raises(RouteFailed) as caught:
            await world.complete(timeout=20.0)
        assert world.now <= 1020.0 + 1e-6
        assert "the deadline passed" in str(caught.value) or "waited for" in str(caught.value)
        await world.assert_settled()

    run(work())


def test_nobody_eligible_closes_the_books():
    async def work():
        world = World({"a/1": [says("hi")]})
        with pytest.raises(NoEligibleTarget):
            await world.complete(route={"only": ["z"]})
        assert world.books.closed == [("no_eligible_target", None)]
        await world.assert_settled()

    run(work())


def test_attempts_never_exceed_the_policys():
    async def work():
        for attempts in range(1, 7):
            world = World({"a/1": [fails()], "b/1": [fails()]}, attempts=attempts)
            with pytest.raises(RouteFailed):
                await world.complete()
            assert len(world.asked) == attempts
            await world.assert_settled()

    run(work())


def test_a_refused_reservation_goes_on_and_counts_no_attempt():
    async def work():
        refuse = frozenset({"a/1", "c/1"})
        scripts = {"a/1": [says("x")], "b/1": [fails()], "c/1": [says("x")], "d/1": [says("ok")]}
        world = World(scripts, refuse=refuse, attempts=2)
        answer = await world.complete()
        assert answer.target == "d/1"
        assert world.outcomes == [("b/1", "first", "transient"), ("d/1", "fallback", "ok")]
        await world.assert_settled()

    run(work())


def test_where_every_reservation_is_refused_the_error_says_so():
    async def work():
        world = World({"a/1": [says("x")]}, refuse=frozenset({"a/1"}))
        with pytest.raises(RouteFailed, match=r"a/1 was not called: .*budget"):
            await world.complete()
        await world.assert_settled()

    run(work())


def test_what_was_called_once_was_not_called_again():
    """A refused connection opens the circuit at once, so that no repeat is made."""

    async def work():
        world = World({"a/1": [fails(ErrorKind.UNAVAILABLE, code="connection_refused")]})
        with pytest.raises(RouteFailed, match="a/1 was not called again: its circuit is open"):
            await world.complete()

    run(work())


@pytest.mark.parametrize("streams", [False, True])
def test_a_fault_of_this_program_is_not_laid_at_the_caller_s_door(streams):
    async def work():
        world = World({"a/1": [((0.1, MemoryError("a prompt")),)]})
        with pytest.raises(MemoryError):
            await (anext(world.stream()) if streams else world.complete())
        assert world.outcomes == [("a/1", "first", "cancelled")]
        assert world.records[0].message == "this program broke it off with MemoryError"
        assert world.books.closed == [("cancelled", None)]
        await world.assert_settled()

    run(work())


def test_an_open_circuit_is_the_last_resort():
    async def work():
        world = World({"a/1": [says("hi")], "b/1": [fails()], "c/1": [fails()]}, attempts=3)
        refused = error(ErrorKind.UNAVAILABLE, code="connection_refused")
        world.health.failed(world.targets[0], refused, world.health.admit(world.targets[0]))
        world.script("b/1", fails(ErrorKind.QUOTA))
        world.script("c/1", fails(ErrorKind.QUOTA))
        answer = await world.complete()
        assert [(a.target, a.role) for a in answer.attempts] == [
            ("b/1", "first"),
            ("c/1", "fallback"),
            ("a/1", "last_resort"),
        ]
        await world.assert_settled()

    run(work())


def test_a_probe_says_that_it_is_one():
    async def work():
        world = World({"a/1": [says("hi")]})
        refused = error(ErrorKind.UNAVAILABLE, code="connection_refused")
        world.health.failed(world.targets[0], refused, world.health.admit(world.targets[0]))
        asyncio.get_running_loop().now += 10.0
        await world.complete()
        assert [item.role for item in world.records] == ["probe"]
        assert world.health.admit(world.targets[0]) == Admission()
        world.health.admitted.clear()
        await world.assert_settled()

    run(work())


@pytest.mark.parametrize("probe", [says("hi", after=1.0), fails(after=1.0)])
def test_of_many_requests_at_once_one_alone_probes(probe):
    async def work():
        world = World({"a/1": [probe], "b/1": [says("ho")]}, places=100)
        refused = error(ErrorKind.UNAVAILABLE, code="connection_refused")
        world.health.failed(world.targets[0], refused, world.health.admit(world.targets[0]))
        asyncio.get_running_loop().now += 10.0
        answers = await asyncio.gather(*(world.complete() for _ in range(50)))
        assert world.asked.count("a/1") == 1
        assert sum(item.role == "probe" for item in world.records) == 1
        assert {answer.text for answer in answers} <= {"hi", "ho"}
        await world.assert_settled()

    run(work())


def test_a_deadline_within_an_answer_is_not_its_targets_fault():
    async def work():
        texts = [str(i) for i in range(100)]
        world = World({"a/1": [says(*texts, gap=1.0)]}, attempts=1)
        for _ in range(8):
            with pytest.raises(RouteFailed):
                await world.complete(timeout=10.0)
        assert len(world.asked) == 8
        assert world.outcomes[-1] == ("a/1", "first", "timeout")
        assert not world.health.standing(world.targets).out

    run(work())


def test_a_deadline_shorter_than_usual_is_not_its_targets_fault():
    """Nothing was measured: a cloud target is taken to need a second."""

    async def work():
        world = World({"a/1": [says("hi", after=0.9)]}, attempts=1)
        for _ in range(8):
            with pytest.raises(RouteFailed):
                await world.complete(timeout=0.5)
        assert len(world.asked) == 8
        assert not world.health.standing(world.targets).out

    run(work())


def test_a_target_that_hangs_longer_than_usual_is_to_blame():
    async def work():
        world = World({"a/1": [stalls()]}, attempts=1)
        for _ in range(5):
            with pytest.raises(RouteFailed):
                await world.complete(timeout=10.0)
        assert set(world.health.standing(world.targets).out) == {"a/1"}

    run(work())


class Key:
    """A credential that has been replaced by another one."""

    def __init__(self, fresh):
        self.fresh = fresh

    def reread(self):
        return self.fresh


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_refused_credential_that_was_replaced_is_nobodys_fault(attempts):
    """Even where no attempt is left to use the new one, the next request does."""
    endpoint = Endpoint("http", "openai-chat", "http://127.0.0.1:9", auth=Key(Key(None)))
    owner = provider("a", endpoint=endpoint)
    refused = fails(ErrorKind.AUTH, status=401)

    async def work():
        scripts, told = {"a/1": [refused, says("hi")]}, []
        world = World(scripts, data={"a/1": {"provider": owner}}, attempts=attempts)
        world.dispatcher.services = replace(
            world.services, on_rotated=lambda name, _auth: told.append(name)
        )
        if attempts == 1:
            with pytest.raises(RouteFailed):
                await world.complete()
        else:
            assert (await world.complete()).text == "hi"
        assert told == ["a"]
        assert not world.health.standing(world.targets).problems
        await world.assert_settled()

    run(work())


def test_a_credential_that_is_refused_twice_is_left_alone():
    endpoint = Endpoint("http", "openai-chat", "http://127.0.0.1:9", auth=Key(Key(Key(None))))
    owner = provider("a", endpoint=endpoint)

    async def work():
        scripts = {"a/1": [fails(ErrorKind.AUTH, status=401)], "b/1": [says("hi")]}
        world = World(scripts, data={"a/1": {"provider": owner}})
        assert (await world.complete()).target == "b/1"
        assert world.asked == ["a/1", "a/1", "b/1"]
        assert set(world.health.standing(world.targets).problems) == {"a"}
        await world.assert_settled()

    run(work())


def test_circuits_that_open_after_the_decision_do_not_leave_a_request_without_anybody():
    async def work():
        world = World({"a/1": [says("hi")], "b/1": [says("ho")]})
        decision = world.decide()
        for target in world.targets:
            for _ in range(5):
                world.health.failed(target, error(), world.health.admit(target))
        answer = await world.dispatcher.complete(
            decision.request, decision, on_attempt=world.records.append
        )
        assert (answer.text, answer.target) == ("hi", "a/1")
        assert [(item.target, item.role) for item in world.records] == [("a/1", "last_resort")]
        await world.assert_settled()

    run(work())
