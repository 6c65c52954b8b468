"""What is known about a request before any call, each fact computed once and only if read."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from functools import cached_property
from typing import Any

from llmroute.errors import UsageError
from llmroute.policy.facts import tokens
from llmroute.policy.facts.code import has_code
from llmroute.policy.facts.kinds import has_choices, is_math, question_kind
from llmroute.policy.facts.languages import language
from llmroute.policy.facts.needs import needs_of, tool_name_length
from llmroute.policy.facts.text import Text
from llmroute.types import Message, Request

__all__ = ["FACTS", "Facts", "estimate_tokens"]

#: Names that expressions may read under `facts`, in the order in which they are shown.
FACTS = (
    "tokens",
    "characters",
    "messages",
    "turns",
    "tools",
    "images",
    "json_schema",
    "language",
    "code",
    "math",
    "multiple_choice",
    "question",
    "words",
    "average_word_length",
    "lexical_diversity",
    "digits",
    "task",
)

#: Tokens counted for one image, near what vendors bill for a picture of about a megapixel.
_IMAGE_TOKENS = 1_000
#: Tokens of the frame around one message and around the whole prompt.
_MESSAGE_TOKENS, _PROMPT_TOKENS = 4, 3


def estimate_tokens(text: str) -> float:
    """Estimate the tokens of a text for a tokenizer that is not known (the family `generic`)."""
    return tokens.estimate(text)


class Facts:
    """The facts of one request, each computed when it is first read.

    Those about the text (from `language` on, but `task`) look at the last user message.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._tokens: dict[str, int] = {}

    def view(self, names: Container[str] = FACTS) -> dict[str, Any]:
        """Return the named facts as plain data, computing no others."""
        return {name: getattr(self, name) for name in FACTS if name in names}

    @property
    def tokens(self) -> int:
        """Tokens of the whole prompt: as the caller counted them, else an estimate."""
        return self.tokens_for("generic")

    def tokens_for(self, family: str) -> int:
        """Tokens of the whole prompt for a tokenizer family of `policy.tokens.FAMILIES`.

        The caller's own count holds for every family.
        """
        if self._request.input_tokens is not None:
            return self._request.input_tokens
        known = self._tokens.get(family)
        if known is None:
            text = tokens.weigh(self._features, family)
            known = self._tokens[family] = max(1, round(self._frame_tokens + text))
        return known

    @cached_property
    def characters(self) -> int:
        """Characters of all text in the prompt."""
        return sum(len(text) for text in self._texts)

    @property
    def messages(self) -> int:
        """The number of messages."""
        return len(self._request.messages)

    @cached_property
    def turns(self) -> int:
        """The number of user messages."""
        return sum(message["role"] == "user" for message in self._request.messages)

    @property
    def tools(self) -> bool:
        """Whether the request offers tools."""
        return bool(self._request.tools)

    @cached_property
    def images(self) -> bool:
        """Whether any message carries an image."""
        return self._image_count > 0

    @property
    def json_schema(self) -> bool:
        """Whether the answer must follow a JSON Schema."""
        return self._request.json_schema is not None

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """The capabilities that the request needs besides the above; not read by expressions."""
        return needs_of(self._request)

    @cached_property
    def tool_name_length(self) -> int:
        """The length of the longest tool's name, 0 without tools; not read by expressions."""
        return tool_name_length(self._request) if self._request.tools else 0

    @cached_property
    def language(self) -> str | None:
        """The ISO 639-1 code of the main language, None where nothing tells."""
        return language(self._text)

    @cached_property
    def code(self) -> bool:
        """Whether there is program code, a query, a command, a stack trace or HTML."""
        return has_code(self._text)

    @cached_property
    def math(self) -> bool:
        """Whether mathematics is posed: formulas, its terms, or a sum told as a story."""
        return is_math(self._text)

    @cached_property
    def multiple_choice(self) -> bool:
        """Whether lettered answers are given to choose from."""
        return has_choices(self._text)

    @cached_property
    def question(self) -> str | None:
        """The kind of question or order, one of `policy.kinds.QUESTIONS`, None where neither."""
        if self.multiple_choice:
            return "choice"
        return question_kind(self._text, self.language)

    @property
    def words(self) -> int:
        """The number of words: runs of letters and digits."""
        return len(self._text.words)

    @cached_property
    def average_word_length(self) -> float:
        """Characters per word, 0 without words."""
        return self._text.average_word_length

    @cached_property
    def lexical_diversity(self) -> float:
        """Different words among the first 200, over their number (0..1); 0 without words."""
        return self._text.lexical_diversity

    @cached_property
    def digits(self) -> float:
        """The share of digits among the characters (0..1)."""
        return self._text.digits

    @cached_property
    def task(self) -> str:
        """The caller's task, else `code` where the prompt carries code, else `chat`."""
        return self._request.task or ("code" if self.code else "chat")

    @cached_property
    def _texts(self) -> list[str]:
        return [_text(message) for message in self._request.messages]

    @cached_property
    def _features(self) -> list[float]:
        request = self._request
        texts = self._texts
        if request.tools:
            texts = [*texts, _json("tools", list(request.tools))]
        if request.json_schema:
            texts = [*texts, _json("response_format", request.json_schema)]
        return tokens.count_features(texts[0] if len(texts) == 1 else "\n".join(texts))

    @property
    def _frame_tokens(self) -> int:
        frames = _PROMPT_TOKENS + _MESSAGE_TOKENS * len(self._request.messages)
        return frames + _IMAGE_TOKENS * self._image_count

    @cached_property
    def _image_count(self) -> int:
        parts = (p for m in self._request.messages for p in _parts(m))
        return sum(part.get("type") == "image_url" for part in parts)

    @cached_property
    def _text(self) -> Text:
        for message, text in zip(
            reversed(self._request.messages), reversed(self._texts), strict=True
        ):
            if message["role"] == "user":
                return Text(text)
        return Text("")


def _json(name: str, value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (RecursionError, TypeError, ValueError) as exc:
        raise UsageError(f"{name} cannot be written as JSON: {exc}") from exc


def _parts(message: Message) -> Sequence[Mapping[str, Any]]:
    content = message.get("content")
    if not isinstance(content, list | tuple):
        return ()
    return [part for part in content if isinstance(part, Mapping)]


def _text(message: Message) -> str:
    content = message.get("content")
    text = content if isinstance(content, str) else _joined(_parts(message))
    calls = message.get("tool_calls")
    return text + "".join(str(c.get("function", {})) for c in calls) if calls else text


def _joined(parts: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")
