"""Sparse vectors: what goes in comes out, and a search finds what comparing with every row would find."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relance.embedding.sparse import Sparse, from_arrow, search_sparse, sparse_type, to_arrow
from relance.errors import ConfigurationError, InputError

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("active", pa.bool_(), nullable=False),
        pa.field("text", pa.string()),
        pa.field("sparse", sparse_type()),
        pa.field("vector", pa.list_(pa.float32(), 16)),
    ]
)
Make = Callable[..., Any]

# Few terms, so that vectors have some in common; pairs of them that agree in their low 16 bits; and the largest there is.
terms = st.sampled_from([0, 1, 2, 3, 65_535, 65_536, 65_537, 131_072, 250_001, 2**31 - 1])
# Halves add up without rounding, so that equal products are equal to the last bit.
weights = st.integers(-6, 6).map(lambda half: half / 2)
vectors = st.dictionaries(terms, weights, max_size=6).map(lambda pairs: Sparse.of(list(pairs), list(pairs.values())))
columns = st.lists(st.none() | vectors, max_size=12)


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Return a function that makes a table of vectors, a fragment for every `fragment` rows; ids are `0`, `1`, …."""
    database = lancedb.connect(tmp_path_factory.mktemp("sparse"))

    def make(column: list[Sparse | None], *, fragment: int = 10_000) -> Any:
        table = database.create_table(uuid.uuid4().hex, schema=SCHEMA)
        for start in range(0, len(column), fragment):
            part = column[start : start + fragment]
            table.add(table_of(part, start))
        return table

    return make


def table_of(column: list[Sparse | None], start: int = 0) -> pa.Table:
    ids = [str(start + place) for place in range(len(column))]
    dense = np.random.default_rng(start).standard_normal((len(column), 16), dtype=np.float32)
    arrays = [
        pa.array(ids),
        pa.array([True] * len(column)),
        pa.array(ids),
        to_arrow(column),
        pa.FixedSizeListArray.from_arrays(dense.reshape(-1), 16),
    ]
    return pa.table(arrays, schema=SCHEMA)


def brute_force(column: list[Sparse | None], query: Sparse) -> list[tuple[str, float]]:
    """Compare with every row, one component after the other."""
    wanted = dict(zip(query.indices.tolist(), query.values.tolist(), strict=True))
    hits = []
    for place, vector in enumerate(column):
        if vector is not None and wanted.keys() & set(vector.indices.tolist()):
            pairs = zip(vector.indices.tolist(), vector.values.tolist(), strict=True)
            hits.append((str(place), math.fsum(wanted.get(index, 0.0) * value for index, value in pairs)))
    return sorted(hits, key=lambda hit: (-hit[1], hit[0]))


# --- the vector


@settings(deadline=None)
@given(st.lists(st.tuples(terms, weights), max_size=20))
def test_any_pairs_become_an_ascending_vector_that_adds_up_duplicates_and_has_no_zeros(pairs):
    sums: dict[int, float] = {}
    for index, value in pairs:
        sums[index] = sums.get(index, 0.0) + value
    vector = Sparse.of([index for index, _ in pairs], [value for _, value in pairs])
    assert vector.indices.tolist() == sorted(index for index, value in sums.items() if value)
    assert vector.values.tolist() == [sums[index] for index in vector.indices.tolist()]
    assert (vector.indices.dtype, vector.values.dtype) == (np.int32, np.float32)


@settings(deadline=None)
@given(vectors, vectors)
def test_the_inner_product_is_that_of_the_vectors_written_out(one, other):
    places = sorted({*one.indices.tolist(), *other.indices.tolist()})
    full = [dict(zip(v.indices.tolist(), v.values.tolist(), strict=True)) for v in (one, other)]
    assert one.dot(other) == other.dot(one) == sum(full[0].get(place, 0) * full[1].get(place, 0) for place in places)


@pytest.mark.parametrize(
    ("indices", "values", "says"),
    [
        ([1], [1.0, 2.0], "as many values as indices"),
        ([[1]], [[1.0]], "as many values as indices"),
        ([-1], [1.0], "whole numbers from 0 to"),
        ([2**31], [1.0], "whole numbers from 0 to"),
        ([2**80], [1.0], "whole numbers from 0 to"),
        ([1.5], [1.0], "whole numbers from 0 to"),
        (["7"], [1.0], "whole numbers from 0 to"),
        ([True], [1.0], "whole numbers from 0 to"),
        ([1], [math.nan], "finite"),
        ([1], [None], "finite"),
        ([1], [-math.inf], "finite"),
        ([1, 1], [math.inf, -math.inf], "finite"),
        ([1], [1e39], "finite"),
        ([1, 1], [3e38, 3e38], "finite"),
        ([1], ["heavy"], "a list of numbers"),
        ([[1], [1, 2]], [1.0, 1.0], "a list of indices"),
    ],
)
def test_what_is_no_vector_is_refused_with_the_reason(indices, values, says):
    with pytest.raises(InputError, match=says):
        Sparse.of(indices, values)


def test_a_value_too_small_for_float32_is_a_zero():
    assert Sparse.of([1, 2], [1e-60, 1.0]) == Sparse.of([2], [1.0])


@settings(deadline=None)
@given(vectors, vectors)
def test_vectors_are_equal_if_all_their_components_are(one, other):
    same = one.indices.tolist() == other.indices.tolist() and one.values.tolist() == other.values.tolist()
    assert (one == other) is same
    assert one == Sparse(one.indices.copy(), one.values.copy())
    assert one != one.indices.tolist()


# --- Arrow


