"""What a source remembers of its documents from one run to the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal

import pytest
from pydantic import Field

from relance.config import IndexSpec
from relance.config.sources import SourceSpec
from relance.documents import Content, Item
from relance.index import Index
from relance.sources import Location, Remembered, Remembering, Source

# Within the class, `list` is a method.
Items = list[Item]
Recalled = list[tuple[dict[str, tuple[str, str]], bool]]
Uris = list[str]


class RememberingSpec(SourceSpec, title="Remembering"):
    """Documents that are read only where their version is another one."""

    type: Literal["remembering"] = Field(title="Type")
    """What kind of source this is."""


class Memory(Source, Remembering):
    """Lists what the test says, and notes what it is told and asked."""

    Spec = RememberingSpec
    version = "remembering-1"
    items: ClassVar[Items] = []
    recalled: ClassVar[Recalled] = []
    read_uris: ClassVar[Uris] = []

    def recall(self, remembered: Iterable[Remembered], *, full: bool = False) -> None:
        self.recalled.append(({each.uri: (each.version, each.memory) for each in remembered}, full))

    def list(self) -> Iterator[Item]:
        yield from self.items

    def read(self, item: Item) -> Content:
        self.read_uris.append(item.uri)
        return Content(item, f"The text of {item.uri} in version {item.version}.".encode())

    def location(self, uri: str = "") -> Location | None:
        return Location(uri or "x:")


@pytest.fixture
def index(make_index: Any) -> Index:
    Memory.items, Memory.recalled, Memory.read_uris = [], [], []
    spec = make_index(sources=[{"type": "files", "root": "."}]).spec
    declared = spec.model_dump() | {"sources": [{"type": "remembering"}], "folder": spec.path(".")}
    return Index(IndexSpec.model_validate(declared), sources={"remembering": Memory})


def item(name: str, version: str, memory: str = "", *, live: bool = False) -> Item:
    return Item(f"x:{name}", version, "text/plain", live=live, memory=memory)


def taken(names: list[Item]) -> dict[str, tuple[str, str]]:
    return {each.uri: (each.version, each.memory) for each in names if each.memory}


def test_what_is_remembered_comes_back(index: Index, log: Any) -> None:
    first = [item("a", "1|x", '{"etag": "|{"}'), item("b", "1"), item("c", "1", "{}")]
    Memory.items = first
    index.ingest()
    assert Memory.recalled == [({}, False)]
    index.ingest()
    assert Memory.recalled[1:] == [(taken(first), False)]
    assert Memory.read_uris == ["x:a", "x:b", "x:c"]
    index.ingest(full=True)
    assert Memory.recalled[2:] == [(taken(first), True)]
    assert len(log()) == 3


def test_a_memory_alone_is_written_and_nothing_is_read_for_it(index: Index) -> None:
    Memory.items = [item("a", "1", '{"n": 1}'), item("b", "1", '{"n": 1}')]
    index.ingest()
    Memory.read_uris.clear()
    Memory.items = second = [item("a", "1", '{"n": 2}', live=True), item("b", "2", '{"n": 2}')]
    report = index.ingest()
    assert (report.unchanged, report.changed) == (1, 1)
    assert Memory.read_uris == ["x:b"]
    assert index.ingest().unchanged == 2
    assert Memory.recalled[-1] == (taken(second), False)
    assert Memory.read_uris == ["x:b"], "live, with a memory, is no reason to read"
