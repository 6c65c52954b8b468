"""Real parts for tests: a llama.cpp server, the Claude Code CLI and an Anthropic server for it.

Nothing is downloaded: the model is made here. It is a llama without effect, whose embeddings
are one-hot and whose output matrix is a table of transitions, so that its answer is the same
at any temperature.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

__all__ = [
    "CLAUDE_ENVIRONMENT",
    "TOOL_CALL_PIECES",
    "AnthropicServer",
    "claude_binary",
    "llama_server",
    "make_gguf",
]

#: Token texts of a scripted call of `get_weather` in the model's own chat format.
TOOL_CALL_PIECES = (
    "<tool_call>",
    '\n{"name": "get_weather", ',
    '"arguments": {"city": "Graz"}}',
    "\n</tool_call>",
)

_TEMPLATE = (
    "{%- if tools %}<|im_start|>system\n# Tools\nCall functions inside <tool_call></tool_call>"
    " tags:\n{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}"
    'Format: <tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n'
    "</tool_call><|im_end|>\n{% endif %}"
    "{%- for message in messages %}"
    "{%- if message.role == 'tool' %}<|im_start|>user\n<tool_response>\n{{ message.content }}"
    "\n</tool_response><|im_end|>\n"
    "{%- else %}<|im_start|>{{ message.role }}\n"
    "{%- if message.content is string %}{{ message.content }}"
    "{%- else %}{% for part in message.content or [] %}{{ part.text or '' }}{% endfor %}{% endif %}"
    "{%- for call in message.tool_calls or [] %}\n<tool_call>\n"
    '{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}'
    "\n</tool_call>{% endfor %}<|im_end|>\n"
    "{%- endif %}{% endfor %}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_SPECIAL = ("<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>")


def make_gguf(path: Path, answer: str | Sequence[str] = "Hello from a tiny model") -> Path:
    """Write a model that always answers the same: words of a text, or exact token texts.

    No word may occur twice, since each word leads to the next.
    """
    import gguf

    words = answer.split() if isinstance(answer, str) else answer
    pieces = (
        [f" {w}" if i else w for i, w in enumerate(words)] if isinstance(answer, str) else words
    )
    kinds = gguf.TokenType
    tokens = [(token, kinds.CONTROL) for token in _SPECIAL]
    tokens += [(f"<0x{byte:02X}>", kinds.BYTE) for byte in range(256)]
    first = len(tokens)
    tokens += [(piece.replace(" ", "\u2581"), kinds.NORMAL) for piece in pieces]
    width = -(-len(tokens) // 64) * 64
    writer = gguf.GGUFWriter(path, "llama")
    _write_shape(writer, len(tokens), width)
    _write_tokens(writer, tokens)
    _write_tensors(writer, len(tokens), width, first)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_shape(writer: Any, size: int, width: int) -> None:
    writer.add_context_length(65536)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(4)
    writer.add_rope_dimension_count(width // 4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(size)


def _write_tokens(writer: Any, tokens: Sequence[tuple[str, Any]]) -> None:
    ordinary = tokens[-1][1]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([token for token, _ in tokens])
    writer.add_token_scores([-1e3 if kind == ordinary else 0.0 for _, kind in tokens])
    writer.add_token_types([int(kind) for _, kind in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_eot_token_id(4)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(_TEMPLATE)


def _write_tensors(writer: Any, size: int, width: int, first: int) -> None:
    import numpy as np

    following = np.full(size, first)
    following[first:] = [*range(first + 1, size), 2]
    transitions = np.zeros((size, width), np.float32)
    transitions[following, np.arange(size)] = 2.0
    writer.add_tensor("token_embd.weight", np.eye(size, width, dtype=np.float32))
    writer.add_tensor("output.weight", transitions)
    writer.add_tensor("output_norm.weight", np.ones(width, np.float32))
    square = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (width, width))
    others = {"ffn_gate": (64, width), "ffn_up": (64, width), "ffn_down": (width, 64)}
    for name, shape in (square | others).items():
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros(shape, np.float32))
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", np.ones(width, np.float32))


_SERVE = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, context, key = sys.argv[1:4]
params.hostnames, params.port = ["127.0.0.1"], 0
params.n_ctx, params.n_parallel, params.use_jinja = int(context), 2, True
params.cpuparams.n_threads, params.warmup = 2, False
if key:
    params.api_keys = [key]
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


@contextmanager
def llama_server(model: Path, *, context: int = 131072, api_key: str = "") -> Iterator[str]:
    """Serve a model with llama.cpp in a process of its own; yields its address."""
    command = [sys.executable, "-c", _SERVE, str(model), str(context), api_key]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdin
    assert process.stdout
    try:
        address = process.stdout.readline().strip()
        while address and not address.startswith("http"):
            address = process.stdout.readline().strip()
        assert address, "the llama.cpp server did not start"
        yield address
    finally:
        process.stdin.close()
        process.kill()
        process.wait()
        process.stdout.close()


def claude_binary() -> Path:
    """Return the Claude Code CLI that the claude-agent-sdk package carries."""
    import claude_agent_sdk

    binary = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"
    assert binary.exists(), "this build of claude-agent-sdk carries no CLI"
    return binary


#: Switches that keep the CLI to itself: no telemetry, no updates, no retries of its own.
CLAUDE_ENVIRONMENT = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
    "CLAUDE_CODE_MAX_RETRIES": "0",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_TELEMETRY": "1",
}

_ERRORS = {
    "401": (401, "authentication_error", "invalid x-api-key"),
    "500": (500, "api_error", "Internal server error"),
    "529": (529, "overloaded_error", "Overloaded"),
}
_USAGE = {
    "input_tokens": 1000,
    "cache_creation_input_tokens": 200,
    "cache_read_input_tokens": 300,
    "output_tokens": 1,
    "service_tier": "standard",
}


class AnthropicServer:
    """A tiny Anthropic Messages server on loopback; the address names the scenario.

    Scenarios: `ok`, `401`, `529`, `500`, `hang` (until the server closes), `tool`,
    `error-midway`, `drop-midway`. `requests` holds the bodies that were received.
    """

    def __init__(self, words: Sequence[str] = ("Hello ", "from ", "loopback.")) -> None:
        self.words = tuple(words)
        self.requests: list[dict[str, Any]] = []
        self.closing = threading.Event()
        owner = self

        class Handler(_AnthropicHandler):
            server_owner = owner

        self._server = _QuietServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def url(self, scenario: str = "ok") -> str:
        """Return the base address under which a scenario is played."""
        return f"http://127.0.0.1:{self._server.server_port}/{scenario}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing about clients that went away."""


