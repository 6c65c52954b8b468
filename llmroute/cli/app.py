"""The program: arguments in, a command run, an exit code out; every error has its words here."""

from __future__ import annotations

import errno
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from llmroute.cli.commands import COMMANDS
from llmroute.cli.output import dump, note, tolerant_streams
from llmroute.cli.parser import parse
from llmroute.cli.signals import Terminated, unwind_on_signals
from llmroute.errors import ConfigError, LlmrouteError, RouteFailed, UsageError

__all__ = [
    "BROKEN",
    "BUG",
    "FAILED",
    "FINE",
    "INTERRUPTED",
    "PIPE_CLOSED",
    "USAGE",
    "leave",
    "main",
]

FINE, FAILED, USAGE = 0, 1, 2
#: Files that cannot be used, and faults of llmroute itself.
BROKEN = BUG = 3
#: As a shell reports a program that ended by SIGINT or SIGPIPE.
INTERRUPTED, PIPE_CLOSED = 130, 141

#: What writing to a full or broken disk fails with.
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code; `argv` as in `sys.argv[1:]`.

    Without `argv` it is the process's own program, and ends the process: see `leave`.
    """
    tolerant_streams()
    if argv is None:
        unwind_on_signals()
        if not sys.warnoptions:
            warnings.simplefilter("ignore")  # those of packages concern their programmers
    code = _quiet(sys.argv[1:] if argv is None else argv)
    if argv is None:
        leave(code)
    return code


def leave(code: int) -> NoReturn:
    """End the process at once, after flushing what was written.

    The HTTP client's native threads may still hold the interpreter for a moment after the last
    answer; an orderly shutdown that meets them there aborts the process.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            continue
    os._exit(code)


def _quiet(argv: Sequence[str]) -> int:
    """Run the command; an interrupt or a closed pipe ends it without a word.

    Output that cannot be written for another reason, such as a full disk, is a failure.
    """
    try:
        code = _guarded(argv)
        sys.stdout.flush()
    except Terminated as exc:
        return exc.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return PIPE_CLOSED
    except OSError as exc:
        return _unwritten(exc) if _is_stuck(exc) else _bug(exc, traced="--debug" in argv)
    return code


def _guarded(argv: Sequence[str]) -> int:
    """Run the command; errors become a message and an exit code."""
    try:
        args = parse(argv, COMMANDS)
        code: int = args.run(args)
    except LlmrouteError as exc:
        return _told(exc, as_json="--json" in argv)
    except SystemExit as exc:  # help and version
        return exc.code if isinstance(exc.code, int) else FINE
    except OSError:
        raise
    except Exception as exc:  # noqa: BLE001 - the last resort of the program
        return _bug(exc, traced="--debug" in argv)
    return code


def _told(error: LlmrouteError, *, as_json: bool) -> int:
    if as_json:
        dump({"error": _error_data(error)})
    prefix = "" if isinstance(error, ConfigError) else "llmroute: "
    # `run` has told of each attempt as it ended.
    note(f"{prefix}{error.brief if isinstance(error, RouteFailed) else error}")
    if isinstance(error, ConfigError):
        return BROKEN
    return USAGE if isinstance(error, UsageError) else FAILED


def _error_data(error: LlmrouteError) -> dict[str, Any]:
    from llmroute.cli.records import attempt_record, finding_record

    data: dict[str, Any] = {"kind": type(error).__name__, "message": str(error)}
    if isinstance(error, ConfigError):
        data["findings"] = [finding_record(item) for item in error.diagnostics]
    if isinstance(error, RouteFailed):
        data["attempts"] = [attempt_record(item) for item in error.attempts]
    return data


def _bug(error: Exception, *, traced: bool) -> int:
    if traced:
        note(traceback.format_exc().rstrip())
    detail = " ".join(str(error).split())
    note(
        f"llmroute: internal error, {type(error).__name__}: {detail}; "
        "this is a bug, please report it (--debug shows the traceback)"
    )
    return BUG


def _is_stuck(error: OSError) -> bool:
    """Whether the error is that stdout cannot be written; other files' errors name the file."""
    if error.filename is None and error.errno in _UNWRITABLE:
        return True
    try:
        sys.stdout.flush()
    except OSError:
        return True
    return False


def _unwritten(error: OSError) -> int:
    note(f"llmroute: cannot write to standard output: {error.strerror}")
    _silence_stdout()
    return FAILED


def _silence_stdout() -> None:
    """Give the interpreter nothing to fail on when it flushes stdout at its end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return
