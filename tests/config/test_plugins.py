"""Plug-ins of strangers: how an index file, its messages, its schema and an `Index` know them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Self

import jsonschema
import numpy as np
import pytest
from pydantic import Field, SecretStr

from relance.cli.main import main
from relance.config import ChunkingSpec, EmbeddingSpec, IndexSpec, RerankSpec
from relance.config import plugins as registry
from relance.config.load import json_schema, parse_spec, template
from relance.config.plugins import Plugins, load_plugin, loaded_plugins, plugins
from relance.config.sources import SourceSpec
from relance.config.spec_model import ENV
from relance.documents import Chunk, Content, Document, Item
from relance.embedding.providers import InputType, ModelInfo, Reply
from relance.embedding.tokenizers import open_tokenizer
from relance.errors import ConfigurationError, SpecError
from relance.index import Index
from relance.parsers import Parsed, Parser, Raw
from relance.search.candidate import Candidate
from relance.search.rerankers import Reranked, RerankerInfo
from relance.sources import Location, Source, SourceContext

GOOD = "name: a\nsources:\n  - type: files\n    root: .\n"  # four lines: what a case adds begins on line 5


class LengthSpec(EmbeddingSpec, title="Embedding by length"):
    """How long texts are."""

    scale: float = Field(default=1.0, title="Scale", gt=0)
    """Factor of the lengths."""
    token: SecretStr = Field(default=SecretStr(""), title="Token", json_schema_extra=ENV)
    """A secret of its own."""


class Length:
    """Vectors of the lengths of texts."""

    Spec = LengthSpec
    version = "1"
    models: ClassVar[tuple[str, ...]] = ("short",)
    any_model = False

    def __init__(self, spec: LengthSpec) -> None:
        self.info = ModelInfo(spec.model, 4, batch_texts=8, price_per_million_tokens=0.0, tokenizer="words",
                              space=f"{spec.model}:{self.version}:{spec.scale:g}")  # fmt: skip
        self.tokenizer = open_tokenizer("words")
        self.requests: list[InputType] = []
        self.closed = 0

    async def embed(self, inputs: list[Any], /, *, input_type: InputType) -> Reply:
        self.requests.append(input_type)
        vectors = np.array([[1, len(text), text.count("e"), text.count("a")] for text in inputs], dtype=np.float32)
        return Reply(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    async def aclose(self) -> None:
        self.closed += 1


class HalvesSpec(ChunkingSpec, title="Halves"):
    """How documents are halved."""

    at: str = Field(default="|", title="Mark", min_length=1)
    """Where a document is split."""


class Halves:
    """One chunk for each part between marks."""

    Spec = HalvesSpec
    version = "1"

    def __init__(self, spec: HalvesSpec, tokenizer: Any, max_tokens: int) -> None:
        self.spec, self.tokenizer, self.max_tokens = spec, tokenizer, max_tokens

    def split(self, document: Document) -> list[Chunk]:
        if "!" in document.text:
            raise ZeroDivisionError("nobody thought of this")
        chunks, start = [], 0
        for part in document.text.split(self.spec.at):
            text = part.strip()
            at = document.text.index(text, start)
            chunks.append(Chunk(at, at + len(text), int(self.tokenizer.count([text])[0])))
            start += len(part) + len(self.spec.at)
        return chunks


class Backwards:
    """The shortest text first."""

    Spec = RerankSpec
    version = "1"

    def __init__(self, spec: RerankSpec, embedding: EmbeddingSpec | None = None) -> None:
        self.info = RerankerInfo(spec.model)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def rerank(self, query: str, candidates: Sequence[Candidate]) -> Reranked:
        return Reranked(np.array([-float(len(each.row["text"])) for each in candidates]))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install plug-ins beside ours, of which one group has one that does not import."""
    module = ModuleType("strange_plugins")
    module.__dict__.update(Length=Length, Halves=Halves, Backwards=Backwards)
    monkeypatch.setitem(sys.modules, "strange_plugins", module)
    ours = registry._entries()
    entries = [EntryPoint(name, f"strange_plugins:{kind}", f"relance.{group}") for group, name, kind in (
        ("providers", "length", "Length"), ("chunkers", "halves", "Halves"), ("rerankers", "backwards", "Backwards"),
        ("chunkers", "broken", "Gone"), ("chunkers", "text", "Halves"),
    )]  # fmt: skip

    class Entries:
        def select(self, *, group: str) -> list[EntryPoint]:
            return [*[entry for entry in entries if entry.group == group], *ours.select(group=group)]

    monkeypatch.setattr(registry, "_entries", Entries)
    for cached in (plugins, loaded_plugins):
        cached.cache_clear()
    yield
    for cached in (plugins, loaded_plugins):
        cached.cache_clear()


