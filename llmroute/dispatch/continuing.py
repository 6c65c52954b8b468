"""Continuing a streamed answer on another target after it broke off, where the policy says so.

Only plain text is continued: a tool call, reasoning or constrained output that two models wrote
would be neither's. The text so far becomes the beginning of the other model's answer (prefill).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

from llmroute.catalog.model import Target
from llmroute.types import Chunk, Request, Response

__all__ = ["Partial"]


@dataclass(frozen=True, slots=True)
class Partial:
    """The text that was delivered, and the request that asks another target to go on with it."""

    text: str
    request: Request

    @classmethod
    def of(cls, request: Request, seen: Sequence[Chunk]) -> Self | None:
        """Return what can be continued of an answer; None where that is not allowed."""
        text = "".join(chunk.text for chunk in seen)
        other = any(c.tool_call or c.reasoning or c.refusal or c.thinking_block for c in seen)
        last = request.messages[-1].get("role")
        if other or request.response_format or not text.strip() or last == "assistant":
            return None
        said = {"role": "assistant", "content": text.rstrip()}
        return cls(text, replace(request, messages=(*request.messages, said)))

    async def joined(self, chunks: AsyncIterator[Chunk]) -> AsyncGenerator[Chunk, None]:
        """Yield the rest, without the white space that was delivered already.

        A prefill must not end with white space, so that the model says it once more.
        """
        lead = self._lead
        async for chunk in chunks:
            lead, text = _unsaid(lead, chunk.text)
            yield chunk if text == chunk.text else replace(chunk, text=text)

    def whole(self, rest: Response, broken: Target) -> Response:
        """Return the whole answer; usage and cost are those of the second call."""
        _, unsaid = _unsaid(self._lead, rest.text or "")
        note = f"the answer of {broken.id} broke off and was continued by {rest.target}"
        return replace(rest, text=self.text + unsaid, warnings=(*rest.warnings, note))

    @property
    def _lead(self) -> str:
        return self.text[len(self.text.rstrip()) :]


def _unsaid(lead: str, text: str) -> tuple[str, str]:
    """Take what was delivered already from the beginning of a text.

    Return what more of it may come in the next text, and the rest of this one.
    """
    pairs = enumerate(zip(lead, text, strict=False))
    same = next((i for i, (a, b) in pairs if a != b), min(len(lead), len(text)))
    return lead[same:] if same == len(text) else "", text[same:]
