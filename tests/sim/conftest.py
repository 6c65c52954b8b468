from __future__ import annotations

from collections.abc import Iterator

import pytest

from llmroute.sim import Sim


@pytest.fixture
def openai() -> Iterator[Sim]:
    with Sim("openai") as sim:
        yield sim


@pytest.fixture
def anthropic() -> Iterator[Sim]:
    with Sim("anthropic") as sim:
        yield sim


@pytest.fixture
def ollama_sim() -> Iterator[Sim]:
    with Sim("ollama") as sim:
        yield sim


@pytest.fixture
def lm_studio() -> Iterator[Sim]:
    with Sim("lm_studio") as sim:
        yield sim
