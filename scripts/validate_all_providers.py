"""Check every provider file, then call every provider that can be reached.

Run from the repository's root: `python scripts/validate_all_providers.py [FOLDER]`. Each file of
the workspace (default: the repository) is checked in full; each provider whose server, key or
program is there then answers one tiny real prompt, which costs a fraction of a cent in the cloud.
Providers that cannot be reached are reported and are no failure; one that is reached and answers
wrongly is. Exit code 0: all files are right and every reached provider answered; 1: not so.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from llmroute.catalog.model import Provider  # noqa: E402
from llmroute.cli.app import leave  # noqa: E402
from llmroute.cli.commands.check import probe_line  # noqa: E402
from llmroute.cli.probe import Probe, probe  # noqa: E402
from llmroute.config.workspace import Workspace  # noqa: E402
from llmroute.lint import lint_workspace, render  # noqa: E402
from llmroute.router import Router  # noqa: E402


def main(folder: Path) -> int:
    """Check and call; return the exit code."""
    workspace, found = lint_workspace(folder)
    files = sorted((folder / "providers.d").glob("*.yaml"))
    errors = [item for item in found if item.severity == "error"]
    wrong = {Path(item.file).name for item in errors}
    for path in files:
        print(f"{'✗' if path.name in wrong else '✓'} {path.relative_to(folder)}")
    if errors:
        render(errors, sys.stdout)
    failed = called(workspace)
    return 1 if errors or failed else 0


def called(workspace: Workspace) -> int:
    """Call each reachable provider, say which were reached; return how many answered wrongly."""
    with Router(workspace) as router:
        router.refresh()
        catalog = router.catalog
        reachable = [p for name, p in sorted(catalog.providers.items()) if usable(router, p)]
        results = [told(item) for item in probe(router, reachable)]
        for name, problem in sorted(catalog.problems.items()):
            if name in catalog.providers:
                print(f"- {name} was not reached: {problem.reason} → {problem.help}")
    failed = sum(item.error is not None for item in results)
    names = ", ".join(item.provider for item in results) or "none"
    print(f"reached {len(results)} of {len(catalog.providers)} providers: {names}")
    if failed:
        print(f"{failed} of them answered wrongly")
    return failed


def usable(router: Router, provider: Provider) -> bool:
    """Whether nothing is known that keeps the provider from being called."""
    return provider.name not in router.catalog.problems


def told(item: Probe) -> Probe:
    """Print what came of one call."""
    print(probe_line(item))
    return item


if __name__ == "__main__":
    leave(main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT))
