"""Engines: whatever executes the stages, the table is the same, and a worker that dies costs what it had in flight."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relance.config import IndexSpec
from relance.config.engine import EngineName
from relance.config.load import parse_spec
from relance.config.reference import SpecReference
from relance.errors import ConfigurationError, MissingExtraError
from relance.index import Index

Make = Callable[..., Index]

# Dask and Ray take a minute to start on a busy machine: with `-m e2e`, where their extras are installed.
ENGINES: list[Any] = ["processes"] + [
    pytest.param(name, marks=[
        pytest.mark.e2e, pytest.mark.timeout(900),
        pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=f"the extra {name} is not installed"),
    ])
    for name, module in (("dask", "distributed"), ("ray", "ray"))
]  # fmt: skip


def fill(docs: Path, count: int = 60) -> None:
    for at in range(count):
        words = " ".join(f"word{at}x{n % 37}" for n in range(160))
        (docs / f"{at:03}.md").write_text(f"# Note {at}\n\n{words}\n\n## Shared\n\nThe same text.\n", encoding="utf-8")


def rows(index: Index) -> list[dict[str, Any]]:
    columns = ["id", "uri", "title", "heading_path", "text", "seq", "start_char", "tokens", "metadata", "vector"]
    found = index.table().search().where("active").select(columns).limit(None).to_arrow()
    return sorted(found.drop_columns(["metadata"]).to_pylist(), key=lambda row: row["id"])


def small(make_index: Make, name: str) -> Index:
    """An index in batches of ten documents, in a store of its own."""
    return make_index(store={"uri": f"./{name}"}, limits={"batch_documents": 10})


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_writes_the_same_rows(make_index: Make, docs: Path, engine: EngineName) -> None:
    fill(docs)
    (docs / "broken.pdf").write_bytes(b"%PDF-1.4 no more")
    here, there = small(make_index, "here"), small(make_index, "there")
    one, other = here.ingest(), there.ingest(engine=engine, workers=2)
    counted = ("added", "chunks", "embedded", "reused", "tokens", "failed", "status")
    assert {name: getattr(other, name) for name in counted} == {name: getattr(one, name) for name in counted}
    assert rows(there) == rows(here)
    assert [failure.reason for failure in other.failures] == [failure.reason for failure in one.failures]
    (docs / "001.md").write_text("Another text.", encoding="utf-8")
    (docs / "002.md").unlink()
    report = there.ingest(engine=engine, workers=2)
    assert (report.changed, report.removed, report.embedded) == (1, 1, 1)
    here.ingest()
    assert rows(there) == rows(here)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_worker_that_is_killed_costs_what_it_had_in_flight(
    make_index: Make, docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: EngineName
) -> None:
    fill(docs)
    here, there = small(make_index, "here"), small(make_index, "there")
    here.ingest()
    log = tmp_path / "requests.jsonl"
    monkeypatch.setenv("RELANCE_FAKE_LOG", str(log))
    monkeypatch.setenv("RELANCE_FAKE_DELAY_S", "0.5")
    killed: list[int] = []

    def kill() -> None:
        deadline = time.monotonic() + 120
        while not killed and time.monotonic() < deadline:
            lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
            pids = {json.loads(line)["pid"] for line in lines[1:] if line.endswith("}")} - {os.getpid()}
            if pids:
                killed.append(pids.pop())
                os.kill(killed[0], signal.SIGKILL)
            time.sleep(0.05)

    murderer = threading.Thread(target=kill)
    murderer.start()
    report = there.ingest(engine=engine, workers=2)
    murderer.join()
    assert killed
    assert (report.status, report.added) == ("completed", 60)
    assert rows(there) == rows(here)
    bought = Counter(text for line in log.read_text().splitlines() for text in json.loads(line)["texts"])
    # The pool goes with the worker, so what either of both had in flight is asked for again: a batch each.
    assert sum(bought.values()) - len(bought) <= 2 * 40


def test_a_run_that_is_planned_first_embeds_what_was_planned(make_index: Make, docs: Path) -> None:
    fill(docs)
    index = make_index(embedding={"model": "fake/hash", "price_per_million_tokens": 1.0},
                       limits={"max_cost_usd": 1, "batch_documents": 10})  # fmt: skip
    report = index.ingest(engine="processes", workers=1)
    assert (report.status, report.added) == ("completed", 60)
    assert report.cost_usd == pytest.approx(report.tokens * 1e-6)


def test_a_budget_holds_in_other_processes(make_index: Make, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from relance.errors import BudgetError

    fill(docs)
    monkeypatch.setattr("relance.pipeline.run.check_budget", lambda *_: None)
    index = make_index(embedding={"model": "fake/hash", "price_per_million_tokens": 1000.0},
                       limits={"max_cost_usd": 5, "batch_documents": 10})  # fmt: skip
    with pytest.raises(BudgetError, match=r"limits\.max_cost_usd"):
        index.ingest(engine="processes", workers=2)
    assert sum(run.report["cost_usd"] for run in index.runs()) <= 5


def test_what_other_processes_cannot_have_is_refused_by_name(make_index: Make, docs: Path, tmp_path: Path) -> None:
    import pickle

    fill(docs, 1)
    own = make_index(embedding={"model": "openai/own", "api_key": "sk-secret", "dimension": 8})
    with pytest.raises(ConfigurationError, match=r"^embedding\.api_key is given as a value"):
        pickle.dumps(SpecReference.of(own.spec))
    with pytest.raises(ConfigurationError, match=r"^embedding\.api_key is given as a value"):
        own.ingest(engine="processes", workers=1)
    given = Index(make_index().spec, chunkers={"mine": object()}).spec
    with pytest.raises(ConfigurationError, match="the plug-ins mine were given to this Index"):
        pickle.dumps(SpecReference.of(given))


def test_a_spec_travels_with_its_secrets_as_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pickle

    monkeypatch.setenv("MY_KEY", "sk-secret")
    text = (
        "name: n\nsources: [{type: files, root: .}]\nembedding: {model: openai/m, dimension: 8, api_key: '${MY_KEY}'}\n"
    )
    spec = parse_spec(text, "index.yaml", tmp_path)
    data = pickle.dumps(SpecReference.of(spec))
    assert b"sk-secret" not in data
    monkeypatch.setenv("MY_KEY", "sk-of-the-worker")
    opened: IndexSpec = pickle.loads(data).open()
    assert opened.embedding.api_key.get_secret_value() == "sk-of-the-worker"
    assert opened.folder == tmp_path


def test_a_key_that_is_written_in_the_spec_stays_in_its_process(tmp_path: Path) -> None:
    import pickle

    text = "name: n\nsources: [{type: files, root: .}]\nstore: {uri: 's3://b/db', storage_options: {region: here%s}}\n"
    for model, option, place in (
        (", api_key: sk-secret", "", r"embedding\.api_key"),
        ("", ", aws_secret_access_key: s3cret", r"store\.storage_options\.aws_secret_access_key"),
        ("", "", ""),
    ):
        embedding = f"embedding: {{model: openai/m, dimension: 8{model}}}\n"
        spec = parse_spec(text % option + embedding, "index.yaml", tmp_path)
        if place:
            with pytest.raises(ConfigurationError, match=rf"^{place} is written in the spec"):
                pickle.dumps(SpecReference.of(spec))
        else:
            assert pickle.loads(pickle.dumps(SpecReference.of(spec))).open().store == spec.store


@pytest.mark.parametrize(("proxy", "secret"), [("http://me:hush@p:1", True), ("http://p:1", False), ("direct", False)])
def test_the_proxy_of_a_spec_stays_in_its_process_if_it_holds_a_password(
    tmp_path: Path, proxy: str, secret: bool
) -> None:
    import pickle

    text = (
        "name: n\nsources: [{type: files, root: .}]\nmedia: {embedding: {model: dashscope/tongyi-embedding-vision-plus},"
        f" fetch: {{proxy: '{proxy}'}}}}\n"
    )
    spec = parse_spec(text, "index.yaml", tmp_path)
    if secret:
        with pytest.raises(ConfigurationError, match=r"^media\.fetch\.proxy is written in the spec"):
            pickle.dumps(SpecReference.of(spec))
    else:
        assert pickle.loads(pickle.dumps(SpecReference.of(spec))).open().media == spec.media


def test_an_engine_without_its_extra_or_prefect_is_one_sentence(
    make_index: Make, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = make_index()
    for engine, module in (("dask", "distributed"), ("ray", "ray")):
        monkeypatch.setitem(__import__("sys").modules, module, None)
        with pytest.raises(MissingExtraError, match=rf"relance\[{engine}\]"):
            index.ingest(engine=engine)
    with pytest.raises(ConfigurationError, match="start it with `relance ingest`"):
        index.ingest(engine="work-pool")
    for count in (-1, 1025):
        with pytest.raises(ConfigurationError, match=f"workers must be from 0 to 1024, got {count}"):
            index.ingest(workers=count)
    with pytest.raises(ConfigurationError, match=r"at most \d+ workers on this machine of \d+ cores, got 1024"):
        index.ingest(engine="processes", workers=1024)
