"""Blobs of Azure, read from Azurite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from azurite import Azurite, azurite

from relance.config import IndexSpec
from relance.documents import Item
from relance.errors import ConfigurationError, DocumentError, SourceError
from relance.index import Index
from relance.sources import Source, open_source


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server


@pytest.fixture
def container(server: Azurite, tmp_path: Path) -> str:
    name = tmp_path.name.replace("_", "-").lower().strip("-")[:50]
    server.make(name)
    return name


def source_of(section: dict[str, Any]) -> Source:
    return open_source(IndexSpec.model_validate({"name": "t", "sources": [section], "folder": Path("/srv")}), 0)


def test_only_what_changed_is_read_and_what_is_gone_is_removed(
    server: Azurite, container: str, make_index: Callable[..., Index]
) -> None:
    for name in ("ferry", "weir", "a b+c#d"):
        server.put(container, f"docs/{name}.md", f"# {name}\n\nThe {name} is closed in winter.")
    server.put(container, "elsewhere.md", "Not asked for.")
    index = make_index(sources=[server.section(container, url=f"az://{container}/docs")])
    assert index.ingest().added == 3
    assert {hit.uri for hit in index.search("winter", k=9)} == {
        f"az://{container}/docs/{name}.md" for name in ("ferry", "weir", "a b+c%23d")
    }
    before = len(server.reads())
    assert index.ingest().unchanged == 3
    assert len(server.reads()) == before
    server.put(container, "docs/ferry.md", "# ferry\n\nThe ferry runs all year.")
    server.remove(container, "docs/weir.md")
    report = index.ingest()
    assert (report.changed, report.removed, report.embedded) == (1, 1, 1)
    assert server.reads()[before:] == [f"/devstoreaccount1/{container}/docs/ferry.md"]


def test_a_signed_address_opens_a_blob_for_an_hour_without_the_key(server: Azurite, container: str) -> None:
    server.put(container, "docs/quay.png", "picture")
    source = source_of(server.section(container, presign="1h"))
    item = next(each for each in source.list() if isinstance(each, Item))
    assert source.read(item).data == b"picture"
    place = source.location(item.uri)
    assert place is not None
    assert httpx.get(place.url, trust_env=False).content == b"picture"
    assert httpx.get(place.url.partition("?")[0], trust_env=False).status_code in {403, 404}


def test_a_wrong_key_and_a_container_that_is_not_there_end_the_listing(server: Azurite, container: str) -> None:
    wrong = "d3Jvbmc="
    with pytest.raises(SourceError) as told:
        list(source_of(server.section(container, secret=wrong)).list())
    assert wrong not in str(told.value)
    with pytest.raises(ConfigurationError, match=r"az://nowhere: .*; check `url` and `endpoint`"):
        list(source_of(server.section("nowhere")).list())


def test_a_blob_that_goes_after_the_listing_is_one_failure(server: Azurite, container: str) -> None:
    server.put(container, "a.md", "A")
    source = source_of(server.section(container))
    item = next(each for each in source.list() if isinstance(each, Item))
    server.remove(container, "a.md")
    with pytest.raises(DocumentError):
        source.read(item)