def problems(text: str) -> list[tuple[int | None, str, str]]:
    with pytest.raises(SpecError) as caught:
        parse_spec(text, "index.yaml", Path())
    return caught.value.problems


@pytest.mark.usefixtures("installed")
class TestInstalled:
    def test_its_section_is_read_by_its_own_model(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LENGTH_TOKEN", "hush")
        sections = "embedding: {model: length/short, scale: 2, token: '${LENGTH_TOKEN}'}\nchunking: {strategy: halves, at: ';'}\n"
        spec = parse_spec(GOOD + sections + "search: {rerank: {model: backwards/any}}\n", "index.yaml", Path())
        assert isinstance(spec.embedding, LengthSpec)
        assert (spec.embedding.scale, spec.embedding.token.get_secret_value()) == (2, "hush")
        assert isinstance(spec.chunking, HalvesSpec)
        assert spec.chunking.at == ";"
        assert spec.model_dump()["chunking"]["at"] == ";"
        assert "hush" not in f"{spec!r}{spec.model_dump_json()}"

    @pytest.mark.parametrize(
        ("text", "line", "field", "words"),
        [
            ("embedding: {model: lenght/short}\n", 5, "embedding.model", "did you mean length/short?"),
            ("embedding: {model: length/shrt}\n", 5, "embedding.model", "did you mean length/short?"),
            ("embedding:\n  model: length/short\n  scale: 0\n", 7, "embedding.scale", "must be more than 0, got the number 0"),
            ("embedding:\n  model: length/short\n  scal: 1\n", 7, "embedding.scal", "did you mean 'scale'?"),
            ("embedding:\n  model: length/short\n  region: us\n", 7, "embedding.region", "length/… has no 'region', unlike dashscope/… and openai/…"),
            ("embedding:\n  scale: 2\n", 6, "embedding.scale", "local/… has no 'scale', unlike length/…; remove the line"),
            ("embedding:\n  model: length/short\n  token:\n", 7, "embedding.token", "has no value"),
            ("chunking: {strategy: halvs}\n", 5, "chunking.strategy", "markdown, text, whole, got 'halvs'; did you mean 'halves'?"),
            ("chunking:\n  strategy: halves\n  at: ''\n", 7, "chunking.at", "must not be empty"),
            ("chunking:\n  at: x\n", 6, "chunking.at", "auto has no 'at', unlike halves"),
            ("search: {rerank: {model: backward/any}}\n", 5, "search.rerank.model", "there is no reranker 'backward/any'"),
            ("chunking:\n  strategy: broken\n  at: 3\n", 6, "chunking.strategy", "the chunkers plug-in 'broken' of ? ? does not import: "),
        ],
    )  # fmt: skip
    def test_what_is_wrong_with_its_section_is_said_by_line_and_field(self, text, line, field, words) -> None:
        found = problems(GOOD + text)
        assert [(each[0], each[1]) for each in found] == [(line, field)], found
        assert words in found[0][2]

    def test_what_only_others_have_may_say_its_default(self) -> None:
        spec = parse_spec(GOOD + "embedding: {model: length/short, region: singapore, mode: online}\n", "i", Path())
        assert spec.embedding == LengthSpec(model="length/short")

    def test_an_editor_knows_it(self) -> None:
        schema = jsonschema.Draft202012Validator(json_schema())
        good = {"name": "a", "sources": [{"type": "files", "root": "."}]}
        schema.validate(
            good | {"embedding": {"model": "length/short", "scale": 2}, "chunking": {"strategy": "halves", "at": ";"}}
        )
        for wrong in (
            {"embedding": {"model": "length/short", "region": "us"}},
            {"embedding": {"model": "local/wordllama", "scale": 2}},
            {"embedding": {"scale": 2}},
            {"chunking": {"strategy": "halves", "at": ""}},
            {"chunking": {"at": ";"}},
            {"chunking": {"strategy": "broken"}},
        ):
            with pytest.raises(jsonschema.ValidationError):
                schema.validate(good | wrong)

    def test_init_names_it(self) -> None:
        assert "# auto, broken, code, halves, markdown, text or whole\n" in template()
        assert "of dashscope, fake, length, local or openai.\n" in template()

    def test_ours_keep_their_names_and_one_that_does_not_import_costs_a_line(self, caplog: Any) -> None:
        with caplog.at_level(logging.WARNING, "relance"):
            found = loaded_plugins("chunkers")
        assert {"auto", "halves", "text"} <= found.keys()
        assert "broken" not in found
        assert found["text"] is not Halves
        assert [record.getMessage() for record in caplog.records] == [
            "?: the chunkers plug-in 'text' is there already; that of ? is not used",
            "the chunkers plug-in 'broken' of ? ? does not import: module 'strange_plugins' has no attribute 'Gone'",
        ]

    def test_they_are_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit, match="0"):
            main(["plugins"])
        said = " ".join(capsys.readouterr().out.replace("│", " ").split())
        for words in ("halves ? ?, version 1: One chunk for each part between marks.", "has no attribute 'Gone'",
                      "auto relance", "lancedb relance", "files relance", "markdown relance"):  # fmt: skip
            assert words in said


