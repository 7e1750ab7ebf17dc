"""Whatever happens to a folder and whenever a run is cut short: the next whole run is in sync and bought nothing twice.

RELANCE_IN_STEP_EXAMPLES explores that many histories at random instead of the same few.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from relance.config import IndexSpec
from relance.index import Index
from relance.pipeline.run_handle import RunHandle
from relance.store import open_store
from relance.store.chunks import ChunkTable
from relance.store.index_tables import IndexTables
from relance.store.manifest import Manifest

EXPLORE = int(os.environ.get("RELANCE_IN_STEP_EXAMPLES", "0"))
NAMES = ["a.md", "b.md", "sub/c.md", "sub/d.txt", "sub/文 档#1.md"]
TABLES = ["data.jsonl", "sub/more #2.jsonl"]
PARAGRAPHS = [
    "The gauge tells how high the river stands, every ten minutes, day and night.",
    "A bridge spans the water where the ferry used to cross before the flood.",
    "传感器安装在桥墩上，每小时上传一次数据；洪水之后必须清洗过滤网。",
    "## Winter\n\nThe battery lasts six weeks without sun if the heater stays off.",
    "The antenna is aligned by hand.",
]

names, tables = st.sampled_from(NAMES), st.sampled_from(TABLES)
contents = st.lists(st.sampled_from(PARAGRAPHS), min_size=1, max_size=5).map("\n\n".join)
row_ids = st.integers(0, 3)


class FolderAndIndex(RuleBasedStateMachine):
    """A folder that changes, an index of it, and now and then a run."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="relance-in-sync-"))
        self.docs = self.folder / "docs"
        (self.docs / "sub").mkdir(parents=True)
        self.log = self.folder / "embedded.jsonl"
        self.chunking: dict[str, Any] = {"max_tokens": 32}
        self.include = ["**/*"]
        self.ticks = 1_700_000_000
        self.fresh = 0
        self.before: dict[str, list[dict[str, Any]]] = {}

    def teardown(self) -> None:
        self.run_whole(full=False)
        shutil.rmtree(self.folder)

    # -- what happens to the folder ------------------------------------------------------------------------------

    def stamp(self, path: Path) -> None:
        """Date a file: two that are written within one tick of the file system's clock must differ here."""
        self.ticks += 1
        os.utime(path, (self.ticks, self.ticks))

    def save(self, name: str, text: str) -> None:
        (self.docs / name).write_text(text, encoding="utf-8")
        self.stamp(self.docs / name)

    def there(self, *candidates: str) -> bool:
        return all((self.docs / name).exists() for name in candidates)

    @initialize()
    def begin(self) -> None:
        for i, name in enumerate(NAMES):
            self.save(name, "\n\n".join(PARAGRAPHS[i:] + PARAGRAPHS[:i]))
        for name in TABLES:
            self.save_rows(name, {f"row {i}": PARAGRAPHS[i] for i in range(3)})
        self.ingest()
        self.before = rows_by_uri(self.index())

    @rule(name=names, text=contents)
    def write(self, name: str, text: str) -> None:
        self.save(name, text)

    @rule(name=names, text=st.sampled_from(["", " \n", "\x00\x01\x02\x03"]))
    def spoil(self, name: str, text: str) -> None:
        self.save(name, text)

    @rule(name=names)
    def touch(self, name: str) -> None:
        if self.there(name):
            self.stamp(self.docs / name)

    @rule(name=st.sampled_from(NAMES + TABLES))
    def delete(self, name: str) -> None:
        (self.docs / name).unlink(missing_ok=True)

    @rule(old=names, new=names)
    def rename(self, old: str, new: str) -> None:
        if self.there(old):
            (self.docs / old).replace(self.docs / new)

    @rule(old=names, new=names)
    def copy(self, old: str, new: str) -> None:
        if self.there(old) and old != new:
            shutil.copyfile(self.docs / old, self.docs / new)
            self.stamp(self.docs / new)

    def rows_in(self, name: str) -> dict[str, str]:
        if not self.there(name):
            return {}
        lines = (self.docs / name).read_text(encoding="utf-8").splitlines()
        return {row["id"]: row["text"] for row in map(json.loads, lines)}

    def save_rows(self, name: str, rows: dict[str, str]) -> None:
        self.save(name, "".join(json.dumps({"id": key, "text": text}) + "\n" for key, text in rows.items()))

    @rule(name=tables, ids=st.sets(row_ids, min_size=1), text=contents | st.just(""))
    def set_rows(self, name: str, ids: set[int], text: str) -> None:
        self.save_rows(name, self.rows_in(name) | {f"row {i}": text and f"{text} ({i % 2})" for i in ids})

    @rule(name=tables, ids=st.sets(row_ids, min_size=1), backwards=st.booleans())
    def drop_rows(self, name: str, ids: set[int], backwards: bool) -> None:
        if self.there(name):
            left = [(key, text) for key, text in self.rows_in(name).items() if key not in {f"row {i}" for i in ids}]
            self.save_rows(name, dict(left[::-1] if backwards else left))

    # -- what happens to the declaration -------------------------------------------------------------------------

    @rule(tokens=st.sampled_from([16, 32]), context=st.sampled_from([[], ["title"]]))
    def cut_otherwise(self, tokens: int, context: list[str]) -> None:
        self.chunking = {"max_tokens": tokens, "context": context}

    @rule(include=st.sampled_from([["**/*"], ["*.md"], ["sub/**", "*.jsonl"]]))
    def include_others(self, include: list[str]) -> None:
        self.include = include

    # -- runs ----------------------------------------------------------------------------------------------------

    def index(self, store: str = "db") -> Index:
        declared = {
            "name": "notes",
            "sources": [{"type": "files", "root": str(self.docs), "include": self.include, "rows": {}}],
            "chunking": self.chunking,
            "embedding": {"model": "fake/hash"},
            "store": {"uri": str(self.folder / store)},
            "limits": {"max_removed_fraction": 1},
            "folder": self.folder,
        }
        return Index(IndexSpec.model_validate(declared))

    def ingest(self, **options: Any) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RELANCE_FAKE_LOG", str(self.log))
            return self.index().ingest(**options).status

    @rule(full=st.sampled_from([False, False, False, True]))
    def run_whole(self, full: bool) -> None:
        """Check everything a whole run promises."""
        self.ingest(full=full)
        fresh = self.compared_with_fresh()
        self.before = rows_by_uri(self.index())
        bought = Counter(self.bought())
        assert not {text for text, times in bought.items() if times > 1}, "nothing is bought twice"
        status = self.index().status()
        assert status.interrupted is None
        assert status.failures == fresh.status().failures
        versions = self.versions()
        self.ingest()
        assert self.versions() == versions, "a run without changes writes nothing"

    def compared_with_fresh(self) -> Index:
        self.fresh += 1
        fresh = self.index(f"fresh{self.fresh}")
        fresh.ingest()
        failing = {failure.uri for failure in fresh.failures()}
        ours, theirs = rows_by_uri(self.index()), rows_by_uri(fresh)
        kept = {uri for uri in ours.keys() | self.before.keys() if uri in failing or uri.rpartition("#")[0] in failing}
        for uri in kept:  # what cannot be read keeps its last good version
            assert ours.pop(uri, []) == self.before.get(uri, [])
        assert ours == theirs
        assert {failure.uri for failure in self.index().failures()} == failing
        return fresh

    @precondition(lambda self: (self.folder / "db").exists())
    @rule(name=st.sampled_from(NAMES + TABLES + [f"{table}#row {i}" for table in TABLES for i in range(2)]))
    def run_over_one(self, name: str) -> None:
        self.ingest(only=[f"docs/{name}"])
        self.before = rows_by_uri(self.index())

    @rule()
    def run_stopped_at_once(self) -> None:
        handle = RunHandle()
        handle.stop.set()
        assert self.ingest(handle=handle) == "stopped"

    @rule(full=st.booleans(), where=st.sampled_from([(ChunkTable, "append"), (Manifest, "append"),
                                                    (ChunkTable, "replace"), (Manifest, "upsert"),
                                                    (Manifest, "delete"), (ChunkTable, "delete"),
                                                    (ChunkTable, "sweep"), (IndexTables, "mark")]),
          after=st.booleans())  # fmt: skip
    def run_killed(self, full: bool, where: tuple[type, str], after: bool) -> None:
        """Die before or after a write; every later write of that run is lost, too."""
        owner, name = where
        method = getattr(owner, name)

        def die(*arguments: Any, **options: Any) -> None:
            if after:
                method(*arguments, **options)
            raise SystemExit(9)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, die)
            with contextlib.suppress(SystemExit):
                self.ingest(full=full)
        self.before = rows_by_uri(self.index())

    # -- looking -------------------------------------------------------------------------------------------------

    def bought(self) -> list[str]:
        if not self.log.exists():
            return []
        return [
            text for line in self.log.read_text(encoding="utf-8").splitlines() for text in json.loads(line)["texts"]
        ]

    def versions(self) -> tuple[int, ...]:
        serving = IndexTables.serving(open_store(self.index().spec), "notes")
        assert serving is not None
        return serving.versions


def rows_by_uri(index: Index) -> dict[str, list[dict[str, Any]]]:
    """Return the active rows in a comparable form: without run and dates."""
    serving = IndexTables.serving(open_store(index.spec), "notes")
    if serving is None or serving.chunks.table is None:
        return {}
    found: dict[str, list[dict[str, Any]]] = {}
    for row in serving.chunks.table.search().where("active").limit(None).to_list():
        kept = {name: value for name, value in row.items() if name not in {"run_id", "updated_at", "metadata"}}
        kept["metadata"] = {key: value for key, value in json.loads(row["metadata"]).items() if key != "mtime"}
        kept["vector"] = list(row["vector"])
        found.setdefault(row["uri"], []).append(kept)
    return {uri: sorted(rows, key=lambda row: row["seq"]) for uri, rows in found.items()}


TestInStep = FolderAndIndex.TestCase
TestInStep.settings = settings(
    max_examples=EXPLORE or 5,
    stateful_step_count=14,
    derandomize=not EXPLORE,
    database=None,
    phases=[Phase.generate],  # shrinking a history takes longer than reading it
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
