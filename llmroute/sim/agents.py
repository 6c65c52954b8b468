"""Stand-ins for two agent programs: `codex exec --json` and `gemini -o json`.

`python -m llmroute.sim.agents codex exec …` takes the real program's options, reads the prompt
from standard input and prints what the real one prints (recorded runs of codex 0.169 and of the
Gemini CLI 0.61), without asking anybody. `LLMROUTE_SIM_AGENT` says how it behaves: a word of
`BEHAVIOURS`. The last call is written to `LLMROUTE_SIM_AGENT_CALL`, where that names a file.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmroute.sim import tokens
from llmroute.sim.answer import Prompt, compose
from llmroute.sim.instance import instance

__all__ = ["BEHAVIOURS", "main", "write_agent"]

BEHAVIOURS = {
    "ok": "answer",
    "auth": "the server refuses the key",
    "quota": "the account has no money left",
    "reconnect": "the connection is lost once, then an answer comes",
    "dropped": "the connection is lost",
    "truncate": "exit 0 before the answer is complete",
    "crash": "exit 1 after some of the answer",
    "empty": "an answer without any text",
    "hang": "print nothing and never end",
}
_SESSION = "00000000-0000-4000-8000-000000000000"
_ROOT = Path(__file__).resolve().parents[2]
#: Options with a value, and flags, by program.
_VALUED: Mapping[str, frozenset[str]] = {
    "codex": frozenset({"--model", "-m", "-c", "--config", "--sandbox", "-s", "--output-schema"}),
    "gemini": frozenset({"--model", "-m", "-o", "--output-format", "--approval-mode", "-p"}),
}
_FLAGS: Mapping[str, frozenset[str]] = {
    "codex": frozenset({"--json", "--skip-git-repo-check", "--ephemeral", "--ignore-user-config"}),
    "gemini": frozenset({"--skip-trust"}),
}
_FAILURES = {
    "auth": (
        400,
        "API key not valid. Please pass a valid API key.",
        "unexpected status 401 Unauthorized: Incorrect API key provided: sk-xx***.",
    ),
    "quota": (
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        "Quota exceeded. Check your plan and billing details.",
    ),
    "dropped": (
        500,
        "An internal error has occurred.",
        "stream disconnected before completion: stream closed before response.completed",
    ),
}


def write_agent(
    folder: Path, name: str, *, behaviour: str = "ok", call: Path | None = None
) -> Path:
    """Write an executable named `codex` or `gemini` into a folder and return its path."""
    noted = "" if call is None else f"export LLMROUTE_SIM_AGENT_CALL={shlex.quote(str(call))}\n"
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    code += "from llmroute.sim.agents import main; sys.exit(main(sys.argv[1:]))"
    path = folder / name
    path.write_text(
        f"#!/bin/sh\nexport LLMROUTE_SIM_AGENT={shlex.quote(behaviour)}\n{noted}"
        f"exec {shlex.quote(sys.executable)} -P -c {shlex.quote(code)} "
        f'{shlex.quote(str(_ROOT))} {name} "$@"\n'
    )
    path.chmod(0o755)
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program that the first argument names and return its exit code."""
    name, *given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        options, words = _parsed(name, given)
    except ValueError as exc:
        print(f"error: {exc}", file=sys.stderr)  # noqa: T201 - a program's own output
        return 2 if name == "codex" else 42
    behaviour = os.environ.get("LLMROUTE_SIM_AGENT", "ok")
    if behaviour == "hang":
        time.sleep(3600)
    typed = sys.stdin.read()
    _note(given, typed)
    if name == "codex":
        return _codex(options, words, typed, behaviour)
    return _gemini(options, typed, behaviour)


