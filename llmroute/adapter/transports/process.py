"""A command as a provider: arguments as a list, the prompt on standard input.

Each call gets an empty working directory of its own, a process group of its own that is killed
as a whole when the call ends, and only the environment that the provider file names. A
placeholder `{name}` stands for a value, `{name_file}` for the path of a private file that holds
it, so that long or private values never stand in the list of processes.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

from llmroute.adapter.classify import classify
from llmroute.adapter.transports.base import Call, Reply, check_credential
from llmroute.catalog.model import Endpoint
from llmroute.errors import ErrorKind, TargetError

__all__ = ["ProcessTransport", "Spawn", "arguments"]

_BLOCK = 64 * 1024
#: How much of standard error is kept: its end, in bytes.
_STDERR_KEPT = 8 * 1024
#: How long a process may take to end after its answer is complete, in seconds.
_GRACE = 5.0
#: How often is looked whether the process has ended, in seconds.
_POLL = 0.05
_PLACEHOLDER = re.compile(r"\{([a-z][a-z_]*)\}")

#: Starts a process: arguments, environment, working directory.
Spawn = Callable[[Sequence[str], Mapping[str, str], Path], Awaitable[Process]]


async def _spawn(argv: Sequence[str], environment: Mapping[str, str], directory: Path) -> Process:
    return await asyncio.create_subprocess_exec(
        *argv,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=dict(environment),
        cwd=directory,
        start_new_session=True,
    )


class ProcessTransport:
    """Runs a command per call. `spawn` starts processes, in a session of their own."""

    def __init__(self, spawn: Spawn = _spawn) -> None:
        self._spawn = spawn

    async def open(self, call: Call) -> Reply:
        """Start the command.

        Raises:
            TargetError: the command is missing or cannot be started, or a value cannot be an
                argument.

        """
        check_credential(call.endpoint)
        room = Path(mkdtemp(prefix="llmroute-"))
        try:
            directory = room / "work"
            directory.mkdir(mode=0o700)
            argv = arguments(call.endpoint.command, call.values, room)
            argv[0] = _found(argv[0], call.endpoint)
            process = await self._spawn(argv, call.endpoint.variables(), directory)
        except (OSError, ValueError) as exc:  # ValueError: NUL or half a character in a value
            shutil.rmtree(room, ignore_errors=True)
            raise _not_started(call.endpoint, exc) from exc
        except BaseException:
            shutil.rmtree(room, ignore_errors=True)
            raise
        return ProcessReply(process, call, room)

    async def aclose(self) -> None:
        """Nothing is kept between calls."""


class ProcessReply:
    """What a running command says on standard output."""

    status = 200

    def __init__(self, process: Process, call: Call, room: Path) -> None:
        self.headers: Mapping[str, str] = {}
        self._process = process
        self._call = call
        self._room = room
        self._stderr = bytearray()
        self._tasks = [
            asyncio.ensure_future(work)
            for work in (self._write(call.stdin), self._drain(), self._reap())
        ]

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield standard output as it arrives."""
        stdout = self._process.stdout
        while stdout is not None and (data := await stdout.read(_BLOCK)):
            yield data

    async def finish(self) -> None:
        """Wait for the end of the process and judge its exit code."""
        try:
            async with asyncio.timeout(_GRACE):
                code = await self._process.wait()
                await self._tasks[1]
        except TimeoutError as exc:
            message = f"{self._name} did not end within {_GRACE:g} s of its answer"
            raise TargetError(ErrorKind.MALFORMED, message, code="exit") from exc
        if code:
            raise self._failed(code)

    async def aclose(self) -> None:
        """Kill the whole process group and remove the working directory."""
        self._kill()
        try:
            await asyncio.shield(self._process.wait())
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if (pipes := getattr(self._process, "_transport", None)) is not None:
                pipes.close()
            shutil.rmtree(self._room, ignore_errors=True)

    @property
    def _name(self) -> str:
        return Path(str(self._call.endpoint.command[0])).name

    async def _write(self, data: bytes) -> None:
        stdin = self._process.stdin
        if stdin is None:
            return
        with suppress(ConnectionError):
            stdin.write(data)
            await stdin.drain()
        stdin.close()

    async def _drain(self) -> None:
        stderr = self._process.stderr
        while stderr is not None and (data := await stderr.read(_BLOCK)):
            self._stderr += data
            del self._stderr[:-_STDERR_KEPT]

    async def _reap(self) -> None:
        # wait() also waits for the pipes, which children that were left behind hold open
        while self._process.returncode is None:  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(_POLL)
        self._kill()

    def _kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _failed(self, code: int) -> TargetError:
        endpoint = self._call.endpoint
        said = self._stderr.decode("utf-8", "replace").strip()
        error = classify(said.encode(), endpoint=endpoint, model=self._call.model)
        if error.kind is ErrorKind.TRANSIENT:
            error.kind = ErrorKind.UNAVAILABLE
            error.help = "run the command of this provider by hand and see what it says"
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        last = said.splitlines()[-1] if said else "and said nothing on standard error"
        error.message = f"{self._name} {how}: {last[:300]}"
        error.args = (error.message,)
        error.status, error.code = code, "exit"
        return error


