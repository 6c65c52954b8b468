"""A stand-in for the Claude Code CLI: `python -m llmroute.sim.claude -p …`.

It takes the real program's options, reads the prompt from stdin and prints what the real
program prints, without asking anybody. It is a program of its own, so it reads its own
environment:

- `LLMROUTE_SIM_CLAUDE` says how it behaves: a word of `BEHAVIOURS` or of `claude_facts.ERRORS`;
- `LLMROUTE_SIM_CLAUDE_HOME` names a folder in which `script.json` holds behaviours for the
  next calls and `calls.jsonl` records each call (see `ClaudeStandIn`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from llmroute.sim import tokens
from llmroute.sim.answer import Answer, Prompt, compose
from llmroute.sim.claude_facts import ERRORS, resolve
from llmroute.sim.claude_lines import Lines
from llmroute.sim.claude_options import CommandError, Options, parse
from llmroute.sim.claude_script import Step, next_step, read_pace, record
from llmroute.sim.instance import instance

__all__ = ["BEHAVIOURS", "main"]

#: What the program can be told to do, besides the failures of `claude_facts.ERRORS`.
BEHAVIOURS = {
    "ok": "answer",
    "crash": "exit 1 with a message on stderr, before anything else",
    "crash_midway": "exit 1 after some of the answer",
    "empty": "a success without any text",
    "exit_nonzero": "a good answer, but exit code 3",
    "flood": "32 MiB on stderr, then a good answer",
    "fork": "start a child that keeps stdout open, then hang",
    "garbage": "exit 0 with something that is no JSON",
    "hang": "print nothing and never end",
    "hang_midway": "stop after the first piece of the answer and never end",
    "long_line": "a good answer with a line of more than 64 KiB before it",
    "max_turns": "run out of turns",
    "truncate": "exit 0 without a result",
}

_DEFAULT_STDIN_WAIT = 0.05
_FLOOD = 32
_LONG = 256 * 1024


class _StopError(Exception):
    """The program ends here, with this exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code: 0 fine, 1 failed."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        options = parse(given)
        if "version" in options.flags or "help" in options.flags:
            print("2.1.330 (Claude Code)")  # noqa: T201 - a program's own output
            return 0
        return _Run(options, given).run()
    except CommandError as exc:
        print(exc, file=sys.stderr)  # noqa: T201 - a program's own output
        return 1
    except _StopError as exc:
        return exc.code
    except BrokenPipeError:
        return 1


