"""Opening the workspace that a command works on, and its router."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from random import Random
from typing import TYPE_CHECKING, Any

from llmroute.cli.output import note
from llmroute.config.diagnostics import did_you_mean
from llmroute.errors import UsageError

if TYPE_CHECKING:
    from llmroute.catalog.build import Catalog
    from llmroute.catalog.model import Provider
    from llmroute.router import Router

__all__ = ["check_names", "open_router", "tell_alarms"]


def open_router(args: Namespace, *, offline: bool = False, fixed: bool = False) -> Router:
    """Load the router of `--config`, after asking local servers unless `offline`.

    `fixed` makes what a policy leaves to chance (`explore`) come out the same every time.

    Raises:
        ConfigError: a file is wrong.
        UsageError: there is no such folder.

    """
    from llmroute.router import Router

    options: dict[str, Any] = {"random": Random(0)} if fixed else {}  # noqa: S311
    router = Router.load(args.config, **options)
    if not offline:
        router.refresh()
    return router


def tell_alarms(router: Router) -> None:
    """Say on stderr what a router's ledger could not do; an alarm that another one quotes is not.

    Called once the router is closed, and so all is written that can be.
    """
    texts = [alarm.message for alarm in router.ledger.alarms]
    for text in texts:
        if not any(text in other and text != other for other in texts):
            note(f"note: {text}")


def check_names(router: Router, names: Iterable[str], option: str) -> None:
    """Refuse names that are neither a target nor a provider.

    A model of a server that was not asked, or did not answer, is let through: it may be there.

    Raises:
        UsageError: a name is unknown; the message suggests a known one.

    """
    catalog = router.catalog
    known = {*catalog.providers, *(target.id for target in router.targets)}
    for name in names:
        provider = catalog.providers.get(name.partition("/")[0])
        if name not in known and not (provider and _may_have_more(provider, catalog)):
            hint = did_you_mean(name, known) or "`llmroute providers` lists them"
            raise UsageError(f'{option}: there is no target or provider "{name}"; {hint}')


def _may_have_more(provider: Provider, catalog: Catalog) -> bool:
    if provider.discover is None:
        return False
    found = any(t.discovered for t in catalog.targets if t.provider.name == provider.name)
    return not found or provider.name in catalog.problems
