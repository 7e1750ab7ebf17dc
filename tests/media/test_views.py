"""Rows as catalogues have them: several pictures in a cell, dead ones among them, relative addresses, two texts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from media_rows import media_rows, reasons, versions


@pytest.fixture
def catalogue(gallery: Any) -> Any:
    """Declare an index of one table with options for its rows, under a model that takes several pictures at once."""

    def make(cell: str, *, header: str = "id,url", **rows: Any) -> Any:
        gallery.write("m.csv", f'{header}\n1,"{cell}"\n' if header == "id,url" else cell)
        source = {"type": "files", "root": str(gallery.folder), "include": ["m.csv"],
                  "rows": {"url": "url"} | rows}  # fmt: skip
        return gallery.index(sources=[source])

    return make


@pytest.mark.parametrize(
    ("cell", "separator"),
    [("{0}|{1}", "|"), ("{0}, {1}", ","), ("{0} ;{1};", ";"), ("{0}\n{1}", "\n"), ("['{0}', '{1}']", ""),
     ('[""{0}"",""{1}""]', "")],
)  # fmt: skip
def test_several_addresses_in_a_cell_are_views_of_one_thing(
    gallery: Any, web: Any, catalogue: Any, cell: str, separator: str
) -> None:
    urls = [web.put(f"/{colour}.png", gallery.png(colour)) for colour in ("red", "blue")]
    index = catalogue(cell.format(*urls), url_separator=separator)
    assert index.ingest().media.added == 1, reasons(index)
    assert media_rows(index)["m.csv#1"]["kind"] == "images"
    assert sorted(web.take()) == [("/blue.png", 200), ("/red.png", 200)]


@pytest.mark.parametrize("between", ["|", ", ", ",", ";"])
def test_a_cell_that_looks_like_several_is_a_failure_with_a_hint(
    gallery: Any, web: Any, catalogue: Any, between: str
) -> None:
    web.put("/red.png", gallery.png())
    index = catalogue(between.join([f"{web.url}/red.png"] * 2))
    assert index.ingest().media.failed == 1
    assert f'set `url_separator: "{between.strip()}"` of its `rows`' in reasons(index)["m.csv#1"]
    index = catalogue(f"pics/a.png{between}pics/b.png")
    index.ingest()
    assert f'set `url_separator: "{between.strip()}"`' in reasons(index)["m.csv#1"]


@pytest.mark.parametrize("fault", ["404", "small", "text"])
def test_a_dead_or_refused_view_costs_that_view(
    gallery: Any, web: Any, catalogue: Any, emulator: Any, fault: str
) -> None:
    bad = {"404": b"", "small": gallery.png(size=(4, 4)), "text": b"no picture"}[fault]
    good, other = (web.put(f"/{name}.png", gallery.png(name)) for name in ("red", "blue"))
    web.put("/bad.png", bad, status=404 if fault == "404" else 200)
    index = catalogue(f"{good}|{web.url}/bad.png|{other}", url_separator="|")
    report = index.ingest().media
    assert (report.added, report.failed, report.warned) == (1, 0, 1)
    assert reasons(index)["m.csv#1"].startswith("1 of 3 views left out: ")
    assert "/bad.png" in reasons(index)["m.csv#1"]
    was, bought = versions(index), emulator.stats()["requests"]
    web.take()
    assert index.ingest().media.unchanged == 1
    assert versions(index) == was
    assert [status for path, status in web.take() if path != "/bad.png"] == [304, 304]
    assert emulator.stats()["requests"] == bought
    web.put("/bad.png", gallery.png("white"))
    assert (index.ingest().media.changed, reasons(index)) == (1, {})
    assert emulator.stats()["requests"] == bought + 1


def test_with_all_a_dead_view_costs_the_row(gallery: Any, web: Any, catalogue: Any) -> None:
    good = web.put("/red.png", gallery.png())
    index = catalogue(f"{good}|{web.url}/bad.png", url_separator="|", views="all")
    assert (index.ingest().media.failed, media_rows(index)) == (1, {})


def test_one_view_that_is_left_is_a_picture_of_its_own(gallery: Any, web: Any, catalogue: Any) -> None:
    good = web.put("/red.png", gallery.png())
    index = catalogue(f"{good}|{web.url}/bad.png", url_separator="|")
    index.ingest()
    assert media_rows(index)["m.csv#1"]["kind"] == "image"
    web.pages.clear()
    assert index.ingest().media.failed == 1
    assert media_rows(index)["m.csv#1"]["kind"] == "image", "a row whose pictures are all gone is missing"


@pytest.mark.parametrize(
    ("prefix", "cell"),
    [("{0}/media/", "a/1.png"), ("{0}/media", "/a/1.png"), ("{0}/media/", "/a/1.png"), ("{0}/media/a/1.png?", "")],
)
def test_relative_addresses_have_a_prefix(gallery: Any, web: Any, catalogue: Any, prefix: str, cell: str) -> None:
    url = web.put("/media/a/1.png", gallery.png())
    index = catalogue(cell, url_prefix=prefix.format(web.url))
    index.ingest()
    if cell:
        assert media_rows(index)["m.csv#1"]["url"] == url
    else:
        assert "no address in column 'url'" in next(iter(reasons(index).values()))


def test_name_and_description_are_the_caption_and_a_column_the_title(gallery: Any, web: Any, catalogue: Any) -> None:
    url = web.put("/1.png", gallery.png())
    table = f"id,name,about,url\n1,Cup,Blue and round,{url}\n2,Cup,,{url}\n3,Cup,Cup,{url}\n"
    index = catalogue(table, header="", caption=["name", "about"], title="name")
    index.ingest()
    rows = media_rows(index)
    assert [rows[f"m.csv#{n}"]["text"] for n in (1, 2, 3)] == ["Cup\nBlue and round", "Cup", "Cup"]
    assert {row["title"] for row in rows.values()} == {"Cup"}
    index = catalogue(table, header="", caption="{name}: {about}")
    index.ingest()
    assert media_rows(index)["m.csv#1"]["text"] == "Cup: Blue and round"


def test_a_prefix_is_an_address(gallery: Any, catalogue: Any) -> None:
    with pytest.raises(ValueError, match="is no address; it begins with http"):
        catalogue("a.png", url_prefix="images.example.com/")


def test_lists_of_other_kinds_are_read_or_refused(gallery: Any, web: Any, catalogue: Any) -> None:
    urls = [web.put("/1.png", gallery.png()), web.put("/2.png", gallery.png("blue"))]
    gallery.write("m.jsonl", "".join(json.dumps({"id": n, "url": cell}) + "\n" for n, cell in enumerate(
        (urls, [*urls, None], "[not a list", f"['{urls[0]}', 3]"))))  # fmt: skip
    source = {"type": "files", "root": str(gallery.folder), "include": ["m.jsonl"], "rows": {"url": "url"}}
    index = gallery.index(sources=[source])
    index.ingest()
    assert list(media_rows(index)) == ["m.jsonl#0"]
    assert sorted(reasons(index)) == ["m.jsonl#1", "m.jsonl#2", "m.jsonl#3"]
