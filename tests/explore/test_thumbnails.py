"""Thumbnails: drawn by the run that reads a picture, shown without its host, within a bound."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.explore.conftest import Visitor
from tests.explore.test_remote_pictures import colour

import relance
from relance.documents import document_id
from relance.index import Index
from relance.store import open_store
from relance.store.thumbnails import ThumbnailTable

Open = Callable[[Index], Visitor]


def address(row: str, size: str = "", moment: str = "") -> str:
    return f"/media/{document_id(f'm.csv#{row}')}/picture?size={size or 'small'}{moment and f'&t={moment}'}"


def declared(gallery: Any, most: str = "1MB", **fields: Any) -> Index:
    return gallery.index(media=gallery.media(thumbnails=most, **fields), search={"media_floor": 0})


def kept(index: Index) -> list[dict[str, Any]]:
    table = ThumbnailTable(open_store(index.spec), index.spec.name).table
    return [] if table is None else sorted(table.to_arrow().to_pylist(), key=lambda row: row["drawn_at"])


def picture(gallery: Any, number: int) -> bytes:
    return gallery.png(f"hsl({number * 40}, 90%, 50%)", size=(40 + number, 30))


def test_the_page_shows_what_it_cannot_fetch_any_more(gallery: Any, web: Any, open_page: Open) -> None:
    one, same = (web.put(path, gallery.png("blue")) for path in ("/blue.png", "/again.png"))
    torn = web.put("/torn.jpg", gallery.png("red", form="JPEG")[:400])
    film = web.put("/film.mp4", gallery.film("red", "blue", seconds=2), media_type="video/mp4")
    gallery.write("m.csv", f"id,url,caption\n1,{one},a\n2,{same},the same\n3,{torn},torn\n4,{film},a film\n")
    gallery.paint("pics/here.png", "green")
    index = declared(gallery, films="key-frames")
    report = index.ingest().media
    assert (report.added, report.failed) == (4, 1), "one of them is torn"
    assert len(kept(index)) == 3, "one of the same picture, one of each moment, and none of a file"
    web.pages.clear()
    asked, visitor = len(web.asked), open_page(index)
    assert [colour(visitor.get(address(row)).content) for row in "124"] == ["blue", "blue", "red"]
    assert colour(visitor.get(address("4", moment="2.0")).content) == "blue", "the frame of the moment"
    assert len(web.asked) == asked, "nobody was asked"
    large = visitor.get(address("1", "large"))
    assert (colour(large.content), large.headers["cache-control"]) == ("blue", "private, max-age=60")
    assert len(web.asked) == asked + 1, "the large one is asked for"


def test_the_oldest_go_and_so_does_what_no_row_shows(gallery: Any, web: Any) -> None:
    def table(*numbers: int) -> None:
        urls = {n: web.put(f"/{n}.png", picture(gallery, n)) for n in numbers}
        gallery.write("m.csv", "id,url,caption\n" + "".join(f"{n},{url},\n" for n, url in urls.items()))

    table(0)
    declared(gallery).ingest()
    (first,) = kept(declared(gallery))
    most = 3 * first["bytes"]
    index = declared(gallery, str(most))
    table(0, 1, 2, 3, 4, 5)
    index.ingest()
    rows = kept(index)
    assert 0 < sum(row["bytes"] for row in rows) <= most
    assert first["key"] not in {row["key"] for row in rows}
    assert all(row["bytes"] >= len(row["webp"]) > 0 for row in rows)
    index.ingest()
    assert kept(index) == rows, "a run that reads nothing new writes none"
    table(5)
    index.ingest()
    hashes = {row["content_hash"] for row in index.table(media=True).search().where("active").to_list()}
    assert {row["key"].partition("@")[0] for row in kept(index)} <= hashes, "what was removed is not kept"
    name = ThumbnailTable(open_store(index.spec), index.spec.name).name
    assert declared(gallery, "0").maintain().dropped == [name]
    assert index.maintain().thumbnails == 0


def test_without_the_key_nothing_is_drawn_and_later_by_a_full_run(gallery: Any, web: Any) -> None:
    gallery.write("m.csv", f"id,url,caption\n1,{web.put('/1.png', gallery.png())},\n")
    index = gallery.index()
    index.ingest()
    assert kept(index) == []
    assert declared(gallery).ingest(full=True).media.embedded == 0
    assert len(kept(index)) == 1, "of a picture that is known, too"


def test_a_thumbnail_is_given_to_those_who_see_its_row(gallery: Any, web: Any, open_page: Open) -> None:
    url = web.put("/1.png", gallery.png("blue"))
    gallery.write("m.csv", f"id,url,caption,readers\n1,{url},,group:owners\n")
    rows = {"url": "url", "caption": "caption"}
    source = {"type": "files", "root": ".", "include": ["*.csv"], "rows": rows, "access": {"field": "readers"}}
    index = gallery.index(sources=[source], media=gallery.media(thumbnails="1MB"))
    index.ingest()
    web.pages.clear()
    owners, others = (open_page(index.for_principals([f"group:{name}"])) for name in ("owners", "others"))
    assert colour(owners.get(address("1")).content) == "blue"
    assert others.get(address("1")).status_code == 404
    assert open_page(index.for_principals(relance.OWNER)).get(address("1")).status_code == 200


def test_a_torn_table_stops_no_run_and_is_written_anew(gallery: Any, web: Any, open_page: Open) -> None:
    index = declared(gallery)
    gallery.write("m.csv", f"id,url,caption\n1,{web.put('/1.png', gallery.png('red'))},\n")
    index.ingest()
    for path in Path(gallery.folder, "db", "gallery__thumbnails.lance").rglob("*"):
        if path.is_file():
            os.truncate(path, path.stat().st_size // 2)
    assert colour(open_page(index).get(address("1")).content) == "red", "it is fetched"
    assert "gallery__thumbnails" in str(index.doctor().as_dict())
    for number in (2, 3):
        urls = [web.put(f"/{number}.png", picture(gallery, number)) for number in range(1, number + 1)]
        gallery.write("m.csv", "id,url,caption\n" + "".join(f"{n},{url},\n" for n, url in enumerate(urls, 1)))
        assert index.ingest().media.failed == 0
    assert kept(declared(gallery))