def test_a_name_that_is_not_there_is_said_with_what_is() -> None:
    with pytest.raises(ConfigurationError, match="no plug-in 'fils' among the sources; installed are connector, files"):
        load_plugin("sources", "fils")


def test_options_of_parsers_go_to_parsers_that_are_there() -> None:
    assert parse_spec(GOOD + "parsers: {pdf: {}}\n", "i", Path()).parsers.keys() == {"pdf"}
    [(line, field, message)] = problems(GOOD + "parsers:\n  pdff: {}\n")
    assert (line, field) == (6, "parsers.pdff")
    assert "did you mean 'pdf'?" in message
    [(line, field, message)] = problems(GOOD + "parsers:\n  pdf:\n    dpi: 3\n")
    assert (line, field) == (7, "parsers.pdf.dpi")


# ── handed to an index ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def declared(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("a sea of eels|one|a very long text about nothing", encoding="utf-8")
    (tmp_path / "index.yaml").write_text(
        "name: a\nsources: [{type: files, root: docs}]\nchunking: {strategy: mine}\nembedding: {model: given/short}\n"
        "search: {rerank: {model: short/first}}\n",
        encoding="utf-8",
    )
    return tmp_path / "index.yaml"


GIVEN: dict[str, Any] = {
    "chunkers": {"mine": Halves},
    "providers": {"given": Length},
    "rerankers": {"short": Backwards},
}


def test_an_index_takes_classes_under_the_names_of_its_spec(declared: Path) -> None:
    with pytest.raises(SpecError, match=r"index\.yaml:3: chunking\.strategy: expected one of"):
        Index(declared)
    index = Index(declared, **GIVEN)
    assert index.plan().chunks == 3
    assert index.ingest().chunks == 3
    assert [hit.text for hit in index.search("eels", k=3)] == ["one", "a sea of eels", "a very long text about nothing"]
    assert index.ingest().unchanged == 1