class _Run:
    """One call of the program."""

    def __init__(self, options: Options, arguments: Sequence[str]) -> None:
        home = os.environ.get("LLMROUTE_SIM_CLAUDE_HOME")
        self._home = Path(home) if home else None
        self._options = options
        self._arguments = arguments
        self._step = Step()
        self._system = ""
        self._pace = read_pace(self._home)
        self._out: TextIO = sys.stdout
        self._array: list[Any] = []
        model = resolve(options.values.get("model"))
        session = options.values.get("session-id", "00000000-0000-4000-8000-000000000000")
        streamed = options.output == "stream-json"
        self._lines = Lines(model, session, str(Path.cwd()), streamed, options.partial)

    def run(self) -> int:
        schema, self._system = self._schema(), self._system_prompt()
        prompts = list(self._prompts())
        word = os.environ.get("LLMROUTE_SIM_CLAUDE", "ok")
        code = 0
        for prompt, images in prompts:
            self._step = next_step(self._home, self._lines.model) or Step(behaviour=word)
            record(self._home, self._arguments, prompt, self._step.behaviour)
            code = self._turn(prompt, images, schema)
        if self._array:
            self._write(json.dumps(self._array, ensure_ascii=False))
        return code

    def _schema(self) -> Any:
        text = self._options.values.get("json-schema")
        if text is None:
            return None
        try:
            return json.loads(text)
        except ValueError as exc:
            raise CommandError(f"Error: --json-schema is not valid JSON: {exc}") from exc

    def _system_prompt(self) -> str:
        named = self._options.values.get("system-prompt-file")
        if named is None:
            return self._options.values.get("system-prompt", "")
        try:
            return Path(named).read_text()
        except OSError as exc:
            raise CommandError(f"Error: System prompt file not found: {named}") from exc

    def _prompts(self) -> Iterator[tuple[str, int]]:
        if self._options.input == "stream-json":
            for line in sys.stdin:
                yield _user_message(line)
            return
        prompt = self._options.prompt
        if prompt is None or _readable():
            typed = sys.stdin.read()
            prompt = "\n".join(part for part in (prompt, typed) if part)
        if not prompt:
            raise CommandError(
                "Error: Input must be provided either through stdin or as a prompt argument when "
                "using --print"
            )
        yield prompt, 0

    def _turn(self, prompt: str, images: int, schema: Any) -> int:
        behaviour = self._step.behaviour
        self._before(behaviour)
        if behaviour in ERRORS:
            return self._failed(behaviour)
        answer = self._answer(prompt, images)
        if behaviour == "max_turns":
            turns = int(self._options.values.get("max-turns", "1"))
            return self._end(self._lines.max_turns(answer, turns), 1)
        if schema is not None and behaviour != "empty":
            return self._structured(schema, answer)
        self._opening([])
        self._spoken(answer)
        self._emit(self._lines.assistant([{"type": "text", "text": answer.text}], answer))
        self._partial(self._lines.ended("end_turn", answer))
        self._cut()
        return self._end(self._lines.result(answer, stop_reason="end_turn"), 0)

    def _before(self, behaviour: str) -> None:
        """Do what a behaviour does before there is an answer."""
        if behaviour == "crash":
            print("Error: the program has crashed", file=sys.stderr)  # noqa: T201
            raise _StopError(1)
        if behaviour == "garbage":
            self._write("Welcome! Please update to continue.")
            raise _StopError(0)
        if behaviour == "flood":
            for _ in range(_FLOOD):
                sys.stderr.write("x" * 1024 * 1024)
        if behaviour == "long_line":
            self._write(json.dumps({"type": "system", "subtype": "status", "pad": "x" * _LONG}))
        if behaviour == "fork":
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
        if behaviour in ("fork", "hang"):
            _forever()

    def _failed(self, behaviour: str) -> int:
        error = ERRORS[behaviour]
        self._opening([])
        broken = behaviour in ("error_event", "dropped")
        if broken:
            answer = Answer(text="Hello ")
            self._partial([self._lines.started(answer), *self._lines.pieces(answer)])
        self._emit(self._lines.failed(error))
        if broken:
            self._partial(self._lines.abandoned())
        return self._end(self._lines.failure(error), 1)

    def _answer(self, prompt: str, images: int) -> Answer:
        size = tokens.count(prompt + self._system) + images * tokens.IMAGE_TOKENS
        answer = compose(Prompt(model=self._lines.model, text=prompt, size=size, images=images))
        if self._step.behaviour == "empty":
            return replace(answer, text="", output_tokens=0)
        if self._step.text is not None:
            return replace(answer, text=self._step.text)
        return answer

    def _structured(self, schema: Any, answer: Answer) -> int:
        value = instance(schema)
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        answer = replace(answer, text=text)
        self._opening(["StructuredOutput"])
        self._partial([self._lines.started(answer), *self._lines.structured_pieces(value)])
        for line in self._lines.structured(value, answer):
            self._emit(line)
        self._partial(self._lines.ended("tool_use", answer))
        result = self._lines.result(answer, stop_reason="tool_use", turns=2)
        return self._end({**result, "structured_output": value}, 0)

    def _opening(self, tools: list[str]) -> None:
        self._emit(self._lines.init(tools))
        self._partial([self._lines.status()])

    def _spoken(self, answer: Answer) -> None:
        first_token, every = self._pace
        time.sleep(first_token)
        self._partial([self._lines.started(answer)])
        for index, line in enumerate(self._lines.pieces(answer)):
            self._partial([line])
            if index == 1 and self._step.behaviour == "hang_midway":
                _forever()
            if index == 1 and self._step.behaviour == "crash_midway":
                raise _StopError(1)
            time.sleep(every if index else 0)

    def _cut(self) -> None:
        if self._step.behaviour == "truncate":
            raise _StopError(0)

    def _partial(self, lines: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> None:
        for line in lines:
            if self._options.partial:
                self._emit(line)

    def _emit(self, line: dict[str, Any]) -> None:
        if self._options.output == "stream-json":
            self._write(json.dumps(line, ensure_ascii=False))
        elif self._options.output == "json" and "verbose" in self._options.flags:
            self._array.append(line)

    def _end(self, line: dict[str, Any], code: int) -> int:
        if self._options.output == "text":
            self._write(line.get("result") or "".join(line.get("errors", ())))
        elif self._options.output == "json" and not self._array:
            self._write(json.dumps(line, ensure_ascii=False))
        else:
            self._emit(line)
        return 3 if self._step.behaviour == "exit_nonzero" else code

    def _write(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()


def _user_message(line: str) -> tuple[str, int]:
    """Read one line of `--input-format stream-json`: the text and the number of images."""
    try:
        content = json.loads(line)["message"]["content"]
    except (ValueError, KeyError, TypeError) as exc:
        size = len(line.rstrip("\n"))
        raise CommandError(
            f"Error parsing streaming input line (type=unknown, {size} chars): SyntaxError"
        ) from exc
    if isinstance(content, str):
        return content, 0
    text = "".join(block.get("text") or "" for block in content)
    return text, sum(block.get("type") == "image" for block in content)


def _readable() -> bool:
    """Whether stdin has something besides the prompt of the command line."""
    import select

    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return False
    return bool(select.select([sys.stdin], [], [], _DEFAULT_STDIN_WAIT)[0])


def _forever() -> None:
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    raise SystemExit(main())
