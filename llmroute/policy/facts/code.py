"""Whether a text carries program code: signs that prose does not have, weighed together.

Data (JSON, YAML, CSV), formulas and markup such as Markdown are no code; queries, shell commands
and HTML are.
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
    """Tell whether a text carries program code, a query, a command or HTML."""
    sample = text.sample
    if "```" in sample or _LINE.search(f"\n{sample}\n"):
        return True
    if "SELECT" in sample and _QUERY.search(sample):
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
