"""Near-duplicates: documents with the same words are grouped, those about the same are not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Run
from hypothesis import given
from hypothesis import strategies as st

from relance.analysis import duplicates as module
from relance.analysis.duplicates import Blocks, find_duplicates, overlap_of, plain, shingles
from relance.analysis.results import read_results
from relance.errors import InputError
from relance.index import Index

RIVER = "The gauge tells how high the river stands, every ten minutes, day and night, in summer and in winter."
BRIDGE = "A bridge spans the water where the ferry used to cross before the flood took away the landing."


@pytest.fixture
def index(make_index: Callable[..., Index], docs: Path) -> Index:
    """Three copies (one differs by case and blanks), an edited one, the same words in another order, and another."""
    texts = {
        "river": RIVER,
        "river copy": RIVER,
        "river loud": RIVER.upper().replace(" ", "  "),
        "river edited": RIVER.replace("night", "nights"),
        "shuffled": " ".join(sorted(RIVER.split())),
        "bridge": BRIDGE,
    }
    for name, text in texts.items():
        (docs / f"{name}.md").write_text(text, encoding="utf-8")
    index = make_index()
    index.ingest()
    return index


def groups(found: Any) -> list[set[str]]:
    return [{each.uri.removeprefix("docs/").removesuffix(".md") for each in group.members} for group in found.groups]


def test_the_same_words_are_one_group(index: Index) -> None:
    found = find_duplicates(index, similarity=0.9)
    assert groups(found) == [{"river", "river copy", "river loud", "river edited"}]
    assert (found.compared, found.redundant) == (6, 3)
    group = found.groups[0]
    kinds = {each.uri: each.kind for each in group.members}
    assert kinds[group.representative] == "exact"
    assert kinds["docs/river edited.md"] == "text" or group.representative == "docs/river edited.md"
    for each in group.members:
        assert each.similarity >= 0.9
        assert each.overlap >= 0.7
    json.dumps(found.as_dict())


def test_without_regard_to_words_the_shuffled_one_is_among_them(index: Index) -> None:
    found = find_duplicates(index, similarity=0.9, overlap=0)
    assert groups(found) == [{"river", "river copy", "river loud", "river edited", "shuffled"}]
    assert {each.kind for each in found.groups[0].members if "shuffled" in each.uri} == {"vector"}


def test_the_groups_are_in_the_table(index: Index) -> None:
    found = find_duplicates(index, similarity=0.9)
    rows = read_results(index, found.table.removeprefix("notes__")).to_pylist()
    assert {row["uri"] for row in rows} == {each.uri for each in found.groups[0].members}
    assert [row["uri"] for row in rows if row["representative"]] == [found.groups[0].representative]
    assert {row["group"] for row in rows} == {1}


def test_the_representative_is_the_first_of_its_group(index: Index) -> None:
    group = find_duplicates(index, similarity=0.9).groups[0]
    assert [each.uri for each in group.members].index(group.representative) == 0


def test_chunks_of_one_document_that_say_the_same(make_index: Callable[..., Index], docs: Path) -> None:
    (docs / "twice.md").write_text(f"# A\n\n{RIVER}\n\n# A\n\n{RIVER}\n", encoding="utf-8")
    index = make_index(chunking={"strategy": "markdown", "max_tokens": 32})
    index.ingest()
    found = find_duplicates(index, level="chunks")
    assert [each.uri for each in found.groups[0].members] == ["docs/twice.md"] * len(found.groups[0].members)
    rows = read_results(index, "duplicates").to_pylist()
    assert sum(row["representative"] for row in rows) == len(found.groups)


def test_pictures_without_words_are_no_exact_copies(
    make_index: Callable[..., Index], docs: Path, vision: dict[str, Any]
) -> None:
    image = pytest.importorskip("PIL.Image", reason="the extra media is not installed")
    for at in range(2):
        image.new("RGB", (24, 16), (255, at, 0)).save(docs / f"red{at}.png")
    index = make_index(media=vision)
    index.ingest()
    [group] = find_duplicates(index, level="media").groups
    assert {(each.kind, each.overlap) for each in group.members} == {("vector", 0.0)}


def test_nothing_is_a_duplicate_of_itself(make_index: Callable[..., Index], docs: Path) -> None:
    (docs / "only.md").write_text(RIVER, encoding="utf-8")
    index = make_index()
    index.ingest()
    found = find_duplicates(index)
    assert (found.groups, found.compared, found.redundant) == ([], 1, 0)
    assert find_duplicates(index, where="false").compared == 0


def test_small_blocks_and_few_links_find_the_same(index: Index, docs: Path) -> None:
    for at in range(12):
        (docs / f"copy{at:02}.md").write_text(BRIDGE, encoding="utf-8")
    index.ingest()
    whole = groups(find_duplicates(index, similarity=0.9))
    assert [len(group) for group in whole] == [13, 4]
    assert groups(find_duplicates(index, similarity=0.9, blocks=Blocks(vectors=3, pairs=2, links=4))) == whole


def test_chunks_that_are_repeated(make_index: Callable[..., Index], docs: Path) -> None:
    footer = "\n\n# Notice\n\n" + "Printed on recycled paper by the river works of the department. " * 4
    for name, text in [("a", RIVER), ("b", BRIDGE)]:
        (docs / f"{name}.md").write_text(f"# {name}\n\n{text * 2}{footer}", encoding="utf-8")
    index = make_index(chunking={"strategy": "markdown", "max_tokens": 48})
    index.ingest()
    found = find_duplicates(index, level="chunks")
    assert found.groups
    assert any({each.uri for each in group.members} == {"docs/a.md", "docs/b.md"} for group in found.groups)
    assert find_duplicates(index).groups == []


@pytest.mark.parametrize("options", [{"similarity": 0}, {"similarity": 1.1}, {"overlap": -0.1}, {"overlap": 2}])
def test_wrong_options_are_one_sentence(index: Index, options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="must be between 0 and 1"):
        find_duplicates(index, **options)


@given(st.text(max_size=60), st.text(max_size=60))
def test_overlap_is_a_share(one: str, other: str) -> None:
    first, second = shingles(plain(one)), shingles(plain(other))
    assert 0 <= overlap_of(first, second) == overlap_of(second, first) <= 1
    assert overlap_of(first, first) == 1
    assert shingles(plain(one)) == shingles(plain(f"  {one.upper().lower()}\n")) or one.upper().lower() != one


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=30))
def test_components_are_what_is_linked(links: list[tuple[int, int]]) -> None:
    found = module._components(links)
    place = {each: number for number, group in enumerate(found) for each in group}
    assert sorted(place) == sorted({each for pair in links for each in pair})
    assert all(place[a] == place[b] for a, b in links)
    reach = np.eye(16, dtype=bool)
    for a, b in links:
        reach[a, b] = reach[b, a] = True
    for _ in range(4):
        reach = (reach.astype(int) @ reach.astype(int)) > 0
    for group in found:
        assert all(reach[a, b] for a in group for b in group)


def test_on_the_command_line(index: Index, declare: Callable[..., Path], run: Run) -> None:
    asked = ("duplicates", declare(store={"uri": index.spec.store.uri}), "--similarity", "0.9")
    ran = run(*asked)
    assert ran.code == 0
    for words in ("exact, cosine 1.000, 100% of the text in common", "3 of 6 documents say", "notes__duplicates"):
        assert words in ran.out + ran.err
    assert run(*asked, "--json").json["redundant"] == 3
    assert run(*asked, "--filter", 'uri ~ "*river*"', "--json").json["compared"] == 4
