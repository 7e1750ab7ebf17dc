"""Open orders of batches, which several processes change."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.embedding.batch_api import Order, Orders
from relance.store import open_store
from relance.store.catalog import Catalog


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(st.sampled_from(["save", "drop"]), st.integers(0, 3), st.integers(0, 1)), max_size=12))
def test_two_processes_that_change_orders_do_not_undo_each_others_changes(make_orders, steps):
    catalog, space = make_orders()
    two = [Orders(catalog, space, "u"), Orders(catalog, space, "u")]
    model = {}
    for verb, number, who in steps:
        order = Order("u", number, number, id=str(number), submitted_at=number)
        getattr(two[who], verb)(order)
        if verb == "save":
            model[number] = order
        else:
            model.pop(number, None)
    assert two[0].all() == two[1].all() == [model[number] for number in sorted(model)]


@pytest.fixture(scope="module")
def make_orders(tmp_path_factory):
    from relance.config import IndexSpec

    folder = tmp_path_factory.mktemp("orders")
    declared = {"name": "n", "sources": [{"type": "files", "root": "."}], "store": {"uri": str(folder / "db")}}
    catalog = Catalog(open_store(IndexSpec.model_validate(declared)))
    made = iter(range(10**6))
    return lambda: (catalog, f"space{next(made)}")
