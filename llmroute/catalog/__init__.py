"""What can be called: providers, targets, prices, limits, and what servers say they have."""

from llmroute.catalog.build import Catalog, Problem, build_catalog
from llmroute.catalog.cost import NANO, Price, Rates, nano_to_usd
from llmroute.catalog.discovery import DIALECTS, Dialect, discover
from llmroute.catalog.model import (
    Auth,
    Capabilities,
    Discover,
    Endpoint,
    Expected,
    Limits,
    Provider,
    Quality,
    Target,
    Timeouts,
    WireRules,
)

__all__ = [
    "DIALECTS",
    "NANO",
    "Auth",
    "Capabilities",
    "Catalog",
    "Dialect",
    "Discover",
    "Endpoint",
    "Expected",
    "Limits",
    "Price",
    "Problem",
    "Provider",
    "Quality",
    "Rates",
    "Target",
    "Timeouts",
    "WireRules",
    "build_catalog",
    "discover",
    "nano_to_usd",
]
