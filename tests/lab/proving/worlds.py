"""A world of targets to prove claims in."""

from __future__ import annotations

from llmroute.catalog.build import Catalog
from llmroute.catalog.model import Target
from llmroute.lab.proving.prove import World
from tests.policy.strategies import NOON


def world(targets: tuple[Target, ...]) -> World:
    providers = {t.provider.name: t.provider for t in targets}
    catalog = Catalog(providers, targets, {}, {name: {} for name in providers})
    return World(catalog, {}, NOON, cases=3_000, combinations=30_000)
