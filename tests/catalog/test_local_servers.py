"""What goes wrong with local servers without a word, on real sockets against simulators of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmroute import NoEligibleTarget, RouteFailed, Router
from llmroute.sim import Fault, Sim
from llmroute.sim.models import Model
from tests.catalog.workspaces import load

PROVIDER = """\
provider: home
locality: local
endpoint: {{transport: http, protocol: {protocol}, base_url: "{url}"}}
discover: {{dialect: {dialect}}}
defaults:
  capabilities: {{streaming: {streaming}}}
  cost: {{input: 0, output: 0, source: at home, date: "2026-11-22"}}
"""
DECLARED = "models:\n  - {model: mine, upstream: near/waiting}\n"
#: One word of 16,000 letters: 16,000 × 0.063 + 0.676 + 7 of its frame make 1,016 tokens by our
#: estimate, while the simulators count 4,000.
LONG = "x" * 16_000
PRIVATE = {"privacy": "private"}


def provider(protocol: str, url: str, dialect: str, streaming: str = "true") -> str:
    return PROVIDER.format(protocol=protocol, url=url, dialect=dialect, streaming=streaming)


def ollama(server: Sim, streaming: str = "true") -> str:
    return provider("ollama-chat", server.url, "ollama", streaming)


def lm_studio(server: Sim) -> str:
    return provider("openai-chat", f"{server.url}/v1", "lm-studio")


def windows(router: Router) -> dict[str, int | None]:
    router.refresh()
    return {target.model: target.context_window for target in router.targets}


def loaded(router: Router) -> dict[str, bool | None]:
    return {target.model: target.loaded for target in router.targets}


def asked_windows(server: Sim) -> list[int]:
    return [one.body["options"]["num_ctx"] for one in server.inferences]


MODELS = (
    Model("fresh:8b", 131_072),
    Model("modelfile:8b", 131_072, num_ctx=16_384),
    Model("running:8b", 131_072, loaded=8_192, num_ctx=16_384),
    Model("short:1b", 2_048),
    Model("far:120b-cloud", 131_072, remote="https://ollama.com:443"),
)


@pytest.fixture
def local() -> Iterator[Sim]:
    with Sim("ollama", models=MODELS) as made:
        yield made


def test_the_window_of_an_ollama_model_is_what_it_runs_with_or_will_be_loaded_with(
    local: Sim, tmp_path: Path
) -> None:
    with load(tmp_path, ollama(local)) as router:
        assert windows(router) == {
            "fresh:8b": 4_096,
            "modelfile:8b": 16_384,
            "running:8b": 8_192,
            "short:1b": 2_048,
            "far:120b-cloud": 131_072,
        }
        assert loaded(router)["running:8b"]
        assert not loaded(router)["fresh:8b"]


def test_requests_of_every_size_ask_for_the_same_window_so_that_nothing_is_loaded_anew(
    local: Sim, tmp_path: Path
) -> None:
    with load(tmp_path, ollama(local)) as router:
        for name, window in (("home/fresh:8b", 4_096), ("home/running:8b", 8_192)):
            local.requests.clear()
            router.complete("short", target=name)
            router.complete("word " * 1_500, target=name, max_tokens=9)
            router.refresh()
            router.complete("word " * 500, target=name, max_tokens=900)
            assert asked_windows(local) == [window] * 3
        assert windows(router)["fresh:8b"] == 4_096
        assert loaded(router)["fresh:8b"]


def test_a_prompt_above_the_window_is_never_sent(local: Sim, tmp_path: Path) -> None:
    with (
        load(tmp_path, ollama(local)) as router,
        pytest.raises(NoEligibleTarget, match=r"do not fit 4,096"),
    ):
        router.complete("word " * 5_000, target="home/fresh:8b")
    assert local.inferences == []


def test_ollama_refuses_what_the_estimate_let_through_and_a_larger_window_takes_it(
    local: Sim, tmp_path: Path
) -> None:
    talk = [{"role": "user", "content": LONG + LONG}]
    with load(tmp_path, ollama(local)) as router:
        answer = router.complete(talk, route={"order": ["home/fresh:8b", "home/modelfile:8b"]})
    assert local.inferences[0].body["truncate"] is False
    assert [(a.target, a.outcome) for a in answer.attempts] == [
        ("home/fresh:8b", "context"),
        ("home/modelfile:8b", "ok"),
    ]
    assert answer.usage.input == 8_000
    assert answer.warnings == ()


@pytest.mark.parametrize("streaming", ["true", "false"])
def test_a_server_that_cuts_all_the_same_is_found_out(streaming: str, tmp_path: Path) -> None:
    said = [LONG + LONG, "yes", "And now?"]
    talk = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said)]
    with (
        Sim("ollama", models=MODELS, quirks={"truncates": True}) as server,
        load(tmp_path, ollama(server, streaming)) as router,
    ):
        answer = router.complete(talk, target="home/fresh:8b")
        # "yes" and "And now?" are 11 characters: 3 tokens. The whole: 32,008 small letters × 0.06,
        # 4 words or parts × 0.712, a capital 0.128, a blank 0.073, 2 line ends × 0.216, a sign 0.25
        # and 3 × 4 + 3 of the frame: 1,939.
        assert answer.usage.input == 3
        (warning,) = answer.warnings
        assert warning.startswith("the server counted 3 tokens of a prompt of about 1,939:")
        assert "dropped the oldest messages" in warning
        assert router.complete(talk, target="home/modelfile:8b").warnings == ()


def test_over_ollamas_openai_endpoint_the_trained_window_is_not_taken_either(
    local: Sim, tmp_path: Path
) -> None:
    with load(tmp_path, provider("openai-chat", f"{local.url}/v1", "ollama")) as router:
        assert windows(router)["fresh:8b"] == 4_096


def test_models_that_ollama_runs_elsewhere_are_cloud_and_get_no_private_prompt(
    local: Sim, tmp_path: Path
) -> None:
    (tmp_path / "llmroute.yaml").write_text(
        "inputs: {privacy: {enum: [private, public], default: public}}\n"
        "require:\n  - name: stays local\n    when: request.metadata.privacy == 'private'\n"
        "    target: target.locality == 'local'\n"
    )
    with load(tmp_path, ollama(local)) as router:
        with pytest.raises(NoEligibleTarget, match="is 'cloud'"):
            router.complete("x", target="home/far:120b-cloud", metadata=PRIVATE)
        assert local.inferences == []
        answer = router.complete("x", target="home/far:120b-cloud")
        assert answer.cost is None
        local.script(Fault.status(500), times=None)
        with pytest.raises(RouteFailed) as caught:
            router.complete("x", metadata=PRIVATE)
        assert "home/far:120b-cloud" not in {a.target for a in caught.value.attempts}


@pytest.mark.parametrize("streaming", ["true", "false"])
def test_an_answer_that_only_says_that_the_model_was_loaded_is_none(
    streaming: str, local: Sim, tmp_path: Path
) -> None:
    line = (
        b'{"model":"fresh:8b","created_at":"2026-08-22T10:00:00Z","done":true,'
        b'"message":{"role":"assistant","content":""},"done_reason":"load"}\n'
    )
    local.script(Fault.body(line, content_type="application/x-ndjson"))
    with load(tmp_path, ollama(local, streaming)) as router:
        answer = router.complete("x", route={"order": ["home/fresh:8b", "home/modelfile:8b"]})
    assert [(a.target, a.outcome) for a in answer.attempts] == [
        ("home/fresh:8b", "malformed"),
        ("home/modelfile:8b", "ok"),
    ]


def test_an_error_inside_a_stream_with_status_200_fails_over(local: Sim, tmp_path: Path) -> None:
    local.script(Fault.error_event(at="first_token"))
    with load(tmp_path, ollama(local)) as router:
        answer = router.complete("x", route={"order": ["home/fresh:8b", "home/modelfile:8b"]})
    failed, _ = answer.attempts
    assert (failed.target, failed.outcome) == ("home/fresh:8b", "transient")
    assert failed.message == "an error was encountered while running the model"
    assert answer.target == "home/modelfile:8b"


STUDIO = (
    Model("near/loaded", 131_072, loaded=8_192),
    Model("near/waiting", 131_072),
    Model("near/second", 131_072, loaded=16_384),
)


@pytest.mark.parametrize("older", [False, True])
def test_the_window_of_an_lm_studio_model_is_the_loaded_one(older: bool, tmp_path: Path) -> None:
    with (
        Sim("lm_studio", models=STUDIO) as server,
        load(tmp_path, lm_studio(server)) as router,
    ):
        if older:
            server.script(Fault.status(404), scope="discovery")
        assert windows(router) == {
            "near/loaded": 8_192,
            "near/waiting": 4_096,
            "near/second": 16_384,
        }
        assert loaded(router) == {"near/loaded": True, "near/waiting": False, "near/second": True}


def test_another_model_that_answers_for_a_discovered_one_does_not_count(tmp_path: Path) -> None:
    with (
        Sim("lm_studio", models=STUDIO[:2], quirks={"jit": False}) as server,
        load(tmp_path, lm_studio(server)) as router,
    ):
        answer = router.complete("x", route={"order": ["home/near/waiting", "home/near/loaded"]})
        assert [(a.target, a.outcome) for a in answer.attempts] == [
            ("home/near/waiting", "model_missing"),
            ("home/near/loaded", "ok"),
        ]
        assert answer.attempts[0].help == "load near/waiting there"


def test_another_model_that_answers_for_a_declared_one_is_a_warning(tmp_path: Path) -> None:
    with (
        Sim("lm_studio", models=STUDIO[:2], quirks={"jit": False}) as server,
        load(tmp_path, lm_studio(server) + DECLARED) as router,
    ):
        answer = router.complete("x", target="home/mine")
        assert answer.warnings == ("asked for near/waiting, the server answered with near/loaded",)


@pytest.mark.parametrize("overflow", ["error", "event", "empty"])
def test_however_lm_studio_says_that_a_prompt_does_not_fit_a_larger_window_takes_it(
    overflow: str, tmp_path: Path
) -> None:
    order = {"order": ["home/near/loaded", "home/near/second"]}
    with (
        Sim("lm_studio", models=STUDIO, quirks={"overflow": overflow}) as server,
        load(tmp_path, lm_studio(server)) as router,
    ):
        answer = router.complete(LONG * 3, route=order)
        assert [(a.target, a.outcome) for a in answer.attempts] == [
            ("home/near/loaded", "context"),
            ("home/near/second", "ok"),
        ]
        assert answer.usage.input == 12_000


def test_a_successful_answer_without_anything_is_a_failure(tmp_path: Path) -> None:
    order = {"order": ["home/near/loaded", "home/near/second"]}
    with (
        Sim("lm_studio", models=STUDIO) as server,
        load(tmp_path, lm_studio(server)) as router,
    ):
        server.script(Fault.empty())
        answer = router.complete("x", route=order)
        assert [a.outcome for a in answer.attempts] == ["empty", "ok"]
