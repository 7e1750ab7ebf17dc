"""What a folder has of images and videos: files, rows of tables, and what documents show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from files import put
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.config import IndexSpec
from relance.documents import Ignored, Item
from relance.errors import DocumentError
from relance.pipeline.media_reader import MediaReader, open_media_reader
from relance.pipeline.text_reader import open_text_reader


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the spec, with a source below."""
    (tmp_path / "data").mkdir()
    return tmp_path


def declare(folder: Path, root: str = "data", media: dict[str, Any] | None = None, **source: Any) -> IndexSpec:
    declared = {"name": "gallery", "sources": [{"type": "files", "root": root, **source}], "media": media or {}}
    return IndexSpec.model_validate(declared | {"folder": folder})


def source(folder: Path, root: str = "data", media: dict[str, Any] | None = None, **fields: Any) -> MediaReader:
    return open_media_reader(declare(folder, root, media, **fields), 0)


def listed(source: MediaReader) -> dict[str, Item | DocumentError | Ignored]:
    """List a source with the rows of its collections."""
    found: dict[str, Item | DocumentError | Ignored] = {}
    for item in source.list():
        rows = source.rows(item) if isinstance(item, Item) and item.collection else [item]
        for each in rows:
            assert each.uri not in found
            found[each.uri] = each
    return found


def payloads(source: MediaReader) -> dict[str, dict[str, Any]]:
    """List the payloads of rows; nothing may be at fault."""
    found = listed(source)
    assert not [item for item in found.values() if isinstance(item, DocumentError)]
    return {uri: item.row for uri, item in found.items() if isinstance(item, Item) and item.row is not None}


# -- files -------------------------------------------------------------------------------------------------------


def test_every_file_belongs_to_the_texts_or_to_the_media_and_never_to_both(folder: Path) -> None:
    names = ["a.png", "b.JPG", "c.mp4", "d.md", "e.txt", "f.pdf", "g.heic", "h.bin", "i.csv"]
    for name in names:
        put(folder / "data" / name, "x")
    spec = declare(folder)
    texts = {item.uri for item in open_text_reader(spec, 0).list() if isinstance(item, Item)}
    media = {item.uri for item in open_media_reader(spec, 0).list()}
    assert media == {f"data/{name}" for name in ("a.png", "b.JPG", "c.mp4", "g.heic")}
    assert texts == {f"data/{name}" for name in ("d.md", "e.txt", "f.pdf", "i.csv")}


def test_without_a_media_section_named_pictures_are_what_they_always_were(folder: Path) -> None:
    put(folder / "data/a.png", "x")
    spec = declare(folder, include=["*.png"])
    assert [item.uri for item in open_text_reader(spec, 0).list()] == []
    plain = spec.model_copy(update={"media": None})
    assert [item.uri for item in open_text_reader(plain, 0).list()] == ["data/a.png"]


def test_patterns_ignore_files_and_hidden_names_hold_for_media_as_well(folder: Path) -> None:
    for name in ("a.png", "drafts/b.png", "c.jpg", ".hidden.png", "ignored.png"):
        put(folder / "data" / name, "x")
    put(folder / "data/.gitignore", "ignored.png\n")
    assert set(listed(source(folder, exclude=["drafts/**"]))) == {"data/a.png", "data/c.jpg"}
    assert set(listed(source(folder, include=["*.png"]))) == {"data/a.png", "data/drafts/b.png"}


def test_the_public_address_of_a_file_is_below_the_prefix_and_quoted(folder: Path) -> None:
    assert source(folder).public_url("data/a.mp4") == ""
    there = source(folder, public_url="https://cdn.example.com/films/")
    assert there.public_url("data/a b/ü#1.mp4") == "https://cdn.example.com/films/a%20b/%C3%BC%231.mp4"
    assert there.public_url("other/a.mp4") == ""


@pytest.mark.parametrize("uri", ["../secret.png", "data/link.png", "/etc/hostname"])
def test_a_file_outside_the_folders_is_never_read(folder: Path, uri: str) -> None:
    (folder / "in").mkdir()
    put(folder / "secret.png", "secret")
    (folder / "in/data").mkdir()
    (folder / "in/data/link.png").symlink_to(folder / "secret.png")
    with pytest.raises(DocumentError, match="leads out"):
        source(folder / "in").read_place(uri)


