"""Images and videos in an index: in sync with files, tables, documents and the web, and nothing bought twice."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from rows import rows

from relance.errors import BudgetError, ConfigurationError, InputError
from relance.index import Index
from relance.pipeline.run import Ingestion
from relance.pipeline.run_handle import RunHandle
from relance.store import open_store
from relance.store.chunks import ChunkTable
from relance.store.index_tables import IndexTables
from relance.store.manifest import Manifest

EXPLORE = int(os.environ.get("RELANCE_MEDIA_EXAMPLES", "0"))
SHOWN = ["uri", "url", "kind", "title", "text", "heading_path", "width", "height", "duration_s", "bytes", "tokens",
         "content_hash", "media_type", "metadata"]  # fmt: skip


class Vector:
    """Equal but for rounding, which depends on what else was embedded at the time."""

    __hash__ = None

    def __init__(self, values: list[float]) -> None:
        self.values = np.array(values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vector) and np.allclose(self.values, other.values, atol=1e-5)


def media_rows(index: Index) -> dict[str, dict[str, Any]]:
    """Return the active rows of the media table by uri, without run and dates."""
    serving = IndexTables.serving(open_store(index.spec), index.spec.name, media=True)
    if serving is None or serving.chunks.table is None:
        return {}
    found = {}
    for row in serving.chunks.table.search().where("active").limit(None).to_list():
        kept = {name: row[name] for name in SHOWN} | {"vector": Vector(row["vector"])}
        assert row["uri"] not in found, "one row for each"
        found[row["uri"]] = kept | {"metadata": json.loads(row["metadata"])}
    return found


def versions(index: Index) -> list[tuple[int, ...]]:
    """Return the versions of all tables of both parts, and of the catalog."""
    store, found = open_store(index.spec), []
    for media in (False, True):
        tables = IndexTables.serving(store, index.spec.name, media=media)
        assert tables is not None
        found.append((*tables.versions, tables.catalog.table.version))
    return found


def reasons(index: Index) -> dict[str, str]:
    """Return the failures: uri → reason."""
    return {row.uri: row.reason for row in index.failures()}


@contextlib.contextmanager
def dying(owner: type, name: str, *, after: bool = False, where: str = "") -> Generator[None]:
    """Let a process die before or after a write (to tables whose name holds `where`); it writes nothing more."""
    method = getattr(owner, name)

    def die(self: Any, *arguments: Any, **options: Any) -> Any:
        if where not in self.name:
            return method(self, *arguments, **options)
        if after:
            method(self, *arguments, **options)
        raise SystemExit(9)

    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(SystemExit):
        patch.setattr(owner, name, die)
        yield


# -- in sync -----------------------------------------------------------------------------------------------------

COLOURS = ["red", "green", "blue", "white"]
FILES = ["pics/a.png", "pics/b.png", "pics/sub/c 1.png"]
PAGES = ["/1.png", "/2.png", "/3.png"]
TABLES = ["m.csv", "m.jsonl", "m.parquet"]
DOCUMENTS = ["docs/j.md", "docs/k.html"]
CAPTIONS = ["", "a barn in the morning", "湖边"]

files, pages, colours = st.sampled_from(FILES), st.sampled_from(PAGES), st.sampled_from(COLOURS)
tables, documents, captions = st.sampled_from(TABLES), st.sampled_from(DOCUMENTS), st.sampled_from(CAPTIONS)
validators = st.sampled_from(["etag", "date", "none"])
places = files | pages


class GalleryAndIndex(RuleBasedStateMachine):
    """A folder and a web server that change, an index of them, and now and then a run."""

    def __init__(self, gallery: Any, web: Any, emulator: Any) -> None:
        super().__init__()
        emulator.reset()
        web.pages.clear()
        folder = Path(tempfile.mkdtemp(dir=gallery.folder))
        self.gallery = type(gallery)(folder, gallery.embed_url, gallery._fresh_url)
        self.web, self.emulator, self.index = web, emulator, self.gallery.index()
        self.ticks = 1_700_000_000
        self.rows: dict[str, dict[str, tuple[list[str], str]]] = {name: {} for name in TABLES}
        self.before: dict[str, dict[str, Any]] = {}

    def teardown(self) -> None:
        self.run_whole(full=False)
        shutil.rmtree(self.gallery.folder)

    # -- what happens --------------------------------------------------------------------------------------------

    def save(self, name: str, content: str | bytes) -> None:
        """Write a file and date it: two that are written within one tick of the file system's clock must differ."""
        self.ticks += 1
        os.utime(self.gallery.write(name, content), (self.ticks, self.ticks))

    def address(self, place: str) -> str:
        return self.web.url + place if place.startswith("/") else place

    @initialize()
    def begin(self) -> None:
        for name, colour in zip(FILES, COLOURS, strict=False):
            self.save(name, self.gallery.png(colour))
        for path, colour, validator in zip(PAGES, COLOURS[1:], ("etag", "date", "none"), strict=True):
            self.web.put(path, self.gallery.png(colour), validator=validator)
        for name in TABLES:
            self.set_rows(name, {1, 2}, ["pics/a.png"], "one")
            self.set_rows(name, {3}, ["/1.png"], "two")
        for name in DOCUMENTS:
            self.show(name, ["pics/b.png", "/2.png", "/3.png"], "alt")
        self.index.ingest()
        self.before = media_rows(self.index)

    @rule(name=files, colour=colours)
    def paint(self, name: str, colour: str) -> None:
        self.save(name, self.gallery.png(colour))

    @rule(name=files, content=st.sampled_from([b"", b"<html>no picture</html>"]))
    def spoil(self, name: str, content: bytes) -> None:
        self.save(name, content)

    @rule(name=files)
    def touch(self, name: str) -> None:
        if (self.gallery.folder / name).exists():
            self.save(name, (self.gallery.folder / name).read_bytes())

    @rule(name=st.sampled_from(FILES + TABLES + DOCUMENTS))
    def delete(self, name: str) -> None:
        (self.gallery.folder / name).unlink(missing_ok=True)
        if name in self.rows:
            self.rows[name] = {}

    @rule(old=files, new=files)
    def rename(self, old: str, new: str) -> None:
        if (self.gallery.folder / old).exists():
            (self.gallery.folder / old).replace(self.gallery.folder / new)

    @rule(path=pages, colour=colours, validator=validators)
    def publish(self, path: str, colour: str, validator: Any) -> None:
        self.web.put(path, self.gallery.png(colour), validator=validator)

    @rule(path=pages, status=st.sampled_from([404, 403]))
    def withdraw(self, path: str, status: int) -> None:
        self.web.put(path, b"", status=status)

    @rule(name=tables, ids=st.sets(st.integers(1, 4), min_size=1),
          several=st.lists(places, min_size=1, max_size=2, unique=True), caption=captions)  # fmt: skip
    def set_rows(self, name: str, ids: set[int], several: list[str], caption: str) -> None:
        self.save_rows(name, self.rows[name] | {str(number): (several, caption) for number in ids})

    @rule(name=tables, ids=st.sets(st.integers(1, 4), min_size=1))
    def drop_rows(self, name: str, ids: set[int]) -> None:
        left = {key: row for key, row in self.rows[name].items() if int(key) not in ids}
        self.save_rows(name, left)

    def save_rows(self, name: str, rows: dict[str, tuple[list[str], str]]) -> None:
        self.rows[name] = rows
        records = [{"id": key, "url": [self.address(place) for place in several], "caption": caption}
                   for key, (several, caption) in rows.items()]  # fmt: skip
        if name.endswith(".jsonl"):
            self.save(name, "".join(json.dumps(record) + "\n" for record in records))
        elif name.endswith(".parquet"):
            import pyarrow as pa
            from pyarrow import parquet

            schema = pa.schema({"id": pa.string(), "url": pa.list_(pa.string()), "caption": pa.string()})
            parquet.write_table(pa.Table.from_pylist(records, schema), path := self.gallery.folder / name)
            self.save(name, path.read_bytes())
        else:
            lines = [f'{record["id"]},"{json.dumps(record["url"]).replace(chr(34), 2 * chr(34))}",{record["caption"]}\n'
                     for record in records]  # fmt: skip
            self.save(name, "id,url,caption\n" + "".join(lines))

    @rule(name=documents, shown=st.lists(places, max_size=3), alt=captions)
    def show(self, name: str, shown: list[str], alt: str) -> None:
        places = [self.address(place) if place.startswith("/") else f"../{place}" for place in shown]
        if name.endswith(".md"):
            pictures = [f"![{alt}](<{place}>)" for place in places]
            self.save(name, "\n\n".join(["# Journal", *pictures[:1], "## Later", *pictures[1:], "Words."]))
        else:
            pictures = [f'<img src="{place}" alt="{alt}">' for place in places]
            self.save(name, f"<h1>Journal</h1><p>It was a long day at the lake.</p>{''.join(pictures)}")

    # -- runs ----------------------------------------------------------------------------------------------------

    @rule(full=st.sampled_from([False, False, True]))
    def run_whole(self, full: bool) -> None:
        """Check everything a whole run promises."""
        self.index.ingest(full=full)
        fresh = self.gallery.fresh(self.index)
        failing = {failure.uri for failure in fresh.failures()}
        ours, theirs = media_rows(self.index), media_rows(fresh)
        before, self.before = self.before, ours
        kept = {uri for uri in ours.keys() | before.keys() if uri in failing or uri.partition("#")[0] in failing}
        for uri in kept:  # what cannot be had keeps its last good version
            assert ours.get(uri) == before.get(uri)
        assert {uri: row for uri, row in ours.items() if uri not in kept} == theirs
        assert set(reasons(self.index)) == failing
        assert self.emulator.stats()["duplicates"] == 0, "nothing is bought twice"
        status = self.index.status()
        assert status.interrupted is None
        assert status.media.interrupted is None

        was, requests = versions(self.index), self.emulator.stats()["requests"]
        self.web.take()
        self.index.ingest()
        assert versions(self.index) == was, "a run without changes writes nothing"
        assert self.emulator.stats()["requests"] == requests, "nor does it buy"
        asked = {path for path, status in self.web.take() if status == 200}
        known = {path for path in asked if self.web.pages[path].validator != "none"}
        assert all(self.is_only_in_failures(path) for path in known), "what says its version is not fetched again"

    def is_only_in_failures(self, path: str) -> bool:
        uris = [f"{name}#{key}" for name, rows in self.rows.items() for key, (several, _) in rows.items()
                if path in several]  # fmt: skip
        return set(uris) <= set(reasons(self.index))

    @rule(name=st.sampled_from(FILES + TABLES + DOCUMENTS + ["m.csv#1", "m.jsonl#3"]))
    def run_over_one(self, name: str) -> None:
        self.index.ingest(only=[name])
        self.before = media_rows(self.index)

    @rule()
    def run_stopped_at_once(self) -> None:
        handle = RunHandle()
        handle.stop.set()
        assert self.index.ingest(handle=handle).status == "stopped"

    @rule(full=st.booleans(), after=st.booleans(),
          where=st.sampled_from([(ChunkTable, "replace"), (Manifest, "upsert"), (Manifest, "delete"),
                                 (ChunkTable, "delete"), (ChunkTable, "sweep"), (IndexTables, "mark")]))  # fmt: skip
    def run_killed(self, full: bool, after: bool, where: tuple[type, str]) -> None:
        with dying(*where, after=after, where="media"):
            self.index.ingest(full=full)
        self.before = media_rows(self.index)


