"""The page of a chunk: its row as the table has it, and the chunks nearest to it."""

from __future__ import annotations

import re

from tests.explore.conftest import Visitor

from relance.documents import document_id
from relance.index import Index

PUMP = document_id("docs/pump.md")


def test_a_chunk_shows_its_borders_its_row_and_its_neighbours(visitor: Visitor, notes: Index) -> None:
    document = visitor.page(f"/documents/{PUMP}")
    assert f"/documents/{PUMP}/chunks/0" in document.links()
    (stored,) = notes.table().search().where("uri = 'docs/pump.md' AND seq = 0").to_list()
    assert f"characters {stored['start_char']}–{stored['end_char']}" in document.words
    page = visitor.page(f"/documents/{PUMP}/chunks/0")
    for name in notes.table().schema.names:
        assert name in page.words
    vector = stored["vector"]
    assert (
        f"{len(vector)} numbers · norm {sum(each * each for each in vector) ** 0.5:.4f} · {vector[0]:.4f}, "
        in page.words
    )
    assert stored["id"] in page.words
    assert f"/documents/{document_id('docs/deep/valve.md')}/chunks/0" in page.links()
    assert f"/documents/{PUMP}/chunks/0" not in page.links(), "it is no neighbour of itself"
    nearest = [
        float(each)
        for each in re.findall(r'<td class="n"[^>]*>([\d.-]+)</td>', visitor.get(f"/documents/{PUMP}/chunks/0").text)
    ]
    assert nearest == sorted(nearest, reverse=True)
    assert len(nearest) == notes.table().count_rows("active") - 1
    for seq in ("999", "-1", "x", "٣", "9" * 30):
        assert visitor.get(f"/documents/{PUMP}/chunks/{seq}").status_code == 404
