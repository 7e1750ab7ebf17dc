"""Whatever happens to files, tables, documents and the web, and wherever a run dies: the next one is in sync."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from media_rows import media_rows, reasons, versions

from relance.pipeline.run_handle import RunHandle
from relance.store.chunks import ChunkTable
from relance.store.index_tables import IndexTables
from relance.store.manifest import Manifest

EXPLORE = int(os.environ.get("RELANCE_MEDIA_EXAMPLES", "0"))


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


# -- histories ---------------------------------------------------------------------------------------------------

COLOURS = ["red", "green", "blue", "white"]
FILES = ["pics/a.png", "pics/b.png", "pics/sub/c 1.png"]
PAGES = ["/1.png", "/2.png", "/3.png"]
FILMS, FILM_PAGES = ["pics/d.mp4"], ["/4.mp4"]
TABLES = ["m.csv", "m.jsonl", "m.parquet"]
DOCUMENTS = ["docs/j.md", "docs/k.html"]
CAPTIONS = ["", "a barn in the morning", "湖边"]

files, pages, colours = st.sampled_from(FILES), st.sampled_from(PAGES), st.sampled_from(COLOURS)
tables, documents, captions = st.sampled_from(TABLES), st.sampled_from(DOCUMENTS), st.sampled_from(CAPTIONS)
validators = st.sampled_from(["etag", "date", "none"])
places = files | pages
film_files, film_pages = st.sampled_from(FILMS), st.sampled_from(FILM_PAGES)
sets = st.lists(places, min_size=1, max_size=2, unique=True)
scenes = st.lists(colours, min_size=1, max_size=3)


def seen_in(row: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what a row has of its picture, without what is said of it."""
    said = {"url", "title", "text", "heading_path", "metadata"}
    return None if row is None else {name: value for name, value in row.items() if name not in said}


class GalleryAndIndex(RuleBasedStateMachine):
    """A folder and a web server that change, an index of them, and now and then a run."""

    def __init__(self, gallery: Any, web: Any, emulator: Any) -> None:
        super().__init__()
        emulator.reset()
        web.pages.clear()
        folder = Path(tempfile.mkdtemp(dir=gallery.folder))
        self.gallery = type(gallery)(folder, gallery.embed_url, gallery._fresh_url)
        self.web, self.emulator = web, emulator
        self.index = self.gallery.index(media=self.gallery.media(films={"embed": "key-frames", "frames": 3}))
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
        self.film(FILMS[0], ["red", "blue"])
        self.broadcast(FILM_PAGES[0], ["green", "red", "white"], "etag")
        for name in TABLES:
            self.set_rows(name, {1, 2}, ["pics/a.png"], "one")
            self.set_rows(name, {3}, ["/1.png"], "two")
            self.set_rows(name, {4}, FILM_PAGES, "three")
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

    @rule(name=st.sampled_from(FILES + FILMS + TABLES + DOCUMENTS))
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

    @rule(name=film_files, colours=scenes)
    def film(self, name: str, colours: list[str]) -> None:
        self.save(name, self.gallery.film(*colours))

    @rule(path=film_pages, colours=scenes, validator=validators)
    def broadcast(self, path: str, colours: list[str], validator: Any) -> None:
        self.web.put(path, self.gallery.film(*colours), media_type="video/mp4", validator=validator)

    @rule(path=pages | film_pages, status=st.sampled_from([404, 403]))
    def withdraw(self, path: str, status: int) -> None:
        self.web.put(path, b"", status=status)

    @rule(name=tables, ids=st.sets(st.integers(1, 4), min_size=1),
          several=sets | st.just(FILM_PAGES), caption=captions)  # fmt: skip
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
        for uri in kept:  # what cannot be had keeps its last good version, under what its table says now
            assert seen_in(ours.get(uri)) == seen_in(before.get(uri))
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


@pytest.mark.long
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


# -- crashes -----------------------------------------------------------------------------------------------------


@pytest.mark.long
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
