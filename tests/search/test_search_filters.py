"""Filters: what they mean, that they mean it in LanceDB too, and that nothing else gets through."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from relance.index import Index
from relance.search import FilterError, compile_filter, parse_filter
from relance.search.filters.metadata import holds_only
from relance.search.filters.tree import And, Compare, Exists, In, Match, Moment, Name, Node, Not, Or
from relance.store import schemas
from relance.store.open_tables import TableVersion

Make = Callable[..., Index]

# ── what is written and what is meant ────────────────────────────────────────────────────────────────────────────────

YEAR, TAG, URI = Name(("year",)), Name(("tag",)), Name(("uri",))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("year >= 2020", Compare(YEAR, ">=", 2020)),
        ("year=2020", Compare(YEAR, "=", 2020)),
        ("year == -1.5e3", Compare(YEAR, "=", -1500.0)),
        ('tag = "pump"', Compare(TAG, "=", "pump")),
        ("tag = 'it''s'", Compare(TAG, "=", "it's")),
        ('tag = "say ""yes"""', Compare(TAG, "=", 'say "yes"')),
        ("tag != 'a'", Not(Compare(TAG, "=", "a"))),
        ("tag !~ 'a*'", Not(Match(TAG, "a*"))),
        ('uri ~ "docs/*"', Match(URI, "docs/*")),
        ("tag = true", Compare(TAG, "=", True)),
        ('tag in ("a", 1, false)', In(TAG, ("a", 1, False))),
        ("tag NOT IN ('a')", Not(In(TAG, ("a",)))),
        ("exists year", Exists(YEAR)),
        ("not exists meta.title", Not(Exists(Name(("title",), metadata=True)))),
        ('meta."odd key"."x.y" < 1', Compare(Name(("odd key", "x.y"), metadata=True), "<", 1)),
        ("author.name = 'Li'", Compare(Name(("author", "name")), "=", "Li")),
        ("年份 > 2000", Compare(Name(("年份",)), ">", 2000)),
        ("meta = 1", Compare(Name(("meta",)), "=", 1)),
        ("updated_at >= 2024-01-31", Compare(Name(("updated_at",)), ">=", Moment.read("2024-01-31"))),
        ("a = 1 or b = 2 and c = 3", Or((Compare(Name(("a",)), "=", 1), And((Compare(Name(("b",)), "=", 2), Compare(Name(("c",)), "=", 3)))))),
        ("(a = 1 or b = 2) and not c = 3", And((Or((Compare(Name(("a",)), "=", 1), Compare(Name(("b",)), "=", 2))), Not(Compare(Name(("c",)), "=", 3))))),
        ('year >= 2020 and (tag = "pump" or uri ~ "docs/*") and not lang in ("fr", "zh")',
         And((Compare(YEAR, ">=", 2020), Or((Compare(TAG, "=", "pump"), Match(URI, "docs/*"))), Not(In(Name(("lang",)), ("fr", "zh")))))),
    ],
)  # fmt: skip
def test_a_filter_is_read_as_it_is_meant(text: str, tree: Node) -> None:
    assert parse_filter(text) == tree


SCHEMA = schemas.chunks(4, {})


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("", 0, "expected the name"),
        ("year >", 6, "expected a value"),
        ("year > and", 7, "expected a value"),
        ("year = pump", 7, 'in quotes: "pump"'),
        ("year 2020", 5, "expected =, !="),
        ("year <> 2020", 5, "not '<>'"),
        ("(year = 1", 9, "expected `)`"),
        ("year = 1)", 8, "the end"),
        ("year = 1 tag = 2", 9, "`and`, `or` or the end"),
        ("tag = 'open", 6, "never closed"),
        ("tag = 'a' ; drop table x", 10, "cannot be read"),
        ("2020 < year", 0, "name of a column"),
        ("tag in 'a'", 7, "expected `(`"),
        ("tag in ()", 8, "expected a value"),
        ("tag not = 1", 8, "expected `in`"),
        ("uri ~ 5", 6, "in quotes"),
        ("updated_at > 2024-13-01", 13, "no date"),
        ("updated_at > 'soon'", 13, "2024-01-31"),
        ("media_typ = 'x'", 0, "did you mean media_type? A metadata key is meta.media_typ"),
        ("title = 5", 8, '"text"'),
        ("page = 'x'", 7, "12"),
        ("page ~ 'x'", 7, "patterns are for texts"),
        ("seq = 1 and heading_path > 'a'", 27, "use = or !="),
        ("year > true", 7, "use = or !="),
        ("year = 1e999", 7, "too large"),
    ],
)
def test_a_wrong_filter_is_told_at_its_place(text: str, at: int, words: str) -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter(text, SCHEMA)
    assert caught.value.at == at
    message, shown, caret = str(caught.value).split("\n")
    assert words in message
    assert (shown, caret) == (f"  {text}", f"  {' ' * at}^")