def test_whatever_happens_the_media_table_equals_a_new_one(gallery: Any, web: Any, emulator: Any) -> None:
    """And nothing is bought twice, and a run without changes writes nothing.

    RELANCE_MEDIA_EXAMPLES explores that many histories at random instead of the same few.
    """
    machine: Any = lambda: GalleryAndIndex(gallery, web, emulator)  # noqa: E731  # it has to be made without arguments
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXPLORE or 3,
            stateful_step_count=10,
            derandomize=not EXPLORE,
            database=None,
            phases=[Phase.generate],
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


# -- never pay twice ---------------------------------------------------------------------------------------------


@pytest.fixture
def filled(gallery: Any, web: Any) -> Any:
    """Four colours in a folder, a table, two documents and on the web."""
    for name, colour in (("a", "red"), ("b", "green")):
        gallery.paint(f"pics/{name}.png", colour)
    one, two = web.put("/1.png", gallery.png("blue")), web.put("/2.png", gallery.png("white"), validator="date")
    gallery.write("m.csv", f"id,url,caption\n1,pics/a.png,the barn\n2,{one},the lake\n3,{two},the snow\n")
    gallery.write("docs/j.md", f"# Journal\n\n## Morning\n\nWe saw it.\n\n![a barn](../pics/a.png)\n\n![lake]({one})\n")
    gallery.write("docs/k.html", f"<h1>Winter</h1><p>It was a long day.</p><img src='{two}' alt='snow'>")
    return gallery


