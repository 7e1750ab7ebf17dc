"""Documents and indexes that a person names: what does not exist is said at once, with what is nearest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Run, one_message
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response


@pytest.mark.parametrize("command", [("ingest", "--direct"), ("plan",), ("ingest",)])
@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("docs/river.md", "did you mean 'docs/rivers.md'?"),
        ("rivers.md", "did you mean 'docs/rivers.md'?"),
        ("nonsense", "neither in a source of 'notes' nor in the index"),
        ("docs", "neither in a source of 'notes' nor in the index"),
        ("docs/river.md#3", "'docs/river.md#3' is neither"),
        ("docs/.hidden.md", "left out of the index: hidden"),
        ("docs/film.iso", "left out of the index"),
    ],
)
def test_only_what_is_there_can_be_asked_for(
    run: Run, ingested: Path, command: tuple[str, ...], uri: str, says: str
) -> None:
    (ingested.parent / "docs/.hidden.md").write_text("Nobody sees this.", encoding="utf-8")
    (ingested.parent / "docs/film.iso").write_bytes(b"\0" * 9)
    name, *options = command
    ran = run(name, str(ingested), *options, "--only", "docs/rivers.md", "--only", uri)
    assert ran.code == 2
    assert says in one_message(ran)


def test_what_is_only_in_the_index_or_only_in_a_source_can_be_asked_for(run: Run, ingested: Path) -> None:
    (ingested.parent / "docs/rivers.md").unlink()
    (ingested.parent / "docs/new.md").write_text("A weir.", encoding="utf-8")
    ran = run("ingest", str(ingested), "--direct", "--only", "docs/rivers.md", "--only", "docs/new.md", "--json")
    assert (ran.code, ran.json["removed"], ran.json["added"]) == (0, 1, 1)


@pytest.fixture
def prefect(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, ingested: Path) -> HTTPServer:
    """A Prefect API that knows the index `notes` with its spec here, and `away` with its spec elsewhere."""

    def variable(request: Request) -> Response:
        specs = {"relance_index_notes": str(ingested), "relance_index_away": "/srv/away/index.yaml"}
        spec = specs.get(request.path.rpartition("/")[2])
        found = {"detail": "not found"} if spec is None else {"name": "x", "value": {"spec": spec}}
        return Response(json.dumps(found), 404 if spec is None else 200, content_type="application/json")

    names = [{"name": "relance_index_notes"}, {"name": "relance_index_far__away"}, {"name": "another"}]
    for name in ("notes", "far-away", "typo", "nots", "away", "index.yaml"):
        httpserver.expect_request(f"/api/deployments/name/ingest-on-change/{name}").respond_with_json(
            {"id": "1"} if name == "notes" else {"detail": "not found"}, status=200 if name == "notes" else 404
        )
    httpserver.expect_request("/api/variables/filter", method="POST").respond_with_json(names)
    httpserver.expect_request("/api/events", method="POST").respond_with_data(status=204)
    httpserver.expect_request("/api/health").respond_with_json(True)
    for name in ("notes", "away", "nots", "typo", "index.yaml"):
        httpserver.expect_request(f"/api/variables/name/relance_index_{name}").respond_with_handler(variable)
    monkeypatch.setenv("PREFECT_API_URL", httpserver.url_for("/api"))
    return httpserver


def told(prefect: HTTPServer) -> list[dict[str, object]]:
    return [json.loads(request.data)[0]["payload"] for request, _ in prefect.log if request.path == "/api/events"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nots",), "there is no index 'nots', and no spec at that path: did you mean 'notes'?"),
        (("typo",), "deployed are far-away, notes; `relance deploy SPEC` registers one"),
        (("notes", "--changed", "docs/bridge.md"), "did you mean 'docs/bridges.md'?"),
        (("notes", "--changed", "docs/bridges.md", "--removed", "elsewhere/a.md"), "can be in no source of 'notes'"),
    ],
    ids=["nearly", "another", "a document nearly", "removed elsewhere"],
)
def test_nothing_is_told_of_what_does_not_exist(
    run: Run, prefect: HTTPServer, arguments: tuple[str, ...], says: str
) -> None:
    ran = run("emit", *arguments)
    assert ran.code == 2
    assert says in one_message(ran)
    assert told(prefect) == []


@pytest.mark.parametrize(
    ("arguments", "changed", "note"),
    [
        (("notes", "--changed", "docs/rivers.md", "--removed", "docs/gone.md"), ["docs/rivers.md"], ""),
        (("notes",), [], ""),
        (("away", "--changed", "anything"), ["anything"], "is not on this machine, so the names were not checked"),
        (("index.yaml", "--changed", "docs/rivers.md"), ["docs/rivers.md"], ""),
        (("--changed", "docs/rivers.md"), ["docs/rivers.md"], ""),
    ],
    ids=["changed and removed", "everything", "elsewhere", "by path", "of this folder"],
)
def test_what_exists_is_told(
    run: Run, prefect: HTTPServer, arguments: tuple[str, ...], changed: list[str], note: str
) -> None:
    ran = run("emit", *arguments)
    assert ran.code == 0, ran.err
    assert note in ran.err
    (payload,) = told(prefect)
    assert payload["changed"] == changed