def test_the_caret_stands_below_the_place_in_chinese_too_and_in_a_long_filter() -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter('标签 = "水泵" and 年份 >', SCHEMA)
    assert str(caught.value).splitlines()[2] == " " * (2 + 24) + "^"
    with pytest.raises(FilterError) as caught:
        compile_filter(" and ".join(["year = 1"] * 50) + " tag", SCHEMA)
    _, shown, caret = str(caught.value).splitlines()
    assert shown[caret.index("^") :].startswith("tag")


@pytest.mark.parametrize(
    "text", ["(" * 5000, "not " * 2000, "a = 1 or " * 500 + "a = 1", "a in (" + "1," * 500 + "1)", "a" * 20_000]
)
def test_what_is_too_deep_or_too_long_is_refused_and_ends_nothing(text: str) -> None:  # fmt: skip
    with pytest.raises(FilterError, match=r"more than|at most"):
        parse_filter(text)


@given(text=st.text(max_size=60) | st.from_regex(r"[\w .=<>~!()'\",-]{0,60}"))
def test_any_text_is_a_filter_or_told_what_is_wrong(text: str) -> None:
    at: int | None = 0
    try:
        compile_filter(text, SCHEMA)
    except FilterError as error:
        at = error.at
    assert at is None or 0 <= at <= len(text)


# ── the same rows as plain Python finds ──────────────────────────────────────────────────────────────────────────────

KEYS = ["year", "tag", "odd ' \" key", "a.b"]
WORDS = ["pump", "pumps", "5", "5.0", "-2", "true", "null", "inf", "nan", " 5", "", "[1]", '{"a": 1}', "it's", 'a"b', "a\\b",
         "a_b", "a%b", "x\ny", "泵", "é", "🦀", "2024-01-31", "2024-02-01T10:00", "\x01", "Pump", ".5", "5.", "1e2", "+3", "Infinity", "-inf", "NaN", "1_0", "0x10", "1e", '5"']  # fmt: skip
scalars = (
    st.sampled_from(WORDS) | st.integers(-3, 6) | st.sampled_from([1.5, -2.5, 2**53, 1e300]) | st.booleans() | st.none()
)
values = (
    scalars | st.lists(st.sampled_from(WORDS) | st.integers(-3, 6), max_size=3) | st.fixed_dictionaries({"k": scalars})
)
metadata = st.none() | st.dictionaries(st.sampled_from(KEYS), values, max_size=4)
# Where all values of a key are of one kind, another condition says the same, so there are many such tables.
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "text": st.sampled_from(WORDS),
    "number": st.integers(-3, 6) | st.sampled_from([1.5, -2.5, 2**53, 1e300]),
    "truth": st.booleans(),
    "list": st.lists(st.sampled_from(WORDS) | st.integers(-3, 6), max_size=3),
}
alike = [st.dictionaries(st.sampled_from(KEYS), each | st.none(), max_size=4) for each in KINDS.values()]
rows = st.one_of([st.lists(each, min_size=1, max_size=8) for each in (metadata, *alike)])

