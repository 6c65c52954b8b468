"""JSON that is read on terminals: readable in every script, and harmless whatever files say."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["to_json"]

#: What a terminal acts on, what reorders or hides text, what ends a line, and halves of
#: characters. JSON's own escapes cover the controls below U+0020. Joiners (U+200C, U+200D) stay:
#: scripts and emoji need them.
_STEERING = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def to_json(data: Any) -> str:
    """Return data as indented JSON, keys in the order given, without a line end behind it.

    Text stays as it is, apart from control and formatting characters: those are escaped, so that
    the data are the same for whoever parses them.
    """
    return _STEERING.sub(_escape, json.dumps(data, indent=2, ensure_ascii=False))


def _escape(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]