def test_an_index_takes_instances(declared: Path) -> None:
    provider = Length(LengthSpec(model="given/short"))
    chunker = Halves(HalvesSpec(strategy="mine", at="|"), open_tokenizer("words"), 64)
    reranker = Backwards(RerankSpec(model="short/first"))
    index = Index(declared, chunkers={"mine": chunker}, providers={"given": provider}, rerankers={"short": reranker})
    assert index.ingest().embedded == 3
    assert provider.requests == ["document"]
    assert index.search("eels", k=1)[0].text == "one"
    assert provider.requests == ["document", "query"]
    assert provider.closed == 2


def test_a_spec_made_in_python_takes_them_as_well(declared: Path) -> None:
    spec = IndexSpec(name="a", sources=[{"type": "files", "root": "docs"}], folder=declared.parent,  # type: ignore[list-item]
                     chunking=HalvesSpec(strategy="mine"), embedding=LengthSpec(model="given/short"))  # fmt: skip
    assert Index(spec, **GIVEN).ingest().chunks == 3
    assert spec.plugins == Plugins(), "the spec itself stays as it was"


def test_another_version_of_a_chunker_splits_again(declared: Path) -> None:
    provider: dict[str, Any] = {"providers": {"given": Length(LengthSpec(model="given/short"))}}
    assert Index(declared, **GIVEN | provider).ingest().added == 1
    newer = type("Newer", (Halves,), {"version": "2"})
    newest: dict[str, Any] = GIVEN | provider | {"chunkers": {"mine": newer}}
    report = Index(declared, **newest).ingest()
    assert (report.changed, report.embedded) == (1, 0)


def test_what_a_chunker_did_not_foresee_is_a_failure_of_one_document(declared: Path) -> None:
    (declared.parent / "docs" / "b.md").write_text("oh!", encoding="utf-8")
    given: dict[str, Any] = GIVEN | {"providers": {"given": Length(LengthSpec(model="given/short"))}}
    index = Index(declared, **given)
    report = index.ingest()
    assert (report.added, report.failed) == (1, 1)
    assert "cannot be split (ZeroDivisionError: nobody thought of this)" in index.failures()[0].reason


def test_an_index_takes_a_source_and_a_parser(tmp_path: Path) -> None:
    listed: dict[str, bytes] = {"mem://a.shout": b"quiet words", "mem://b.shout": b"other words"}

    class Memory(Source):
        """Documents in memory."""

        Spec = SourceSpec
        version = "memory-1"

        def list(self) -> Iterator[Item]:
            for uri, data in listed.items():
                yield Item(uri, str(len(data)), self.context.media_type_of(uri), len(data), self.context.position)

        def read(self, item: Item) -> Content:
            return Content(item, listed[item.uri])

        def location(self, uri: str = "") -> Location:
            return Location(uri or "memory")

    class Shout(Parser):
        """Text in capitals."""

        version = "shout-1"
        media_types = ("text/x-shout",)
        suffixes: ClassVar[Mapping[str, str]] = {"shout": "text/x-shout"}

        def parse(self, raw: Raw) -> Parsed:
            return Parsed(raw.data.decode().upper())

    spec = tmp_path / "index.yaml"
    spec.write_text("name: a\nsources: [{type: memory}]\nparsers: {shout: {}}\nembedding: {model: fake/hash}\n")
    index = Index(spec, sources={"memory": Memory}, parsers={"shout": Shout})
    assert index.ingest().added == 2
    assert {hit.text for hit in index.search("words", k=2)} == {"QUIET WORDS", "OTHER WORDS"}
    del listed["mem://b.shout"]
    context = SourceContext(tmp_path, media_type_of=lambda _: "text/x-shout")
    given = Index(spec, sources={"memory": Memory(SourceSpec(type="memory"), context)}, parsers={"shout": Shout()})
    assert given.ingest().removed == 1