@settings(deadline=None)
@given(columns)
def test_a_column_comes_back_from_arrow_as_it_went_in(column):
    array = to_arrow(column)
    array.validate(full=True)
    assert array.type == sparse_type()
    assert from_arrow(array) == column


@settings(deadline=None)
@given(columns, st.integers(0, 12), st.integers(0, 12))
@example([Sparse.of([1, 2], [1.0, 2.0]), Sparse.of([3], [3.0]), Sparse.of([4, 5], [4.0, 5.0])], 1, 1)
def test_a_slice_of_a_column_holds_the_slice_of_the_vectors(column, start, length):
    assert from_arrow(to_arrow(column).slice(start, length)) == column[start : start + length]


def test_a_column_comes_back_from_a_table_with_empty_and_missing_vectors_told_apart(make):
    column = [Sparse.of([3], [1.0]), None, Sparse.of([], []), None, Sparse.of([1, 2**31 - 1], [0.5, -2.0])]
    stored = make(column, fragment=2).to_arrow().sort_by("id")["sparse"].combine_chunks()
    assert from_arrow(stored) == column


# --- search


@settings(max_examples=30, deadline=None)
@given(columns, vectors, st.integers(1, 14), st.integers(1, 5))
def test_a_search_finds_what_comparing_with_every_row_finds(make, column, query, k, fragment):
    assert search_sparse(make(column, fragment=fragment), query, k=k) == brute_force(column, query)[:k]


@pytest.fixture(scope="module")
def large() -> list[Sparse | None]:
    """More rows than a batch has; every ninth is NULL, every tenth is empty, and many products are equal."""
    rng = np.random.default_rng(1)
    column: list[Sparse | None] = []
    for place in range(10_000):
        n = 0 if place % 10 == 0 else 8
        indices = np.minimum(rng.zipf(1.3, n), 250_001)
        column.append(None if place % 9 == 0 else Sparse.of(indices, rng.integers(1, 5, n) / 4))
    return column


QUERY = Sparse.of([1, 2, 17, 250_001, 9_999_999], [0.25, 0.5, 2.0, 1.0, 3.0])


@pytest.mark.long
@pytest.mark.parametrize("fragment", [300, 10_000])
@pytest.mark.parametrize("k", [1, 100, 6000])
def test_batches_and_fragments_make_no_difference(make, large, fragment, k):
    assert search_sparse(make(large, fragment=fragment), QUERY, k=k) == brute_force(large, QUERY)[:k]


def test_deleted_updated_and_added_rows_count_at_once_and_indexes_make_no_difference(make, large):
    from lancedb.index import FTS, IvfRq

    table = make(large)
    table.create_index("vector", config=IvfRq(distance_type="cosine"))
    table.create_index("text", config=FTS())
    expected = brute_force(large, QUERY)
    assert search_sparse(table, QUERY, k=50) == expected[:50]
    (best, _), (second, _) = expected[:2]
    table.delete(f"id = '{best}'")
    changed = [*large, Sparse.of([9_999_999], [100.0])]
    changed[int(best)], changed[int(second)] = None, Sparse.of([17], [50.0])
    replaced = pa.concat_tables([table_of([changed[int(second)]], int(second)), table_of(changed[-1:], len(large))])
    table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(replaced)
    assert search_sparse(table, QUERY, k=50) == brute_force(changed, QUERY)[:50]


def test_the_condition_decides_which_rows_take_part(make, large):
    table = make(large)
    table.update(where="id LIKE '%7'", values={"active": False})
    expected = [hit for hit in brute_force(large, QUERY) if hit[0].startswith("1") and not hit[0].endswith("7")]
    assert search_sparse(table, QUERY, k=50, where="(starts_with(id, '1')) AND active") == expected[:50]


def test_a_search_reads_the_ids_and_the_sparse_column_alone(make):
    table = make([Sparse.of([1], [1.0])] * 3)
    table.drop_columns(["vector", "text", "active"])
    assert search_sparse(table, Sparse.of([1], [2.0]), k=2) == [("0", 2.0), ("1", 2.0)]


@pytest.mark.parametrize("column", [[], [None] * 3, [Sparse.of([], [])] * 3, [Sparse.of([7], [1.0])]])
def test_rows_without_a_common_term_are_no_hits(make, column):
    assert search_sparse(make(column), Sparse.of([1, 2], [1.0, 1.0]), k=5) == []


def test_a_row_with_a_common_term_is_a_hit_even_if_the_product_is_zero_or_less(make):
    column = [Sparse.of([1, 2], [1.0, 1.0]), Sparse.of([1], [1.0]), Sparse.of([3], [1.0])]
    assert search_sparse(make(column), Sparse.of([1, 2], [-1.0, 1.0]), k=5) == [("0", 0.0), ("1", -1.0)]


def test_terms_that_agree_in_their_low_bits_are_different_terms(make):
    column = [Sparse.of([5 + place * 65_536], [1.0]) for place in range(8)]
    for place, vector in enumerate(column):
        assert search_sparse(make(column), vector, k=5) == [(str(place), 1.0)]


@pytest.mark.parametrize(("query", "k"), [(Sparse.of([], []), 5), (Sparse.of([1], [1.0]), 0)])
def test_no_question_and_no_places_have_no_hits(make, query, k):
    assert search_sparse(make([Sparse.of([1], [1.0])]), query, k=k) == []


def test_a_table_without_sparse_vectors_is_refused_with_what_to_do(make):
    table = make([])
    with pytest.raises(ConfigurationError, match=r"has no sparse vectors \(no column `terms`\); build the"):
        search_sparse(table, QUERY, k=5, column="terms")
