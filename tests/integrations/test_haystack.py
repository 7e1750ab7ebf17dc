"""Haystack: the component in pipelines, and on paper."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from haystack import Pipeline
from haystack.components.builders import PromptBuilder

import relance
from relance.errors import InputError
from relance.index import Index
from relance.integrations.haystack import RelanceRetriever

TEMPLATE = "{% for each in documents %}{{ each.content }} [{{ each.meta.uri }}]{% endfor %}"


def pipeline(retriever: RelanceRetriever) -> Pipeline:
    made = Pipeline()
    made.add_component("retriever", retriever)
    made.add_component("prompt", PromptBuilder(TEMPLATE, required_variables=["documents"]))
    made.connect("retriever.documents", "prompt.documents")
    return made


def test_it_runs_in_a_pipeline_and_what_runs_can_be_changed(index: Index) -> None:
    made = pipeline(RelanceRetriever(index, mode="full-text"))
    answer = made.run({"retriever": {"query": "bicycle", "k": 1}})["prompt"]["prompt"]
    assert answer.endswith("a bicycle nothing at all. [docs/ferry.md]")
    paid = {"query": "crew paid", "k": 1, "principals": ["ada"]}
    assert "[crew/pay.md]" in made.run({"retriever": paid})["prompt"]["prompt"]
    filtered = made.run({"retriever": {"query": "ferry", "filter": "year = 2019"}})["prompt"]["prompt"]
    assert filtered.endswith("[docs/bridge.md]")


def test_a_saved_pipeline_finds_the_same(harbour: Path) -> None:
    made = pipeline(RelanceRetriever(harbour, k=2, filter="year = 2021", principals=["ada"]))
    again = Pipeline.loads(made.dumps(), allowed_modules=["relance.integrations.haystack"])
    assert again.dumps() == made.dumps()
    question = {"retriever": {"query": "ferry"}}
    assert again.run(question) == made.run(question)
    retriever = RelanceRetriever.from_dict(RelanceRetriever(harbour, k=1).to_dict())
    assert len(retriever.run("ferry")["documents"]) == 1


def test_what_a_file_cannot_hold_is_said(harbour: Path) -> None:
    with pytest.raises(InputError, match="saves an index by its path"):
        RelanceRetriever(Index(harbour)).to_dict()
    with pytest.raises(InputError, match=r"does not save principals=relance\.OWNER"):
        RelanceRetriever(harbour, principals=relance.OWNER).to_dict()


def test_it_runs_in_a_pipeline_that_has_an_event_loop(harbour: Path) -> None:
    made = Pipeline()
    made.add_component("retriever", RelanceRetriever(harbour))
    found = asyncio.run(made.run_async({"retriever": {"query": "bicycle", "k": 1}}))["retriever"]["documents"]
    assert [each.meta["uri"] for each in found] == ["docs/ferry.md"]
