"""What a text asks for: mathematics, a choice among given answers, the kind of question.

The words are English; numbers, formulas and lettered answers are recognised in any language.
"""

from __future__ import annotations

import re

from llmroute.policy.facts.text import Text, word_set

__all__ = ["QUESTIONS", "has_choices", "is_math", "question_kind"]

#: Every value of `question` besides null.
QUESTIONS = (
    "what",
    "which",
    "who",
    "when",
    "where",
    "why",
    "how",
    "how_many",
    "yes_no",
    "choice",
    "instruction",
    "other",
)

#: Answers to choose from: a letter and a sign at a line's start, or a letter in parentheses.
_LINED = re.compile(r"\n[ \t]*[(\[]?([A-Ja-j])[).:\]][ \t]+(?=\S)")
_INLINE = re.compile(r"\(([A-Ja-j])\)\s")
_CHOOSE = word_set("which choose select correct answer option options best following true except")

#: Characters in which formulas are sought.
_FORMULAS = 4_000
#: Words of a text in which one formula is enough.
_SHORT = 12
#: Characters of a text that may be nothing but a sum.
_BARE = 200
_FUNCTIONS = ("sin", "cos", "tan", "log", "ln", "exp", "sqrt")
#: Forms of formulas, each with a sign without which it need not be sought.
_FORMS = (
    (
        "\\",
        re.compile(
            r"\\(?:frac|sqrt|sum|int|cdot|times|leq?|geq?|angle|triangle|pi|theta|boxed"
            r"|binom|left|mathbb|overline|log|sin|cos|tan|pmod|[lc]?dots)(?![a-z])"
            r"|\\begin\{(?:align|equation|[a-z]?matrix|cases|gather)"
        ),
    ),
    ("^", re.compile(r"\^[0-9nxk{(]")),
    ("$", re.compile(r"\$[^$\n]*[\\^_=<>][^$\n]*\$")),
    ("=", re.compile(r"[0-9a-z)]\s?[-+*/]\s?[0-9a-z(.]+\s*=(?!=)|\b[fg]\(x\)")),
    ("*", re.compile(r"[0-9] ?\* ?[0-9]")),
    ("+", re.compile(r"[0-9] ?\+ ?[0-9]")),
    ("×", re.compile(r"× ?[0-9]")),
    *((f"{name}(", re.compile(rf"(?<![\w.])a?{name}\(")) for name in _FUNCTIONS),
    ("%", re.compile(r"[0-9] ?% of \$?[0-9]")),
    ("percent", re.compile(r"[0-9] percent of \$?[0-9]")),
)
#: A whole text of numbers and signs, no date or telephone number.
_SUM = re.compile(r"\s*\(*-?[0-9.,]+(?:[ )]*(?:[+*/^×÷]|- )[ (]*-?[0-9.,]+)+[ )]*=?\s*\??\s*")
_DATE = re.compile(r"\s*[0-9]{1,4}/[0-9]{1,2}/[0-9]{1,4}\s*")
_SYMBOLS = re.compile(r"[∑∫√≤≥π∞∂∈∀∃]")
_SUBJECT = word_set(
    "equation equations integral integrals derivative derivatives theorem polynomial polynomials "
    "matrix matrices eigenvalue eigenvalues prime primes integer integers divisor divisors modulo "
    "probability logarithm logarithms trigonometric triangle perimeter hypotenuse radius "
    "circumference quadratic algebra algebraic geometry geometric calculus arithmetic coefficient "
    "coefficients factorial permutation permutations combinatorics isomorphic homomorphism vector "
    "digit digits factors "
    "subgroup subgroups abelian bijection inequality inequalities sqrt cosine parabola hyperbola "
    "asymptote denominator numerator fraction fractions divisible remainder mathematics math maths"
)
_TASK = word_set(
    "solve compute calculate evaluate simplify factor prove differentiate integrate find determine "
    "sum product value percent percentage degree degrees square cube root least greatest maximum "
    "minimum positive negative real rational"
)
_STORY = word_set(
    "each per twice half double triple times total altogether remaining left cost costs price sold "
    "sells buys bought pays paid earns spent spends hours minutes days weeks miles more less than "
    "dozen average percent every additional fewer third quarter quarters remainder together both "
    "longer faster feet meters years ages"
)
_NUMBERS = word_set(
    "two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred "
    "thousand twice half third quarter dozen"
)
_AMOUNTS = (b"how many", b"how much", b"how old", b"how long", b"how far", b"how tall", b"how fast")
_RESULTS = word_set(
    "total cost price number amount average difference percentage percent ratio profit age speed "
    "sum"
)
_WHAT = word_set("what calculate compute")

