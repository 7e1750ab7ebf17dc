"""The parsers of an index, by media type."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from relance.config import IndexSpec, RowsSpec, fingerprint
from relance.config.plugins import loaded_plugins, plugins
from relance.config.spec_model import SpecModel
from relance.errors import DocumentError, MissingExtraError, RelanceError
from relance.parsers.decoding import clean
from relance.parsers.media_types import UNKNOWN, media_type_of
from relance.parsers.parser import Collection, Parsed, Parser, Raw, Reference
from relance.parsers.rows import Row, Rows

__all__ = ["Parsers", "installed_parsers", "open_parsers", "parsers_of"]


class Parsers:
    """Picks the parser of a media type, and keeps what it raises to one document."""

    def __init__(self, installed: Iterable[Parser], chosen: Iterable[Parser] = ()) -> None:
        """Take parsers. One that names a media type comes before one that has a pattern for it.

        Args:
            installed: the first of them wins.
            chosen: what the spec or the caller names; they come before those that are only installed.
        """
        self._chosen = tuple(chosen)
        self._parsers = (*self._chosen, *installed)
        self._known: dict[str, Parser | None] = {}
        self._suffixes = {suffix: kind for parser in reversed(self._chosen) for suffix, kind in parser.suffixes.items()}

    def of(self, media_type: str) -> Parser | None:
        """Pick the parser of a media type; None where there is none."""
        if media_type not in self._known:
            self._known[media_type] = self._pick(media_type)
        return self._known[media_type]

    def media_type_of(self, path: str) -> str:
        """Name the media type of a file by its name."""
        suffix = path.rpartition("/")[2].rpartition(".")[2].lower() if self._suffixes else ""
        return self._suffixes.get(suffix) or media_type_of(path)

    def knows(self, media_type: str) -> bool:
        """Whether files of this type are documents, so that not reading one deserves a word."""
        return media_type != UNKNOWN and (self.of(media_type) is not None or bool(self._hint(media_type)))

    def refusal(self, media_type: str) -> str:
        """Say why a file of this type is no document; empty if it can be read."""
        parser = self.of(media_type)
        if parser is None:
            return self._hint(media_type) or f"no parser for {media_type}"
        return parser.refused.get(media_type, "")

    def version(self, media_type: str, *, encoding: str = "", rows: RowsSpec | None = None) -> str:
        """Name what decides the text of such a file beside its bytes; empty where there is no parser."""
        parser = self.of(media_type)
        if parser is None:
            return ""
        parts = [parser.version]
        if parser.spec != parser.Spec():
            parts.append(fingerprint(parser.spec))
        if rows is not None and parser.is_collection(media_type, rows):
            parts.append(fingerprint(rows))
        if encoding and parser.decodes:
            parts.append(encoding)
        return "/".join(parts)

    def parse(self, raw: Raw) -> Parsed:
        """Turn bytes into clean, non-blank text with a title; raises DocumentError with a plain reason."""
        if reason := self.refusal(raw.media_type):
            raise DocumentError(raw.uri, reason)
        if not raw.data:
            raise DocumentError(raw.uri, "empty file")
        with _one_failure(raw.uri):
            parsed = self._must(raw.media_type).parse(raw)
        if not parsed.pages:  # a paged text is clean already, and its offsets must stay right
            parsed.text = clean(parsed.text)
        if not parsed.text.strip():
            raise DocumentError(raw.uri, "no text in it; scanned pages?" if parsed.pages else "no text in it")
        parsed.title = " ".join(clean(parsed.title).split()) or PurePosixPath(raw.uri).stem
        return parsed

    def references(self, raw: Raw) -> list[Reference]:
        """List the images and videos a document shows; raises DocumentError with a plain reason."""
        with _one_failure(raw.uri):
            return self._must(raw.media_type).references(raw)

    def rows(self, collection: Collection) -> Iterator[Row | DocumentError]:
        """Stream the documents of a collection; raises DocumentError with a plain reason."""
        with _one_failure(collection.uri):
            yield from self._must(collection.media_type).rows(collection)

    def blocks(self, collection: Collection) -> Iterator[Rows]:
        """Stream the same many at a time."""
        with _one_failure(collection.uri):
            yield from self._must(collection.media_type).blocks(collection)

    def _must(self, media_type: str) -> Parser:
        parser = self.of(media_type)
        assert parser is not None  # noqa: S101  # whoever calls has looked
        return parser

    def _pick(self, media_type: str) -> Parser | None:
        best, rank = None, 0
        for parser in self._parsers:
            for pattern in parser.media_types:
                prefix = pattern.removesuffix("*")
                exact = pattern == media_type
                if exact or (prefix != pattern and media_type.startswith(prefix)):
                    score = len(prefix) + (1000 if exact else 0)
                    if score > rank:
                        best, rank = parser, score
        return best

    def _hint(self, media_type: str) -> str:
        return next((parser.refused[media_type] for parser in self._parsers if media_type in parser.refused), "")


def open_parsers(options: Mapping[str, SpecModel] | None = None, given: Mapping[str, Any] | None = None) -> Parsers:
    """Make the installed parsers, with options by name; those given come first, then those that have options.

    What is given is a class, or an instance, which takes no options.
    """
    options, given = options or {}, given or {}
    ours_first = sorted(plugins("parsers").items(), key=lambda each: (each[1].package != "relance", each[0]))
    classes = loaded_plugins("parsers")
    made = {name: classes[name](options.get(name)) for name, _ in ours_first if name in classes and name not in given}
    return Parsers(
        [parser for name, parser in made.items() if name not in options],
        [
            *(kind(options.get(name)) if isinstance(kind, type) else kind for name, kind in given.items()),
            *(parser for name, parser in made.items() if name in options),
        ],
    )


def parsers_of(spec: IndexSpec) -> Parsers:
    """Make the parsers of an index: with the options of its spec, after those that were given to it."""
    given = spec.plugins.given.get("parsers")
    return open_parsers(spec.parsers, given) if spec.parsers or given else installed_parsers()


@cache
def installed_parsers() -> Parsers:
    """Return the installed parsers without options."""
    return open_parsers()


@contextmanager
def _one_failure(uri: str) -> Generator[None]:
    """Make one document's failure of whatever a parser raises: a file nobody has foreseen must not stop the others."""
    try:
        yield
    except MissingExtraError as error:
        raise DocumentError(uri, str(error)) from None
    except RelanceError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise DocumentError(uri, f"cannot be parsed ({reason})") from error
