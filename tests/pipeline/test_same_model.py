"""A model's name is not enough: where its address changes, a stored text is asked again before vectors are mixed."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import openai_service
import pytest
from pytest_httpserver import HTTPServer

from relance.errors import ConfigurationError
from relance.index import Index

Make = Callable[..., Index]
PARAGRAPH = "The gauge tells how high the river stands, number {}."


@pytest.fixture
def servers() -> Generator[tuple[openai_service.Service, openai_service.Service]]:
    """Two services of one protocol on two addresses."""
    with HTTPServer(host="127.0.0.1") as one, HTTPServer(host="127.0.0.1") as other:
        yield openai_service.Service(one), openai_service.Service(other)


def other_model(body: dict[str, Any]) -> dict[str, Any]:
    """Answer as another model would: the same texts turned around."""
    given = openai_service.answer([text[::-1] for text in body["input"]], encoding="float")
    return given | {"data": [each | {"embedding": (-np.array(each["embedding"])).tolist()} for each in given["data"]]}


def section(service: openai_service.Service, **more: Any) -> dict[str, Any]:
    return {"model": "openai/m", "dimension": openai_service.DIMENSION, "base_url": service.url, "api_key": "k", **more}


def write(docs: Path, number: int) -> None:
    (docs / f"{number}.md").write_text(PARAGRAPH.format(number), encoding="utf-8")


def vectors(index: Index) -> dict[str, list[float]]:
    rows = index.table().search().where("active").limit(None).to_list()
    return {row["text"]: [round(float(number), 5) for number in row["vector"]] for row in rows}


def test_another_model_behind_the_same_name_writes_nothing(make_index: Make, docs: Path, servers: Any) -> None:
    one, other = servers
    other.always = other_model
    write(docs, 1)
    index = make_index(embedding=section(one))
    index.ingest()
    before = vectors(index)
    write(docs, 2)
    moved = make_index(embedding=section(other))
    for full in (False, True):
        asked = len(other.bodies)
        with pytest.raises(ConfigurationError) as caught:
            moved.ingest(full=full)
        assert one.url in str(caught.value)
        assert other.url in str(caught.value)
        assert [body["input"] for body in other.bodies[asked:]] == [[PARAGRAPH.format(1)]], "one request, of one text"
    assert vectors(moved) == before
    with pytest.raises(ConfigurationError, match="another model"):  # the cache is shared by the indexes of a store
        make_index(name="neighbour", embedding=section(other)).ingest()
    assert index.ingest().added == 1, "at the old address all goes on"


def test_the_same_model_elsewhere_is_asked_once(make_index: Make, docs: Path, servers: Any) -> None:
    one, other = servers
    write(docs, 1)
    make_index(embedding=section(one)).ingest()
    moved = make_index(embedding=section(other))
    write(docs, 2)
    report = moved.ingest()
    assert [body["input"] for body in other.bodies] == [[PARAGRAPH.format(1)], [PARAGRAPH.format(2)]]
    assert "the same model" in report.notes[0]
    write(docs, 3)
    assert moved.ingest().notes == []
    assert len(other.bodies) == 3, "the new address is known by now"


def test_a_spec_with_context_is_compared_by_what_was_embedded(make_index: Make, docs: Path, servers: Any) -> None:
    one, other = servers
    (docs / "a.md").write_text(f"# Rivers\n\n## Gauges\n\n{PARAGRAPH.format(1)}", encoding="utf-8")
    chunking = {"max_tokens": 16, "context": ["title", "headings"]}
    make_index(embedding=section(one), chunking=chunking).ingest()
    write(docs, 2)
    report = make_index(embedding=section(other), chunking=chunking).ingest()
    assert "cosine 1.0000" in report.notes[0]
    assert other.bodies[0]["input"][0] in one.bodies[0]["input"]


def test_other_weights_behind_a_name_are_another_space_by_a_revision(
    make_index: Make, docs: Path, servers: Any
) -> None:
    one, other = servers
    other.always = other_model
    write(docs, 1)
    index = make_index(embedding=section(one))
    table, before = index.ingest().table, vectors(index)
    report = make_index(embedding=section(other, revision="2")).ingest()
    assert (report.embedded, report.served) == (1, True)
    assert report.table != table
    assert vectors(index) != before