_AUXILIARY = word_set(
    "is are was were do does did can could will would shall should has have had am may might must "
    "isn aren don doesn didn couldn won wouldn shouldn hasn haven wasn weren"
)
_ASKING = {
    b"what": "what",
    b"whats": "what",
    b"which": "which",
    b"who": "who",
    b"whom": "who",
    b"whose": "who",
    b"whos": "who",
    b"when": "when",
    b"where": "where",
    b"why": "why",
    b"how": "how",
}
_ORDERS = word_set(
    "write explain describe give list make create translate summarize summarise rewrite fix find "
    "solve compute calculate prove show tell compare generate provide implement convert classify "
    "extract complete identify suggest design analyze analyse evaluate discuss draft edit improve "
    "refactor debug add remove change update build help determine answer name define outline "
    "simplify let imagine suppose consider act pretend return print use read review check correct "
    "continue choose select plan propose recommend think tell count sort format parse test run draw"
)
_LEADING = word_set("please kindly now then and so but also ok okay hi hello hey well just")
_POLITE = (b"can", b"could", b"would", b"will")
_ENDS = re.compile(r"[.!?\n:\uff1f\u3002](?=\s|$)|\n|\u3002|\uff1f")
#: What may follow a question mark, the end included.
_AFTER = frozenset(("", *" \n\t\r\"')]*_"))
#: Characters before a question mark in which its sentence is sought.
_SENTENCE = 400


def has_choices(text: Text) -> bool:
    """Tell whether a text gives lettered answers to choose from: A, B, C, or A and B if it asks."""
    sample = f"\n{text.sample}"
    found = _LINED.findall(sample)
    longest = _in_order(found)
    if longest < 3 and "(" in sample:
        longest = max(longest, _in_order(_INLINE.findall(sample)))
    return longest >= 3 or (longest == 2 and not _CHOOSE.isdisjoint(text.vocabulary))


def _in_order(letters: list[str]) -> int:
    """Return how many letters follow one another from A (or a) on."""
    best = length = 0
    for letter in letters:
        first = letter in "Aa"
        follows = length and ord(letter) - ord("A" if letter.isupper() else "a") == length
        length = 1 if first else length + 1 if follows else length
        best = max(best, length)
    return best


def is_math(text: Text) -> bool:
    """Tell whether a text poses mathematics: formulas, its terms, or a sum told as a story."""
    sample, words = text.sample, text.vocabulary
    terms = len(words & _SUBJECT)
    formulas = _formulas(sample[:_FORMULAS])
    if formulas + terms >= 3 or (formulas and terms):
        return True
    if (formulas or terms) and not _TASK.isdisjoint(words):
        return True
    if formulas and len(words) < _SHORT:
        return True
    return _is_sum(text) or _is_bare(sample)


def _is_bare(sample: str) -> bool:
    short = len(sample) <= _BARE
    return short and _SUM.fullmatch(sample) is not None and not _DATE.fullmatch(sample)


def _formulas(sample: str) -> int:
    found = sum(len(form.findall(sample)) for sign, form in _FORMS if sign in sample)
    return found if sample.isascii() else found + len(_SYMBOLS.findall(sample))


def _is_sum(text: Text) -> bool:
    words = text.vocabulary
    told = len(words & _STORY)
    if not told:
        return False
    asked = any(phrase in text.plain for phrase in _AMOUNTS)
    if not asked and (words.isdisjoint(_WHAT) or words.isdisjoint(_RESULTS)):
        return False
    numbers = sum(map(bytes.isdigit, words)) + len(words & _NUMBERS)
    return numbers >= 2 and told + (numbers >= 3) >= 2


def question_kind(text: Text, language: str | None) -> str | None:
    """Return what kind of question or order a text ends with, one of `QUESTIONS` or None.

    The last sentence with a question mark counts, else an order or question that opens the text
    or its last line. In other languages than English any question is `other`.
    """
    sample = text.sample
    end = _last_mark(sample)
    if language not in ("en", None):
        return "other" if end >= 0 else None
    if end >= 0:
        return _asked(_last_sentence(sample[max(0, end - _SENTENCE) : end])) or "other"
    last = Text(sample.rstrip().rpartition("\n")[2][:_SENTENCE])
    return _opened(text.words[:12]) or _opened(last.words[:12])


def _last_mark(sample: str) -> int:
    """Return where the last question mark stands that ends a sentence, else -1."""
    end = max(map(sample.rfind, "\uff1f\u061f")) if not sample.isascii() else -1
    at = sample.rfind("?")
    while at > end and sample[at + 1 : at + 2] not in _AFTER:
        at = sample.rfind("?", 0, at)
    return max(at, end)


def _last_sentence(text: str) -> list[bytes]:
    start = max((match.end() for match in _ENDS.finditer(text)), default=0)
    return Text(text[start:]).words


def _asked(words: list[bytes]) -> str | None:
    words = _without_lead(words)
    if words and words[0] in _AUXILIARY:
        return _polite(words) or "yes_no"
    for at, word in enumerate(words):
        kind = _ASKING.get(word)
        if kind:
            many = kind == "how" and words[at + 1 : at + 2] in ([b"many"], [b"much"])
            return "how_many" if many else kind
    return "yes_no" if any(word in _AUXILIARY for word in words) else None


def _polite(words: list[bytes]) -> str | None:
    """Take `can you explain …?` for the order that it is."""
    if words[0] in _POLITE and words[1:2] == [b"you"]:
        rest = words[3:4] if words[2:3] in ([b"please"], [b"kindly"]) else words[2:3]
        return "instruction" if rest and rest[0] in _ORDERS else None
    return None


def _opened(words: list[bytes]) -> str | None:
    words = _without_lead(words)
    if not words:
        return None
    if words[0] in _ORDERS:
        return "instruction"
    return _asked(words) if words[0] in _ASKING or words[0] in _AUXILIARY else None


def _without_lead(words: list[bytes]) -> list[bytes]:
    return words[next((at for at, word in enumerate(words) if word not in _LEADING), len(words)) :]