def arguments(
    command: Sequence[str | Sequence[str]], values: Mapping[str, str], room: Path
) -> list[str]:
    """Return the arguments of a command with its placeholders filled in.

    A nested list is left out where one of its placeholders has no value. Values go into
    arguments as they are; no shell sees them.

    Raises:
        TargetError: a value is missing, holds NUL, or would turn its argument into an option.

    """
    argv = []
    for part in command:
        if isinstance(part, str):
            argv.append(_filled(part, values, room))
        elif all(values.get(name) for word in part for name in _names(word, values)):
            argv += [_filled(word, values, room) for word in part]
    return argv


def _names(word: str, values: Mapping[str, str]) -> list[str]:
    return [_value_name(name, values) for name in _PLACEHOLDER.findall(word)]


def _value_name(name: str, values: Mapping[str, str]) -> str:
    return name if name in values else name.removesuffix("_file")


def _filled(word: str, values: Mapping[str, str], room: Path) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1]
        key = _value_name(name, values)
        if key not in values:
            raise TargetError(ErrorKind.CAPABILITY, f"the command needs a value for {{{name}}}")
        return values[key] if key == name else _written(room / key, values[key])

    filled = _PLACEHOLDER.sub(value, word)
    if "\0" in filled:
        raise TargetError(ErrorKind.CAPABILITY, f"the value for {word} holds NUL")
    if filled.startswith("-") and not word.startswith("-"):
        message = f"the value for {word} starts with '-' and would be taken for an option"
        raise TargetError(ErrorKind.CAPABILITY, message)
    return filled


def _written(path: Path, value: str) -> str:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
        file.write(value)
    return str(path)


def _found(command: str, endpoint: Endpoint) -> str:
    found = shutil.which(command, path=endpoint.variables().get("PATH", os.defpath))
    if found is None:
        message = f"the command {command!r} was not found"
        raise TargetError(
            ErrorKind.UNAVAILABLE,
            message,
            code="missing_binary",
            help=f"install {Path(command).name}, or write its full path in endpoint.command",
        )
    return str(Path(found).absolute())


def _not_started(endpoint: Endpoint, exc: OSError | ValueError) -> TargetError:
    command = endpoint.command[0]
    if isinstance(exc, ValueError):
        message = f"a value for {command!r} holds what no argument or variable can: {exc}"
        return TargetError(ErrorKind.CAPABILITY, message)
    message = f"the command {command!r} could not be started: {exc.strerror}"
    return TargetError(ErrorKind.UNAVAILABLE, message, code="missing_binary")
