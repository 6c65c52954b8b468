"""S12: caches, idempotency and affinity keys include the caller and a full hash."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llmroute.dispatch.live import LiveState
from llmroute.types import Request
from tests.build import target

HERE, THERE = target("a/x"), target("b/y")


def _served(*pairs: tuple[Request, object]) -> LiveState:
    live = LiveState(lambda: 0.0)
    for request, where in pairs:
        live.served(request, where)  # type: ignore[arg-type]
    return live


def test_two_callers_with_the_same_opening_do_not_share() -> None:
    ours = Request.of("Summarise the contract.", user="alice")
    theirs = Request.of("Summarise the contract.", user="bob")
    live = _served((ours, HERE))
    assert live.affinity(ours) == HERE.id
    assert live.affinity(theirs) is None
    live.served(theirs, THERE)
    assert (live.affinity(ours), live.affinity(theirs)) == (HERE.id, THERE.id)


def test_a_named_caller_does_not_share_with_an_unnamed_one() -> None:
    assert _served((Request.of("hi", user="alice"), HERE)).affinity(Request.of("hi")) is None
    assert _served((Request.of("hi"), HERE)).affinity(Request.of("hi", user="")) is None


def test_the_whole_opening_counts() -> None:
    """A hash of the beginning would take these for one conversation."""
    long = "x" * 100_000
    assert _served((Request.of(f"{long}a"), HERE)).affinity(Request.of(f"{long}b")) is None


def test_the_key_is_a_full_hash() -> None:
    live = _served((Request.of("hi", user="alice"), HERE))
    (key,) = live._served
    assert len(key) == 64
    assert set(key) <= set("0123456789abcdef")


TEXTS = st.text(max_size=8)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_no_text_of_one_caller_makes_the_key_of_another(
    user: str, text: str, other_user: str, other_text: str
) -> None:
    live = _served((Request.of(text, user=user), HERE))
    same = (user, text) == (other_user, other_text)
    found = live.affinity(Request.of(other_text, user=other_user))
    assert found == (HERE.id if same else None)
