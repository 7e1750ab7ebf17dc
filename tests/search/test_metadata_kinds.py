"""A filter on a key that holds values of one kind is another condition, and means the same."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relance.search import compile_filter
from relance.search.filters.metadata import Kind, holds_only
from relance.store.open_tables import TableVersion

EXAMPLES: dict[str, list[Any]] = {
    "text": ["pump", "", "5", "true", "null", "[]", "泵"],
    "number": [5, 0, -1, 1.5, 2**63, 1e300, -(2**63)],
    "truth": [True, False],
    "list": [[], ["a"], [1, [2]]],
    "object": [{}, {"k": 1}],
}
ODD = [2**53 + 1, -(2**63), 2**63, 2**64, 10**30, -0.0, 0.1, 5e-324, -1e300, 1.7976931348623157e308, 0, 1]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Any:
    import lancedb

    return lancedb.connect(tmp_path_factory.mktemp("kinds"))


def fill(database: Any, held: list[dict[str, Any] | None]) -> Any:
    texts = pa.array([None if each is None else json.dumps(each) for each in held], pa.string())
    columns = {"seq": pa.array(range(len(held))), "metadata": pa.ExtensionArray.from_storage(pa.json_(), texts)}
    return TableVersion(database.create_table("kinds", pa.table(columns), mode="overwrite"))


def selected(table: Any, condition: str) -> list[int]:
    return [row["seq"] for row in table.search().where(condition).select(["seq"]).limit(None).to_list()]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    held=st.lists(
        st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(ODD) | st.none()) | st.none(), min_size=1
    ),
    operator=st.sampled_from(["=", "<", "<=", ">", ">="]),
    asked=st.sampled_from(ODD),
    key=st.sampled_from(["meta.a", "meta.b", "meta.b.k"]),
)
def test_odd_numbers_are_compared_the_same(
    database: Any, held: list[Any], operator: str, asked: float, key: str
) -> None:
    table = fill(database, held)
    text = f"{key} {operator} {float(asked)!r} or {key} in ({float(asked)!r}, 7)"
    one, other = (compile_filter(text, table.schema, only=only) for only in (None, partial(holds_only, table)))
    assert one != other
    assert selected(table, one) == selected(table, other)


@pytest.mark.parametrize("kind", ["text", "number", "truth", "list"])
@pytest.mark.parametrize("nested", [False, True])
def test_what_a_key_holds_is_told_by_the_table(database: Any, kind: Kind, nested: bool) -> None:
    """One value of another kind is enough; null and nothing are of no kind."""

    def only(values: list[Any]) -> bool:
        held = [{"a": {"k": value}} if nested else {"a": value} for value in values]
        return holds_only(fill(database, [*held, None, {}, {"a": None}]), ("a", "k") if nested else ("a",), kind)

    assert only([*EXAMPLES[kind], None])
    for other in set(EXAMPLES) - {kind}:
        for value in EXAMPLES[other]:
            assert not only([EXAMPLES[kind][0], value]), value


@pytest.mark.parametrize(
    ("text", "kind"),
    [("a = 'x'", "text"), ("a > 'x'", "text"), ("a ~ 'x*'", "text"), ("a = 5", "number"), ("a < 5", "number"),
     ("a in (5, 6)", "number"), ("a = true", "truth"), ("a = 'x'", "list"), ("a in (5, 'x')", "list")],
)  # fmt: skip
def test_a_key_of_one_kind_is_not_read_as_json_text(database: Any, text: str, kind: str) -> None:
    """That takes three times as long."""
    for held, slow in ((EXAMPLES[kind], False), ([*EXAMPLES[kind], {"k": 1}], True)):
        table = fill(database, [{"a": each} for each in held])
        condition = compile_filter(text, table.schema, only=partial(holds_only, table))
        assert ("json_extract(" in condition) == slow, condition
