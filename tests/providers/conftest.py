from __future__ import annotations

import pytest

from llmroute import Router
from llmroute.config.shipped import data_root
from llmroute.sim import SimFarm


@pytest.fixture
def farm():
    with SimFarm() as made:
        yield made


@pytest.fixture
def router(farm):
    with Router.load(data_root(), environment=farm.environment()) as made:
        yield made
