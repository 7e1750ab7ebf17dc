"""What every source promises.

class TestMine(SourceContract):
@pytest.fixture
def source(self, tmp_path):
...
return Mine(Mine.Spec(type="mine", ...), SourceContext(tmp_path, position=1))

@pytest.fixture
def missing(self, tmp_path):
return Mine(Mine.Spec(type="mine", root="nowhere"), SourceContext(tmp_path))
"""

from __future__ import annotations

import inspect
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import ByteSize

from relance.config.sources import SourceSpec
from relance.documents import Content, Ignored, Item
from relance.errors import ConfigurationError, DocumentError
from relance.sources import Source
from relance.sources.abilities import ABILITIES

__all__ = ["SourceContract"]

_ELSEWHERE = ("/etc/passwd", "../" * 12 + "etc/passwd")


class SourceContract:
    """Fixtures: `source` has at least three items that can be read, `missing` is of a place that is not there."""

    def test_it_has_the_methods_of_the_seam(self, source: Source) -> None:
        for seam in (Source, *ABILITIES):
            for name, method in inspect.getmembers(seam, inspect.isfunction):
                if not name.startswith("_") and (ours := getattr(type(source), name, None)) is not None:
                    assert isinstance(source, seam), f"{name} is called of what inherits {seam.__name__} only"
                    assert inspect.signature(ours).parameters.keys() == inspect.signature(method).parameters.keys()

    def test_it_names_its_section_and_its_version(self, source: Source) -> None:
        assert isinstance(source, Source)
        assert issubclass(type(source).Spec, SourceSpec)
        assert isinstance(source.spec, type(source).Spec)
        assert source.version
        assert "\n" not in source.version

    def test_a_listing_is_stable(self, source: Source) -> None:
        assert [_key(found) for found in source.list()] == [_key(found) for found in source.list()]

    def test_what_it_ignores_has_a_reason_of_a_few_words(self, source: Source) -> None:
        for found in source.list():
            if isinstance(found, Ignored):
                assert found.uri
                assert 0 < len(found.reason) <= 60
                assert "\n" not in found.reason

    def test_uris_are_unique_and_every_item_names_its_source(self, source: Source) -> None:
        found = _items(source)
        assert len(found) >= 3, "the contract wants three items at least"
        assert len({item.uri for item in found}) == len(found)
        assert {item.source for item in found} == {source.context.position}
        assert all(item.uri and item.version and item.media_type and item.size >= 0 for item in found)
        assert all(item.uri.encode() for item in found), "uris are Unicode"

    def test_it_parses_nothing(self, source: Source) -> None:
        assert not any(item.collection or item.row is not None or item.parent is not None for item in _items(source))

    def test_reading_twice_gives_the_same_bytes_and_hash(self, source: Source) -> None:
        contents = _contents(source)
        assert len(contents) >= 3, "the contract wants three items that can be read"
        assert contents == _contents(source)
        for content in contents:
            assert content.data
            assert content.content_hash

    def test_opening_gives_the_same_bytes_as_reading(self, source: Source) -> None:
        for content in _contents(source):
            with source.open(content.item) as (stream, size):
                assert size == len(content.data)
                assert stream.read() == content.data
                stream.seek(0)
                assert stream.read(1) == content.data[:1]

    def test_the_uri_alone_is_enough_to_read(self, source: Source) -> None:
        for content in _contents(source):
            assert source.read(Item(content.item.uri, "", content.item.media_type)).data == content.data

    def test_what_cannot_be_read_is_a_failure_with_its_uri_and_one_sentence(self, source: Source) -> None:
        failures = [(found, found.uri) for found in source.list() if isinstance(found, DocumentError)]
        gone = [Item(f"{item.uri}.gone", "1", item.media_type) for item in _items(source)]
        for item in [*_items(source), *gone]:
            try:
                source.read(item)
            except DocumentError as error:
                failures.append((error, item.uri))
        assert len(failures) >= len(gone), "what is not there is a DocumentError"
        for error, uri in failures:
            _check(error, uri)

    def test_what_is_larger_than_max_size_is_a_failure(self, source: Source) -> None:
        small: Any = type(source)(source.spec.model_copy(update={"max_size": ByteSize(1)}), source.context)
        for content in _contents(source):
            if len(content.data) > 1:
                error = _failure(small, content.item)
                assert error is not None
                _check(error, content.item.uri)
                assert "max_size" in error.reason

    def test_everything_it_lists_has_a_location_and_nothing_elsewhere_has(self, source: Source) -> None:
        whole = source.location()
        assert whole is not None
        assert whole.text
        for item in _items(source):
            place = source.location(item.uri)
            assert place is not None
            assert place.text
            assert place.path is None or place.path.exists()
            assert source.has_pages or not place.link, "a search asks no source for pages that says it has none"
            assert source.location(f"{item.uri}#1") is not None, "what is in an item is where the item is"
        assert [source.location(uri) for uri in _ELSEWHERE] == [None] * len(_ELSEWHERE)

    def test_threads_may_share_it(self, source: Source) -> None:
        expected = _contents(source)
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda _: _contents(source), range(4))) == [expected] * 4

    def test_a_place_that_is_not_there_is_never_taken_for_an_empty_one(self, missing: Source) -> None:
        try:
            found = list(missing.list())
        except ConfigurationError as error:
            assert str(error)
        else:
            raise AssertionError(f"ConfigurationError was expected, not a listing of {len(found)}")

    def test_a_place_that_is_not_there_has_a_location(self, missing: Source) -> None:
        place = missing.location()
        assert place is not None
        assert place.text


def _items(source: Source) -> list[Item]:
    return [found for found in source.list() if isinstance(found, Item)]


def _contents(source: Source) -> list[Content]:
    found = []
    for item in _items(source):
        try:
            content = source.read(item)
        except DocumentError:
            continue
        assert content.item == item
        found.append(content)
    return found


def _failure(source: Source, item: Item) -> DocumentError | None:
    try:
        source.read(item)
    except DocumentError as error:
        return error
    return None


def _check(error: DocumentError, uri: str) -> None:
    assert error.uri == uri
    assert error.reason
    assert "\n" not in error.reason
    assert "Traceback" not in error.reason


def _key(found: Item | DocumentError | Ignored) -> Any:
    return found if isinstance(found, Item) else (found.uri, found.reason)