names = st.sampled_from([Name((key,), metadata=True) for key in KEYS] + [Name((key, "k")) for key in KEYS[:2]])
literals = st.sampled_from(WORDS) | st.integers(-3, 6) | st.sampled_from([1.5, 2**53, 1e300]) | st.booleans()
literals = literals | st.just(Moment.read("2024-01-31"))
ordered = literals.filter(lambda value: not isinstance(value, bool))
globs = st.lists(st.sampled_from(["*", "?", *WORDS]), max_size=3).map("".join)
tests = (
    st.builds(Compare, names, st.just("="), literals)
    | st.builds(Compare, names, st.sampled_from(["<", "<=", ">", ">="]), ordered)
    | st.builds(In, names, st.lists(literals, min_size=1, max_size=3).map(tuple))
    | st.builds(Match, names, globs)
    | st.builds(Exists, names)
    | st.builds(Compare, st.just(Name(("seq",))), st.sampled_from(["=", "<", ">="]), st.integers(-1, 8) | st.just(2.5))
    | st.builds(Match, st.just(Name(("uri",))), st.sampled_from(["docs/*", "docs/?.md", "*1*", "d_cs/*"]))
    | st.builds(Compare, st.just(Name(("updated_at",))), st.sampled_from(["=", "<", "<=", ">", ">="]),
                st.sampled_from(["2024-01-03", "2024-01-03T12:00", "2024-01-04T00:00:00+02:00"]).map(Moment.read))
    | st.builds(In, st.just(Name(("heading_path",))), st.just(("Part 1", "Part 2")))
    | st.builds(Exists, st.sampled_from([Name(("page",)), Name(("title",)), Name(("heading_path",))]))
)  # fmt: skip
trees = st.recursive(
    tests,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=6,
)


def written(node: Node) -> str:
    """Write a tree as a filter."""
    match node:
        case And() | Or():
            word = " and " if isinstance(node, And) else " or "
            return "(" + word.join(map(written, node.nodes)) + ")"
        case Not():
            return f"not {written(node.node)}"
        case Exists():
            return f"exists {name_of(node.name)}"
        case Match():
            return f"{name_of(node.name)} ~ {value_of(node.pattern)}"
        case In():
            return f"{name_of(node.name)} in ({', '.join(map(value_of, node.values))})"
        case Compare():
            return f"{name_of(node.name)} {node.operator} {value_of(node.value)}"


def name_of(name: Name) -> str:
    quoted = [key if key.isidentifier() else '"' + key.replace('"', '""') + '"' for key in name.path]
    return ".".join(["meta"] * name.metadata + quoted)


def value_of(value: Any) -> str:
    if isinstance(value, Moment):
        return value.text
    return '"' + value.replace('"', '""') + '"' if isinstance(value, str) else json.dumps(value)


def number(text: str) -> float | None:
    """Read a text as a number, as tables in CSV hold them."""
    try:
        value = float(text) if not re.search(r"[\s_]|[^\x00-\x7f]", text) else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def holds(node: Node, row: dict[str, Any]) -> bool:
    """Say what a tree means, in Python."""
    match node:
        case And():
            return all(holds(each, row) for each in node.nodes)
        case Or():
            return any(holds(each, row) for each in node.nodes)
        case Not():
            return not holds(node.node, row)
    value = find(node.name, row)
    match node:
        case Exists():
            return value is not None and (node.name.path[0] not in row or value not in ("", []))
        case Match():
            pattern = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in node.pattern)
            return isinstance(value, str) and re.fullmatch(pattern, value, re.DOTALL) is not None
        case In():
            return any(compared(value, "=", each) for each in node.values)
        case _:
            return compared(value, node.operator, node.value)


def find(name: Name, row: dict[str, Any]) -> Any:
    if not name.metadata and len(name.path) == 1 and name.path[0] in row:
        return row[name.path[0]]
    value = row["metadata"]
    for key in name.path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def compared(value: Any, operator: str, asked: Any) -> bool:
    if isinstance(value, list) and operator == "=" and not isinstance(asked, bool | Moment):
        # A list is each of its members; numbers are compared as they are written.
        if isinstance(asked, str):
            return asked in value
        return json.dumps(asked) in {each if isinstance(each, str) else json.dumps(each) for each in value}
    if isinstance(asked, Moment):
        return dated(value, operator, asked)
    if isinstance(asked, bool):
        return value is asked or (isinstance(value, str) and value.lower() == json.dumps(asked))
    if isinstance(asked, str):
        return isinstance(value, str) and COMPARED[operator](value.encode(), asked.encode())
    if isinstance(value, str):
        value = number(value)
    return isinstance(value, int | float) and not isinstance(value, bool) and COMPARED[operator](value, asked)


