"""Five servers that fail often, in a process of their own, for `bench/faults.py`.

    python bench/faulty.py --ports 5 [--share 0.3] [--seed 1] [--times 1]

They speak OpenAI's Chat Completions, streamed and whole. A share of the requests fails, each in
one of eight ways, drawn evenly: 500, 429, 529, a reset, silence before the first byte, a web page,
a truncated answer, an empty one. An answer has four words, so many `--times`. Prints the ports on
one line, then serves until its standard input ends, and prints how many requests it served and how
many of them failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import struct
import sys
from collections import Counter
from random import Random

__all__ = ["FAULTS"]

FAULTS = ("500", "429", "529", "reset", "hang", "html", "truncated", "empty")
_WORDS = ("All", " is", " well", ".")
_HANG = 30.0


class Faulty:
    """One server; `draw` is shared by all, so that a seed fixes the mix."""

    def __init__(self, draw: Random, share: float, counts: Counter[str], times: int) -> None:
        self._draw, self._share, self._counts = draw, share, counts
        self._words = _WORDS * times

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while (asked := await _request(reader)) is not None:
                fails = self._draw.random() < self._share
                fault = self._draw.choice(FAULTS) if fails else "none"
                self._counts[fault] += 1
                words = () if fault == "empty" else self._words
                if not await _answer(writer, fault, words, stream=bool(asked.get("stream"))):
                    return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader) -> dict[str, object] | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    lines = head.lower().split(b"\r\n")
    size = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
    asked: dict[str, object] = json.loads(await reader.readexactly(size)) if size else {}
    return asked


async def _answer(
    writer: asyncio.StreamWriter, fault: str, words: tuple[str, ...], *, stream: bool
) -> bool:
    """Answer one request; False where the connection ends with it."""
    if fault == "hang":
        await asyncio.sleep(_HANG)
        return False
    if fault == "reset":
        _reset(writer)
        return False
    if fault in ("500", "429", "529"):
        error = {"error": {"message": f"scripted {fault}", "type": None, "code": None}}
        _write(writer, json.dumps(error).encode(), int(fault))
    elif fault == "html":
        _write(writer, b"<html><body>Bad gateway</body></html>", 200, "text/html")
    else:
        body = _stream(words, fault) if stream else _whole(words, fault)
        _write(writer, body, 200, "text/event-stream" if stream else "application/json")
    await writer.drain()
    return True


def _reset(writer: asyncio.StreamWriter) -> None:
    found = writer.get_extra_info("socket")
    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _write(
    writer: asyncio.StreamWriter, body: bytes, status: int, kind: str = "application/json"
) -> None:
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


def _stream(words: tuple[str, ...], fault: str) -> bytes:
    chunks = [{"delta": {"role": "assistant", "content": ""}, "finish_reason": None}]
    chunks += [{"delta": {"content": word}, "finish_reason": None} for word in words]
    chunks.append({"delta": {}, "finish_reason": "stop"})
    usage = _usage(words)
    events = [{"choices": [{"index": 0, **chunk}]} for chunk in chunks]
    events.append({"choices": [], "usage": usage})
    shared = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    lines = [f"data: {json.dumps({**shared, **event})}\n\n" for event in events]
    if fault == "truncated":
        return "".join(lines[:2]).encode()
    return "".join([*lines, "data: [DONE]\n\n"]).encode()


def _whole(words: tuple[str, ...], fault: str) -> bytes:
    message = {"role": "assistant", "content": "".join(words)}
    answer = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": _usage(words),
    }
    body = json.dumps(answer).encode()
    return body[: len(body) // 2] if fault == "truncated" else body


def _usage(words: tuple[str, ...]) -> dict[str, int]:
    return {"prompt_tokens": 9, "completion_tokens": len(words), "total_tokens": 9 + len(words)}


async def _main(ports: int, share: float, seed: int, times: int) -> None:
    draw, counts = Random(seed), Counter[str]()  # noqa: S311 - a mix of faults, no secret
    servers = [
        await asyncio.start_server(Faulty(draw, share, counts, times).serve, "127.0.0.1", 0)
        for _ in range(ports)
    ]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(json.dumps(counts), flush=True)
    for server in servers:
        server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--ports", type=int, default=5)
    parser.add_argument("--share", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--times", type=int, default=1)
    given = parser.parse_args()
    asyncio.run(_main(given.ports, given.share, given.seed, given.times))
