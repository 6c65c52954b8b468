"""How long answers are: medians worked out by hand, and what is remembered of which task."""

from __future__ import annotations

import pytest

from llmroute.dispatch.lengths import median
from llmroute.dispatch.live import LiveState
from llmroute.policy import LiveFacts
from llmroute.policy.scoring.live import Output
from tests.build import target

CLOUD = target("a/cloud")


@pytest.fixture
def live():
    return LiveState(lambda: 1000.0, learn=True)


def answer(live, tokens, times=1, task="chat", whole=True, of=CLOUD):
    for _ in range(times):
        live.answered(of, task, tokens, whole=whole)


def usual(live, task="chat", of=CLOUD):
    known = live.of(of).outputs.get(task)
    return known and known.tokens


@pytest.mark.parametrize(
    ("tokens", "wanted"),
    [
        ((30, 10, 20), 20),
        ((40, 10, 30, 20), 20),
        # those cut at 10 would have gone on: 20, 30, 40 are left
        ((-10, -10, 20, 30, 40), 30),
        # one that ends at 20 ends before one that was cut there
        ((-20, 20, 20), 20),
        # three of five go on beyond 30, at least as far as 90
        ((10, 20, -30, -40, -90), 90),
        ((-5, -9), 9),
        ((7,), 7),
    ],
)
def test_the_median_counts_answers_that_were_cut_short_as_longer(tokens, wanted):
    assert median(tokens) == wanted


def test_the_median_is_that_of_the_textbook():
    """Weeks in remission, 6-mercaptopurine and placebo (Freireich et al. 1963): 23 and 8."""
    treated = (6, 6, 6, -6, 7, -9, 10, -10, -11, 13, 16, -17, -19, -20, 22, 23, -25)
    assert median((*treated, -32, -32, -34, -35)) == 23
    placebo = (1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23)
    assert median(placebo) == 8


def test_longer_answers_count_once_they_outnumber_the_five_of_the_file(live):
    answer(live, 2000, times=5)
    assert live.of(CLOUD).outputs == {"chat": Output(500, 5)}
    answer(live, 2000)
    assert live.of(CLOUD).outputs == {"chat": Output(2048, 6)}  # 2^11 is nearest to 2,000


def test_shorter_answers_count_once_there_are_as_many(live):
    answer(live, 60, times=4)
    assert usual(live) == 500
    answer(live, 60)
    assert usual(live) == 64


def test_the_file_says_what_to_expect_first(live):
    brief = target("a/brief", typical_output=50)
    answer(live, 60, times=32, of=brief)
    assert usual(live, of=brief) == 50  # 60 is less than three quarters of a step above it
    answer(live, 100, times=32, of=brief)
    assert usual(live, of=brief) == 91  # 2^6.5 is nearer to 100 than 2^7


@pytest.mark.parametrize(("tokens", "wanted"), [(1700, 2048), (1500, 1448), (2600, 2048)])
def test_a_length_stays_until_the_median_is_three_quarters_of_a_step_off(live, tokens, wanted):
    answer(live, 2000, times=32)
    answer(live, tokens, times=32)
    assert usual(live) == wanted  # log2 of 2048/1700 is 0.27, of 2048/1500 0.45, of 2600/2048 0.34


def test_only_the_latest_32_answers_count(live):
    """Of 37 values, five of them 500, the 19th is the median."""
    answer(live, 2000, times=40)
    answer(live, 60, times=13)
    assert live.of(CLOUD).outputs == {"chat": Output(2048, 32)}
    answer(live, 60)
    assert usual(live) == 512
    answer(live, 60, times=4)
    assert usual(live) == 512
    answer(live, 60)
    assert usual(live) == 64


def test_answers_that_were_cut_short_of_what_is_expected_change_nothing(live):
    answer(live, 100, times=40, whole=False)
    assert usual(live) == 500


def test_answers_that_were_cut_beyond_what_is_expected_make_it_longer(live):
    answer(live, 3000, times=40, whole=False)
    assert usual(live) == 2896  # 2^11.5


def test_nobody_is_expected_to_say_more_than_the_file_allows(live):
    narrow = target("a/narrow", max_output=2000)
    answer(live, 2000, times=6, of=narrow)
    assert usual(live, of=narrow) == 2000


def test_tasks_and_targets_are_told_apart(live):
    answer(live, 2000, times=6, task="essay")
    answer(live, 8, times=6, task="label")
    assert live.of(CLOUD).outputs == {"essay": Output(2048, 6), "label": Output(8, 6)}
    assert live.of(target("a/other")).outputs == {}


def test_of_32_tasks_the_one_asked_for_longest_ago_is_forgotten(live):
    for number in range(32):
        answer(live, 2000, times=6, task=f"t{number}")
    answer(live, 2000, task="t0")
    answer(live, 2000, task="new")
    known = live.of(CLOUD).outputs
    assert len(known) == 32
    assert ("t0" in known, "t1" in known, known["new"]) == (True, False, Output(500, 1))
    answer(live, 2000, task="t1")
    assert live.of(CLOUD).outputs["t1"] == Output(500, 1), "it begins anew"


@pytest.mark.parametrize(
    ("tokens", "task"), [(0, "x"), (-5, "x"), (1_000_001, "x"), (10**400, "x"), (9, "x" * 201)]
)
def test_what_cannot_be_believed_or_kept_teaches_nothing(live, tokens, task):
    version = live.version
    answer(live, tokens, times=40, task=task)
    answer(live, tokens, times=40, task=task, whole=False)
    assert (live.of(CLOUD).outputs, live.version) == ({}, version)


def test_nothing_is_learned_unasked():
    live = LiveState(lambda: 1000.0)
    answer(live, 2000, times=40)
    assert live.of(CLOUD).outputs == {}
    assert live.of(CLOUD) == LiveFacts(1.0, 60.0, 0.98)


def test_an_answer_is_a_change_that_outlasts_the_decay():
    now = [1000.0]
    live = LiveState(lambda: now[0], learn=True)
    before, version = live.of(CLOUD), live.version
    answer(live, 2000, times=6)
    assert live.changed(version) == {"a/cloud"}
    now[0] += 600 * 100
    assert usual(live) == 2048
    assert before.outputs == {}, "what was read stays as it was"
