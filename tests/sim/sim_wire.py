"""Plain sockets and readers for the simulator tests: nothing here knows the simulators' code."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_EXAMPLES = Path(__file__).parent / "examples"


@dataclass
class Got:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    sim: Any, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> Got:
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=3)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, headers or {})
        response = connection.getresponse()
        received = {name.lower(): value for name, value in response.getheaders()}
        return Got(response.status, received, response.read())
    finally:
        connection.close()


def post(sim: Any, path: str, body: Any, headers: dict[str, str] | None = None) -> Got:
    return ask(sim, "POST", path, body, headers)


def opened(sim: Any, path: str, body: Any, extra: str = "", timeout: float = 2.0) -> socket.socket:
    """Open a socket and send a POST on it."""
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\n{extra}content-length: {len(data)}\r\n\r\n"
    made = socket.create_connection(("127.0.0.1", sim.port), timeout=timeout)
    made.sendall(head.encode() + data)
    return made


def drained(connection: socket.socket) -> tuple[bytes, str]:
    """Everything that comes, and how it ended: `closed`, `reset` or `silent`."""
    received = b""
    while True:
        try:
            piece = connection.recv(65536)
        except TimeoutError:
            return received, "silent"
        except ConnectionResetError:
            return received, "reset"
        if not piece:
            return received, "closed"
        received += piece


def raw(sim: Any, path: str, body: Any, extra: str = "", timeout: float = 2.0) -> tuple[bytes, str]:
    with opened(sim, path, body, extra, timeout) as connection:
        return drained(connection)


def chunks(response: bytes) -> tuple[bytes, bool]:
    """Undo chunked transfer coding: the body, and whether the last chunk came."""
    rest = response.partition(b"\r\n\r\n")[2]
    body = b""
    while rest:
        size_text, _, rest = rest.partition(b"\r\n")
        size = int(size_text, 16)
        if size == 0:
            return body, True
        body, rest = body + rest[:size], rest[size + 2 :]
    return body, False


def events(body: bytes) -> list[tuple[str | None, Any]]:
    """Server-sent events as (name, data); data is parsed where it is JSON."""
    found = []
    for block in body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "data" in fields:
            data = fields["data"]
            parsed = data if data == "[DONE]" else json.loads(data)
            found.append((fields.get("event"), parsed))
    return found


def keys(value: Any, prefix: str = "") -> set[str]:
    """The paths of all keys below `value`; list elements count as one."""
    if isinstance(value, dict):
        found = {f"{prefix}{name}" for name in value}
        return found.union(*(keys(part, f"{prefix}{name}.") for name, part in value.items()))
    if isinstance(value, list):
        return set().union(*(keys(part, prefix) for part in value))
    return set()


def example(name: str) -> Any:
    """An example of the wire, made from the providers' own types, sources and logs."""
    path = _EXAMPLES / name
    text = path.read_text()
    return json.loads(text) if path.suffix == ".json" else events(text.encode())


def recorded(name: str) -> Any:
    """What a recorded run of Claude Code 2.1.330 printed: the keys of its lines, its verdict."""
    return example("claude_code/recorded_keys.json")[name]
