"""Where the files that come with the package are: providers, policies, schemas."""

from __future__ import annotations

from functools import cache
from pathlib import Path

__all__ = ["data_root"]


@cache
def data_root() -> Path:
    """Return the folder of the shipped files.

    It is `llmroute/_data` in an installed wheel, and the root of the repository where the
    package runs from its sources.
    """
    package = Path(__file__).resolve().parent.parent
    bundled = package / "_data"
    return bundled if bundled.is_dir() else package.parent
