"""The parser gives what jmespath's gives, and never warns."""

from __future__ import annotations

import warnings

import jmespath
import pytest
from jmespath.exceptions import JMESPathError
from jmespath.lexer import Lexer

from llmroute.policy.expressions.expression import Expression
from llmroute.policy.expressions.parsing import parse_expression, tokenize
from llmroute.policy.expressions.places import tokens_of

TEXTS = [
    "a.b[?c == `1`].{d: e} | [0]",
    "`code`",
    "`  two words`",
    "a == `it\\`s`",
    '`"quoted"`',
    '`{"a": [1]}`',
    "`[1`",
    'contains(a, "b")',
]
SCOPE = {"a": "abc", "b": "b"}
WRONG = ["`a", '`"a`', "a b", "a ==", '`a"b`', "", "[0", "a = b", "(`x` y)"]


@pytest.fixture(autouse=True)
def _errors() -> None:
    warnings.simplefilter("error")


@pytest.mark.parametrize("text", TEXTS)
def test_a_tree_is_jmespaths_own_without_a_warning(text: str) -> None:
    own = (parse_expression(text).parsed, list(tokenize(text)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert own[1] == list(Lexer().tokenize(text))
        assert own[0] == jmespath.parser.Parser()._do_parse(text).parsed
    assert Expression(text).evaluate(SCOPE) == parse_expression(text).search(SCOPE)
    assert tokens_of(text)


@pytest.mark.parametrize("text", WRONG)
def test_errors_are_jmespaths_own(text: str) -> None:
    with pytest.raises(JMESPathError) as own:
        parse_expression(text)
    with warnings.catch_warnings(), pytest.raises(JMESPathError) as known:
        warnings.simplefilter("ignore")
        jmespath.compile(text)
    assert type(own.value) is type(known.value)
    assert vars(own.value) == vars(known.value)
