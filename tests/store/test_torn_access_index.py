"""An index of principals whose files are torn: nobody sees more by it, and the next run, or the doctor, heals it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import relance
from relance.errors import RelanceError
from relance.index import Index
from relance.store.faults import store_error
from relance.store.index_tables import IndexTables
from relance.store.maintenance import MaintenanceLimits, refresh_indexes

SMALL = MaintenanceLimits(lookup_rows=10)


@pytest.fixture
def index(make_index: Any, docs: Path) -> Index:
    for n in range(30):
        (docs / f"{n}.md").write_text(f"---\nreaders: [g{n % 3}]\n---\n# N {n}\n\nThe ferry {n}.\n")
    index = make_index(sources=[{"type": "files", "root": str(docs), "access": {"field": "readers"}}])
    index.ingest()
    refresh_indexes(index.table(), retention=timedelta(days=7), language="none", limits=SMALL)
    seal(index)
    return index


def seal(index: Index) -> None:
    tables = IndexTables.serving(index._store, index.spec.name)
    assert tables is not None
    IndexTables.seal([tables])


def files(index: Index) -> list[Path]:
    """Find the files of the index of principals."""
    assert index._store.local is not None
    root = index._store.local / f"{index.table().name}.lance" / "_indices"
    access = [path for path in root.rglob("*") if path.is_file() and "bitmap" in path.name]
    assert access, [path.name for path in root.rglob("*")]
    return access


def found(index: Index, *names: str) -> set[str] | str:
    """Say what somebody finds, or what is told instead."""
    try:
        hits = Index(index.spec).search("ferry", k=50, mode="full-text", principals=names)
    except RelanceError as error:
        return str(error)
    except RuntimeError as error:  # the command line says it so
        return str(store_error(error, "reading a table"))
    return {hit.uri for hit in hits}


@pytest.mark.parametrize("tear", ["cut", "zeros", "gone"])
def test_nobody_sees_more_and_it_is_healed(index: Index, tear: str) -> None:
    expected = {f"docs/{n}.md" for n in range(30) if n % 3 == 1}
    assert found(index, "g1") == expected
    for path in files(index):
        data = path.read_bytes()
        if tear == "gone":
            path.unlink()
        else:
            path.write_bytes(data[: len(data) // 2] if tear == "cut" else bytes(len(data)))
    seen, nobody = found(index, "g1"), found(index)
    if isinstance(seen, set):
        assert seen == expected
    else:
        assert "torn or missing; `relance ingest`" in seen
        assert "Traceback" not in seen
    assert isinstance(nobody, str) or nobody == set()
    if tear == "zeros":  # a run looks at names and sizes of files; what is in them is the doctor's
        assert [each.code for each in index.doctor(repair=True).findings] == ["index-hurt"]
    else:
        index.ingest()
    assert found(index, "g1") == expected
    assert found(index) == set()
    assert len(Index(index.spec).search("ferry", k=50, mode="full-text", principals=relance.OWNER)) == 30
    assert not [each.code for each in index.doctor().findings if each.code == "index-hurt"]
