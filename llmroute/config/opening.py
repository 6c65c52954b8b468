"""Opening files that somebody else may have put there, without hanging and without a race.

What is asked of a file is asked of its open descriptor: a name can lead elsewhere a moment later.
A pipe or a device is opened without waiting for its other side, and is then refused.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

__all__ = ["Content", "read_regular"]

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_FLAGS |= getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


class Content(NamedTuple):
    """What an open file is, and its first bytes; None where it is not a regular file."""

    status: os.stat_result
    data: bytes | None


def read_regular(path: Path, most: int) -> Content:
    """Read a regular file, at most `most` bytes and one more that shows that there are more.

    Raises:
        OSError: it cannot be opened or read.
        ValueError: the path is none.

    """
    descriptor = os.open(path, _FLAGS)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return Content(status, None)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return Content(status, file.read(most + 1))
    finally:
        os.close(descriptor)