def test_the_same_picture_in_a_folder_a_table_and_a_document_is_bought_once(filled: Any, emulator: Any) -> None:
    index = filled.index()
    report = index.ingest().media
    assert (report.added, report.chunks, report.embedded, report.reused, report.failed) == (8, 8, 4, 4, 0)
    assert {name: emulator.stats()[name] for name in ("texts", "duplicates")} == {"texts": 4, "duplicates": 0}
    rows = media_rows(index)
    assert rows["docs/j.md#../pics/a.png"]["heading_path"] == ["Journal", "Morning"]
    assert rows["docs/j.md#../pics/a.png"]["text"] == "a barn"
    assert (rows["m.csv#1"]["text"], rows["m.csv#1"]["url"], rows["pics/a.png"]["text"]) == (
        "the barn",
        "pics/a.png",
        "",
    )
    for uri in ("m.csv#1", "docs/j.md#../pics/a.png"):
        assert rows[uri]["vector"] == rows["pics/a.png"]["vector"]
        assert rows[uri]["content_hash"] == rows["pics/a.png"]["content_hash"]
    assert {(row["width"], row["height"], row["kind"]) for row in rows.values()} == {(24, 16, "image")}


def test_a_run_without_changes_asks_every_address_conditionally_and_writes_nothing(
    filled: Any, web: Any, emulator: Any
) -> None:
    index = filled.index()
    index.ingest()
    was, requests = versions(index), emulator.stats()["requests"]
    web.take()
    report = index.ingest()
    assert (report.unchanged, report.media.unchanged, report.media.touched) == (2, 8, 0)
    assert versions(index) == was
    assert emulator.stats()["requests"] == requests
    assert web.take() == [("/1.png", 304)] * 2 + [("/2.png", 304)] * 2


def test_a_server_without_validators_is_asked_for_the_file_and_nothing_is_written(
    gallery: Any, web: Any, emulator: Any
) -> None:
    gallery.write("m.csv", f"id,url,caption\n1,{web.put('/1.png', gallery.png(), validator='none')},\n")
    index = gallery.index()
    index.ingest()
    was = versions(index)
    assert index.ingest().media.unchanged == 1
    assert (versions(index), emulator.stats()["texts"]) == (was, 1)
    web.put("/1.png", gallery.png("blue"), validator="none")
    assert index.ingest().media.changed == 1
    assert emulator.stats()["texts"] == 2


def test_a_new_validator_of_the_same_file_is_asked_by_the_next_time(gallery: Any, web: Any, emulator: Any) -> None:
    gallery.write("m.csv", f"id,url,caption\n1,{web.put('/1.png', gallery.png())},\n")
    index = gallery.index()
    index.ingest()
    web.put("/1.png", gallery.png())
    report = index.ingest().media
    assert (report.unchanged, report.touched, report.changed) == (1, 1, 0)
    web.take()
    index.ingest()
    assert web.take() == [("/1.png", 304)]
    assert emulator.stats()["texts"] == 1


def test_a_caption_or_heading_that_changes_rewrites_the_row_and_buys_nothing(filled: Any, emulator: Any) -> None:
    index = filled.index()
    index.ingest()
    bought = emulator.stats()["texts"]
    for name, old, new in (("m.csv", "the lake", "the sea"), ("docs/j.md", "Morning", "Evening")):
        path = filled.folder / name
        path.write_text(path.read_text().replace(old, new))
    plan = index.plan().media
    assert (plan.changed, plan.tokens, plan.requests, plan.cost_usd) == (3, 0, 0, 0.0), "the plan knows that, too"
    report = index.ingest().media
    assert (report.changed, report.embedded, report.tokens) == (3, 0, 0)
    assert emulator.stats()["texts"] == bought
    rows = media_rows(index)
    assert rows["m.csv#2"]["text"] == "the sea"
    assert rows["docs/j.md#../pics/a.png"]["heading_path"] == ["Journal", "Evening"]
    assert len(rows) == 8