# -- tables ------------------------------------------------------------------------------------------------------

ROWS = {"url": "url", "caption": "caption", "title": "name", "metadata": ["year"]}
RECORDS = [
    {"id": "1", "url": ["a.png"], "caption": "a barn", "name": "Barn", "year": 2020},
    {"id": "2", "url": ["https://example.com/b.png?x=1#y"], "caption": None, "name": None, "year": None},
    {"id": "3", "url": ["/pics/c.png", "sub/d.png"], "caption": "湖", "name": "", "year": 1999},
]


def save(path: Path, records: list[dict[str, Any]]) -> None:
    """Write a table in the format its name says; one address as such, several as a JSON list where there are none."""
    if path.suffix == ".parquet":
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.Table.from_pylist(records), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    else:
        import csv

        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(records[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            for record in records:
                urls = record["url"]
                writer.writerow(record | {"url": urls[0] if len(urls) == 1 else json.dumps(urls)})


@pytest.mark.parametrize("name", ["m.csv", "m.tsv", "m.jsonl", "m.parquet"])
def test_a_table_gives_the_same_media_in_every_format(folder: Path, name: str) -> None:
    """Paths are relative to the table, and begin at the spec's folder with a slash, as in documents."""
    save(folder / "data" / name, RECORDS)
    rows = payloads(source(folder, rows=ROWS))
    assert [row["urls"] for row in rows.values()] == [
        ["data/a.png"], ["https://example.com/b.png?x=1#y"], ["pics/c.png", "data/sub/d.png"]]  # fmt: skip
    assert list(rows) == [f"data/{name}#{number}" for number in (1, 2, 3)]
    assert [(row["caption"], row["title"]) for row in rows.values()] == [("a barn", "Barn"), ("", ""), ("湖", "")]
    years = [row["metadata"]["year"] for row in rows.values()]
    assert [str(year or "") for year in years] == ["2020", "", "1999"]


def test_rows_that_cannot_be_media_are_faults_of_their_own(folder: Path) -> None:
    urls = ["", "ftp://example.com/a.png", "../../a.png", "[1, 2]", "[broken", "[]", "ok.png"]
    lines = [{"id": number, "url": url} for number, url in enumerate(urls)]
    lines += [{"id": 7, "url": 3}, {"url": "a.png"}, {"id": 6, "url": "again.png"}]
    put(folder / "data/m.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    found = listed(source(folder, rows={"url": "url"}))
    good = [uri for uri, item in found.items() if isinstance(item, Item)]
    assert good == ["data/m.jsonl#6"]
    faults = {uri: item.reason for uri, item in found.items() if isinstance(item, DocumentError)}
    assert len(faults) == len(lines) - 1
    assert "begins like a JSON list" in faults["data/m.jsonl#4"]
    assert "already used in line 7" in faults["data/m.jsonl#line-10"]
    assert "no id" in faults["data/m.jsonl#line-9"]


def test_a_table_without_the_column_is_one_fault(folder: Path) -> None:
    put(folder / "data/m.csv", "id,picture\n1,a.png\n")
    (fault,) = listed(source(folder, rows={"url": "url"})).values()
    assert isinstance(fault, DocumentError)
    assert fault.uri == "data/m.csv"
    assert "url" in fault.reason


def test_where_rows_have_texts_as_well_one_without_picture_is_no_fault(folder: Path) -> None:
    lines = [{"id": number, "url": url, "text": "x"} for number, url in enumerate([None, "", " ", [], "a.png"])]
    put(folder / "data/m.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    assert list(listed(source(folder, rows={"url": "url", "text": "text"}))) == ["data/m.jsonl#4"]
    media_only = source(folder, rows={"url": "url"})
    assert sum(isinstance(item, DocumentError) for item in listed(media_only).values()) == 4
    texts = open_text_reader(declare(folder, rows={"url": "url", "text": "text"}), 0)
    assert [item.uri for item in texts.list()] == ["data/m.jsonl"]
    assert list(open_text_reader(declare(folder, rows={"url": "url"}), 0).list()) == []


def test_a_table_is_no_table_of_media_unless_the_spec_names_the_column(folder: Path) -> None:
    put(folder / "data/m.csv", "id,url,text\n1,a.png,x\n")
    assert list(source(folder).list()) == []
    assert list(source(folder, rows={}).list()) == []


# -- documents ---------------------------------------------------------------------------------------------------


def test_documents_name_what_they_show_with_alt_text_and_headings(folder: Path) -> None:
    put(folder / "data/j.md", "# Journal\n\n## Morning\n\n![a barn](pics/a.png)\n\n![](https://example.com/b.png)\n")
    page = "<h1>Winter</h1><figure><img src='/pics/c.png'><figcaption>the snow</figcaption></figure>"
    put(folder / "data/k.html", page)
    rows = payloads(source(folder))
    assert {uri: (row["urls"], row["caption"], row["heading_path"]) for uri, row in rows.items()} == {
        "data/j.md#pics/a.png": (["data/pics/a.png"], "a barn", ["Journal", "Morning"]),
        "data/j.md#https://example.com/b.png": (["https://example.com/b.png"], "", ["Journal", "Morning"]),
        "data/k.html#/pics/c.png": (["pics/c.png"], "the snow", ["Winter"]),
    }
    assert {row["metadata"]["shown_in"] for row in rows.values()} == {"data/j.md", "data/k.html"}
    assert listed(source(folder, media={"references": False})) == {}


def test_a_document_that_shows_nothing_is_not_listed(folder: Path) -> None:
    for name in ("a.md", "b.html", "c.md"):
        put(folder / "data" / name, "# Only words\n\nA [link](a.png), an image! [no]\n")
    assert list(source(folder).list()) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_pictures_are_found_in_every_encoding(folder: Path, encoding: str) -> None:
    text = "# 日记\n\n今天湖面很平静，我们看到了很多鸟。\n\n![湖边](湖.png)\n"
    put(folder / "data/j.md", text.encode(encoding))
    (row,) = payloads(source(folder, encoding="gb18030" if encoding == "gb18030" else "")).values()
    assert (row["urls"], row["caption"], row["heading_path"]) == (["data/湖.png"], "湖边", ["日记"])


def test_a_document_that_cannot_be_read_is_a_fault_and_not_empty(folder: Path) -> None:
    """Its pictures would be taken for gone."""
    put(folder / "data/big.md", "![a](a.png)" + " " * 2000)
    found = listed(source(folder, max_size="1KB"))
    assert {uri: type(item) for uri, item in found.items()} == {"data/big.md": DocumentError}


def test_what_leads_out_of_the_folder_or_nowhere_is_passed_over(folder: Path) -> None:
    pictures = ["../../out.png", "javascript:x", "file:///etc/passwd.png", "folder/", "in.png"]
    put(folder / "data/j.md", "\n\n".join(f"![x](<{place}>)" for place in pictures))
    assert [row["urls"] for row in payloads(source(folder)).values()] == [["data/in.png"]]


def test_a_source_outside_the_folder_of_the_spec_shows_what_is_in_its_own(folder: Path) -> None:
    (folder / "spec").mkdir()
    put(folder / "data/sub/j.md", "![in](../a.png)\n\n![root](/b.png)\n\n![out](../../spec/c.png)\n")
    put(folder / "data/m.csv", "id,url\n1,a.png\n")
    there = source(folder / "spec", root="../data", rows={"url": "url"})
    rows = payloads(there)
    assert [row["urls"] for row in rows.values()] == [["../data/a.png"], ["../data/a.png"], ["../data/b.png"]]
    put(folder / "data/a.png", "picture")
    assert there.read_place("../data/a.png") == b"picture"


def test_an_inline_picture_has_a_short_name_and_is_not_looked_for_elsewhere(folder: Path) -> None:
    url = "data:image/png;base64," + 100 * "iVBO"
    put(folder / "data/k.html", f"<p>A page.</p><img src='{url}' alt='drawing'>")
    (item,) = listed(source(folder)).values()
    assert isinstance(item, Item)
    assert item.uri.startswith("data/k.html#data:")
    assert len(item.uri) < 60
    assert item.row is not None
    assert item.row["urls"] == [url]
    assert not item.live, "it changes with the document only"


def test_what_a_page_shows_that_is_no_picture_is_counted_also_when_the_page_is_not_parsed_again(folder: Path) -> None:
    put(
        folder / "data/k.html",
        "<img src='../../out.png'><img src='logo.svg'><img src='a.png'><img src='b.png' width=1>",
    )
    reader = source(folder)
    reasons = {
        "data/k.html#../../out.png": "address in a document that leads out of the folder, or that is none of a picture",
        "data/k.html#logo.svg": "drawing without pixels (SVG)",
        "data/k.html#b.png": "spacer or tracking pixel of a page",
    }
    for _ in range(2):
        found = listed(reader)
        assert {uri: item.reason for uri, item in found.items() if isinstance(item, Ignored)} == reasons
        assert set(found) - set(reasons) == {"data/k.html#a.png"}
        reader = source(folder)
        reader.recall([("data/k.html", *source_memory(folder))])


def source_memory(folder: Path) -> tuple[str, str]:
    reader = source(folder)
    listed(reader)
    return reader.remembered["data/k.html"]


def test_an_embed_by_name_is_found_in_any_folder_and_looked_for_again_when_it_moves(folder: Path) -> None:
    put(folder / "data/notes/a.md", "![[Map.png]] ![[near.png|A map]] ![[gone.png]] ![](map.png)")
    put(folder / "data/notes/near.png", "x")
    put(folder / "data/files/old/map.png", "x")
    put(folder / "data/.trash/map.png", "x")
    reader = source(folder)
    assert [row["urls"] for row in payloads(reader).values()] == [
        ["data/files/old/map.png"],
        ["data/notes/near.png"],
        ["data/notes/gone.png"],
        ["data/notes/map.png"],
    ]
    put(folder / "data/files/map.png", "x")  # nearer to the top
    again = source(folder)
    again.recall((uri, *memory) for uri, memory in reader.remembered.items())
    assert next(iter(payloads(again).values()))["urls"] == ["data/files/map.png"]


# -- versions ----------------------------------------------------------------------------------------------------


def test_rows_with_addresses_are_looked_at_in_every_run_and_others_when_a_file_changed(folder: Path) -> None:
    put(folder / "data/m.csv", "id,url\n1,a.png\n2,https://example.com/a.png\n")

    def rows() -> list[Item]:
        items = [item for item in listed(source(folder, rows={"url": "url"})).values() if isinstance(item, Item)]
        return [item for item in items if item.row is not None]

    states = [rows()]
    for content in ("one", "another"):
        put(folder / "data/a.png", content)
        states.append(rows())
    assert [[item.live for item in state] for state in states] == [[False, True]] * 3
    assert len({state[0].version for state in states}) == 3, "missing, there, changed"
    assert len({state[1].version for state in states}) == 1


names = st.text(st.characters(codec="utf-8", exclude_characters="\0/\\", exclude_categories=["Cc", "Cs"]), min_size=1,
                max_size=20).filter(lambda name: name.strip(" .") == name)  # fmt: skip


@given(names=st.lists(names, min_size=1, max_size=4, unique=True), caption=st.text(max_size=20))
@settings(deadline=None, max_examples=25)
def test_whatever_a_file_is_called_a_table_can_name_it(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], caption: str
) -> None:
    """Percent signs, `?` and `#` have to be escaped, as in any address."""
    from urllib.parse import quote

    folder = tmp_path_factory.mktemp("names")
    (folder / "data").mkdir()
    records = [{"id": number, "url": quote(name), "caption": caption} for number, name in enumerate(names)]
    (folder / "data/m.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    rows = payloads(source(folder, rows={"url": "url", "caption": "caption"}))
    assert [row["urls"] for row in rows.values()] == [[f"data/{name}"] for name in names]
