"""Whole runs against DashScope's emulator: what reaches the service, by both of its protocols."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from emulated_runs import COMPATIBLE, DIMENSION, NATIVE, check_vectors, emulating, notes, sentence, write_corpus

from relance.index import Index

SERVICE = "run_emulator"


def uris(hits: Iterable[Any]) -> list[str]:
    return [hit.uri.rpartition("#")[2] for hit in hits]


def test_workspace_instruction_and_role_reach_the_service(declare, docs, service, run) -> None:
    write_corpus(docs, notes(12))
    instruct = "Given a question, retrieve notes that answer it"
    spec = declare(service, workspace="ws-1a2b", instruct=instruct)
    assert run("ingest", spec, "--direct").code == 0
    indexing = service.sent(NATIVE)
    assert run("search", spec, "What does note 3 say?").code == 0
    searching = service.sent(NATIVE)[len(indexing) :]
    assert sorted(len(each["body"]["input"]["texts"]) for each in indexing) == [2, 10]
    for each in indexing:
        assert each["body"]["parameters"] == {"text_type": "document", "dimension": DIMENSION}
    (asked,) = searching
    assert asked["body"]["input"] == {"texts": ["What does note 3 say?"]}
    assert asked["body"]["parameters"] == {"text_type": "query", "instruct": instruct, "dimension": DIMENSION}
    for each in [*indexing, asked]:
        assert each["body"]["model"] == "text-embedding-v4"
        assert each["headers"]["x-dashscope-workspace"] == "ws-1a2b"
        assert each["headers"]["authorization"] == "Bearer ***"


def test_a_workspace_the_key_has_no_part_in_ends_the_run_with_a_sentence_that_names_it(declare, docs, run) -> None:
    write_corpus(docs, notes(12))
    with emulating(workspaces=("ws-1a2b",)) as service:
        told = sentence(run("ingest", declare(service, workspace="ws-other"), "--direct"))
        assert "check `workspace` (or DASHSCOPE_WORKSPACE_ID)" in told
        assert run("ingest", declare(service, workspace="ws-1a2b"), "--direct").code == 0


@pytest.mark.parametrize("output_type", ["sparse", "dense&sparse"])
def test_sparse_vectors_are_asked_for_stored_and_searched_by(declare, docs, service, run, output_type) -> None:
    texts = notes(40) | {"odd": "A zeppelin was seen above the quartermaster's shed."}
    write_corpus(docs, texts)
    spec = declare(service, output_type=output_type, dimension=None if output_type == "sparse" else DIMENSION)
    assert run("ingest", spec, "--direct").code == 0
    assert {each["body"]["parameters"]["output_type"] for each in service.sent(NATIVE)} == {output_type}
    index = Index(spec)
    assert ("vector" in index.table().schema.names) == (output_type != "sparse")
    for mode in ("sparse", "hybrid"):
        ran = run("search", spec, "who saw the zeppelin?", "--mode", mode, "--json")
        assert (ran.code, ran.err) == (0, "")
        assert json.loads(ran.out)["hits"][0]["uri"].endswith("#odd")
        asked = service.sent(NATIVE)[-1]["body"]["parameters"]
        assert (asked["text_type"], asked["output_type"]) == ("query", output_type)
    by_meaning = run("search", spec, "who saw the zeppelin?", "--mode", "dense")
    if output_type == "sparse":
        assert by_meaning.code == 2
        assert "sparse vectors only" in by_meaning.err
    else:
        assert by_meaning.code == 0
        check_vectors(index)


@pytest.mark.parametrize("base64", [True, False], ids=["base64", "float"])
def test_the_compatible_route_makes_the_same_index(declare, docs, base64) -> None:
    texts = notes(25) | {"odd": "A zeppelin was seen above the quartermaster's shed."}
    write_corpus(docs, texts)
    with emulating(base64=base64) as service:
        index = Index(declare(service, model="openai/text-embedding-v4", base_url=f"{service.url}/compatible-mode/v1"))
        report = index.ingest()
        assert (report.status, report.embedded) == ("completed", 26)
        assert report.tokens == service.stats()["tokens"] == index.plan(full=True).tokens + report.tokens
        assert report.cost_usd == pytest.approx(report.tokens * 0.07e-6)
        check_vectors(index)
        assert uris(index.search("who saw the zeppelin?", k=1, mode="dense")) == ["odd"]
        asked = service.sent(COMPATIBLE)
        assert [len(each["body"]["input"]) for each in asked] in ([10, 10, 6, 1], [10, 6, 10, 1], [6, 10, 10, 1])
        assert {each["body"]["encoding_format"] for each in asked} == {"base64"}
        assert {each["body"]["dimensions"] for each in asked} == {DIMENSION}