def test_another_chunking_does_not_touch_the_media(filled: Any, web: Any) -> None:
    filled.index(chunking={"max_tokens": 64}).ingest()
    web.take()
    report = filled.index(chunking={"max_tokens": 32}).ingest()
    assert (report.changed, report.media.unchanged) == (2, 8)
    assert all(status == 304 for _, status in web.take())


def test_several_views_of_one_thing_have_one_vector_and_are_asked_conditionally(
    gallery: Any, web: Any, emulator: Any
) -> None:
    """Of several addresses one that changed needs them all, for they are embedded together."""
    gallery.paint("pics/a.png", "red")
    urls = ["pics/a.png", web.put("/1.png", gallery.png("green")), web.put("/2.png", gallery.png("blue"))]
    gallery.write("m.jsonl", json.dumps({"id": 1, "url": urls, "caption": "a jug"}) + "\n")
    source = {"type": "files", "root": str(gallery.folder), "include": ["m.jsonl"],
              "rows": {"url": "url", "caption": "caption"}}  # fmt: skip
    index = gallery.index(sources=[source])
    index.ingest()
    row = media_rows(index)["m.jsonl#1"]
    assert (row["kind"], row["tokens"]) == ("images", 3 * 896)
    was = versions(index)
    web.take()
    assert index.ingest().media.unchanged == 1
    assert web.take() == [("/1.png", 304), ("/2.png", 304)]
    assert (versions(index), emulator.stats()["texts"]) == (was, 1)

    web.put("/2.png", gallery.png("white"))
    assert index.ingest().media.changed == 1
    assert web.take() == [("/1.png", 200), ("/1.png", 304), ("/2.png", 200)]
    gallery.paint("pics/a.png", "black")
    assert index.ingest().media.changed == 1
    assert (emulator.stats()["texts"], emulator.stats()["duplicates"]) == (3, 0)
    assert media_rows(index) == media_rows(gallery.fresh(index))


# -- failures ----------------------------------------------------------------------------------------------------


def noise(gallery: Any, side: int) -> bytes:
    """Draw a picture that no format makes smaller."""
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.frombytes("RGB", (side, side), os.urandom(3 * side * side)).save(stream, "BMP")
    return stream.getvalue()


BAD: dict[str, tuple[Callable[[Any, Any], str], str]] = {
    "gone": (lambda gallery, web: web.url + "/gone.png", r"nothing at this address \(404\)"),
    "login": (lambda gallery, web: web.put("/login.png", b"", status=403), "login"),
    "private": (lambda gallery, web: "http://10.0.0.7/a.png", "10.0.0.7"),
    "metadata": (lambda gallery, web: "http://169.254.169.254/latest/meta-data", "169.254.169.254"),
    "lying": (lambda gallery, web: web.put("/lie.png", b"<html><body>Log in</body></html>"), "named like image/png"),
    "huge": (lambda gallery, web: web.put("/huge.png", bytes(300_000)), "more than"),
    "missing": (lambda gallery, web: "pics/missing.png", "pics/missing.png: there is no such file"),
    "outside": (lambda gallery, web: "../../secret.png", "no path below"),
    "scheme": (lambda gallery, web: "ftp://example.com/a.png", "no http address"),
    "nothing": (lambda gallery, web: "", "no address in column 'url'"),
    "small": (lambda gallery, web: str(gallery.paint("pics/small.png", size=(8, 9)).relative_to(gallery.folder)),
              "at least 10"),
    "long": (lambda gallery, web: str(gallery.paint("pics/long.png", size=(2200, 10)).relative_to(gallery.folder)),
             "200 times"),
    "webp": (lambda gallery, web: str(gallery.paint("pics/w.webp", form="WEBP").relative_to(gallery.folder)),
             "the model takes BMP, JPEG or PNG"),
    "film": (lambda gallery, web: str(gallery.write("pics/film.mp4", gallery.mp4()).relative_to(gallery.folder)),
             "public_url"),
    "unknown": (lambda gallery, web: web.put("/notes.txt", b"Dear diary", media_type="image/png"), "no image or video"),
}  # fmt: skip


def test_each_fault_is_one_failure_with_its_reason_and_everything_else_goes_through(
    gallery: Any, web: Any, emulator: Any
) -> None:
    good = {"one": web.put("/1.png", gallery.png("blue")), "two": "pics/a.png"}
    gallery.paint("pics/a.png")
    places = good | {name: make(gallery, web) for name, (make, _) in BAD.items()}
    gallery.write("m.csv", "id,url,caption\n" + "".join(f"{name},{place},\n" for name, place in places.items()))
    source = {"type": "files", "root": str(gallery.folder), "include": ["m.csv"], "rows": {"url": "url"}}
    index = gallery.index(sources=[source], media=gallery.media(fetch={"max_size": 200_000}))
    report = index.ingest()
    assert report.status == "completed with failures"
    assert set(media_rows(index)) == {f"m.csv#{name}" for name in good}
    found = reasons(index)
    assert set(found) == {f"m.csv#{name}" for name in BAD}
    assert report.media.failed == len(BAD)
    for name, (_, words) in BAD.items():
        reason = found[f"m.csv#{name}"]
        assert re.search(words, reason), reason
        assert len(reason.splitlines()) == 1
        assert "Error" not in reason
    assert emulator.stats()["texts"] == len(good)
    assert emulator.stats()["by_status"] == {"200": 1}, "nothing is sent that would be refused"