def dated(value: Any, operator: str, asked: Moment) -> bool:
    if isinstance(value, datetime):
        first, after = asked.start, asked.next_day
    elif isinstance(value, str):
        first, after = asked.text, (asked.start + timedelta(days=1)).date().isoformat()  # type: ignore[assignment]
    else:
        return False
    if not asked.whole_day:
        return COMPARED[operator](value, first)
    return {
        "=": first <= value < after,
        "<": value < first,
        "<=": value < after,
        ">": value >= after,
        ">=": value >= first,
    }[operator]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Any:
    import lancedb

    return lancedb.connect(tmp_path_factory.mktemp("filters"))


def fill(database: Any, held: list[dict[str, Any] | None]) -> tuple[Any, list[dict[str, Any]]]:
    """Make a table of chunks with this metadata; returns it with its rows as Python sees them."""
    import pyarrow as pa

    plain = [
        {"seq": i, "uri": f"docs/{i}.md" if i % 2 else f"notes\\{i}%", "title": "" if i % 3 else f"T{i}", "page": i if i % 2 else None,
         "heading_path": [f"Part {i}"] * (i % 3), "updated_at": datetime(2024, 1, 1, 12, tzinfo=UTC) + timedelta(days=i), "metadata": each}
        for i, each in enumerate(held)
    ]  # fmt: skip
    schema = pa.schema([pa.field(name, SCHEMA.field(name).type) for name in plain[0]])
    columns = {name: [row[name] for row in plain] for name in plain[0]}
    texts = [None if each is None else json.dumps(each, ensure_ascii=False) for each in held]
    columns["metadata"] = pa.ExtensionArray.from_storage(pa.json_(), pa.array(texts, pa.string()))
    arrays = [
        values if name == "metadata" else pa.array(values, schema.field(name).type) for name, values in columns.items()
    ]
    return database.create_table("filters", pa.table(arrays, schema=schema), mode="overwrite"), plain


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(held=rows, tree=trees)
@example(
    held=[{"tag": ["x"]}, {"tag": {"k": 1}}, {"tag": "pump"}, {}],
    tree=Compare(Name(("tag",), metadata=True), ">=", "a"),
)
def test_a_filter_selects_the_rows_that_plain_python_selects(database: Any, held: list[Any], tree: Node) -> None:
    text = written(tree)
    assert parse_filter(text) == tree
    table, plain = fill(database, held)
    expected = {row["seq"] for row in plain if holds(tree, row)}
    for condition in conditions(text, table):
        found = table.search().where(condition).select(["seq"]).limit(None).to_list()
        assert {row["seq"] for row in found} == expected, f"{text}: {condition}"


def conditions(text: str, table: Any) -> list[str]:
    """Compile a filter for any table, and for what this one holds."""
    version = TableVersion(table)
    return [compile_filter(text, table.schema, only=only) for only in (None, partial(holds_only, version))]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(word=st.text(min_size=0, max_size=12))
@example(word="' OR true OR '")
@example(word="\\' OR true --")
@example(word='"), (select 1')
@pytest.mark.long
def test_any_text_in_quotes_is_only_that_text(database: Any, word: str) -> None:
    """Whatever is asked for finds what holds exactly that, as a value, as a member and as a key, and nothing else."""
    word = word.encode("utf-8", "replace").decode()
    table, _ = fill(
        database, [{"tag": word}, {"tag": word + "!"}, {"tag": [word]}, {word: 1} if word else {}, {}, None]
    )
    quoted = value_of(word)

    def found(text: str) -> set[int]:
        rows = table.search().where(compile_filter(text, table.schema)).select(["seq"]).limit(None).to_list()
        return {row["seq"] for row in rows}

    assert found(f"tag = {quoted}") == {0, 2}
    assert found(f"tag in ({quoted}, {quoted})") == {0, 2}
    assert found(f"tag <= {quoted} and tag >= {quoted}") == {0}
    assert found(f"uri = {quoted} or title > {quoted} and title = {quoted} and exists title") <= {0, 3}
    if word and word != "tag":
        assert found(f"exists meta.{quoted}") == {3}
