"""Which policy decides where nobody names one, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmroute import Router, UsageError

PROVIDER = """\
provider: one
locality: local
endpoint: {transport: http, protocol: openai-chat, base_url: "http://127.0.0.1:9/v1", auth: none}
models:
  - {model: m, capabilities: {streaming: true}, cost: {input: 0, output: 0}}
"""


def load(root: Path, *policies: str, settings: str = "") -> Router:
    (root / "providers.d").mkdir()
    (root / "providers.d" / "one.yaml").write_text(PROVIDER)
    (root / "policies").mkdir()
    for name in policies:
        text = f"policy: {name}\nrules: [{{name: cheap, weight: 1, prefer: price}}]\n"
        (root / "policies" / f"{name}.yaml").write_text(text)
    (root / "llmroute.yaml").write_text(settings or "timezone: UTC\n")
    return Router.load(root, environment={})


@pytest.mark.parametrize(
    ("policies", "settings", "decides"),
    [
        (("thrifty",), "", "thrifty"),
        (("balanced", "thrifty"), "", "balanced"),
        (("quick", "thrifty"), "default_policy: thrifty\n", "thrifty"),
    ],
    ids=["the only one", "balanced", "the one that llmroute.yaml names"],
)
def test_the_policy_where_none_is_named(
    tmp_path: Path, policies: tuple[str, ...], settings: str, decides: str
) -> None:
    with load(tmp_path, *policies, settings=settings) as router:
        assert router.default_policy == decides
        assert router.decide("hi").policy == decides


def test_of_several_one_has_to_be_named(tmp_path: Path) -> None:
    with load(tmp_path, "quick", "thrifty") as router, pytest.raises(UsageError) as caught:
        router.decide("hi")
    assert str(caught.value) == (
        'no policy was named, and there is none called "balanced"; name one, or write '
        "`default_policy: NAME` into llmroute.yaml; known: quick, thrifty"
    )


def test_a_name_that_is_not_there_is_told_as_that(tmp_path: Path) -> None:
    with load(tmp_path, "quick", "thrifty") as router, pytest.raises(UsageError) as caught:
        router.decide("hi", policy="thrfty")
    assert str(caught.value) == 'there is no policy "thrfty"; did you mean "thrifty"?'


def test_without_any_policy_it_is_said_how_to_get_one(tmp_path: Path) -> None:
    with load(tmp_path) as router, pytest.raises(UsageError) as caught:
        router.decide("hi")
    assert str(caught.value) == (
        f"there is no policy in {tmp_path / 'policies'}; write one into policies/, "
        "or run `llmroute init` for the shipped ones"
    )
