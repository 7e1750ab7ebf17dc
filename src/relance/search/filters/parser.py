"""From the text of a filter to its tree, by recursive descent.

    filter  = all ("or" all)*
    all     = one ("and" one)*
    one     = "not" one | "(" filter ")" | "exists" name | name test
    test    = ("=" | "!=" | "<" | "<=" | ">" | ">=") value | ["not"] "in" "(" value ("," value)* ")" | ("~" | "!~") glob
    name    = ["meta."] word ("." word)*      word: letters, digits, _ and -, or anything in quotes behind a dot
    value   = "text" | 'text' | number | true | false | 2024-01-31 | 2024-01-31T08:30

Quotes within quotes are doubled. Words of the language may be written in capitals.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from relance.search.filters.error import FilterError
from relance.search.filters.tree import And, Compare, Exists, In, Match, Moment, Name, Node, Not, Operator, Or, Value

__all__ = ["parse_filter"]

# A filter becomes SQL, whose parser keeps its place on the stack: what is longer or deeper could end the process.
_MAX_CHARACTERS = 10_000
_MAX_TESTS = 200
_MAX_DEPTH = 30
_KEYWORDS = {"and", "or", "not", "in", "exists", "true", "false"}
_OPERATORS: dict[str, Operator] = {"=": "=", "==": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<moment>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?)(?![\w-])
  | (?P<number>[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])
  | (?P<text>"(?:[^"]|"")*"|'(?:[^']|'')*')
  | (?P<name>[^\W\d][\w-]*(?:\.(?:[\w-]+|"(?:[^"]|"")*"|'(?:[^']|'')*'))*)
  | (?P<symbol>==|!=|<=|>=|<>|!~|[=<>~(),])
  | (?P<end>$)
    )""",
    re.VERBOSE,
)
_KEY = re.compile(r"""([\w-]+)|"((?:[^"]|"")*)"|'((?:[^']|'')*)'""")


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def parse_filter(text: str) -> Node:
    """Read a filter; raises FilterError that says what is wrong at which character."""
    if len(text) > _MAX_CHARACTERS:
        msg = f"the filter has {len(text):,} characters; at most {_MAX_CHARACTERS:,} are read"
        raise FilterError(msg)
    return _Parser(text).read()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._cut()
        self._at = 0
        self._tests = 0

    def read(self) -> Node:
        node = self._any(0)
        if self._next.kind != "end":
            self._fail("expected `and`, `or` or the end")
        return node

    def _cut(self) -> list[_Token]:
        tokens: list[_Token] = []
        at = 0
        while not tokens or tokens[-1].kind != "end":
            match = _TOKEN.match(self._text, at)
            if match is None:
                at += len(self._text[at:]) - len(self._text[at:].lstrip())
                what = "this quote is never closed" if self._text[at] in "\"'" else "this cannot be read"
                raise FilterError(f"the filter is not understood: {what}", self._text, at)
            kind = match.lastgroup or "end"
            token = _Token(kind, match[kind], match.start(kind))
            if kind == "name" and token.text.lower() in _KEYWORDS:
                token = _Token("word", token.text.lower(), token.at)
            tokens.append(token)
            at = match.end()
        return tokens

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, *wanted: str) -> _Token | None:
        """Take the next token if it is a word or symbol that is wanted."""
        token = self._next
        if token.kind not in {"word", "symbol"} or token.text not in wanted:
            return None
        self._at += 1
        return token

    def _need(self, symbol: str, why: str) -> None:
        if not self._take(symbol):
            self._fail(f"expected `{symbol}` {why}")

    def _fail(self, message: str, at: int | None = None) -> NoReturn:
        found = "" if at is not None or self._next.kind == "end" else f", not {self._next.text[:40]!r}"
        msg = f"the filter is not understood: {message}{found}"
        raise FilterError(msg, self._text, self._next.at if at is None else at)

    def _any(self, depth: int) -> Node:
        return self._joined("or", Or, lambda: self._joined("and", And, lambda: self._one(depth)))

    def _joined(self, word: str, kind: type[And | Or], part: Callable[[], Node]) -> Node:
        nodes = [part()]
        while self._take(word):
            nodes.append(part())
        return kind(tuple(nodes)) if len(nodes) > 1 else nodes[0]

    def _one(self, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            self._fail(f"more than {_MAX_DEPTH} levels of `(` and `not`", self._next.at)
        if self._take("not"):
            return Not(self._one(depth + 1))
        if self._take("("):
            node = self._any(depth + 1)
            self._need(")", "here")
            return node
        self._tests += 1
        if self._tests > _MAX_TESTS:
            self._fail(f"more than {_MAX_TESTS} conditions", self._next.at)
        if self._take("exists"):
            return Exists(self._name())
        return self._test(self._name())

    def _name(self) -> Name:
        token = self._next
        if token.kind != "name":
            self._fail("expected the name of a column or of a metadata key")
        self._at += 1
        keys = [word or double.replace('""', '"') or single.replace("''", "'")
                for word, double, single in _KEY.findall(token.text)]  # fmt: skip
        if metadata := keys[0] == "meta" and len(keys) > 1:
            keys = keys[1:]
        return Name(tuple(keys), metadata, token.at)

    def _test(self, name: Name) -> Node:
        negated = self._take("not") is not None
        if self._take("in"):
            at = self._next.at
            self._need("(", 'after `in`, as in lang in ("fr", "zh")')
            values = [self._value()]
            while self._take(","):
                values.append(self._value())
            if len(values) > _MAX_TESTS:
                self._fail(f"more than {_MAX_TESTS} values", at)
            self._need(")", "after the values")
            node: Node = In(name, tuple(values), at)
            return Not(node) if negated else node
        if negated:
            self._fail("expected `in` after `not`")
        token = self._take("!=", "~", "!~", *_OPERATORS)
        if token is None:
            self._fail("expected =, !=, <, <=, >, >=, ~ or in")
        at = self._next.at
        value = self._value()
        if token.text.endswith("~"):
            if not isinstance(value, str):
                self._fail('a pattern has to be in quotes, as in uri ~ "docs/*"', at)
            node = Match(name, value, at)
        else:
            node = Compare(name, _OPERATORS.get(token.text, "="), value, at)
        return Not(node) if token.text.startswith("!") else node

    def _value(self) -> Value:
        kind, text, at = self._next
        if kind == "name":
            self._fail(f'expected a value; text has to be in quotes: "{text}"', at)
        if kind == "word" and text in {"true", "false"}:
            value: Value = text == "true"
        elif kind == "text":
            value = text[1:-1].replace(text[0] * 2, text[0])
        elif kind == "number":
            value = int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else float(text)
            if abs(value) == math.inf:
                self._fail("this number is too large", at)
        elif kind == "moment":
            try:
                value = Moment.read(text)
            except ValueError:
                self._fail("this is no date; write 2024-01-31 or 2024-01-31T08:30", at)
        else:
            self._fail("expected a value: text in quotes, a number, a date, true or false")
        self._at += 1
        return value