def test_an_inward_address_is_refused_unless_its_host_is_allowed(gallery: Any, web: Any) -> None:
    gallery.write("m.csv", f"id,url,caption\n1,{web.put('/1.png', gallery.png())},\n")
    closed = gallery.index(media=gallery.media(fetch={"allow": []}))
    assert closed.ingest().media.failed == 1
    assert "127.0.0.1" in reasons(closed)["m.csv#1"]
    assert web.take() == [], "not even asked"
    assert gallery.index().ingest().media.added == 1
    assert reasons(closed) == {}


def test_what_is_too_large_for_the_model_is_refused_or_scaled_as_the_spec_says(gallery: Any, emulator: Any) -> None:
    path = gallery.write("pics/a.bmp", noise(gallery, 1100))
    assert path.stat().st_size > 3 << 20
    index = gallery.index()
    assert index.ingest().media.failed == 1
    assert "the model takes 3 MiB" in reasons(index)["pics/a.bmp"]
    assert emulator.stats()["requests"] == 0
    scaled = gallery.index(media=gallery.media(oversize="scale"))
    assert scaled.ingest().media.added == 1
    row = media_rows(scaled)["pics/a.bmp"]
    assert (row["width"], row["height"], row["bytes"]) == (1100, 1100, path.stat().st_size), "the row is the original's"
    assert reasons(scaled) == {}


def test_what_cannot_be_had_keeps_its_last_good_version_and_is_repaired_when_it_is_mended(
    filled: Any, web: Any, emulator: Any
) -> None:
    index = filled.index()
    index.ingest()
    before, bought = media_rows(index), emulator.stats()["texts"]
    page = web.pages["/1.png"]
    filled.write("pics/b.png", b"<html>not a picture</html>")
    web.put("/1.png", b"", status=404)
    filled.write("docs/k.html", b"")
    assert index.ingest().media.failed == 4
    assert set(reasons(index)) == {"pics/b.png", "m.csv#2", f"docs/j.md#{web.url}/1.png", "docs/k.html"}
    assert media_rows(index) == before

    web.pages["/1.png"] = page
    filled.paint("pics/b.png", "green")
    filled.write("docs/k.html", f"<h1>Winter</h1><p>It was a long day.</p><img src='{web.url}/2.png' alt='snow'>")
    web.take()
    assert index.ingest().status == "completed"
    assert ("/1.png", 200) not in web.take(), "it was known"
    assert (reasons(index), media_rows(index), emulator.stats()["texts"]) == ({}, before, bought)


def test_a_picture_that_the_service_refuses_is_a_failure_and_its_neighbours_go_through(
    gallery: Any, emulator: Any
) -> None:
    import base64

    for number, colour in enumerate(["red", "green", "blue", "white", "black"]):
        gallery.paint(f"pics/{number}.png", colour)
    guilty = base64.b64encode(gallery.png("blue")).decode()
    emulator.faults([{"kind": "multimodal", "match": guilty, "action": "DataInspectionFailed"}])
    index = gallery.index()
    report = index.ingest().media
    assert (report.added, report.failed, report.embedded) == (4, 1, 4)
    assert list(reasons(index)) == ["pics/2.png"]
    emulator.faults([])
    assert index.ingest().media.added == 1
    assert (reasons(index), emulator.stats()["duplicates"]) == ({}, 0)


def test_several_views_with_a_model_that_takes_one_are_a_failure(gallery: Any) -> None:
    for name in "ab":
        gallery.paint(f"pics/{name}.png", {"a": "red", "b": "blue"}[name])
    gallery.write("m.jsonl", json.dumps({"id": 1, "url": ["pics/a.png", "pics/b.png"], "caption": ""}) + "\n")
    embedding = {"model": "dashscope/multimodal-embedding-v1", "region": "beijing"}
    index = gallery.index(media=gallery.media(embedding=embedding))
    assert index.ingest().media.added == 2
    assert "one image at a time" in reasons(index)["m.jsonl#1"]


def test_a_document_that_cannot_be_read_keeps_its_pictures(filled: Any, web: Any) -> None:
    index = filled.index()
    index.ingest()
    before = media_rows(index)
    filled.write("docs/j.md", b"![\xff\xfe\x00 \x81\x8d" * 9)
    filled.write("m.csv", b"")
    index.ingest()
    assert media_rows(index) == before


# -- videos ------------------------------------------------------------------------------------------------------


def test_a_video_is_sent_by_its_address_and_has_a_length(gallery: Any, web: Any, emulator: Any) -> None:
    film = gallery.mp4(seconds=2)
    url = web.put("/film.mp4", film, media_type="video/mp4")
    gallery.write("m.csv", f"id,url,caption\n1,{url},a red wall\n")
    gallery.write("films/my film.mp4", film)
    other = {"type": "files", "root": str(gallery.folder / "films"), "public_url": f"{web.url}/cdn"}
    web.put("/cdn/my%20film.mp4", film, media_type="video/mp4")
    rows = {"type": "files", "root": str(gallery.folder), "include": ["m.csv"], "rows": {"url": "url"}}
    index = gallery.index(sources=[other, rows])
    report = index.ingest().media
    assert (report.added, report.embedded, report.failed) == (2, 1, 0)
    for row in media_rows(index).values():
        assert (row["kind"], row["duration_s"], row["width"], row["height"]) == ("video", 2.0, 32, 32)
    body = emulator.requests()[-1]["body"]
    assert f"{web.url}/cdn/my%20film.mp4" in body or url in body
    assert "base64" not in body