class _AnthropicHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_owner: AnthropicServer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._json(200, {})

    def do_GET(self) -> None:
        self._json(200, {"data": [], "has_more": False})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        scenario, _, path = self.path.lstrip("/").partition("/")
        body = json.loads(raw)
        if path.split("?")[0] != "v1/messages":
            self._json(200, {"input_tokens": 42})
            return
        self.server_owner.requests.append(body)
        if scenario in _ERRORS:
            status, kind, message = _ERRORS[scenario]
            self._json(status, {"type": "error", "error": {"type": kind, "message": message}})
        elif scenario == "hang":
            self.server_owner.closing.wait(60)
        else:
            self._answer(scenario, body)

    def _json(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("request-id", "req_loopback")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _answer(self, scenario: str, body: dict[str, Any]) -> None:
        words = self.server_owner.words
        block: dict[str, Any] = {"type": "text", "text": "".join(words)}
        deltas = [{"type": "text_delta", "text": word} for word in words]
        if scenario == "tool":
            block = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
            deltas = [{"type": "input_json_delta", "partial_json": '{"a": 1}'}]
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [block],
            "stop_reason": "tool_use" if scenario == "tool" else "end_turn",
            "stop_sequence": None,
            "usage": {**_USAGE, "output_tokens": 50},
        }
        if body.get("stream"):
            self._stream(scenario, message, block, deltas)
        else:
            self._json(200, message)

    def _stream(self, scenario: str, message: Any, block: Any, deltas: Sequence[Any]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        start = {**message, "content": [], "stop_reason": None, "usage": _USAGE}
        self._event("message_start", message=start)
        empty = {**block, **({"text": ""} if "text" in block else {"input": {}})}
        self._event("content_block_start", index=0, content_block=empty)
        for number, delta in enumerate(deltas):
            self._event("content_block_delta", index=0, delta=delta)
            if number == 1 and scenario == "drop-midway":
                return
            if number == 1 and scenario == "error-midway":
                self._event("error", error={"type": "overloaded_error", "message": "Overloaded"})
                return
        self._event("content_block_stop", index=0)
        delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
        self._event("message_delta", delta=delta, usage={"output_tokens": 50})
        self._event("message_stop")

    def _event(self, name: str, **data: Any) -> None:
        text = json.dumps({"type": name, **data})
        self.wfile.write(f"event: {name}\ndata: {text}\n\n".encode())
        self.wfile.flush()
