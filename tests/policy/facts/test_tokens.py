"""Token estimates, against counts that the real tokenizers gave once and against arithmetic."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmroute.catalog.targets import build_target
from llmroute.config.schema import schema_text
from llmroute.policy.facts.tokens import FAMILIES, FEATURES, count_features, estimate

ENGLISH = (
    "The harbour had been quiet since the last of the ferries left, and nobody expected the storm "
    "to turn back. My neighbour, who sailed these waters for thirty years, says it is the moon; "
    "I doubt that. "
) * 10
PYTHON = (
    "def merge(left: list[int], right: list[int]) -> list[int]:\n    result = []\n"
    "    while left and right:\n"
    "        result.append((left if left[0] <= right[0] else right).pop(0))\n"
    "    return result + left + right\n\n\n"
)
ROWS = (
    '{"id": 40217, "name": "Vienna", "position": [48.2083, 16.3725], "tags": ["city", "at"]},\n'
) * 10
ARABIC = "كان الميناء هادئا منذ أن غادرت آخر عبارة ولم يتوقع أحد أن تعود العاصفة. " * 10
HINDI = "आखिरी नौका के जाने के बाद से बंदरगाह शांत था और किसी को तूफान के लौटने की उम्मीद नहीं थी। " * 10
RUSSIAN = (
    "Гавань была тиха с тех пор, как ушёл последний паром, и никто не ждал, что буря повернёт "
    "обратно. "
) * 10
CHINESE = "自从最后一班渡轮离开以后，港口一直很安静，没有人想到暴风雨会再回来。" * 10

#: Counts of o200k_base, cl100k_base and the tokenizer published for Claude 2, and how far off an
#: estimate may be: a text of a script that shares one weight with many others, by more.
COUNTED = [
    (ENGLISH, (441, 441, 441), 0.1),
    (PYTHON, (56, 56, 61), 0.1),
    (ROWS, (390, 390, 370), 0.1),
    (CHINESE, (270, 440, 390), 0.2),
    (ARABIC, (251, 511, 680), 0.25),
    (HINDI, (292, 931, 941), 0.25),
    (RUSSIAN, (311, 461, 540), 0.25),
]


def counts(text: str) -> dict[str, float]:
    """The features that are not 0."""
    return {n: c for n, c in zip(FEATURES, count_features(text), strict=False) if c}


@pytest.mark.parametrize(("text", "counted", "most"), COUNTED)
def test_estimates_are_near_the_real_counts(text, counted, most):
    for family, count in zip(("o200k", "cl100k", "claude"), counted, strict=True):
        assert estimate(text, family) == pytest.approx(count, rel=most)
    assert estimate(text, "generic") == pytest.approx(sum(counted) / 3, rel=most)


def test_what_is_counted_of_ascii():
    # "it" begins the line, "4" and "2" stand beside letters, "Go" begins after a blank
    assert counts("it is 42x, Go\n  (on)") == {
        "small letters": 2 + 2 + 1 + 1 + 2,
        "capitals": 1,
        "digits": 2,
        "blanks": 3 + 2,
        "line ends": 1,
        "signs": 3,
        # it, is, o of Go, on
        "small word or part begins": 4,
        "number begins": 1,
        # 2x
        "letter beside digit": 1,
        "indentation": 1,
        # (o
        "small letter after a sign": 1,
        # ", "
        "blank after a sign": 1,
        "capital after a blank": 1,
        "blank after a blank": 1,
        "commas": 1,
    }


def test_four_signs_are_counted_once_more():
    found = counts('{"a": 1.5, "b": ["."]}')
    assert found["signs"] == 15
    assert found["full stops"] == 2
    assert found["quotation marks"] == 6
    assert found["colons"] == 2
    assert found["commas"] == 1


def test_what_is_counted_beyond_ascii():
    # U+6C34 is E6 B0 B4, U+4E2D is E4 B8 AD, ü is C3 BC, я is D1 8F, 。 is E3 80 82
    found = counts("水中。ü я🎉für")
    assert found["Chinese from U+6000"] == found["Chinese from U+4000"] == 1
    assert found["kana and Chinese punctuation"] == 1
    assert found["Latin letters beyond ASCII"] == 2
    assert found["letter beyond ASCII inside a word"] == 1
    assert found["Greek and Cyrillic"] == found["emoji and all beyond"] == 1


def test_an_empty_text_has_no_tokens():
    assert all(estimate("", family) == 0 for family in FAMILIES)


@given(st.text(), st.sampled_from(FAMILIES))
def test_any_text_has_a_sane_estimate(text, family):
    size = len(text.encode("utf-8", "surrogatepass"))
    # no tokenizer here makes fewer than one token of 100 bytes, and two a byte is out of reach
    assert size / 100 <= estimate(text, family) <= 2.5 * size


@given(st.text(st.characters(codec=None), max_size=50), st.text(max_size=50))
def test_parts_add_up_but_for_the_seam(one, other):
    # at the seam one word or number that began a text may now go on, or the reverse
    whole, parts = estimate(one + other), estimate(one) + estimate(other)
    assert abs(whole - parts) <= 4
    assert estimate(one + "\n" + other) >= max(estimate(one), estimate(other)) - 1


@pytest.mark.parametrize("odd", ["\ud800", "\0", "\udfff\0" * 40_000, "\ufeff\u200d", "\U0010ffff"])
@pytest.mark.parametrize("family", FAMILIES)
def test_surrogates_and_nuls_do_not_hurt(odd, family):
    assert estimate(odd, family) > 0


def test_twice_the_text_has_twice_the_tokens_beyond_the_cap_too():
    small, large = estimate(ENGLISH * 20), estimate(ENGLISH * 400)
    assert large == pytest.approx(20 * small, rel=0.02)


def test_the_stretches_of_a_long_text_lie_all_over_it():
    # half blanks, half Chinese: each half gets half the stretches
    text = " " * 500_000 + "水" * 500_000
    assert counts(text)["Chinese from U+6000"] == pytest.approx(500_000, rel=0.02)


def test_the_schema_names_the_families():
    schema = json.loads(schema_text("provider"))
    assert tuple(schema["$defs"]["tokenizer"]["enum"]) == FAMILIES


def test_a_model_names_its_family(provider):
    assert build_target(provider, {"model": "a"}, discovered=False).tokenizer == "generic"
    data = {"model": "a", "tokenizer": "claude"}
    assert build_target(provider, data, discovered=False).tokenizer == "claude"


@pytest.fixture
def provider():
    from llmroute.catalog.model import Endpoint, Provider

    return Provider("p", "cloud", Endpoint("http", "openai-chat"))
