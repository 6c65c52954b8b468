"""The token rule of the simulators, and how they cut a text into streamed pieces.

One token stands for four characters, rounded up, and a text has at least one; an image counts
256 tokens. It is no real tokenizer: it is a rule that a test can work out by hand.
"""

from __future__ import annotations

import re

__all__ = ["IMAGE_TOKENS", "count", "pieces"]

#: Tokens that one image adds to a prompt.
IMAGE_TOKENS = 256

_CHARACTERS = 4


def count(text: str) -> int:
    """Tokens of `text`: one per four characters, rounded up, at least 1."""
    return max(1, -(-len(text) // _CHARACTERS))


def pieces(text: str) -> list[str]:
    """Cut `text` into words, each with the space that follows it; joined they give `text`."""
    return re.findall(r"\s*\S+\s*", text) or ([text] if text else [])
