"""What becomes of a change whose run fails."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from files import put

from relance.cli.live_runs import LiveRuns
from relance.cli.terminal import Terminal
from relance.config import EmbeddingSpec, IndexSpec
from relance.config.plugins import Plugins
from relance.embedding.providers.fake import FakeHash, FakeSpec
from relance.embedding.tokenizers import open_tokenizer
from relance.errors import AccountError, RetryableError
from relance.events.change import Change
from relance.index import Index


class Service(FakeHash):
    """The fake model, with trouble on the way to it."""

    trouble: Exception | None = None

    async def embed(self, texts: list[str], **how: Any) -> Any:
        if self.trouble is not None:
            raise self.trouble
        return await super().embed(texts, **how)


class Trouble:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.docs = folder / "docs"
        monkeypatch.setenv("PREFECT_HOME", str(folder))
        monkeypatch.delenv("PREFECT_API_URL", raising=False)
        embedding = {"model": "fake/hash", "dimension": 8, "max_attempts": 1}
        values = {"name": "notes", "sources": [{"type": "files", "root": "docs"}], "store": {"uri": "db"},
                  "embedding": embedding, "folder": folder}  # fmt: skip
        spec = IndexSpec.model_validate(values)
        self.service = Service(FakeSpec.model_validate(embedding))
        spec = spec.with_plugins(Plugins.of({"providers": {"fake": _Always(self.service)}}))
        self.runs, self.index = LiveRuns(folder / "index.yaml", spec, Terminal()), Index(spec)

    def save(self, name: str) -> Change:
        put(self.docs / name, name)
        return Change("notes", changed=(f"docs/{name}",))

    def uris(self) -> set[str]:
        return {row["uri"] for row in self.index.table().search().select(["uri"]).to_list()}


class _Always:
    """A plug-in that opens one service."""

    Spec, models, any_model = FakeSpec, ("hash",), False

    def __init__(self, service: Service) -> None:
        self._service = service

    def open(self, spec: EmbeddingSpec) -> Service:
        del spec
        return self._service


@pytest.fixture
def trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trouble:
    return Trouble(tmp_path, monkeypatch)


def test_a_service_that_is_away_is_tried_again(trouble: Trouble) -> None:
    change = trouble.save("a.md")
    with trouble.runs:
        trouble.service.trouble = RetryableError("the service is away")
        with pytest.raises(RetryableError, match=r"does not get through for docs/a.md \(the service is away"):
            trouble.runs.take(change)
        trouble.service.trouble = None
        trouble.runs.take(change)
    assert trouble.uris() == {"docs/a.md"}


def test_what_a_failed_run_left_is_taken_in_by_the_next(trouble: Trouble, capsys: pytest.CaptureFixture[str]) -> None:
    with trouble.runs:
        trouble.service.trouble = AccountError("the key\nis wrong")
        trouble.runs.take(trouble.save("a.md"))
        trouble.service.trouble = None
        trouble.runs.take(trouble.save("b.md"))
    assert trouble.uris() == {"docs/a.md", "docs/b.md"}
    said = capsys.readouterr()
    assert said.err.splitlines() == ["relance: notes: 1 changed: the key is wrong"]
    assert "notes: 2 changed: 2 added" in said.out


def test_after_the_end_nothing_runs(trouble: Trouble) -> None:
    with trouble.runs:
        trouble.runs.take(trouble.save("a.md"))
        trouble.runs.end()
        with pytest.raises(RetryableError):
            trouble.runs.take(trouble.save("b.md"))
    assert trouble.uris() == {"docs/a.md"}


def test_what_the_first_run_needs_is_loaded_before_it(trouble: Trouble, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = threading.Event()
    monkeypatch.setattr(Service, "tokenizer", property(lambda self: opened.set() or open_tokenizer("words")))
    with trouble.runs:
        assert opened.wait(10)
