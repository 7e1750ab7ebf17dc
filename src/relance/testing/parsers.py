"""What every parser promises.

class TestMine(ParserContract):
parser = Mine()
samples = (Raw(b"...", "a.mine", "text/x-mine"),)
damaged = (Raw(b"", "b.mine", "text/x-mine"),)
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any, ClassVar

from relance.config import RowsSpec
from relance.config.spec_model import SpecModel
from relance.errors import DocumentError
from relance.parsers import Collection, Parsed, Parser, Parsers, Raw, Row

__all__ = ["ParserContract"]


class ParserContract:
    """What an author says.

    Attributes:
        parser: an instance.
        samples: documents with text, of every media type that is worth a try.
        damaged: documents it cannot read.
        collections: files of many documents, each with the section `rows` that reads them; those of most parsers are
            none.
    """

    parser: ClassVar[Parser]
    samples: ClassVar[Sequence[Raw]] = ()
    damaged: ClassVar[Sequence[Raw]] = ()
    collections: ClassVar[Sequence[tuple[Raw, RowsSpec | None]]] = ()

    def test_it_names_its_options_its_version_and_what_it_reads(self) -> None:
        kind = type(self.parser)
        assert isinstance(self.parser, Parser)
        assert issubclass(kind.Spec, SpecModel)
        assert kind().spec == kind.Spec(), "it works without options"
        assert kind.version
        assert "\n" not in kind.version
        assert kind.media_types
        assert not isinstance(kind.media_types, str)
        assert all("/" in media_type for media_type in kind.media_types)
        assert all(suffix == suffix.lower().lstrip(".") for suffix in kind.suffixes)
        assert all(Parsers([self.parser]).of(media_type) for media_type in kind.suffixes.values())

    def test_there_is_something_to_try_it_with(self) -> None:
        assert self.samples or self.collections
        assert all(self._parsers.of(raw.media_type) is self.parser for raw in [*self.samples, *self.damaged])

    def test_a_document_becomes_clean_text_with_a_title(self) -> None:
        for raw in self.samples:
            parsed = self._parsers.parse(raw)
            assert isinstance(parsed, Parsed)
            assert parsed.text.strip()
            assert parsed.title.strip()
            assert parsed.syntax
            _check_text(parsed.text)
            assert all(0 <= page <= len(parsed.text) for page in parsed.pages)
            assert list(parsed.pages) == sorted(parsed.pages)

    def test_metadata_are_json(self) -> None:
        for raw in self.samples:
            _check_json(self._parsers.parse(raw).metadata)

    def test_the_same_bytes_give_the_same_text_from_many_threads(self) -> None:
        expected = [self._parsers.parse(raw) for raw in self.samples]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(self._parsers.parse, [*self.samples] * 4))
        assert found == expected * 4

    def test_what_is_damaged_or_cut_short_is_text_or_a_failure_in_one_sentence(self) -> None:
        cut = [Raw(raw.data[: len(raw.data) // 2], raw.uri, raw.media_type) for raw in self.samples]
        for raw in [*self.damaged, *cut]:
            try:
                _check_text(self._parsers.parse(raw).text)
                assert raw in cut, f"{raw.uri} is damaged and was read all the same"
            except DocumentError as error:
                _check_failure(error, raw.uri)
                assert "cannot be parsed" not in error.reason, "it says itself what is wrong"

    def test_what_a_document_shows_has_addresses_and_matches_the_marks(self) -> None:
        marks = self.parser.media_marks
        for raw in self.samples:
            found = self._parsers.references(raw)
            assert found == self._parsers.references(raw)
            assert all(reference.url for reference in found)
            assert len({reference.url for reference in found}) == len(found)
            assert not found or (marks is not None and marks.search(raw.data.replace(b"\0", b"")))

    def test_the_documents_of_a_collection_have_names_of_their_own(self) -> None:
        for raw, rows in self.collections:
            assert self.parser.is_collection(raw.media_type, rows)
            found = self._rows(raw, rows)
            assert found == self._rows(raw, rows)
            names = [row.name for row in found if isinstance(row, Row)]
            assert names
            assert len(set(names)) == len(names)

    def test_the_documents_of_a_collection_are_clean_text_or_failures_in_one_sentence(self) -> None:
        for raw, rows in self.collections:
            for row in self._rows(raw, rows):
                if isinstance(row, Row):
                    assert row.text.strip()
                    _check_text(row.text)
                    _check_json(row.metadata)
                else:
                    _check_failure(DocumentError(*row), row[0])
                    assert row[0].startswith(f"{raw.uri}#")

    def test_a_collection_is_streamed(self) -> None:
        for raw, rows in self.collections:
            stream = BytesIO(raw.data)
            documents = self._parsers.rows(Collection(stream, raw.uri, raw.media_type, rows, raw.encoding))
            assert iter(documents) is documents
            next(documents)
            assert not stream.closed, "whoever opened it closes it"

    @property
    def _parsers(self) -> Parsers:
        return Parsers([self.parser])

    def _rows(self, raw: Raw, rows: RowsSpec | None) -> list[Row | tuple[str, str]]:
        opened = Collection(BytesIO(raw.data), raw.uri, raw.media_type, rows, raw.encoding)
        found = self._parsers.rows(opened)
        return [row if isinstance(row, Row) else (row.uri, row.reason) for row in found]


def _check_text(text: str) -> None:
    assert unicodedata.is_normalized("NFC", text)
    assert not {"\r", "\0"} & set(text)


def _check_json(metadata: dict[str, Any]) -> None:
    assert json.loads(json.dumps(metadata, allow_nan=False)) == metadata


def _check_failure(error: DocumentError, uri: str) -> None:
    assert error.uri == uri
    assert error.reason
    assert "\n" not in error.reason
    assert "Traceback" not in error.reason
