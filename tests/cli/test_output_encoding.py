"""Output where the terminal, the disk or the network does not play along."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from command_line import Run, one_message
from pytest_httpserver import HTTPServer

from relance import Index, RunHandle


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_without_all_characters_shows_everything_in_plain_letters(
    ingested: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    from relance.cli.main import main

    (ingested.parent / "docs/河流.md").write_text("水位 · river …", encoding="utf-8")
    monkeypatch.chdir(ingested.parent)
    for arguments in (
        ["plan"],
        ["ingest", "--direct"],
        ["search", "river", "--explain"],
        ["status"],
        ["--help"],
        ["search", "river", "--json"],
    ):
        out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", out)
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
        out.flush()
        said = out.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
        assert said
        if arguments[-1] == "--json":
            assert "docs/河流.md" in {hit["uri"] for hit in json.loads(said)["hits"]}
        if arguments == ["plan"]:
            assert r"+ docs/\u6cb3\u6d41.md" in said


def test_a_prefect_server_that_is_away_is_one_message_at_once(
    run: Run, ingested: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del ingested
    monkeypatch.setattr("relance_operate.api._WAITS_S", (0.01,))
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    for arguments in (["ingest"], ["deploy"], ["up", "--bootstrap-only"]):
        ran = run(*arguments)
        assert ran.code == 1
        assert "the Prefect server at http://127.0.0.1:9/api does not answer" in ran.err
        assert "Traceback" not in ran.err
    with HTTPServer(host="127.0.0.1") as server:
        server.expect_request("/health").respond_with_data("no API", status=404)
        monkeypatch.setenv("PREFECT_API_URL", server.url_for("").rstrip("/"))
        assert "where no API is; it ends with /api" in run("deploy").err
    assert len(run("runs", "--json").json["runs"]) == 1, "no run has begun"
    assert run("ingest", "--direct").code == 0


@pytest.mark.long
def test_a_store_and_a_model_server_that_are_away_are_one_message(run: Run, spec: Path) -> None:
    text = spec.read_text(encoding="utf-8")
    options = 'aws_endpoint: "http://127.0.0.1:9", allow_http: "true", aws_region: x, aws_access_key_id: a'
    away = f'{{uri: "s3://bucket/x", storage_options: {{{options}, aws_secret_access_key: b}}}}'
    spec.write_text(text.replace("{uri: ./db}", away), encoding="utf-8")
    for arguments in (["plan"], ["status"], ["search", "river"]):
        ran = run(*arguments)
        assert ran.code == 1
        assert "is the object store up?" in one_message(ran)
    ollama = 'openai/nomic-embed-text, base_url: "http://127.0.0.1:9/v1", dimension: 8, max_attempts: 1'
    spec.write_text(text.replace("fake/hash", ollama), encoding="utf-8")
    ran = run("ingest", "--direct")
    assert ran.code in {1, 3}
    assert "127.0.0.1:9" in ran.err + ran.out
    assert "Traceback" not in ran.err
    seen: list[str] = []
    Index(spec).ingest(handle=RunHandle(on_progress=lambda progress: seen.append(progress.waits_for)))
    assert "openai/nomic-embed-text cannot be reached, trying again" in seen, "while the run goes on"
