"""What no transport and no protocol should raise, turned into the failure of one call.

Such a fault is of the program and not of the provider, but the call is lost all the same, and the
next target is asked as after any other failure. The exception is kept as the error's cause, with
the lines that it came along, without their local variables, and without secrets and prompts in its
text, since errors are logged and shown.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmroute.adapter.scrubbing import scrub
from llmroute.catalog.model import Target
from llmroute.errors import ErrorKind, LlmrouteError, TargetError
from llmroute.types import Request

__all__ = ["faults_of"]

_HELP = "a fault of llmroute or of a transport added to it; `__cause__` of the last error has more"


@contextmanager
def faults_of(target: Target, request: Request) -> Iterator[None]:
    """Raise `TargetError` of kind `internal` for every unexpected exception of a call.

    Exceptions that end programs, cancel tasks or say that memory is used up pass through.
    """
    try:
        yield
    except (LlmrouteError, MemoryError):
        raise
    except Exception as exc:
        raise _internal(exc, target, request) from exc


def _internal(exc: Exception, target: Target, request: Request) -> TargetError:
    where = traceback.extract_tb(exc.__traceback__)[-1]
    place = f"{Path(where.filename).name}, line {where.lineno}, in {where.name}"
    message = f"an unexpected {type(exc).__name__} at {place}"
    _clean(exc, target, request)
    return TargetError(ErrorKind.INTERNAL, message, help=_HELP, target=target.id)


def _clean(exc: Exception, target: Target, request: Request) -> None:
    """Leave of an exception its kind, its text and its lines, and nothing it came of.

    Exceptions of clients carry requests, with their headers, as attributes.
    """
    traceback.clear_frames(exc.__traceback__)
    exc.__cause__ = exc.__context__ = None
    exc.args = tuple(_shown(arg, target, request) for arg in exc.args)
    held = vars(exc)
    held.pop("__notes__", None)
    held.update({name: _shown(value, target, request) for name, value in held.items()})


def _shown(arg: object, target: Target, request: Request) -> object:
    """Return an argument of an exception without secrets and prompts; numbers are neither."""
    if arg is None or isinstance(arg, int | float):
        return arg
    told = TargetError(
        ErrorKind.INTERNAL, arg if isinstance(arg, str) else f"<{type(arg).__name__}>"
    )
    scrub(told, target.provider.endpoint, request.messages)
    return told.message
