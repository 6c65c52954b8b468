"""Whether a text carries program code: signs that prose does not have, weighed together.

Data (JSON, YAML, CSV), formulas and markup such as Markdown are no code, fenced or not; queries,
shell commands, stack traces and HTML are.
"""

from __future__ import annotations

import re

from llmroute.policy.facts.text import Text

__all__ = ["has_code"]

#: Points from which a text carries code.
_ENOUGH = 2

#: Lines that only code has: two points, so one is enough. A literal line end in front lets the
#: search skip from line to line.
_LINE = re.compile(
    r"\n[ \t]*(?:"
    r"(?:async )?def \w+\s*\(|class \w+\s*(?:[({:]|extends\b)|from [\w.]+ import |"
    r"import [\w.]+(?: as \w+)?\s*(?:\n|;)|import [\w*{][^\n]* from ['\"]|import \([\n\"]|"
    r"\#include\s*[<\"]|\#!/|\#define \w|package [\w.]+;?\s*\n|using [\w.]+;|namespace [\w.:\\]+|"
    r"(?:public|private|protected|static|export|final|abstract|pub|unsafe)\s[^\n.?]*[({;]|"
    r"func (?:\([^)\n]*\) )?\w*\(|fn \w+\s*[<(]|function\b\s*\w*\s*\(|sub \w+ \{|"
    r"(?:const|let|var|val|auto)\s+(?:mut\s+)?(?:[\w$]+|[\[{][^\n=]*)(?:\s*:[^\n=.?!]+)?\s*=[^\n]|"
    r"(?:if|for|while|switch|catch)\s*\([^\n]*\)\s*\{|\}\s*(?:else|catch|while)\b|"
    r"(?:if|elif|for|while|with|except|match)\b[^\n.?!]*[^\s.?!]:[ \t]*\n[ \t]+\S|"
    r"(?:struct|enum|impl|trait|interface)\s+[\w<>' ]+\{|type \w+\s*(?:=|struct)|"
    r"@\w+(?:\([^\n]*\))?\n\s*\S|"
    r"(?:SELECT\b[^\n]*(?:\n[^\n]*)?\bFROM|INSERT INTO|UPDATE \w+ SET|CREATE (?:TABLE|INDEX|VIEW)|"
    r"DELETE FROM|ALTER TABLE)\b|"
    r"</?(?:html|head|body|div|span|script|style|table|form|ul|template|svg|button|input)\b[^\n]*>|"
    r"\$ (?:sudo |npm |pip |git |docker |curl |cd |ls )|Traceback \(most recent|"
    r"(?:FROM|RUN|COPY|ENTRYPOINT) [\w\"\[/.:-]+[^\n]*\n(?:FROM|RUN|COPY|WORKDIR|CMD|ENTRYPOINT) "
    r")"
)
#: Programs with what they are told to do, and programs that are no English words: a line that
#: begins so is a shell command, unless it goes on as a sentence or asks something.
_GIT = (
    "add|am|branch|checkout|cherry-pick|clone|commit|diff|fetch|init|log|merge|pull|push|rebase"
    "|remote|reset|restore|revert|stash|status|switch|tag"
)
_TOLD = (
    f"git (?:{_GIT})",
    "docker (?:build|compose|exec|images|logs|ps|pull|push|rm|rmi|run|stop)",
    "kubectl (?:apply|create|delete|describe|exec|get|logs|scale)",
    "(?:npm|pnpm|yarn) (?:add|ci|i|install|run|start|test|update)",
    "(?:python3? -m )?pip3? (?:freeze|install|list|uninstall)",
    "(?:apt|apt-get|brew|dnf|yum) (?:install|remove|update|upgrade)",
    "cargo (?:add|build|check|run|test)",
    "systemctl (?:disable|enable|reload|restart|start|status|stop)",
    "terraform (?:apply|destroy|init|plan)",
    "helm (?:install|upgrade)",
)
_PROGRAMS = (
    "ls|e?grep|curl|wget|tar|chmod|chown|ssh|scp|rsync|sed|awk|rm|mv|cp|mkdir|ps|python3?|node"
    "|psql|mysql|ffmpeg|openssl|xargs"
)
#: A line of a shell, or one of a stack trace (Java, JavaScript, Go, Rust).
_OUTPUT = re.compile(
    rf"\n[ \t]*(?:(?:sudo )?(?:{'|'.join(_TOLD)})(?: [^\s?!.,][^\n?!]*)?[ \t]*\n"
    rf"|(?:sudo )?(?:{_PROGRAMS})(?: [^\n]*)? --?[A-Za-z][^\n]*\n"
    r"|sudo [a-z][\w.-]* [^\n?!]*\n|find [./~][^\n]* -[a-z]+|cd [./~][^\n]*\n"
    r"|at [\w$.<>]+\((?:[\w$. ]+:\d+|Native Method|Unknown Source)\)"
    r"|at (?:[\w$.<> \[\]]+ \()?[^()\s]+:\d+:\d+\)?"
    r"|goroutine \d+ \[|thread '[^'\n]*' panicked at)"
)
#: Enough wherever they stand.
_STRONG = (
    "console.log(",
    "System.out.",
    "public static void",
    "std::",
    "#include",
    " in range(",
    "lambda x",
    "();",
    "=> {",
    ") {\n",
    "</div>",
)
_QUERY = re.compile(r"SELECT\s[\w*,.() \n]{1,200}?\sFROM\s\w")
#: In small letters a query is told from a sentence by its columns and by what follows the table.
_SMALL_QUERY = re.compile(
    r"\bselect\s+(?:(?:distinct\s+)?(?:\*|\w+\([\w.*]*\)|[\w.]+\s*,\s*[\w.]+)[^?!]{0,200}?"
    r"\sfrom\s+[\w.]+(?:\s*(?:\n|;|\Z)|(?:\s+(?:as\s+)?\w+)?\s+"
    r"(?:where|join|order by|group by|limit)\b)"
    r"|[\w.]+ from \w+ where [\w.]+ ?(?:[=<>]|like |in ?\())"
)
#: A fenced block of data or markup, which is no code.
_DATA_BLOCK = re.compile(
    r"```[ \t]*(?:csv|json[cl5]?|latex|markdown|md|tex|toml|tsv|ya?ml)[ \t]*\n.*?(?:```|\Z)",
    re.DOTALL | re.IGNORECASE,
)
#: A point each.
_WEAK = (
    *(";\n", "{\n", "()", "++)", " == ", " != ", " += ", " && ", " => ", "->", "::", "self."),
    *("return ", "print", "null", "[i]", "def ", "for ("),
)
#: Signs that code is full of, and from which share of a text on the weak ones are counted.
_SIGNS = b"(){}[]=<>;_&|#"
_OTHERS = bytes(set(range(256)) - set(_SIGNS))
_SHARE = 0.025


def has_code(text: Text) -> bool:
    """Tell whether a text carries program code, a query, a command, a stack trace or HTML."""
    sample = text.sample
    if "```" in sample:
        without = _DATA_BLOCK.sub("", sample)
        return "```" in without or has_code(Text(without))
    lines = f"\n{sample}\n"
    if _LINE.search(lines) or _OUTPUT.search(lines):
        return True
    if "SELECT" in sample and _QUERY.search(sample):
        return True
    if "select" in sample and _SMALL_QUERY.search(sample):
        return True
    signs = len(text.data.translate(None, _OTHERS))
    if not signs or _is_data(sample):
        return False
    if any(sign in sample for sign in _STRONG):
        return True
    return signs >= _SHARE * len(sample) and _points(sample) >= _ENOUGH


def _is_data(sample: str) -> bool:
    return sample.lstrip()[:1] in ("{", "[") and '":' in sample and ";\n" not in sample


def _points(sample: str) -> int:
    formula = "$" in sample and "\\" in sample
    return sum(sign in sample for sign in _WEAK) - 2 * formula