def test_a_video_that_a_document_of_another_folder_shows_is_sent_by_the_address_of_its_own(
    gallery: Any, web: Any
) -> None:
    gallery.write("films/a.mp4", gallery.mp4())
    web.put("/a.mp4", gallery.mp4(), media_type="video/mp4")
    gallery.write("docs/j.html", "<h1>Films</h1><p>Look at it.</p><video src='../films/a.mp4'></video>")
    films = {"type": "files", "root": str(gallery.folder / "films"), "public_url": web.url}
    docs = {"type": "files", "root": str(gallery.folder / "docs")}
    index = gallery.index(sources=[films, docs])
    report = index.ingest().media
    assert (report.added, report.embedded, reasons(index)) == (2, 1, {})


def test_a_video_over_the_limit_is_refused_before_it_is_sent(gallery: Any, web: Any, emulator: Any) -> None:
    free = b"\0\xa8\0\0free" + bytes((0xA80000) - 8)  # a box of 10.5 MiB that says nothing
    url = web.put("/film.mp4", gallery.mp4() + free, media_type="video/mp4")
    gallery.write("m.csv", f"id,url,caption\n1,{url},\n")
    index = gallery.index()
    assert index.ingest().media.failed == 1
    assert "the model takes 10 MiB" in reasons(index)["m.csv#1"]
    assert emulator.stats()["requests"] == 0


# -- crashes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("where", [(ChunkTable, "replace"), (Manifest, "upsert"), (IndexTables, "mark")])
def test_a_run_that_dies_between_two_writes_is_repaired_by_the_next(
    filled: Any, web: Any, emulator: Any, where: tuple[type, str], after: bool
) -> None:
    index = filled.index()
    index.ingest()
    filled.paint("pics/a.png", "purple")
    web.put("/1.png", filled.png("yellow"))
    (filled.folder / "pics/b.png").unlink()
    with dying(*where, after=after, where="media"):
        index.ingest()
    assert index.ingest().status == "completed"
    assert media_rows(index) == media_rows(filled.fresh(index))
    assert index.status().media.interrupted is None
    assert (emulator.stats()["texts"], emulator.stats()["duplicates"]) == (6, 0), "what the dead run bought is kept"
    was = versions(index)
    index.ingest()
    assert versions(index) == was


def test_a_stage_may_run_twice(filled: Any) -> None:
    """Prefect may repeat a task whose result it has lost; by then the pictures are let go of."""
    from relance.pipeline.modalities import modality_runs

    embedding = {"model": "dashscope/tongyi-embedding-vision-plus-2026-03-06", "region": "beijing", "fuse": True}
    index = filled.index(media=filled.media(embedding=embedding))
    _, media = modality_runs(index.spec)
    with media as run:
        run.discover()
        for batch in run.batches():
            run.chunk(run.load(batch))
            run.embed(run.embed(batch))
            run.upsert(batch)
        report = run.finish()
    assert (report.added, report.failed) == (8, 0)


# -- the texts beside them ---------------------------------------------------------------------------------------


def test_media_change_nothing_about_the_texts(filled: Any) -> None:
    """Nor are images failures of the text part."""
    with_media = filled.index()
    report = with_media.ingest()
    assert (report.failed, report.added) == (0, 2)
    exclude = ["db", "fresh*", "m.csv"]
    without = filled.index("fresh", media=None,
                           sources=[{"type": "files", "root": str(filled.folder), "exclude": exclude}])  # fmt: skip
    without.ingest()
    assert rows(with_media, vectors=True) == rows(without, vectors=True)
    assert without.status().media is None


def test_a_table_may_have_texts_and_pictures_and_rows_with_one_of_both(gallery: Any) -> None:
    """Where `text` is named, a row without picture is not a fault."""
    gallery.paint("pics/a.png")
    gallery.write("m.csv", "id,url,caption,text\n1,pics/a.png,,A barn.\n2,,,No picture here.\n")
    rows = {"url": "url", "text": "text"}
    index = gallery.index(sources=[{"type": "files", "root": str(gallery.folder), "include": ["m.csv"], "rows": rows}])
    report = index.ingest()
    assert (report.added, report.media.added, reasons(index)) == (2, 1, {})


def test_pictures_that_are_named_by_a_pattern_are_indexed(gallery: Any) -> None:
    """An explicit `include` makes every file of another kind a failure of the text part; not these."""
    gallery.paint("pics/a.png")
    gallery.paint("pics/b.jpg", form="JPEG")
    gallery.write("docs/j.md", "# Journal\n\n![b](../pics/b.jpg)\n")
    source = {"type": "files", "root": str(gallery.folder), "include": ["*.png"]}
    index = gallery.index(sources=[source])
    report = index.ingest()
    assert (report.added, report.status) == (0, "completed")
    assert set(media_rows(index)) == {"pics/a.png"}


def test_only_and_full_are_for_both_parts(filled: Any, web: Any, emulator: Any) -> None:
    index = filled.index()
    report = index.ingest(only=["docs/j.md"])
    assert (report.added, report.media.added) == (1, 2)
    report = index.ingest(only=["m.csv#2"])
    assert (report.added, report.media.added) == (0, 1)
    report = index.ingest()
    assert (report.added, report.media.added, report.media.unchanged) == (1, 5, 3)
    before, bought = media_rows(index), emulator.stats()["texts"]
    web.take()
    report = index.ingest(full=True)
    assert (report.changed, report.media.changed, report.media.embedded) == (2, 8, 0)
    assert {status for _, status in web.take()} == {200}
    assert (media_rows(index), emulator.stats()["texts"]) == (before, bought)


# -- going back, and looking -------------------------------------------------------------------------------------


