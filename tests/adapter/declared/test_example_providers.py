"""The provider files that the documentation gives for the declared protocols, loaded and called."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from llmroute import Router
from llmroute.lint import lint
from llmroute.sim import Sim
from llmroute.sim.agents import write_agent

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docs" / "examples" / "declared"
TARGETS = {
    "codex/gpt-6-sol",
    "cohere/command-a-03-2025",
    "gemini_cli/gemini-3.5-flash",
    "google_gemini/gemini-3.1-pro-preview",
    "google_gemini/gemini-3.5-flash",
}
SERVED = "tgi/HuggingFaceH4/zephyr-7b-beta"


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    """All of them in one workspace, at simulators and stand-ins for the programs."""
    programs = tmp_path_factory.mktemp("programs")
    for name in ("codex", "gemini"):
        write_agent(programs, name)
    with Sim("gemini", key="g") as gemini, Sim("cohere", key="c") as cohere, Sim("tgi") as tgi:
        environment = {
            "PATH": f"{programs}:/usr/bin:/bin",
            "HOME": str(programs),
            "GEMINI_API_KEY": "g",
            "GEMINI_BASE_URL": gemini.url,
            "CO_API_KEY": "c",
            "CO_API_URL": cohere.url,
            "TGI_URL": tgi.url,
        }
        with Router.load(FOLDER, environment=environment) as made:
            yield made


def test_every_declared_protocol_has_a_file(router: Router) -> None:
    spoken = {one.endpoint.protocol for one in router.catalog.providers.values()}
    assert spoken == {path.stem for path in (ROOT / "protocols.d").glob("*.yaml")}
    assert {target.id for target in router.targets} - {SERVED} == TARGETS
    assert router.catalog.problems == {}


def test_nothing_is_wrong_with_them() -> None:
    environment = {"GEMINI_API_KEY": "g", "CO_API_KEY": "c"}
    assert lint([FOLDER], environment, today=date(2026, 11, 23)) == []


@pytest.mark.parametrize("target", [*sorted(TARGETS), SERVED])
def test_each_answers_whole_and_as_a_stream(target: str, router: Router) -> None:
    talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello"}]
    answer = router.complete(talk, target=target)
    assert "Say hello" in (answer.text or "")
    assert answer.target == target
    with router.stream(talk, target=target) as chunks:
        assert "Say hello" in "".join(chunk.text for chunk in chunks)


def test_where_no_price_is_known_none_is_made_up(router: Router) -> None:
    router.refresh()
    unpriced = {target.id for target in router.targets if target.price is None}
    assert unpriced == {"codex/gpt-6-sol", "gemini_cli/gemini-3.5-flash"}


def test_the_server_says_what_it_serves_and_with_which_window(router: Router) -> None:
    router.refresh()
    target = router.catalog.target(SERVED)
    assert target is not None
    assert (target.context_window, target.locality) == (4_096, "local")
    assert target.capabilities.json_schema
