from __future__ import annotations

from itertools import count

import pytest

from llmroute.adapter.protocols.toolcalls import ToolCallAssembler
from llmroute.errors import TargetError

Piece = tuple[int | None, str | None, str | None, str]


def calls(*pieces: Piece) -> list[tuple[str, str, str]]:
    numbers = count(1)
    assembler = ToolCallAssembler(lambda: f"made-{next(numbers)}")
    found: dict[int, list[str]] = {}
    deltas = [delta for piece in pieces for delta in assembler.add(*piece)]
    for delta in deltas + assembler.finish():
        call = found.setdefault(delta.index, ["", "", ""])
        call[0] += delta.id or ""
        call[1] += delta.name or ""
        call[2] += delta.arguments
    return [(a, b, c) for _, (a, b, c) in sorted(found.items())]


def test_fragments_by_index() -> None:
    assert calls(
        (0, "a", "f", ""),
        (1, "b", "g", ""),
        (0, None, None, '{"x":'),
        (1, None, None, "{}"),
        (0, None, None, "1}"),
    ) == [("a", "f", '{"x":1}'), ("b", "g", "{}")]


def test_index_zero_used_for_the_next_call() -> None:
    assert calls((0, "a", "f", '{"x":1}'), (0, "b", "f", '{"x"'), (0, None, None, ":2}")) == [
        ("a", "f", '{"x":1}'),
        ("b", "f", '{"x":2}'),
    ]


def test_index_missing() -> None:
    assert calls(
        (None, "a", "f", "{"),
        (None, None, None, "}"),
        (None, "b", "g", "{}"),
        (None, "a", None, ""),
    ) == [("a", "f", "{}"), ("b", "g", "{}")]


def test_a_whole_call_sent_twice_counts_once() -> None:
    assert calls((0, "a", "f", '{"x":1}'), (0, "a", "f", '{"x":1}')) == [("a", "f", '{"x":1}')]
    assert calls((None, "a", "f", "{}"), (None, "a", "f", "{}")) == [("a", "f", "{}")]


def test_the_head_sent_twice_counts_once() -> None:
    assert calls((0, "a", "f", ""), (0, "a", "f", ""), (0, None, None, "{}")) == [("a", "f", "{}")]


def test_id_and_name_repeated_in_every_fragment() -> None:
    assert calls((0, "a", "f", '{"a":'), (0, "a", "f", '{"a":'), (0, "a", "f", "1}}")) == [
        ("a", "f", '{"a":{"a":1}}')
    ]


@pytest.mark.parametrize("index", [0, None])
def test_an_id_made_anew_for_every_fragment(index: int | None) -> None:
    """Some servers make an id wherever they have none at hand."""
    assert calls(
        (index, "a", "f", ""),
        (index, "x", None, '{"a":'),
        (index, "y", None, "1}"),
    ) == [("a", "f", '{"a":1}')]


def test_whole_calls_without_ids_on_one_index_stay_apart() -> None:
    assert calls((0, None, "f", '{"x":1}'), (0, None, "f", '{"x":2}')) == [
        ("made-1", "f", '{"x":1}'),
        ("made-2", "f", '{"x":2}'),
    ]


def test_a_call_without_id_then_one_with_id_on_one_index() -> None:
    assert calls((0, None, "f", "{}"), (0, "b", "g", "{}")) == [
        ("made-1", "f", "{}"),
        ("b", "g", "{}"),
    ]


def test_no_arguments_are_an_empty_object() -> None:
    assert calls((0, "a", "now", "")) == [("a", "now", "{}")]


def test_a_late_name_is_kept_and_a_missing_one_refused() -> None:
    assert calls((0, "a", None, ""), (0, None, "f", "{}")) == [("a", "f", "{}")]
    with pytest.raises(TargetError, match="without a name"):
        calls((0, "a", None, "{}"))
