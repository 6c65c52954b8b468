"""Keep what may be a secret out of findings: they show source lines, and end up in CI logs.

A secret written in plain text is an error, but the line that holds it is shown with the error.
So every line is masked first, character for character, which keeps carets where they belong.
Under `auth` everything is masked but keys, well-formed references and the names of variables;
elsewhere, what follows a
key that names a credential, what looks like a key, and logins and queries in URLs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

__all__ = ["LONG", "masked", "secret_spans", "variable_name"]

#: A line with more characters is looked at around the place only, and is not shown.
LONG = 2000

_SECRET_KEY = re.compile(
    r"""(?<![\w-])["']?(?:bearer|auth|authorization|proxy-authorization|cookie|(?:x-)?api[-_]key|
    token|secret|password|(?:\w+-)+(?:key|token|secret|password|credentials?))["']?\s*:\s*(?=[^\s\[{}\],])""",
    re.VERBOSE | re.IGNORECASE,
)
_TOKEN = re.compile(
    r"\b(?P<secret>(?:sk|pk|rk|ghp|gho|xox[a-z]|AKIA|AIza|hf)[-_A-Za-z0-9]{12,}[+/=\w-]*)"
)
_USERINFO = re.compile(r"://(?P<secret>[^\s/@]+)@")
#: A login in an address that lacks its scheme.
_LOGIN = re.compile(r"""(?<![^\s"'])(?P<secret>[^\s/@:"'{}\[\],]+:[^\s/@"']+)@(?=[\w.-])""")
#: What follows `?` in a URL: the value of a name that tells of a credential, and all of it in a
#: base_url, which has no query.
_PARAMETER = re.compile(
    r"""[?&;\#][\w.-]*(?:key|token|secret|passw|pwd|auth|sig|credential|code)[\w.-]*=(?!=)
    (?P<secret>[^\s&;\#"'`]*[^\s&;\#"'`,\]}])""",
    re.VERBOSE | re.IGNORECASE,
)
_QUERY = re.compile(
    r"""base_url["']?\s*:\s*["']?[^\s"'?\#]*[?\#](?P<secret>[^\s"']*[^\s"',\]}])""", re.VERBOSE
)
_FORMS = (_TOKEN, _USERINFO, _LOGIN, _PARAMETER, _QUERY)
_AUTH = re.compile(r"""(?<![\w-])["']?auth["']?\s*:(?=\s|\Z)""")
_KEY_OR_VALUE = re.compile(
    r"""["']?[\w-]+["']?\s*:(?=\s|\Z)|-\s+|(?P<secret>[^\s\[\]{},][^,\[\]{}]*)"""
)
_HARMLESS = re.compile(
    r"""["']?(?:env:[A-Za-z_][A-Za-z0-9_]*|file:[^\s"']*|none|x-api-key|api-key|authorization)
    ["']?\s*(?:\#.*)?\Z""",
    re.VERBOSE,
)
#: A whole value that is a variable's name, as `${NAME}`, `$NAME`, LiteLLM's `os.environ/NAME` or
#: NAME with an underscore; runs of digits, as keys have them, make the last one none.
_VARIABLE = re.compile(
    r"""(?<![^\s\[{,:])(?P<quote>["']?)
    (?:\$\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}|
    os\.environ/(?P<litellm>[A-Za-z_][A-Za-z0-9_]*)|
    \$?(?P<bare>[A-Z]+[0-9]{0,2}(?:_(?:[A-Z]+[0-9]{0,2}|[0-9]{1,2}))+))
    (?P=quote)(?=\s*(?:[,\]}]|\s\#|\Z))""",
    re.VERBOSE,
)
#: How far above a line its `auth:` is looked for.
_REACH = 12


def secret_spans(lines: Sequence[str], index: int, column: int = 0) -> list[tuple[int, int]]:
    """Return the stretches of a line that may be secrets, as 0-based offsets.

    Of a line longer than `LONG` only the part around a 0-based column is searched; it counts
    as standing under `auth` where that word comes anywhere before.
    """
    text = lines[index]
    if len(text) <= LONG:
        return _spans(text, list(_auth_regions(lines, index)))
    start = max(0, column - LONG // 4)
    part = text[start : start + LONG]
    whole = [(0, len(part))] if "auth" in text[: start + LONG] else []
    return [(start + a, start + b) for a, b in _spans(part, whole)]


def masked(lines: Sequence[str], index: int) -> str:
    """Return a line with what may be a secret masked, character for character."""
    text = lines[index]
    for start, end in secret_spans(lines, index):
        text = text[:start] + "*" * (end - start) + text[end:]
    return text


def variable_name(text: str) -> str | None:
    """Return the name where a whole text is a variable's name, as `${NAME}`, `$NAME` or NAME.

    `os.environ/NAME`, as LiteLLM has it, is one too.
    """
    match = _VARIABLE.fullmatch(text)
    return match and (match["braced"] or match["litellm"] or match["bare"])


def _spans(text: str, regions: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    spans = [match.span("secret") for form in _FORMS for match in form.finditer(text)]
    starts = [match.end() for match in _SECRET_KEY.finditer(text)]
    spans += [(start, _closing(text, start)) for start in starts]
    for start, end in regions:
        spans += [m.span("secret") for m in _KEY_OR_VALUE.finditer(text, start, end) if m["secret"]]
    names = [match.span() for match in _VARIABLE.finditer(text)]
    trimmed = {_trim(text, span) for span in spans}
    return sorted(span for span in trimmed if _telling(text, span) and not _within(span, names))


def _within(span: tuple[int, int], others: Sequence[tuple[int, int]]) -> bool:
    return any(start <= span[0] and span[1] <= end for start, end in others)


def _trim(text: str, span: tuple[int, int]) -> tuple[int, int]:
    start, end = span
    return start, start + len(text[start:end].rstrip())


def _telling(text: str, span: tuple[int, int]) -> bool:
    return span[1] > span[0] and not _HARMLESS.match(text[span[0] : span[1]])


def _auth_regions(lines: Sequence[str], index: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of a line that stand under `auth`."""
    text = lines[index]
    if _under_auth(lines, index):
        yield 0, len(text)
    for opening in _AUTH.finditer(text):
        yield opening.end(), _closing(text, opening.end())


def _closing(text: str, start: int) -> int:
    """Return where a value that starts in a line ends: at its bracket, else with the line."""
    depth = 0
    inside = sum(text.count(b, 0, start) for b in "[{") > sum(text.count(b, 0, start) for b in "]}")
    for offset in range(start, len(text)):
        depth += (text[offset] in "[{") - (text[offset] in "]}")
        if depth <= 0 and text[offset] in "]}":
            return offset
        if inside and depth == 0 and text[offset] == ",":
            return offset
    return len(text)


def _under_auth(lines: Sequence[str], index: int) -> bool:
    """Whether one of the lines that a line is indented under leaves an `auth` open."""
    depth = _indent(lines[index])
    for above in range(index - 1, max(index - _REACH, -1), -1):
        line = lines[above]
        if not line.strip() or _indent(line) >= depth:
            continue
        if len(line) > LONG:
            return "auth" in line
        if any(_left_open(line[opening.end() :]) for opening in _AUTH.finditer(line)):
            return True
        depth = _indent(line)
    return False


def _left_open(rest: str) -> bool:
    opened = sum(rest.count(bracket) for bracket in "[{")
    closed = sum(rest.count(bracket) for bracket in "]}")
    return not rest.split("#", 1)[0].strip() or opened > closed


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