def _parsed(name: str, given: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    options: dict[str, str] = {}
    words, rest = [], list(given)
    while rest:
        word = rest.pop(0)
        if word in _VALUED[name]:
            if not rest:
                raise ValueError(f"a value is required for '{word}' but none was supplied")
            value = rest.pop(0)
            joined = f"{options['-c']}\n{value}" if word == "-c" and "-c" in options else value
            options[word] = joined
        elif word in _FLAGS[name]:
            options[word] = ""
        elif word.startswith("-") and word != "-":
            raise ValueError(f"unexpected argument '{word}' found")
        else:
            words.append(word)
    return options, words


def _note(given: Sequence[str], typed: str) -> None:
    place = os.environ.get("LLMROUTE_SIM_AGENT_CALL")
    if place:
        Path(place).write_text(json.dumps({"arguments": list(given), "stdin": typed}))


def _answer(model: str, typed: str, schema: str | None, behaviour: str) -> tuple[str, int, int]:
    prompt = Prompt(model=model, text=typed, size=tokens.count(typed))
    text = compose(prompt).text
    if schema is not None:
        text = json.dumps(instance(json.loads(Path(schema).read_text())), separators=(",", ":"))
    text = "" if behaviour == "empty" else text
    return text, prompt.size, tokens.count(text) if text else 0


def _codex(options: Mapping[str, str], words: list[str], typed: str, behaviour: str) -> int:
    if words != ["exec", "-"] or "--json" not in options:
        print("Not inside a trusted directory", file=sys.stderr)  # noqa: T201
        return 1
    model = options.get("--model") or options.get("-m") or "gpt-6-sol"
    text, read, made = _answer(model, typed, options.get("--output-schema"), behaviour)
    _line({"type": "thread.started", "thread_id": _SESSION})
    _line({"type": "turn.started"})
    if behaviour == "reconnect":
        lost = "stream disconnected before completion: stream closed before response.completed"
        _line({"type": "error", "message": f"Reconnecting... 1/5 ({lost})"})
    if behaviour in _FAILURES:
        message = _FAILURES[behaviour][2]
        _line({"type": "error", "message": message})
        _line({"type": "turn.failed", "error": {"message": message}})
        return 1
    if behaviour != "empty":
        _item(0, "reasoning", "**Thinking** about it")
    if behaviour == "crash":
        print("Error: the program has crashed", file=sys.stderr)  # noqa: T201
        return 1
    if text:
        _item(1, "agent_message", text)
    if behaviour != "truncate":
        usage = {
            "input_tokens": read,
            "cached_input_tokens": 0,
            "cache_write_input_tokens": 0,
            "output_tokens": made + 5 * bool(text),
            "reasoning_output_tokens": 5 * bool(text),
        }
        _line({"type": "turn.completed", "usage": usage})
    return 0


def _item(number: int, kind: str, text: str) -> None:
    item = {"id": f"item_{number}", "type": kind, "text": text}
    _line({"type": "item.completed", "item": item})


def _line(value: Any) -> None:
    print(json.dumps(value, separators=(",", ":")), flush=True)  # noqa: T201


def _gemini(options: Mapping[str, str], typed: str, behaviour: str) -> int:
    print("Ripgrep is not available. Falling back to GrepTool.", file=sys.stderr)  # noqa: T201
    if "json" not in (options.get("-o"), options.get("--output-format")):
        print("only -o json is simulated", file=sys.stderr)  # noqa: T201
        return 42
    if behaviour in _FAILURES:
        return _gemini_failed(*_FAILURES[behaviour][:2])
    if behaviour == "crash":
        print("Error: the program has crashed", file=sys.stderr)  # noqa: T201
        return 1
    model = options.get("--model") or options.get("-m") or "gemini-2.5-flash"
    text, read, made = _answer(model, typed, None, behaviour)
    count = {
        "input": read,
        "prompt": read,
        "candidates": made,
        "total": read + made + 5 * bool(made),
    }
    used = {**count, "cached": 0, "thoughts": 5 * bool(made), "tool": 0}
    stats = {"models": {model: {"api": {"totalRequests": 1}, "tokens": used}}}
    written = json.dumps({"session_id": _SESSION, "response": text, "stats": stats}, indent=2)
    print(written[: len(written) // 2] if behaviour == "truncate" else written)  # noqa: T201
    return 0


def _gemini_failed(code: int, message: str) -> int:
    """Print a failure to standard error, as the program does; the exit code keeps eight bits."""
    said = json.dumps({"error": {"code": code, "message": message}}, separators=(",", ":"))
    error = {"type": "Error", "message": said, "code": code}
    print(f"Error when talking to Gemini API _ApiError: {said}", file=sys.stderr)  # noqa: T201
    print(json.dumps({"session_id": _SESSION, "error": error}, indent=2), file=sys.stderr)  # noqa: T201
    return code % 256


if __name__ == "__main__":
    sys.exit(main())
