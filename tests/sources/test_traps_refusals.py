"""The traps of what a service refuses: each of these has cost users of such tools null vectors or a second bill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_line import Run
from files import fill, write
from rows import rows

from relance.embedding.providers import InputType, Reply
from relance.embedding.providers.fake import FakeHash
from relance.errors import AccountError, ConfigurationError, InputError, RetryableError
from relance.index import Index

Make = Callable[..., Index]
Log = Callable[[], list[str]]
Embed = Callable[[list[str]], None]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Callable[[Embed], None]:
    """Let the provider refuse: call with a function that looks at the texts of a request and may raise."""
    embed = FakeHash.embed

    def install(look: Embed) -> None:
        async def refusing(self: FakeHash, texts: list[str], *, input_type: InputType) -> Reply:
            if input_type == "document":
                look(texts)
            return await embed(self, texts, input_type=input_type)

        monkeypatch.setattr(FakeHash, "embed", refusing)

    return install


def test_a_refused_text_never_becomes_a_row_without_a_vector(
    make_index: Make, docs: Path, service: Callable[[Embed], None], in_sync: Callable[[Index], None]
) -> None:
    """Validators elsewhere: a refused batch, 256 rows of null vectors, and exit code 0."""
    fill(docs, 6)
    index = make_index(chunking={"max_tokens": 24})
    index.ingest()
    before = [row for row in rows(index, vectors=True) if row["uri"] == "docs/3.md"]
    fill(docs, 6, "second")
    write(docs, "new.md", "POISON from the start.")

    def look(texts: list[str]) -> None:
        if any("note 3" in text or "POISON" in text for text in texts):
            raise InputError("the input holds inappropriate content")

    service(look)
    report = index.ingest()
    assert (report.status, report.changed, report.added, report.failed) == ("completed with failures", 5, 0, 2)
    assert {failure.uri for failure in index.failures()} == {"docs/3.md", "docs/new.md"}
    assert all("inappropriate" in failure.reason for failure in index.failures())
    assert [row for row in rows(index, vectors=True) if row["uri"] == "docs/3.md"] == before, (
        "its last good version stays, whole"
    )
    assert "docs/new.md" not in {row["uri"] for row in rows(index, vectors=True)}
    service(lambda _: None)
    assert index.ingest().status == "completed"
    in_sync(index)


def test_the_exit_code_of_a_run_with_failures_is_not_zero(
    docs: Path, declare: Callable[..., Path], service: Callable[[Embed], None], run: Run
) -> None:
    fill(docs, 2)
    spec, ran = declare(embedding={"model": "fake/hash", "max_attempts": 1}), []
    for error in (InputError("refused"), RetryableError("away"), AccountError("bad key"), None):

        def look(texts: list[str], error: Exception | None = error) -> None:
            if error and "Paragraph" in texts[0]:  # else it is the service that refuses, whatever it is sent
                raise error

        service(look)
        ran.append(run("ingest", spec, "--direct"))
    assert [each.code for each in ran] == [3, 3, 1, 0]
    assert "bad key" in ran[2].err


def test_a_service_that_goes_away_half_way_loses_and_rebuys_nothing(
    make_index: Make, docs: Path, service: Callable[[Embed], None], log: Log, in_sync: Callable[[Index], None]
) -> None:
    fill(docs, 40)
    index = make_index(embedding={"model": "fake/hash", "batch_texts": 8, "max_attempts": 1, "max_concurrency": 1})
    calls: list[int] = []

    def look(texts: list[str]) -> None:
        calls.append(len(texts))
        if len(calls) > 3:
            raise RetryableError("the service is away")

    service(look)
    report = index.ingest()
    assert report.status == "completed with failures"
    assert all(failure.retryable for failure in index.failures())
    rows(index, vectors=True)
    service(lambda _: None)
    assert index.ingest().status == "completed"
    assert index.failures() == []
    assert len(log()) == len(set(log()))
    in_sync(index)


@pytest.mark.parametrize("section", [{"batch_texts": 7}, {}], ids=["by the spec", "by the model"])
def test_no_request_is_larger_than_the_service_takes(
    make_index: Make, docs: Path, service: Callable[[Embed], None], section: dict[str, int]
) -> None:
    """Validators elsewhere: 25 texts sent to a service that takes 10, and everything refused."""
    fill(docs, 150)
    sizes: list[int] = []
    limit = section.get("batch_texts", 256)

    def look(texts: list[str]) -> None:
        sizes.append(len(texts))
        if len(texts) > limit:
            raise InputError(f"batch size is invalid, it should not be larger than {limit}")

    service(look)
    index = make_index(chunking={"max_tokens": 24}, embedding={"model": "fake/hash", **section})
    report = index.ingest()
    assert (report.status, report.added) == ("completed", 150)
    assert max(sizes) <= limit
    assert len(sizes) <= report.embedded // limit + 4, "and none is needlessly small"


@pytest.mark.parametrize("spoil", ["nan", "few"])
def test_a_reply_that_makes_no_sense_is_not_stored(
    make_index: Make, docs: Path, monkeypatch: pytest.MonkeyPatch, spoil: str
) -> None:
    embed = FakeHash.embed

    async def spoilt(self: FakeHash, texts: list[str], *, input_type: InputType) -> Reply:
        vectors = (await embed(self, texts, input_type=input_type)).vectors
        match spoil:
            case "nan":
                vectors[0, 0] = np.nan
            case "few":
                vectors = vectors[:-1]
        return Reply(vectors)

    fill(docs, 3)
    index = make_index(embedding={"model": "fake/hash", "max_attempts": 2})
    with monkeypatch.context() as patch:
        patch.setattr(FakeHash, "embed", spoilt)
        if spoil == "few":  # no reply of such a service can be trusted
            with pytest.raises(ConfigurationError, match="did so again"):
                index.ingest()
        else:
            assert index.ingest().status == "completed with failures"
            rows(index, vectors=True)
    assert index.ingest().status == "completed"
    assert len({row["uri"] for row in rows(index, vectors=True)}) == 3