def test_a_rollback_puts_both_parts_back_whichever_of_them_had_changed(filled: Any) -> None:
    index = filled.index()
    states = []

    def run() -> str:
        report = index.ingest()
        states.append((rows(index, vectors=True), media_rows(index)))
        return report.run_id

    def state() -> tuple[Any, Any]:
        return rows(index, vectors=True), media_rows(index)

    first = run()
    filled.paint("pics/a.png", "black")  # media only
    run()
    filled.write("docs/l.txt", "Words without a picture.")  # texts only
    run()
    run()  # nothing
    done = index.rollback()
    assert state() == states[1]
    assert (done.media.run_id, done.index, done.media.index) == (done.run_id, "gallery", "gallery/media")
    assert index.rollback().run_id == first
    assert state() == states[0]
    with pytest.raises(InputError, match="no earlier run"):
        index.rollback()
    index.ingest()
    assert state() == states[2], "the next run is in sync again"


def test_a_run_that_left_a_part_incomplete_cannot_be_gone_back_to(filled: Any) -> None:
    index = filled.index()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(BudgetError):
        patch.setattr(Index, "check_budget", lambda *_, **__: None)
        filled.index(limits={"max_cost_usd": 0.00001}).ingest()
    broken = index.runs()[0].run_id
    index.ingest()
    before = media_rows(index), rows(index, vectors=True)
    with pytest.raises(InputError, match="no complete index"):
        index.rollback(broken)
    with pytest.raises(InputError, match="no earlier run"):
        index.rollback()
    assert (media_rows(index), rows(index, vectors=True)) == before


def test_status_failures_and_runs_tell_of_both_parts(filled: Any) -> None:
    filled.write("pics/bad.png", b"no picture")
    filled.write("docs/bad.md", b"")
    index = filled.index()
    report = index.ingest()
    status = index.status()
    assert (status.documents, status.media.documents) == (2, 8)
    assert (status.failures, status.media.failures) == (1, 2)
    assert status.media.tokens == 8 * 896
    assert status.media.last_run.part == "media"
    assert set(reasons(index)) == {"pics/bad.png", "docs/bad.md"}
    assert [(run.run_id, run.part) for run in index.runs()] == [(report.run_id, "media"), (report.run_id, "text")]
    without = filled.index(media=None, sources=[{"type": "files", "root": str(filled.folder)}])
    assert without.status().media is None
    assert list(reasons(without)) == ["docs/bad.md"]
    with pytest.raises(ConfigurationError, match="add a `media` section"):
        without.search_media(image=filled.folder / "pics/a.png")


# -- declarations ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["fake/hash", "dashscope/text-embedding-v4"])
def test_a_model_for_texts_is_refused_by_name_before_anything_is_asked_or_bought(
    filled: Any, web: Any, emulator: Any, model: str
) -> None:
    index = filled.index(media=filled.media(embedding={"model": model}))
    for call in (index.plan, index.ingest):
        with pytest.raises(ConfigurationError, match=f"media.embedding.model: {model}"):
            call()
    assert (web.take(), emulator.stats()["requests"]) == ([], 0)


def test_fusion_needs_a_model_that_fuses(filled: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"media\.embedding\.fuse.*2026"):
        filled.index(media=filled.media(embedding={"fuse": True})).ingest()


@pytest.mark.parametrize("model", ["tongyi-embedding-vision-plus-2026-03-06", "qwen3-vl-embedding"])
def test_with_fusion_a_caption_is_part_of_the_vector_and_its_change_is_bought(
    filled: Any, emulator: Any, model: str
) -> None:
    embedding = {"model": f"dashscope/{model}", "region": "beijing", "fuse": True}
    index = filled.index(media=filled.media(embedding=embedding))
    report = index.ingest().media
    assert (report.added, report.failed) == (8, 0)
    rows = media_rows(index)
    assert rows["m.csv#1"]["vector"] != rows["pics/a.png"]["vector"]
    path = filled.folder / "m.csv"
    path.write_text(path.read_text().replace("the lake", "the sea"))
    report = index.ingest().media
    assert (report.changed, report.embedded) == (1, 1)
    assert media_rows(index)["m.csv#2"]["vector"] != rows["m.csv#2"]["vector"]
    assert emulator.stats()["duplicates"] == 0


def test_another_model_is_built_beside_and_asked_when_it_is_whole(filled: Any, web: Any, emulator: Any) -> None:
    index = filled.index()
    index.ingest()
    old = index.status().media.table
    embedding = {"model": "dashscope/tongyi-embedding-vision-plus-2026-03-06", "region": "beijing", "fuse": True}
    other = filled.index(media=filled.media(embedding=embedding))
    emulator.faults([{"kind": "multimodal", "model": "tongyi-embedding-vision-plus-2026-03-06", "action": "Throttling",
                      "times": None}])  # fmt: skip
    impatient = filled.index(media=filled.media(embedding=embedding | {"max_attempts": 1}))
    assert impatient.ingest().media.failed == 8
    assert impatient.status().media.table == old
    assert impatient.search_media("red", mode="dense", k=1)[0].url == "pics/a.png", "questions go to the old one"
    emulator.faults([])
    assert other.plan().media.rebuild
    assert other.ingest().media.added == 8
    assert other.status().media.table != old
    assert media_rows(other) == media_rows(filled.fresh(other))


# -- money -------------------------------------------------------------------------------------------------------


def test_media_that_would_exceed_the_budget_stop_before_anything_is_spent(filled: Any, emulator: Any) -> None:
    """Four pictures at 896 tokens and $0.09 a million: $0.00032."""
    index = filled.index(limits={"max_cost_usd": 0.0003})
    assert index.plan().total_usd == pytest.approx(4 * 896 * 0.09 / 1e6)
    with pytest.raises(BudgetError, match="nothing was spent"):
        index.ingest()
    assert emulator.stats()["requests"] == 0
    assert filled.index(limits={"max_cost_usd": 0.0004}).ingest().media.added == 8


