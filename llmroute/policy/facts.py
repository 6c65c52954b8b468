"""What is known about a request before any call, each fact computed once and only if read."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping
from functools import cached_property
from typing import Any

from llmroute.types import Message, Request

__all__ = ["FACTS", "Facts", "estimate_tokens"]

#: Names that expressions may read under `facts`, in the order in which they are shown.
FACTS = ("tokens", "characters", "tools", "images", "json_schema", "language", "code", "task")

#: Characters of a prompt that the textual facts (language, code) look at.
_SAMPLE = 20_000
#: Tokens counted for one image, near what vendors bill for a picture of about a megapixel.
_IMAGE_TOKENS = 1_000
#: Tokens of the frame around one message and around the whole prompt.
_MESSAGE_TOKENS, _PROMPT_TOKENS = 4, 3

_CODE = re.compile(
    r"```|^\s*(?:def |class |import |from \w+ import|#include|package |public |func |fn "
    r"|const |let |var |return\b|SELECT .+ FROM |</?\w+>)|[{};]\s*$|=>|->\s*\w+:",
    re.MULTILINE,
)
_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
)
#: Frequent short words by language; the most hits win, English on a tie.
_WORDS: Mapping[str, frozenset[str]] = {
    code: frozenset(words.split(" "))
    for code, words in {
        "en": "the and of to in is that it for with this what how are you",
        "de": "der die das und ist nicht ein eine mit für auf wie was ich sie",
        "fr": "le la les et est une des dans pour que qui pas vous avec sur",
        "es": "el los las y es una en para que con por como del qué se",
        "it": "il gli e è una per che di non con come sono della cosa si",
        "pt": "o os as e é uma em para que com não por como do da",
        "nl": "de het een en is van niet met voor op wat hoe ik dat zijn",
    }.items()
}


def estimate_tokens(text: str) -> float:
    """Estimate the tokens of a text: a quarter of its characters, plus 0.3 a byte beyond one.

    English prose is near 4 characters a token; a Chinese character (3 bytes in UTF-8) then counts
    0.85 tokens and an accented letter (2 bytes) 0.55.
    """
    extra = 0 if text.isascii() else len(text.encode("utf-8", "surrogatepass")) - len(text)
    return len(text) / 4 + 0.3 * extra


class Facts:
    """The facts of one request, each computed when it is first read."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def view(self, names: Container[str] = FACTS) -> dict[str, Any]:
        """Return the named facts as plain data, computing no others."""
        return {name: getattr(self, name) for name in FACTS if name in names}

    @cached_property
    def tokens(self) -> int:
        """Tokens of the whole prompt: as the caller counted them, else an estimate."""
        request = self._request
        if request.input_tokens is not None:
            return request.input_tokens
        total: float = _PROMPT_TOKENS + _IMAGE_TOKENS * self._image_count
        total += sum(_MESSAGE_TOKENS + estimate_tokens(t) for t in self._texts)
        if request.tools:
            total += estimate_tokens(json.dumps(list(request.tools), ensure_ascii=False))
        if request.json_schema:
            total += estimate_tokens(json.dumps(request.json_schema, ensure_ascii=False))
        return max(1, round(total))

    @cached_property
    def characters(self) -> int:
        """Characters of all text in the prompt."""
        return sum(len(text) for text in self._texts)

    @cached_property
    def tools(self) -> bool:
        """Whether the request offers tools."""
        return bool(self._request.tools)

    @cached_property
    def images(self) -> bool:
        """Whether any message carries an image."""
        return self._image_count > 0

    @cached_property
    def json_schema(self) -> bool:
        """Whether the answer must follow a JSON Schema."""
        return self._request.json_schema is not None

    @cached_property
    def language(self) -> str | None:
        """The ISO 639-1 code of the last user message's language, None where nothing tells."""
        text = self._last_user[:_SAMPLE]
        for code, pattern in _SCRIPTS:
            if pattern.search(text):
                return code
        words = re.findall(r"[^\W\d_]+", text.lower())
        hits = {code: sum(word in known for word in words) for code, known in _WORDS.items()}
        best = max(hits, key=lambda code: hits[code])
        return best if hits[best] else None

    @cached_property
    def code(self) -> bool:
        """Whether the last user message carries program code."""
        return _CODE.search(self._last_user[:_SAMPLE]) is not None

    @cached_property
    def task(self) -> str:
        """The caller's task, else `code` where the prompt carries code, else `chat`."""
        return self._request.task or ("code" if self.code else "chat")

    @cached_property
    def _texts(self) -> list[str]:
        return [_text(message) for message in self._request.messages]

    @cached_property
    def _image_count(self) -> int:
        parts = (p for m in self._request.messages for p in _parts(m))
        return sum(part.get("type") == "image_url" for part in parts)

    @cached_property
    def _last_user(self) -> str:
        messages = zip(self._request.messages, self._texts, strict=True)
        texts = [text for message, text in messages if message["role"] == "user"]
        return texts[-1] if texts else ""


def _parts(message: Message) -> list[Mapping[str, Any]]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def _text(message: Message) -> str:
    content = message.get("content")
    text = content if isinstance(content, str) else _joined(_parts(message))
    calls = message.get("tool_calls")
    return text + "".join(str(c.get("function", {})) for c in calls) if calls else text


def _joined(parts: list[Mapping[str, Any]]) -> str:
    return "\n".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")