def test_texts_and_media_spend_from_one_budget(filled: Any, emulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the plan did not foresee is stopped by the run itself, before the request that would be too much."""
    embedding = filled.embedding(model="dashscope/text-embedding-v4", price_per_million_tokens=10.0)
    cost = filled.index(embedding=embedding).plan().cost_usd
    limit = {"max_cost_usd": cost + 3.5 * 896 * 0.09 / 1e6}
    index = filled.index(embedding=embedding, limits=limit)
    with pytest.raises(BudgetError, match="nothing was spent"):
        index.ingest()
    monkeypatch.setattr(Index, "check_budget", lambda *_, **__: None)
    with pytest.raises(BudgetError, match="would bring this run to"):
        index.ingest()
    assert len(rows(index, vectors=True)) == 2, "the texts were paid for"
    assert list(emulator.stats()["tokens_by_model"]) == ["text-embedding-v4"]
    assert [run.status for run in index.runs()] == ["failed", "completed"]


def test_the_budget_needs_a_price_for_the_media(filled: Any) -> None:
    embedding = {"region": "hongkong"}
    with pytest.raises(ConfigurationError, match=r"media\.embedding"):
        filled.index(media=filled.media(embedding=embedding), limits={"max_cost_usd": 1}).ingest()


def test_pictures_that_are_known_cost_nothing_in_a_plan(filled: Any) -> None:
    index = filled.index()
    index.ingest()
    plan = index.plan().media
    assert (plan.unchanged, plan.tokens, plan.cost_usd) == (8, 0, 0.0)
    filled.paint("pics/new.png", "green")  # in the index already, as another file
    filled.paint("pics/other.png", "purple")
    plan = index.plan().media
    assert (plan.added, plan.chunks, plan.reused, plan.tokens) == (2, 2, 1, 896)


def test_planning_asks_no_address_and_writes_nothing(filled: Any, web: Any, emulator: Any) -> None:
    filled.write("docs/inline.md", "# Inline\n\n![dot](data:image/png;base64,iVBORw0KGgo=)\n")
    index = filled.index()
    plan = index.plan().media
    assert (plan.added, plan.failed) == (8, 1), "the dot is damaged, and no address is needed to see that"
    assert (web.take(), emulator.stats()["requests"]) == ([], 0)
    assert not (filled.folder / "db").exists()


def test_the_stages_of_a_run_are_those_of_every_run(filled: Any) -> None:
    """Media travel the main path: the same stages, in batches of their own."""
    from relance.pipeline.media import MediaIngestion

    stages = ("discover", "batches", "load", "chunk", "embed", "upsert", "abandon", "finish")
    assert issubclass(MediaIngestion, Ingestion)
    assert set(filled.index().ingest().media.seconds) <= {*stages, "total"}


def test_a_document_that_has_not_changed_is_not_parsed_again(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from relance.parsers import Parsers

    index = filled.index()
    index.ingest()
    parsed = []
    original = Parsers.references
    monkeypatch.setattr(Parsers, "references", lambda self, raw: parsed.append(raw.uri) or original(self, raw))
    again = index.ingest().media
    assert (parsed, again.added, again.changed, again.removed) == ([], 0, 0, 0)
    index.ingest(full=True)
    assert parsed, "a full run trusts nothing it remembers"
    parsed.clear()
    filled.paint("pics/late.png", "green")
    filled.write("docs/late.md", "# Late\n\n![late](../pics/late.png)\n")
    assert index.ingest().media.added == 2
    assert parsed == ["docs/late.md"]


def test_drawings_without_pixels_are_passed_over_in_documents(gallery: Any) -> None:
    gallery.write("docs/badges.md", "# Badges\n\n![build](https://example.com/badge.svg?branch=main) ![x](x.SVG)\n")
    report = gallery.index().ingest()
    assert (report.status, report.media.added, report.media.failed) == ("completed", 0, 0)


def test_a_local_film_is_lent_to_the_service_where_that_is_asked_for(gallery: Any, emulator: Any) -> None:
    gallery.write("films/a.mp4", gallery.mp4())
    section = gallery.media(embedding={"region": "beijing", "upload": True})
    media = gallery.index(media=section).ingest().media
    assert (media.added, media.failed) == (1, 0)
    assert emulator.stats()["by_path"]["/api/v1/uploads"] == 1
    elsewhere = gallery.index("other", media=gallery.media(embedding={"upload": True})).ingest().media
    assert "Beijing only" in elsewhere.failures[0].reason


def test_a_caption_too_long_to_be_fused_is_refused_before_it_is_sent(gallery: Any, emulator: Any) -> None:
    gallery.paint("pics/a.png")
    rows = [{"id": "long", "url": "pics/a.png", "caption": "word " * 2000}, {"id": "short", "url": "pics/a.png"}]
    gallery.write("catalog.jsonl", "\n".join(json.dumps(row) for row in rows))
    fusing = {"model": "dashscope/tongyi-embedding-vision-plus-2026-03-06", "region": "beijing", "fuse": True}
    media = gallery.index(media=gallery.media(embedding=fusing)).ingest().media
    assert [failure.uri for failure in media.failures] == ["catalog.jsonl#long"]
    assert "caption" in media.failures[0].reason
    assert emulator.stats()["by_status"] == {"200": media.requests}


def test_a_run_that_finds_the_media_being_written_ends_before_it_begins(filled: Any) -> None:
    from relance.errors import IndexBusyError
    from relance.store.lock import hold

    index = filled.index()
    with hold(index._store, "gallery/media"), pytest.raises(IndexBusyError):
        index.ingest()
    assert index.status().documents == 0
